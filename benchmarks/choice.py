"""`auto` on ODDS tables with 5, 10 and 20 labels: what the choice is worth, and what it said it would be."""

from collections import defaultdict
from time import perf_counter

import numpy as np
from rich.table import Table
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score

from benchmarks.settings import Settings
from benchmarks.timing import console
from semiad import Detector
from semiad.datasets import odds
from semiad.scenarios.holdout import Holdout
from semiad.types import Cell, Dataset, Split

LABELS = (5, 10, 20)
FIXED = ("aesad", "logistic", "devnet", "iforest")
"""Methods that are fitted to the same rows without a choice."""
MOST_ROWS = 8_000
"""Rows of a table, unless `rows` says another number: larger ones take long."""


def measure(settings: Settings) -> None:
    """Measure `repeats` draws of each table."""
    table = Table("table", "labels", "draw", "chosen", "AP", "said, 80 %", *FIXED, "s", box=None)
    aps, inside = defaultdict[str, list[float]](list), []
    paths = sorted((settings.data_root / "odds").glob("*.mat"), key=lambda path: path.stat().st_size)
    for path in paths:
        dataset = odds.load(settings.data_root, path.stem)
        if len(dataset.x) > (settings.rows or MOST_ROWS):
            continue
        for labels in LABELS:
            if int(0.7 * dataset.labels.y.sum()) < labels:
                continue
            for draw in range(settings.repeats):
                split = Holdout(0.3, labels).split(Cell((0,), (1,)), dataset.labels, draw)
                start = perf_counter()
                detector = fitted("auto", dataset, split, draw, settings.device)
                seconds = perf_counter() - start
                made = detector.comparison_
                assert made is not None
                ap = test_ap(detector, dataset, split)
                inside.append(made.worth.low <= ap <= made.worth.high)
                fixed = [test_ap(fitted(name, dataset, split, draw, settings.device), dataset, split) for name in FIXED]
                for name, value in zip(("auto", *FIXED), (ap, *fixed), strict=True):
                    aps[name].append(value)
                said = f"{made.worth.mean:.3f} ({made.worth.low:.3f} to {made.worth.high:.3f})"
                figures = (f"{ap:.3f}", said, *(f"{value:.3f}" for value in fixed), f"{seconds:.0f}")
                row = (path.stem, str(labels), str(draw), made.chosen.candidate.name, *figures)
                table.add_row(*row)
                console.print(*row, soft_wrap=True)
    console.print(table)
    ranks = rankdata(-np.array(list(aps.values())), axis=0).mean(axis=1)
    for name, rank in zip(aps, ranks, strict=True):
        console.print(f"{name}: mean AP {np.mean(aps[name]):.4f}, mean rank {rank:.2f} of {len(aps)}")
    console.print(f"the AP lies in the interval that was said in {np.mean(inside):.0%} of {len(inside)} cases")


def fitted(method: str, dataset: Dataset, split: Split, seed: int, device: str) -> Detector:
    """Fit a detector of one member to the training rows of a split."""
    y = np.where(split.s == 1, 1.0, np.nan)
    return Detector(method, ensemble=1, random_state=seed, device=device).fit(dataset.x[split.train].numpy(), y)


def test_ap(detector: Detector, dataset: Dataset, split: Split) -> float:
    """Compute the average precision on the test rows, as if anomalies were as rare among them as labels in training.

    The folds of a comparison have that share of anomalies, and average precision depends on it.
    """
    scores = detector.decision_function(dataset.x[split.test].numpy())
    trained, tested = (np.mean(values) / (1 - np.mean(values)) for values in (split.s, split.truth))
    weights = np.where(split.truth == 1, trained / tested, 1.0)
    return float(average_precision_score(split.truth, scores, sample_weight=weights))
