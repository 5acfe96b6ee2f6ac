"""Label-using methods of PyOD, CatBoost and DeepOD, on the splits of `experiment=few_labels`, whose rows `auto` has.

`bash scripts/peers.sh rivals out=DIR` installs them in an environment of their own and runs this there. Each has the
defaults of its library, and rows that are standardised; a row without a label counts as normal. A case (a table, a
number of labels, a draw, a rival) is a line of `out/rivals.jsonl`, judged by average precision as if anomalies were as
rare as labels. The same command goes on with what is left.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from sklearn.preprocessing import StandardScaler

from benchmarks.cases import Case, measure_cases
from benchmarks.choice import average_precision, planned_splits
from benchmarks.peers import score_by_peer
from benchmarks.settings import Settings
from semiad.types import Dataset, Split

RIVALS = {
    "PyOD XGBOD": ("pyod", "xgbod"),
    "CatBoost": ("catboost", "catboost"),
    "DeepOD Deep SAD": ("deepod", "deep_sad"),
    "DeepOD PReNet": ("deepod", "prenet"),
}
"""Library and method of each."""


def measure(settings: Settings) -> None:
    """Measure `repeats` draws of each table.

    Raises:
        InputError: `out` is not given.
    """
    measure_cases(settings, "rivals", planned_cases(settings))


def planned_cases(settings: Settings) -> Iterator[tuple[Case, Callable[[], Case]]]:
    """Yield the cases: each rival on each split of `choice`."""
    for named, dataset, split in planned_splits(settings):
        for rival in RIVALS:
            yield {**named, "rival": rival}, partial(measure_case, dataset, split, rival, named["draw"])


def measure_case(dataset: Dataset, split: Split, rival: str, seed: int) -> dict[str, Any]:
    """Fit a rival to the training rows, and judge it on the rows that are held out."""
    scaler = StandardScaler().fit(dataset.x[split.train].numpy())
    train, test = (scaler.transform(dataset.x[rows].numpy()) for rows in (split.train, split.test))
    scores, seconds = score_by_peer(*RIVALS[rival], train, split.s, test, seed)
    return {"seconds": round(seconds, 2), "ap": average_precision(scores, split)}
