"""From a column to numbers: what each kind of column becomes, and what a missing or unseen value means."""

from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import numpy as np
import polars as pl

from semiad.errors import InputError
from semiad.tabular.columns import Column, as_numbers, is_opaque, plain
from semiad.tabular.dates import CIRCLES, DAYS, as_days, date_parts, span
from semiad.tabular.labels import canonical, spelling

if TYPE_CHECKING:
    from scipy.sparse import spmatrix

FEWEST = 50
"""The most frequent categories that have a feature each; the others share one."""
TEXT_FEATURES = 16
TEXT_HASHES = 1 << 12


class Number(msgspec.Struct, frozen=True, tag="number"):
    """Numbers and booleans: a feature, and another for "is missing" if values are missing in training.

    Attributes:
        name: of the column.
        low, high: range of the finite values of training.
        filled: what stands for a missing value: the median.
        missing: whether values are missing in training.
    """

    name: str
    low: float
    high: float
    filled: float
    missing: bool
    arrays: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def fit(cls, values: pl.Series) -> "Number":
        """Fit to a column of training rows."""
        numbers = as_numbers(values, values.name)
        finite = numbers.filter(numbers.is_finite()).to_numpy()
        if not len(finite):
            raise InputError(f"column '{values.name}' has no finite number")
        return cls(
            values.name,
            float(finite.min()),
            float(finite.max()),
            float(np.median(finite / 2) * 2),
            numbers.null_count() > 0,
        )

    def features(self) -> list[str]:
        """Name the features."""
        return [self.name, f"{self.name} is missing"] if self.missing else [self.name]

    def encode(self, values: pl.Series) -> list[np.ndarray]:
        """Encode values, to a float64 array (rows,) for each feature."""
        numbers = as_numbers(values, self.name).to_numpy()
        if (missing := np.isnan(numbers)).any():
            numbers = np.where(missing, self.filled, numbers)
        return [numbers, missing.astype(np.float64)] if self.missing else [numbers]

    def outside(self, values: pl.Series) -> int:
        """Count the values beyond the range of training."""
        numbers = as_numbers(values, self.name).to_numpy()
        return int(np.count_nonzero(numbers < self.low) + np.count_nonzero(numbers > self.high))

    def sides(self, values: pl.Series) -> tuple[int, int]:
        """Count the values below the median of training, and those above."""
        numbers = as_numbers(values, self.name).to_numpy()
        return int(np.count_nonzero(numbers < self.filled)), int(np.count_nonzero(numbers > self.filled))


class Category(msgspec.Struct, frozen=True, tag="category"):
    """Categories: a feature for each of the most frequent values, one for all others, one for "is missing".

    A value that training has not seen is one of the others; where training has no others, it thereby leaves the range.

    Attributes:
        name: of the column.
        values: those that have a feature, the most frequent first.
        others: further values of training.
    """

    name: str
    values: list[str]
    others: list[str]
    arrays: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def fit(cls, values: pl.Series) -> "Category":
        """Fit to a column of training rows."""
        counts = (
            canonical(values)
            .drop_nulls()
            .rename("value")
            .value_counts()
            .sort(["count", "value"], descending=[True, False])
        )
        ordered = counts["value"].to_list()
        return cls(values.name, ordered[:FEWEST], ordered[FEWEST:])

    def features(self) -> list[str]:
        """Name the features."""
        return [*(f"{self.name}={value}" for value in self.values), f"{self.name}=(other)", f"{self.name} is missing"]

    def encode(self, values: pl.Series) -> list[np.ndarray]:
        """Encode values, to a float64 array (rows,) for each feature."""
        texts, width = canonical(values), len(self.values)
        codes = texts.replace_strict(self.values, range(width), default=width, return_dtype=pl.Int64).to_numpy().copy()
        codes[texts.is_null().to_numpy()] = width + 1
        return [(codes == code).astype(np.float64) for code in range(width + 2)]

    def outside(self, values: pl.Series) -> int:
        """Count the values that training has not seen."""
        texts = canonical(values)
        return int((~texts.is_in([*self.values, *self.others])).fill_null(False).sum())


class Date(msgspec.Struct, frozen=True, tag="date"):
    """Dates: weekday, month and hour on circles, and the days since 1970, each where training spans enough of them.

    New rows are later than all of training, so that after three months of training a new month, and in less than three
    years the day itself, would make each of them an anomaly. A missing date is at the centre of each circle.

    Attributes:
        name: of the column.
        format: of dates that are written as text.
        low, high: the range of training, in days since 1970.
        hours: whether training has times of day.
    """

    name: str
    format: str | None
    low: float
    high: float
    hours: bool
    arrays: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def fit(cls, values: pl.Series, form: str | None) -> "Date":
        """Fit to a column of training rows."""
        return cls(values.name, form, *span(as_days(values, values.name, form)))

    def features(self) -> list[str]:
        """Name the features."""
        names = ((part,) if part == DAYS else (f"{part} sin", f"{part} cos") for part in self.parts)
        return [f"{self.name} {name}" for of_part in names for name in of_part]

    @property
    def parts(self) -> list[str]:
        """Name what is a feature."""
        return date_parts(self.low, self.high, self.hours)

    def encode(self, values: pl.Series) -> list[np.ndarray]:
        """Encode values, to a float64 array (rows,) for each feature."""
        days = as_days(values, self.name, self.format)
        turns = [days / CIRCLES[part][0] for part in self.parts if part != DAYS]
        rows = [wave(2 * np.pi * (turn % 1)) for turn in turns for wave in (np.sin, np.cos)]
        features = [np.where(np.isfinite(days), row, 0.0) for row in rows]
        if DAYS in self.parts:
            features.append(np.where(np.isfinite(days), days, (self.low + self.high) / 2))
        return features

    def outside(self, values: pl.Series) -> int:
        """Count the dates beyond the range of training, if the range is a feature, else 0."""
        if DAYS not in self.parts:
            return 0
        days = as_days(values, self.name, self.format)
        return int(np.count_nonzero((days < self.low) | (days > self.high)))


