"""Scores of tables that may have more rows than fit into memory."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from semiad.detector.inputs import table_preprocessor
from semiad.tabular.comparison import Comparison, compare
from semiad.tabular.table import Table

if TYPE_CHECKING:
    from semiad.detector.estimator import Detector


class ChunkScores(NamedTuple):
    """What is kept of a chunk of rows.

    Attributes:
        scores: of its rows, in order.
        comparison: how they differ from those of training.
    """

    scores: Float[np.ndarray, " n"]
    comparison: Comparison


def score_chunk_of_table(detector: "Detector", frame: pl.DataFrame) -> ChunkScores:
    """Score a chunk of rows. Columns that were not trained on may be there.

    Raises:
        InputError: a column is gone, or of another type than in training.
    """
    preprocessor = table_preprocessor(detector.preprocessor_)
    return ChunkScores(detector.ensemble_.scores(preprocessor.transform(frame)), compare(preprocessor, frame))


def columns_to_read(detector: "Detector", columns: Iterable[str]) -> list[str]:
    """Name those columns of a table that rows are scored by, or compared in.

    Raises:
        InputError: a column is gone.
    """
    preprocessor, columns = table_preprocessor(detector.preprocessor_), list(columns)
    preprocessor.check(columns)
    return [name for name in columns if name in preprocessor.watched]


def score_table(
    detector: "Detector", table: Table, rows: int | None = None, taken: Bool[np.ndarray, " n"] | None = None
) -> Iterator[ChunkScores]:
    """Score the rows of a table chunk by chunk, in order.

    Args:
        detector: fitted to a table.
        table: whose columns may be more than those of training, and in another order.
        rows: of a chunk, which changes no score; None for a number that keeps a chunk small.
        taken: which rows to score; None for all.

    Raises:
        InputError: a column is gone, or of another type than in training, or the file cannot be read.
    """
    start = 0
    for frame in table.chunks(columns_to_read(detector, table.schema), rows):
        part = frame if taken is None else frame.filter(taken[start : start + len(frame)])
        start += len(frame)
        if len(part):
            yield score_chunk_of_table(detector, part)
