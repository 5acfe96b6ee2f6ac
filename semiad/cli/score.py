"""`semiad score`: scores, p-values and alarms of the rows of a table."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from scipy.stats import ks_2samp

from semiad.cli.explain import explain_table, explanation_columns
from semiad.cli.messages import notes, progress, warn
from semiad.cli.tables import STDOUT, TableOptions, check_writable, write_table
from semiad.console import open_console
from semiad.detector.estimator import Detector
from semiad.detector.inputs import table_preprocessor
from semiad.errors import InputError
from semiad.tabular.columns import as_numbers
from semiad.tabular.encoders import Number
from semiad.tabular.preprocessor import ROWS

COLUMNS = ("score", "p_value", "alarm")
OUTSIDE = 0.01
"""Share of the values of a column beyond the range of training, above which it is told."""
SHIFT, SHIFT_P = 0.1, 0.001
"""Distance between two distributions, and p-value, from which on scores are told to have shifted."""
SHOWN = 5


def run_score(
    model: Path,
    options: TableOptions,
    out: str,
    fpr: float | None,
    budget: int | None,
    keep: bool,
    explain: int | None,
    device: str,
) -> None:
    """Score a table.

    Raises:
        InputError: the model, the table or an option cannot be used.
    """
    detector = load_for_scores(model, out, fpr, budget, device)
    columns = [*COLUMNS, *explanation_columns(detector, explain)]
    frame = options.read()
    if keep and (taken := [name for name in columns if name in frame.columns]):
        raise InputError(f"{options.path} has a column '{taken[0]}' of its own: rename it, or score without --keep")
    scores = score_rows(detector, frame)
    for warning in warnings_of(detector, frame, scores):
        warn(warning)
    alarms = detector.alarms(scores, fpr=fpr, budget=budget)
    values = (scores, detector.calibration_.p_values(scores), alarms)
    scored = pl.DataFrame(dict(zip(COLUMNS, values, strict=True)))
    scored = pl.concat([scored, explain_table(detector, frame, explain)], how="horizontal")
    write_table(frame.hstack(scored) if keep else scored, out)
    print_alarms(detector, alarms, options.path, "rows", out, fpr, budget)


def load_for_scores(model: Path, out: str, fpr: float | None, budget: int | None, device: str) -> Detector:
    """Load a detector, after checking what can be checked before anything is read that is to be scored.

    Raises:
        InputError: the output, the model, or the rate or budget cannot be used.
    """
    check_writable(out)
    detector = Detector.load(model, device=device)
    detector.alarms(np.zeros(0), fpr=fpr, budget=budget)
    return detector


def print_alarms(
    detector: Detector, alarms: np.ndarray, path: Path, noun: str, out: str, fpr: float | None, budget: int | None
) -> None:
    """Say how many alarms there are, at what rate, and where they were written."""
    rate = (
        f"budget {budget:,}"
        if budget is not None
        else f"false alarm rate {detector.calibration_.rate(fpr or detector.fpr):.3g}"
    )
    console = notes() if out == STDOUT else open_console()
    console.print(
        f"{path}: {len(alarms):,} {noun}, {int(alarms.sum()):,} alarms ({alarms.mean():.1%}), {rate}"
        + ("" if out == STDOUT else f"; written to {out}"),
        markup=False,
    )


def score_rows(detector: Detector, frame: pl.DataFrame) -> np.ndarray:
    """Score rows, float64 (rows,), with a progress bar. Columns that were not trained on may be there.

    Raises:
        InputError: a column is gone, or of another type than in training.
    """
    preprocessor = table_preprocessor(detector.preprocessor_)
    preprocessor.check(frame)
    parts = progress(range(0, frame.height, ROWS), "scoring")
    return np.concatenate(
        [detector.ensemble_.scores(preprocessor.transform(frame[start : start + ROWS])) for start in parts]
    )


def warnings_of(detector: Detector, frame: pl.DataFrame, scores: np.ndarray) -> Iterator[str]:
    """Say where rows are unlike those of training."""
    preprocessor = table_preprocessor(detector.preprocessor_)
    outside = {name: share for name, share in preprocessor.out_of_range(frame).items() if share > OUTSIDE}
    if outside:
        yield f"values leave the range of training: {named(outside)}"
    if empty := preprocessor.empty_rows(frame):
        yield f"{empty:,} rows have no value in any column that is learnt from: their scores mean nothing"
    if shift := shift_of(detector, scores):
        moved = dict(shifted_columns(detector, frame))
        yield shift + (f"; values beyond the median of training: {named(moved)}" if moved else "")


def shift_of(detector: Detector, scores: np.ndarray) -> str | None:
    """Say that scores have shifted, if they have."""
    test = ks_2samp(scores, detector.calibration_.scores)
    if test.pvalue >= SHIFT_P or test.statistic <= SHIFT:
        return None
    side = "larger" if np.median(scores) > np.median(detector.calibration_.scores) else "smaller"
    noun = detector.calibration_.noun
    return (
        f"scores have shifted: they are {side} than those of the {noun}s that set the threshold (Kolmogorov-Smirnov "
        f"distance {test.statistic:.2f}, p {test.pvalue:.1g}), by many anomalies, or because normal {noun}s have "
        "changed, for which the false alarm rate does not hold"
    )


def shifted_columns(detector: Detector, frame: pl.DataFrame) -> Iterator[tuple[str, float]]:
    """Yield columns of numbers of which far more than half lie on one side of the median of training, and how many.

    At most half of the training rows were beyond it on either side, so that this needs no memory of their distribution.
    """
    preprocessor = table_preprocessor(detector.preprocessor_)
    for encoder in preprocessor.encoders:
        if isinstance(encoder, Number):
            numbers = as_numbers(preprocessor.values(frame, encoder), encoder.name).to_numpy()
            share = max(float((numbers > encoder.filled).mean()), float((numbers < encoder.filled).mean()))
            if share > 0.5 + SHIFT:
                yield encoder.name, share


def named(shares: dict[str, float]) -> str:
    """Name columns, the largest share first."""
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    rest = f" and {len(ordered) - SHOWN} more columns" if len(ordered) > SHOWN else ""
    return ", ".join(f"'{name}' ({share:.0%} of the rows)" for name, share in ordered[:SHOWN]) + rest
