"""The columns that `semiad score --explain` adds to a scored table."""

import polars as pl

from semiad.detector.estimator import Detector
from semiad.detector.explanation import explain_rows, typical_row
from semiad.detector.inputs import table_preprocessor


def explanation_columns(detector: Detector, top: int | None) -> list[str]:
    """Name the columns, and try an explanation before rows are read; no columns if none are asked for.

    Raises:
        InputError: a library that is needed is not installed.
    """
    if top is None:
        return []
    return explain_rows(detector, typical_row(table_preprocessor(detector.preprocessor_))).frame(top).columns[1:]


def explain_chunk(detector: Detector, frame: pl.DataFrame, top: int | None) -> pl.DataFrame:
    """Compute the columns for some rows; a frame without columns if none are asked for."""
    return pl.DataFrame() if top is None else explain_rows(detector, frame).frame(top).drop("score")
