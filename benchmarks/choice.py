"""Rules of choice and ensembles on ODDS tables with 5, 10 and 20 labels.

Each case (a table, a number of labels, a draw) is a line of `out/cases.jsonl`: the values of all candidates on the
folds, and the average precision of each, fitted to all training rows, on the rows that are held out. Rules of choice
can so be compared after the fact, on folds alone; the held-out rows only judge them. The same command goes on with what
is left.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import rankdata

from benchmarks.auto_runs import LABELS
from benchmarks.cases import Case, measure_cases
from benchmarks.choice_page import table_lines
from benchmarks.settings import Settings
from semiad import Detector
from semiad.datasets import odds
from semiad.detector.candidates import Candidate
from semiad.metrics import compute_metrics
from semiad.scenarios.holdout import Holdout
from semiad.types import Cell, Dataset, Split

COUNTS = 3, 5, 8
"""Candidates that are taken together."""
TEST_SHARE = 0.3
"""Rows of a table that are held out."""
MOST_ROWS = 8_000
"""Rows of a table, unless `rows` says another number: larger ones take long."""


def measure(settings: Settings) -> None:
    """Measure `repeats` draws of each table, and print what all cases in `out` say.

    Raises:
        InputError: `out` is not given.
    """
    if cases := measure_cases(settings, "cases", planned_cases(settings)):
        print("\n".join(table_lines(cases)))


def planned_cases(settings: Settings) -> Iterator[tuple[Case, Callable[[], Case]]]:
    """Yield the cases: each number of labels that a table has."""
    for named, dataset, split in planned_splits(settings):
        yield named, partial(measure_case, dataset, split, named["draw"], settings)


def planned_splits(settings: Settings) -> Iterator[tuple[dict[str, Any], Dataset, Split]]:
    """Yield what names a split, its table, and the split: `repeats` draws for each number of labels of each table."""
    for draw in range(settings.repeats):
        for name, dataset in tables(settings):
            for labels in LABELS:
                if int((1 - TEST_SHARE) * dataset.labels.y.sum()) >= labels:
                    split = Holdout(TEST_SHARE, labels).split(Cell((0,), (1,)), dataset.labels, draw)
                    yield {"table": name, "labels": labels, "draw": draw}, dataset, split


def tables(settings: Settings) -> Iterator[tuple[str, Dataset]]:
    """Yield the tables, the smallest first."""
    for path in sorted((settings.data_root / "odds").glob("*.mat"), key=lambda path: path.stat().st_size):
        dataset = odds.load(settings.data_root, path.stem)
        if len(dataset.x) <= (settings.rows or MOST_ROWS):
            yield path.stem, dataset


def measure_case(dataset: Dataset, split: Split, draw: int, settings: Settings) -> dict[str, Any]:
    """Compare the candidates on the training rows, and judge each on the rows that are held out."""
    start = perf_counter()
    auto = fit("auto", (), dataset, split, draw, settings.device)
    seconds, made = perf_counter() - start, auto.comparison_
    assert made is not None
    fitted = [fit_candidate(one.candidate, dataset, split, draw, settings.device) for one in made.usable]
    raw = np.stack([detector.decision_function(dataset.x[split.test].numpy()) for detector in fitted])
    ranked = np.stack([rankdata(scores) / len(scores) for scores in raw])
    order = np.argsort(-made.stacked.mean(axis=(1, 2)), kind="stable")
    return {
        "rows": len(split.train),
        "seconds": round(seconds, 1),
        "chosen": made.chosen.candidate.name,
        "candidates": [one.candidate.name for one in made.usable],
        "folds": made.stacked.round(5).tolist(),
        "ap": [average_precision(scores, split) for scores in raw],
        "ensembles": {
            f"{way} of the best {count}": average_precision(scores[order[:count]].mean(axis=0), split)
            for way, scores in (("scores", raw), ("ranks", ranked))
            for count in COUNTS
        },
    }


def fit_candidate(candidate: Candidate, dataset: Dataset, split: Split, seed: int, device: str) -> Detector:
    """Fit a candidate to the training rows of a split."""
    return fit(candidate.method, candidate.overrides, dataset, split, seed, device)


def fit(method: str, overrides: Sequence[str], dataset: Dataset, split: Split, seed: int, device: str) -> Detector:
    """Fit a detector of one member to the training rows of a split."""
    y = np.where(split.s == 1, 1.0, np.nan)
    detector = Detector(method, ensemble=1, random_state=seed, device=device, overrides=overrides)
    return detector.fit(dataset.x[split.train].numpy(), y)


def average_precision(scores: Float[np.ndarray, " n"], split: Split) -> float:
    """Compute the average precision on the test rows, as if anomalies were as rare among them as labels in training.

    The folds of a comparison have that share of anomalies, and average precision depends on it.
    """
    metrics = compute_metrics(torch.from_numpy(scores), torch.from_numpy(split.truth), None, {}, split.label_odds)
    found = metrics["ap_at_label_rate"]
    assert isinstance(found, float)
    return round(found, 5)
