"""How rows differ from those of training, in counts that add up over the parts of a table."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from semiad.tabular.encoders import Constant, Number
from semiad.tabular.preprocessor import ROWS, THREADS, TablePreprocessor


@dataclass(frozen=True)
class Comparison:
    """Counts of rows and values that are unlike those of training; those of parts of a table add up.

    Attributes:
        rows: that were compared.
        outside: values, by column, that training has not seen: numbers beyond its range, new categories, other values
            of a column that was constant, and missing values where training had none missing.
        below: values, by column of numbers, below the median of training. At most half of the training rows were.
        above: values above it.
        empty: rows in which every column that is learnt from is missing; their score means nothing.
    """

    rows: int = 0
    outside: Counter[str] = field(default_factory=Counter)
    below: Counter[str] = field(default_factory=Counter)
    above: Counter[str] = field(default_factory=Counter)
    empty: int = 0

    def __add__(self, other: "Comparison") -> "Comparison":
        """Add the counts of another part."""
        return Comparison(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    def shares(self, counts: Counter[str]) -> dict[str, float]:
        """Give counts as shares of the rows, where there are any."""
        return {name: count / self.rows for name, count in counts.items() if count}


def compare(preprocessor: TablePreprocessor, frame: pl.DataFrame) -> Comparison:
    """Compare rows with those that a preprocessor was fitted to.

    Raises:
        InputError: a column is gone or of another type than in training.
    """
    preprocessor.check(frame.columns)
    parts = (frame[start : start + ROWS] for start in range(0, len(frame), ROWS))
    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(lambda part: compare_few(preprocessor, part), parts), Comparison())


def compare_few(preprocessor: TablePreprocessor, frame: pl.DataFrame) -> Comparison:
    """Compare as many rows as a thread takes at once."""
    compared, empty, columns = Comparison(len(frame)), np.ones(len(frame), dtype=bool), {*frame.columns}
    for encoder in preprocessor.encoders:
        if encoder.name in columns:
            values = preprocessor.values(frame, encoder)
            compared.outside[encoder.name] = encoder.outside(values)
            if not isinstance(encoder, Constant):
                missing = is_missing(values)
                empty &= missing
                if encoder.name in preprocessor.complete:
                    compared.outside[encoder.name] += int(np.count_nonzero(missing))
            if isinstance(encoder, Number):
                compared.below[encoder.name], compared.above[encoder.name] = encoder.sides(values)
    return replace(compared, empty=int(np.count_nonzero(empty)))


def is_missing(values: pl.Series) -> np.ndarray:
    """Tell which values are missing, NaN included; bool, (rows,)."""
    return np.isnan(values.to_numpy()) if values.dtype.is_float() else values.is_null().to_numpy()
