"""`semiad plan` on ODDS tables: what it forecasts of twice as many labels, and what these bring.

Each case (a table, a number of labels, a draw, a method) is a line of `out/forecasts.jsonl`: the forecast by the labels
that there are, and the average precision on the rows that are held out of the method fitted with as many labels and
with twice as many. The same command goes on with what is left.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.auto_runs import LABELS
from benchmarks.cases import Case, measure_cases
from benchmarks.choice import TEST_SHARE, average_precision, fit_candidate, tables
from benchmarks.choice_page import forecast_lines
from benchmarks.settings import Settings
from semiad.detector.candidates import DEFAULT, Candidate
from semiad.detector.comparison_jobs import train_jobs
from semiad.detector.label_curve import plan_curve
from semiad.detector.training import Bar
from semiad.engines.device import resolve_device
from semiad.scenarios.holdout import Holdout
from semiad.tabular.frames import as_frame
from semiad.tabular.preprocessor import TablePreprocessor
from semiad.types import Cell, Dataset, Split

METHODS = ("logistic", DEFAULT)
FOLDS = REPEATS = 5


def measure(settings: Settings) -> None:
    """Measure `repeats` draws of each table, and print what all cases in `out` say.

    Raises:
        InputError: `out` is not given.
    """
    if cases := measure_cases(settings, "forecasts", planned_cases(settings)):
        print("\n".join(forecast_lines(cases)))


def planned_cases(settings: Settings) -> Iterator[tuple[Case, Callable[[], Case]]]:
    """Yield the cases: each number of labels of which a table has twice as many."""
    for draw in range(settings.repeats):
        for method in METHODS:
            for name, dataset in tables(settings):
                for labels in LABELS:
                    if int((1 - TEST_SHARE) * dataset.labels.y.sum()) >= 2 * labels:
                        named = {"table": name, "labels": labels, "draw": draw, "method": method}
                        yield named, partial(measure_case, dataset, labels, draw, method, settings)


def measure_case(dataset: Dataset, labels: int, draw: int, method: str, settings: Settings) -> dict[str, Any]:
    """Forecast by half of the labels of the training rows, and judge by the rows that are held out."""
    twice = Holdout(TEST_SHARE, 2 * labels).split(Cell((0,), (1,)), dataset.labels, draw)
    known, candidate, device = with_labels(twice, labels, draw), Candidate(method), resolve_device(settings.device)
    frame = as_frame(dataset.x[known.train].numpy())
    x = TablePreprocessor().fit(frame).transform(frame)
    with TemporaryDirectory() as folder:
        results = Path(folder) / "results"
        planned = plan_curve(x, known.s == 1, candidate, FOLDS, REPEATS, draw, device, Path(folder))
        train_jobs(planned.jobs, results, lambda job: Bar(False, ""))
        curve = planned.curve(results)
        made = curve.forecast([2 * labels])
    now, found = (fit_candidate(candidate, dataset, split, draw, settings.device) for split in (known, twice))
    tested = dataset.x[twice.test].numpy()
    # Both at the share of anomalies that the folds have: that of twice as many labels alone would raise what is found.
    ap_now, ap_found = (average_precision(detector.decision_function(tested), known) for detector in (now, found))
    return {
        "rows": len(known.train),
        "forecast": None if made is None else [made[0].mean, made[0].low, made[0].high],
        "measured": round(float(curve.values[-1].mean()), 5),
        "now": ap_now,
        "found": ap_found,
    }


def with_labels(split: Split, labels: int, seed: int) -> Split:
    """Leave out all labelled anomalies but so many, which are drawn."""
    left = np.random.default_rng(seed).permutation(np.flatnonzero(split.s == 1))[labels:]
    return replace(split, train=np.delete(split.train, left), s=np.delete(split.s, left))