class Text(msgspec.Struct, frozen=True, tag="text"):
    """Text: hashed three-character pieces, reduced to a few features by a singular value decomposition.

    A missing text has no pieces: each feature is 0.

    Attributes:
        name: of the column.
        directions: the right singular vectors, (features, hashes).
    """

    name: str
    directions: np.ndarray
    arrays: ClassVar[tuple[str, ...]] = ("directions",)

    @classmethod
    def fit(cls, values: pl.Series) -> "Text":
        """Fit to a column of training rows."""
        from sklearn.decomposition import TruncatedSVD

        pieces = hashed(values)
        width = min(TEXT_FEATURES, pieces.shape[0])
        return cls(values.name, TruncatedSVD(width, random_state=0).fit(pieces).components_.astype(np.float64))

    def features(self) -> list[str]:
        """Name the features."""
        return [f"{self.name} text {i}" for i in range(len(self.directions))]

    def encode(self, values: pl.Series) -> list[np.ndarray]:
        """Encode values, to a float64 array (rows,) for each feature."""
        return list(np.asarray((hashed(values) @ self.directions.T).T))

    def outside(self, values: pl.Series) -> int:
        """Text has no range: 0."""
        return 0


class Constant(msgspec.Struct, frozen=True, tag="constant"):
    """A column with a single value in training: no feature, but another value is told as one outside of training."""

    name: str
    value: str
    arrays: ClassVar[tuple[str, ...]] = ()

    def features(self) -> list[str]:
        """There are none."""
        return []

    def encode(self, values: pl.Series) -> list[np.ndarray]:
        """There is nothing to encode."""
        return []

    def outside(self, values: pl.Series) -> int:
        """Count the other values."""
        return int((canonical(values) != self.value).fill_null(True).sum())


Encoder = Number | Category | Date | Text | Constant


def fit_encoder(column: Column, series: pl.Series) -> Encoder | None:
    """Fit the encoder of a column; None if the column is dropped and nothing is to be watched."""
    values = plain(series)
    if column.kind in ("number", "boolean"):
        return Number.fit(values)
    if column.kind == "category":
        return Category.fit(values)
    if column.kind == "date":
        return Date.fit(values, column.format)
    if column.kind == "text":
        return Text.fit(as_text(values, column.name))
    if column.why.startswith("constant"):
        return Constant(column.name, str(canonical(values.drop_nulls())[0]))
    return None


def readable(encoder: Encoder, series: pl.Series) -> pl.Series:
    """Convert a column to what its encoder reads.

    Raises:
        InputError: the values have another type than in training.
    """
    if series.dtype == pl.Float64 and isinstance(encoder, Number):
        return series  # NaN is missing there as null is
    values = plain(series)
    other = is_opaque(values)
    other |= values.dtype == pl.Datetime and isinstance(encoder, Number | Text)
    other |= isinstance(encoder, Category) and was_text(encoder) and holds_numbers(values)
    if other:
        raise InputError(
            f"column '{encoder.name}' was of type {encoder.__struct_config__.tag} in training, but holds {values.dtype}"
        )
    return as_text(values, encoder.name) if isinstance(encoder, Text) else values


def was_text(encoder: "Encoder") -> bool:
    """Whether the column was text in training: of categories, one that is no number, or is not written as one."""
    if isinstance(encoder, Category):
        return any(not is_plain_number(value) for value in (*encoder.values, *encoder.others))
    return isinstance(encoder, Text) or (isinstance(encoder, Date) and encoder.format is not None)


def holds_numbers(values: pl.Series) -> bool:
    """Whether the values are numbers, some of which are not missing."""
    return values.dtype.is_numeric() and values.null_count() < len(values)


def is_plain_number(text: str) -> bool:
    """Whether a text is a number as `canonical` writes it; 0123 is none."""
    try:
        return spelling(float(text), "") == text
    except ValueError:
        return False


def as_text(values: pl.Series, name: str) -> pl.Series:
    """Convert a column to text."""
    return values.cast(pl.String).rename(name)


@cache
def hasher() -> Any:  # noqa: ANN401
    """Make what counts the three-character pieces of texts; it learns nothing."""
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(analyzer="char_wb", ngram_range=(3, 3), n_features=TEXT_HASHES)


def hashed(values: pl.Series) -> "spmatrix":
    """Count the pieces of each text, (rows, hashes), each row of length 1."""
    return hasher().transform(values.fill_null("").to_list())
