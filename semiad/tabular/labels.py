"""Labels of few rows: anomalous, checked normal, or unlabelled."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
import polars as pl

from semiad.errors import InputError
from semiad.tabular.columns import MISSING, is_opaque

UNLABELLED = ("", "-1")
SWITCHES = {"true": "1", "false": "0"}
"""How labels of a boolean column may be named."""
SHOWN = 5


def check_label(columns: Sequence[str], label: str) -> None:
    """Check that there is a column of labels, and another.

    Raises:
        InputError: there is no such column, or no other.
    """
    if label not in columns:
        near = get_close_matches(label, columns, n=3) if len(columns) > SHOWN else columns
        those = f"the nearest of {len(columns):,} columns" if 0 < len(near) < len(columns) else "the columns"
        names = ", ".join(near or [*columns[:SHOWN], "..."])
        raise InputError(f"there is no column '{label}' for the labels; {those} are {names}")
    if len(columns) == 1:
        raise InputError(f"'{label}' is the only column, expected others to learn from")


def take_label(frame: pl.DataFrame, label: str) -> tuple[pl.DataFrame, pl.Series]:
    """Take the column of labels out of a frame.

    Raises:
        InputError: there is no such column, or no other.
    """
    check_label(frame.columns, label)
    return frame.drop(label), frame[label]


def semi_labels(
    values: Any,  # noqa: ANN401
    *,
    anomaly: object = None,
    normal: object = None,
    missing: Sequence[str] = (),
) -> np.ndarray:
    """Convert labels to 1 (anomaly), 0 (checked normal) and NaN (unlabelled: empty, NaN, null, or -1).

    Args:
        values: a label a row, as a series, an array, a tensor or a list; numbers, booleans or text.
        anomaly: the value that stands for an anomaly; None for 1 (or true).
        normal: the value that stands for a checked normal row; None for 0 (or false).
        missing: further texts that stand for an unlabelled row.

    Returns:
        Float64, (rows,).

    Raises:
        InputError: other values, which the sentence lists, or more than one dimension.
    """
    series = as_series(values)
    if is_opaque(series):
        raise InputError(f"labels have the type {series.dtype}, expected numbers or text")
    texts, words = canonical(series), SWITCHES if series.dtype == pl.Boolean else {}
    one, zero = (words.get(word.lower(), word) for word in (spelling(anomaly, "1"), spelling(normal, "0")))
    for name, named, word in (("anomaly", anomaly, one), ("normal", normal, zero)):
        if named is not None and word in MISSING and not (texts == word).any():
            raise InputError(f"`{name}` is {word!r}, which is a missing value in a text file: such a row is unlabelled")
    if one == zero:
        raise InputError(f"`anomaly` and `normal` are both {one!r}, expected two different values")
    meanings = {**dict.fromkeys((*UNLABELLED, *missing), np.nan), zero: 0.0, one: 1.0}
    distinct = texts.drop_nulls().unique().sort().to_list()
    if unknown := [value for value in distinct if value not in meanings]:
        counts = ", ".join(unknown[:SHOWN]) + (f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else "")
        raise InputError(
            f"labels are {one} (anomaly), {zero} (checked normal) or empty or -1 (unlabelled), but there is {counts}: "
            "say by `anomaly` and `normal` which values mean these (--anomaly and --normal of a command)"
        )
    result: np.ndarray = texts.replace_strict(meanings, default=np.nan, return_dtype=pl.Float64).to_numpy()
    return result


def as_series(values: Any) -> pl.Series:  # noqa: ANN401
    """Convert labels of any usual type to a series."""
    if isinstance(values, pl.Series):
        return values
    array = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise InputError(f"labels have the shape {array.shape}, expected a label for each row")
    if array.dtype.kind in "cV":
        raise InputError(f"labels have the type {array.dtype}, expected numbers or text")
    if array.dtype.kind == "f":
        return pl.Series(array.astype(np.float64))
    if array.dtype.kind in "biu":
        return pl.Series(array)
    # pandas has several kinds of missing value, none of which equals itself, or is true.
    return pl.Series([None if is_missing(value) else as_text(value) for value in array.tolist()], dtype=pl.String)


def as_text(value: object) -> str:
    """Write a label of a list as text; a boolean among missing values as `canonical` writes one."""
    return str(int(value)) if isinstance(value, bool | np.bool_) else str(value)


def is_missing(value: object) -> bool:
    """Whether an object stands for a missing value: None, NaN, NaT or pandas' NA."""
    return value is None or type(value).__name__ in ("NAType", "NaTType") or bool(value != value)


def canonical(values: pl.Series) -> pl.Series:
    """Write values as text in one way: 1.0 is `1`, true is `1`; NaN is null."""
    if values.dtype == pl.Boolean:
        return values.cast(pl.Int8).cast(pl.String)
    if values.dtype.is_float():
        whole = values.is_finite() & (values == values.round()) & (values.abs() < 2**53)
        texts = values.cast(pl.Int64, strict=False).cast(pl.String).zip_with(whole, values.cast(pl.String))
        return texts.set(values.is_nan().fill_null(False), None)
    texts = values.cast(pl.String).str.strip_chars()
    if values.dtype == pl.String:
        # A column that other words make text: 1.0 of it is the number all the same.
        texts = texts.str.replace(r"^([+-]?\d+)\.0+$", "$1")
    return texts


def spelling(value: object, default: str) -> str:
    """Write the value that a user names as `canonical` writes those of the column."""
    if value is None:
        return default
    return str(canonical(pl.Series([value]))[0])


def many_anomalies(anomalies: int, rows: int, noun: str = "row") -> str | None:
    """Warn of labels that mark more than half of the rows: they may have the signs of scikit-learn, 1 for normal."""
    if 2 * anomalies <= rows:
        return None
    return (
        f"{anomalies:,} of {rows:,} {noun}s are labelled anomalous: 1 is an anomaly here, 0 a checked normal {noun}, "
        "and -1 or an empty label an unlabelled one"
    )
