"""`semiad score`: scores, p-values and alarms of the rows of a table."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from scipy.stats import ks_2samp

from semiad.cli.explain import explain_chunk, explanation_columns
from semiad.cli.messages import notes, progress_bar, warn
from semiad.cli.tables import STDOUT, TableOptions, check_writable, write_table
from semiad.console import open_console
from semiad.detector.estimator import Detector
from semiad.detector.inputs import table_preprocessor
from semiad.detector.ray_stream import check_ray, score_by_ray
from semiad.detector.stream import ChunkScores, columns_to_read, score_table
from semiad.errors import InputError
from semiad.tabular.comparison import Comparison
from semiad.tabular.table import Table, chunk_rows

ENGINES = ("local", "ray")
OUTSIDE = 0.01
"""Share of the values of a column beyond the range of training, above which it is told."""
SHIFT, SHIFT_P = 0.1, 0.001
"""Distance between two distributions, and p-value, from which on scores are told to have shifted."""
SHOWN = 5


@dataclass(frozen=True)
class ScoreOptions:
    """What is written of each row.

    Attributes:
        out: the file to write; `-` for the standard output.
        fpr: false alarm rate of the alarms; None for that of the detector.
        budget: number of alarms, in place of a rate.
        rate: share of anomalies at which probabilities are told; None for no probabilities.
        keep: whether the columns of the table are kept.
        explain: number of columns that are named for each row; None for none.
    """

    out: str
    fpr: float | None = None
    budget: int | None = None
    rate: float | None = None
    keep: bool = False
    explain: int | None = None

    def load(self, model: Path, device: str) -> Detector:
        """Load a detector, after checking what can be checked before anything is read that is to be scored.

        Raises:
            InputError: the output, the model, or the rates or the budget cannot be used.
        """
        check_writable(self.out)
        detector = Detector.load(model, device=device)
        self.columns(detector, np.zeros(0), self.alarms(detector, np.zeros(0)))
        return detector

    def alarms(self, detector: Detector, scores: np.ndarray) -> np.ndarray:
        """Decide by the scores of all rows which of them are alarms."""
        return detector.alarms(scores, fpr=self.fpr, budget=self.budget)

    def columns(self, detector: Detector, scores: np.ndarray, alarms: np.ndarray) -> pl.DataFrame:
        """Give what is written of rows with these scores, of which some are alarms."""
        told = {} if self.rate is None else {"probability": detector.probabilities(scores, self.rate)}
        return pl.DataFrame(
            {"score": scores, "p_value": detector.calibration_.p_values(scores), **told, "alarm": alarms}
        )


def run_score(model: Path, rows: TableOptions, options: ScoreOptions, device: str, engine: str = "local") -> None:
    """Score a table chunk by chunk, of which the scores are kept; then write them, chunk by chunk too.

    Raises:
        InputError: the model, the table or an option cannot be used.
    """
    if engine not in ENGINES:
        raise InputError(f"--engine is '{engine}', expected one of {', '.join(ENGINES)}")
    if engine == "ray":
        check_ray(rows.path)
    detector = options.load(model, device)
    written = options.columns(detector, np.zeros(0), np.zeros(0)).columns
    columns = [*written, *explanation_columns(detector, options.explain)]
    table = rows.open(table_preprocessor(detector.preprocessor_).texts)
    if options.keep and (taken := [name for name in columns if name in table.schema]):
        raise InputError(f"{rows.path} has a column '{taken[0]}' of its own: rename it, or score without --keep")
    chunks = score_by_ray(detector, table) if engine == "ray" else score_table(detector, table)
    scores, comparison = collect(chunks, table.height)
    for warning in warnings_of(detector, scores, comparison):
        warn(warning)
    alarms = options.alarms(detector, scores)
    write_table(scored_chunks(detector, table, scores, alarms, options), options.out)
    print_alarms(detector, alarms, rows.path, "rows", options)


def collect(chunks: Iterable[ChunkScores], rows: int) -> tuple[np.ndarray, Comparison]:
    """Put the scores of all rows together, float64 (rows,), and their comparisons, with a progress bar.

    Raises:
        InputError: there are more rows, or fewer, so that the file has changed meanwhile.
    """
    scores, comparison = np.empty(rows), Comparison()
    with progress_bar("scoring", rows) as advance:
        for chunk in chunks:
            start, comparison = comparison.rows, comparison + chunk.comparison
            if comparison.rows <= rows:
                scores[start : comparison.rows] = chunk.scores
            advance(len(chunk.scores))
    if comparison.rows != rows:
        raise InputError(f"the file had {rows:,} rows, and then {comparison.rows:,}: it is being written to")
    return scores, comparison


def scored_chunks(
    detector: Detector, table: Table, scores: np.ndarray, alarms: np.ndarray, options: ScoreOptions
) -> Iterator[pl.DataFrame]:
    """Yield what is written of each chunk; the table is read again where its columns are kept or explained."""
    if options.keep:
        columns = list(table.schema)
    else:
        columns = columns_to_read(detector, table.schema) if options.explain is not None else []
    start = 0
    with progress_bar("writing", len(scores)) as advance:
        for frame in table.chunks(columns) if columns else row_numbers(len(scores)):
            rows = slice(start, start + len(frame))
            scored = options.columns(detector, scores[rows], alarms[rows])
            parts = [*([frame] if options.keep else []), scored, explain_chunk(detector, frame, options.explain)]
            yield pl.concat(parts, how="horizontal")
            start = rows.stop
            advance(len(frame))


def row_numbers(rows: int) -> Iterator[pl.DataFrame]:
    """Yield chunks of the numbers of rows."""
    step = chunk_rows(1)
    for start in range(0, rows, step):
        yield pl.int_range(start, min(start + step, rows), eager=True).to_frame()


def print_alarms(detector: Detector, alarms: np.ndarray, path: Path, noun: str, options: ScoreOptions) -> None:
    """Say how many alarms there are, at what rate, and where they were written."""
    rate = (
        f"budget {options.budget:,}"
        if options.budget is not None
        else f"false alarm rate {detector.calibration_.rate(options.fpr or detector.fpr):.3g}"
    )
    console = notes() if options.out == STDOUT else open_console()
    console.print(
        f"{path}: {len(alarms):,} {noun}, {int(alarms.sum()):,} alarms ({alarms.mean():.1%}), {rate}"
        + ("" if options.out == STDOUT else f"; written to {options.out}"),
        markup=False,
    )


def warnings_of(
    detector: Detector, scores: np.ndarray, comparison: Comparison, *, normal: bool = False
) -> Iterator[str]:
    """Say where rows are unlike those of training.

    Args:
        detector: that has scored.
        scores: of the rows, or of the normal ones where that is known.
        comparison: of the rows.
        normal: whether the scores are of normal rows.
    """
    outside = {name: share for name, share in comparison.shares(comparison.outside).items() if share > OUTSIDE}
    if outside:
        yield f"values leave the range of training: {named(outside)}"
    if comparison.empty:
        yield f"{comparison.empty:,} rows have no value in any column that is learnt from: their scores mean nothing"
    if shift := shift_of(detector, scores, normal=normal):
        moved = shifted_columns(comparison)
        yield shift + (f"; values beyond the median of training: {named(moved)}" if moved else "")


def shift_of(detector: Detector, scores: np.ndarray, *, normal: bool = False) -> str | None:
    """Say that scores have shifted, if they have; see `warnings_of`."""
    if not len(scores):
        return None
    test = ks_2samp(scores, detector.calibration_.scores)
    if test.pvalue >= SHIFT_P or test.statistic <= SHIFT:
        return None
    side = "larger" if np.median(scores) > np.median(detector.calibration_.scores) else "smaller"
    noun = detector.calibration_.noun
    causes = f"by many anomalies, or because normal {noun}s have changed, for which"
    return (
        f"scores {f'of normal {noun}s ' if normal else ''}have shifted: they are {side} than those of the {noun}s that "
        f"set the threshold (Kolmogorov-Smirnov distance {test.statistic:.2f}, p {test.pvalue:.1g}), "
        f"{'so that' if normal else causes} the false alarm rate does not hold"
    )


def shifted_columns(comparison: Comparison) -> dict[str, float]:
    """Give columns of numbers of which far more than half lie on one side of the median of training, and how many.

    At most half of the training rows were beyond it on either side, so that this needs no memory of their distribution.
    """
    shares = comparison.shares(comparison.below | comparison.above)
    return {name: share for name, share in shares.items() if share > 0.5 + SHIFT}


def named(shares: dict[str, float]) -> str:
    """Name columns, the largest share first."""
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    rest = f" and {len(ordered) - SHOWN} more columns" if len(ordered) > SHOWN else ""
    return ", ".join(f"'{name}' ({share:.0%} of the rows)" for name, share in ordered[:SHOWN]) + rest
