"""The model card of a saved detector."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from semiad.detector.calibration import Calibration
from semiad.detector.candidates import AUTO

TEXT = """# {method} detector

An anomaly detector made by semiad {version}: {methods}, {members} member{s}, on {features}.

```python
from semiad import Detector

detector = Detector.load("this folder")
detector.decision_function(X)  # larger is more anomalous
detector.predict(X)  # 1 for an anomaly, else 0
```

## Training

| rows | number |
|---|---|
| given | {rows_given} |
| used | {rows} |
| labelled anomalous | {labelled_anomalies} |
| checked normal | {checked_normal} |
| trained on | {training_rows} |
| held out for the threshold | {calibration_rows} |

A member took {steps:,} steps at most; training took {seconds} s.
{choice}
## Threshold

A row with a score above {threshold:.6g} is an alarm, at a false alarm rate of {rate:.3g} (split conformal on the
held-out rows).
{caution}

## Files

`config.json` has the sha256 of every other file. `Detector.load` refuses a folder that was changed.
"""
CHECKED = "The held-out rows are checked normal rows, so the rate holds for rows that come as they did."
UNCHECKED = (
    "Some held-out rows are not checked: anomalies among them raise the threshold, so that false alarms are fewer and\n"
    "more anomalies are missed."
)
CHOICE = """
Of {candidates} candidates the method{s} {were} chosen on {folds} folds, {repeats} time{times}. On folds that the choice
was not made on, what is chosen so had an average precision of {average_precision:.3f} (80 % interval {low:.3f} to
{high:.3f}): the figure to expect where anomalies are of the kinds that were labelled, and as rare.
"""


def model_card(config: Mapping[str, Any]) -> str:
    """Write the card from the configuration of a model folder."""
    training, checked = config["training"], config["training"]["calibration_rows_checked"]
    methods = config["methods"]
    members = sum(method["members"] for method in methods)
    names = ["`" + " ".join([method["name"], *method["overrides"]]) + "`" for method in methods]
    return TEXT.format(
        method=methods[0]["name"] if len(methods) == 1 else AUTO,
        methods=", ".join(names) + (", whose scores are averaged" if len(names) > 1 else ""),
        version=config["versions"]["semiad"],
        members=members,
        s="" if members == 1 else "s",
        features=described(config),
        threshold=config["calibration"]["threshold"],
        rate=Calibration(np.zeros(config["calibration"]["rows"])).rate(config["parameters"]["fpr"]),
        caution=CHECKED if checked else UNCHECKED,
        choice=choice_of(training.get("comparison"), len(methods)),
        **training,
    )


def choice_of(comparison: Mapping[str, Any] | None, methods: int) -> str:
    """Say what the methods were chosen by, and what that is worth; nothing where none were compared."""
    if comparison is None:
        return ""
    low, high = comparison["interval_80"]
    one = methods == 1
    words = {"s": "" if one else "s", "were": "was" if one else "were", "low": low, "high": high}
    times = "s" * (comparison["repeats"] > 1)
    return CHOICE.format(**{**comparison, "candidates": len(comparison["candidates"])}, **words, times=times)


def described(config: Mapping[str, Any]) -> str:
    """Say what the detector takes."""
    preprocessing = config["preprocessing"]
    if preprocessing.get("type") != "images":
        return f"{config['features']['count']} columns"
    backbone = f", by the features of {preprocessing['features']}" if preprocessing["features"] else ""
    return f"images of {'x'.join(map(str, preprocessing['shape']))} (channels x height x width){backbone}"
