"""`semiad evaluate`: how well a detector does on rows with labels."""

from pathlib import Path

import numpy as np
from rich.table import Table
from scipy.stats import binomtest

from semiad.cli.messages import progress, warn
from semiad.cli.score import collect, warnings_of
from semiad.cli.tables import TableOptions
from semiad.console import open_console
from semiad.detector.estimator import Detector
from semiad.detector.inputs import table_preprocessor
from semiad.detector.stream import score_table
from semiad.errors import InputError
from semiad.tabular.comparison import Comparison
from semiad.tabular.sample import read_labels

RESAMPLES, CONFIDENCE = 1000, 0.95


def run_evaluate(model: Path, options: TableOptions, fpr: float | None, device: str) -> None:
    """Print metrics with intervals.

    Raises:
        InputError: the model or the table cannot be used, or no row has a label.
    """
    if options.label is None:
        raise InputError(f"name the column of labels of {options.path}: --label COLUMN")
    detector = load_for(model, fpr, device)
    table = options.open(table_preprocessor(detector.preprocessor_).texts)
    y = read_labels(table, options.label, **options.meanings)
    check_labels(y, options.path)
    labelled = ~np.isnan(y)
    scores, comparison = collect(score_table(detector, table, taken=labelled), int(labelled.sum()))
    comparison = comparison if not (y == 1).any() else Comparison()  # anomalies differ from training
    for warning in warnings_of(detector, scores[y[labelled] == 0], comparison, normal=True):
        warn(warning)
    print_metrics(detector, scores, y, options.path, fpr)


def load_for(model: Path, fpr: float | None, device: str) -> Detector:
    """Load a detector that is to have a false alarm rate.

    Raises:
        InputError: the model cannot be used, or the rate is out of range.
    """
    detector = Detector.load(model, device=device)
    if fpr is not None:
        detector.calibration_.threshold(fpr)
        detector.calibration_.warn_of_few_rows(fpr)
    return detector


def check_labels(y: np.ndarray, path: Path, noun: str = "row") -> None:
    """Check that some rows are labelled.

    Raises:
        InputError: no row has a label.
    """
    if np.isnan(y).all():
        raise InputError(
            f"{path} has no labelled {noun}s, expected anomalies, checked normal {noun}s or both: {noun}s without a "
            "label are not evaluated"
        )


def print_metrics(detector: Detector, scores: np.ndarray, y: np.ndarray, path: Path, fpr: float | None) -> None:
    """Print metrics with intervals.

    Args:
        detector: that has scored.
        scores: of the rows with a label.
        y: labels of all rows: 1, 0 or NaN.
        path: where they are from.
        fpr: the false alarm rate; None for that of the detector.
    """
    console, noun = open_console(), detector.calibration_.noun
    threshold = detector.threshold_ if fpr is None else detector.calibration_.threshold(fpr)
    anomalous = y[~np.isnan(y)] == 1
    anomalies, normals, left = int(anomalous.sum()), int((~anomalous).sum()), len(y) - len(scores)
    console.print(
        f"{path}: {anomalies:,} anomalies, {normals:,} normal {noun}s"
        + (f"; {left:,} {noun}s without a label are left out" if left else ""),
        markup=False,
    )
    table = Table("metric", box=None)
    for heading in ("value", "95 % interval", f"{noun}s"):
        table.add_column(heading, justify="right")
    if anomalies and normals:
        for name, (value, low, high) in zip(("AUC", "AP"), ranking_metrics(scores, anomalous), strict=True):
            table.add_row(name, f"{value:.3f}", f"{low:.3f} to {high:.3f}", "")
    alarms = scores > threshold
    hits, false = int((alarms & anomalous).sum()), int((alarms & ~anomalous).sum())
    for name, count, of in (
        ("recall", hits, anomalies),
        ("precision", hits, hits + false if anomalies and normals else 0),
        ("false alarm rate", false, normals),
    ):
        table.add_row(name, *proportion(count, of), f"{count:,} of {of:,}")
    console.print(table)
    if not anomalies or not normals:
        lacking = "anomalies" if normals else f"normal {noun}s"
        console.print(f"no AUC and no AP: {path} has no {lacking} to compare with", markup=False)
    rate = detector.calibration_.rate(detector.fpr if fpr is None else fpr)
    console.print(f"alarms: scores above {threshold:.4g} (false alarm rate {rate:.3g} by calibration)", markup=False)


def proportion(count: int, of: int) -> tuple[str, str]:
    """Write a share and its interval by Clopper and Pearson; dashes if it is one of nothing."""
    if not of:
        return "-", "-"
    low, high = binomtest(count, of).proportion_ci(CONFIDENCE, method="exact")
    return f"{count / of:.3f}", f"{low:.3f} to {high:.3f}"


def ranking_metrics(
    scores: np.ndarray, anomalous: np.ndarray, resamples: int = RESAMPLES
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Compute AUC and average precision, each with the interval of a bootstrap within anomalies and normal rows.

    Rows are sorted once; a resample is a number of times that each distinct score is drawn.
    """
    rng = np.random.default_rng(0)
    distinct, group = np.unique(scores, return_inverse=True)
    anomalies, normals = (np.bincount(group[kind], minlength=len(distinct)) for kind in (anomalous, ~anomalous))
    groups = group[anomalous], group[~anomalous]

    def resample(_: int) -> tuple[float, float]:
        drawn = (part[rng.integers(len(part), size=len(part))] for part in groups)
        positive, negative = (np.bincount(part, minlength=len(distinct)) for part in drawn)
        return auc_and_ap(positive, negative, anomalies)

    bar = progress(range(resamples), "bootstrap")
    draws = np.array([resample(number) for number in bar])
    low, high = np.quantile(draws, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2), axis=0)
    auc, ap = auc_and_ap(anomalies, normals, anomalies)
    return (auc, float(low[0]), float(high[0])), (ap, float(low[1]), float(high[1]))


def auc_and_ap(positive: np.ndarray, negative: np.ndarray, rows: np.ndarray) -> tuple[float, float]:
    """Compute AUC and average precision from the numbers of anomalies and normal rows at each score, ascending.

    Args:
        positive: how many anomalies there are, a row that is drawn twice being two of them.
        negative: how many normal rows there are.
        rows: how many anomalies were drawn from. Copies of one stand one after the other, and count at their mean
            place: tied, they would have more precision than the row that they are copies of.
    """
    below = np.cumsum(negative) - negative / 2
    auc = (positive * below).sum() / (positive.sum() * negative.sum())
    before = np.maximum(positive / np.maximum(rows, 1) - 1, 0) / 2
    hits, false = np.cumsum(positive[::-1]) - before[::-1], np.cumsum(negative[::-1])
    ap = (positive[::-1] * hits / np.maximum(hits + false, 1)).sum() / positive.sum()
    return float(auc), float(ap)
