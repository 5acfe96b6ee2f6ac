"""What the columns of a table are: numbers, categories, dates, text, or nothing to learn from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from semiad.errors import InputError
from semiad.tabular.dates import CIRCLES, as_days, date_format, date_parts, span

KINDS = ("number", "boolean", "category", "date", "text", "dropped")
MISSING = ("", "NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL")
"""Texts that stand for a missing value in a text file."""
MOST_CATEGORIES = 1000
"""Different values above which text is no category."""
TEXT_WORDS = 3
"""Words that the values of a column of text have at the mean, if it is no column of codes."""
MIN_IDENTIFIERS = 20
"""Different values from which on a column may be taken for an identifier."""
IDENTIFIER_SHARE = 0.95
"""Different values for each row, at least, of an identifier: rows may be copies of others."""


@dataclass(frozen=True)
class Column:
    """What a column is taken for.

    Attributes:
        name: of the column.
        kind: one of `KINDS`.
        why: the reason, for a user to judge.
        missing: rows without a value.
        distinct: different values, besides missing ones.
        infinite: rows whose value is infinite.
        format: of dates that are written as text.
    """

    name: str
    kind: str
    why: str
    missing: int
    distinct: int
    infinite: int = 0
    format: str | None = None


def understand(
    frame: pl.DataFrame, *, drop: Iterable[str] = (), kinds: Mapping[str, str] | None = None
) -> tuple[Column, ...]:
    """Find out what each column of a table is.

    Args:
        frame: the table, without its labels.
        drop: columns to leave out.
        kinds: what a column is whatever it looks like, by name: one of `KINDS`.

    Raises:
        InputError: a name that the table does not have, a kind that does not exist, or that the values cannot be.
    """
    kinds = {**(kinds or {}), **dict.fromkeys(drop, "dropped")}
    for name, kind in kinds.items():
        if name not in frame.columns:
            raise InputError(f"there is no column '{name}'; the columns are {', '.join(frame.columns)}")
        if kind not in KINDS:
            raise InputError(f"column '{name}' cannot be '{kind}', expected one of {', '.join(KINDS)}")
    return tuple(understand_column(series, kinds.get(series.name)) for series in frame)


def understand_column(series: pl.Series, kind: str | None) -> Column:
    """Find out what a column is, or check that it can be what a user says (`kind`)."""
    values = plain(series)
    missing, present = values.null_count(), values.drop_nulls()
    infinite = int(present.is_infinite().sum()) if values.dtype.is_float() else 0
    distinct = present.n_unique() if values.dtype != pl.Object else len(present)
    form = None
    if kind is None:
        kind, why, form = guess(values, present, distinct)
    else:
        why = "as asked for"
        if kind == "date":
            form = date_format(present)
            if form is None and present.dtype != pl.Datetime:
                raise InputError(f"column '{series.name}' cannot be a date: it holds {example(present)}")
            kind, why, form = date_kind(values, why, form) if distinct else (kind, why, form)
        elif kind in ("number", "boolean"):
            as_numbers(values, series.name)
            if kind == "boolean" and distinct > 2:
                raise InputError(f"column '{series.name}' cannot be boolean: it has {distinct} different values")
        elif kind == "category" and distinct > MOST_CATEGORIES:
            raise InputError(
                f"column '{series.name}' has {distinct:,} different values, expected at most {MOST_CATEGORIES:,} "
                "of a category"
            )
        if kind != "dropped" and not distinct:
            raise InputError(f"column '{series.name}' cannot be a {kind}: every value is missing")
    return Column(series.name, kind, why, missing, distinct, infinite, form)


def guess(values: pl.Series, present: pl.Series, distinct: int) -> tuple[str, str, str | None]:
    """Guess the kind of a column: the kind, the reason, and the format of dates written as text."""
    if not distinct:
        return "dropped", "every value is missing", None
    if not is_understood(values):
        return "dropped", f"values of type {values.dtype} are not understood", None
    if distinct == 1 and len(present) == len(values):
        return "dropped", f"constant: {example(present)}", None
    if values.dtype == pl.Boolean:
        return "boolean", "true or false", None
    if values.dtype == pl.Datetime:
        return date_kind(values, "dates", None)
    identifier = distinct >= max(MIN_IDENTIFIERS, IDENTIFIER_SHARE * len(values))
    many = "all values differ" if distinct == len(values) else f"{distinct:,} different values in {len(values):,} rows"
    if values.dtype.is_integer():
        if identifier and is_in_order(present.unique(maintain_order=True)):
            return "dropped", f"an identifier: {many}, whole numbers in order", None
        return "number", "whole numbers", None
    if values.dtype.is_float():
        return "number", "numbers", None
    if present.head(100).cast(pl.Float64, strict=False).null_count() == 0:
        numbers = present.cast(pl.Float64, strict=False)
        if not numbers.null_count():
            return "number", "numbers, written as text", None
    if (form := date_format(present)) is not None:
        return date_kind(values, f"dates, written as {form}", form)
    words = float(present.str.count_matches(r"\S+").mean() or 0)  # type: ignore[arg-type]
    if words >= TEXT_WORDS and distinct > max(20, len(present) // 10):
        return "text", f"text of {words:.0f} words at the mean", None
    if identifier:
        return "dropped", f"an identifier: {many}", None
    if distinct <= MOST_CATEGORIES:
        return "category", f"{distinct} different values", None
    if words >= TEXT_WORDS:
        return "text", f"text of {words:.0f} words at the mean", None
    return "dropped", f"{distinct:,} different values, more than the {MOST_CATEGORIES:,} of a category", None


def date_kind(values: pl.Series, why: str, form: str | None) -> tuple[str, str, str | None]:
    """Say that a column is of dates, or dropped where these span too little for any feature."""
    low, high, hours = span(as_days(values, values.name, form))
    if date_parts(low, high, hours):
        return "date", why, form
    least = CIRCLES["hour" if hours else "weekday"][1]
    needed = f"{'an hour of the day' if hours else 'a weekday'} needs {least:g} days"
    return "dropped", f"dates that span {high - low:.2g} days have no feature: {needed}", None


def is_in_order(values: pl.Series) -> bool:
    """Whether values rise, or fall."""
    return values.is_sorted() or values.is_sorted(descending=True)


def is_understood(values: pl.Series) -> bool:
    """Whether there is an encoder for values that `plain` gives."""
    return values.dtype.is_numeric() or values.dtype in (pl.Boolean, pl.Datetime, pl.String)


def is_opaque(values: pl.Series) -> bool:
    """Whether values have no text: lists, structures, bytes and Python's objects."""
    return values.dtype.is_nested() or values.dtype in (pl.Object, pl.Binary)


