"""The columns that `semiad score --explain` adds to a scored table."""

import polars as pl

from semiad.cli.messages import progress
from semiad.detector.estimator import Detector
from semiad.detector.explanation import explain_rows, typical_row
from semiad.detector.inputs import table_preprocessor
from semiad.tabular.preprocessor import ROWS


def explanation_columns(detector: Detector, top: int | None) -> list[str]:
    """Name the columns, and try an explanation before rows are read; no columns if none are asked for.

    Raises:
        InputError: a library that is needed is not installed.
    """
    if top is None:
        return []
    return explain_rows(detector, typical_row(table_preprocessor(detector.preprocessor_))).frame(top).columns[1:]


def explain_table(detector: Detector, frame: pl.DataFrame, top: int | None) -> pl.DataFrame:
    """Compute the columns, with a progress bar; a frame without columns if none are asked for."""
    if top is None:
        return pl.DataFrame()
    parts = progress(range(0, frame.height, ROWS), "explaining")
    told = pl.concat(explain_rows(detector, frame[start : start + ROWS]).frame(top) for start in parts)
    return told.drop("score")