def plain(series: pl.Series) -> pl.Series:
    """Convert a column to one of few types: boolean, integer, float, datetime (without zone), or text without margins.

    NaN and empty text become null; what is of another type (lists, say) stays as it is.
    """
    dtype = series.dtype
    if dtype.is_float():
        return series.cast(pl.Float64).fill_nan(None)
    if dtype == pl.Null:
        return series.cast(pl.Float64)
    if dtype == pl.Duration:
        return series.cast(pl.Duration("us")).cast(pl.Int64).cast(pl.Float64)
    if dtype.is_decimal() or dtype == pl.Time:
        return (series if dtype.is_decimal() else series.cast(pl.Int64)).cast(pl.Float64)
    if dtype == pl.Date or dtype == pl.Datetime:
        cast = series.cast(pl.Datetime("us", getattr(dtype, "time_zone", None)))
        return (
            cast.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if getattr(dtype, "time_zone", None) else cast
        )
    if dtype in (pl.Categorical, pl.Enum, pl.String):
        texts = series.cast(pl.String).str.strip_chars()
        return texts.set(texts == "", None) if (texts == "").any() else texts
    return series


def without(series: pl.Series, words: Sequence[str]) -> pl.Series:
    """Take texts that stand for a missing value out of a column; numbers among them by their value, in any column."""
    if not words or not (series.dtype.is_numeric() or series.dtype in (pl.String, pl.Categorical, pl.Enum)):
        return series
    values = series if series.dtype.is_numeric() else series.cast(pl.String)
    numbers = pl.Series(words, dtype=pl.String).cast(pl.Float64, strict=False).drop_nulls()
    gone = pl.repeat(False, len(values), eager=True)
    if len(numbers):
        gone |= values.cast(pl.Float64, strict=False).is_in(numbers.implode()).fill_null(False)
    if values.dtype == pl.String:
        gone |= values.str.strip_chars().is_in(words).fill_null(False)
    return values.zip_with(~gone, pl.Series(values.name, [None], dtype=values.dtype)) if gone.any() else values


def as_numbers(values: pl.Series, name: str) -> pl.Series:
    """Convert a column that `plain` gave to float64.

    Raises:
        InputError: a value is no number.
    """
    if values.dtype == pl.String:
        numbers = values.str.to_lowercase().replace({"true": "1", "false": "0"}).cast(pl.Float64, strict=False)
        if wrong := values.filter(numbers.is_null() & values.is_not_null()).to_list():
            raise InputError(f"column '{name}' is of numbers, but holds '{wrong[0]}'")
        return numbers.fill_nan(None)
    if not (values.dtype.is_numeric() or values.dtype == pl.Boolean):
        raise InputError(f"column '{name}' is of numbers, but holds values of type {values.dtype}")
    return values.cast(pl.Float64)


def example(present: pl.Series) -> str:
    """Show the first value of a column."""
    value = str(present[0])
    return f"'{value if len(value) <= 30 else value[:27] + '...'}'"
