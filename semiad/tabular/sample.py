"""Rows of a table that may have more rows than fit into memory: all labelled ones, and a draw of the others."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from semiad.checks import check_whole
from semiad.errors import InputError
from semiad.tabular.labels import check_label, semi_labels
from semiad.tabular.table import Table, Types

MOST_UNLABELLED = 1_000_000
"""Unlabelled rows that are drawn without another number: more than 20,000 steps of 32 rows see."""

ROW = "semiad_row"
"""The column of a table of answers that holds the number of a row in the table that was asked about, from 1."""
PLACE, LABEL = "__semiad_row", "__semiad_label"


@dataclass(frozen=True)
class TableSample:
    """Rows of a table, in its order.

    Attributes:
        rows: the columns without that of the labels.
        labels: 1 for an anomaly, 0 for a checked normal row, NaN for an unlabelled one.
        given: number of rows that the table has.
        asked: whether a row has its label because it was asked for (`semiad query`), by its score: such a row is no
            draw of the rows that come. None if no row is.
    """

    rows: pl.DataFrame
    labels: Float[np.ndarray, " n"]
    given: int
    asked: Bool[np.ndarray, " n"] | None = None

    def __len__(self) -> int:
        """Count the rows of the sample."""
        return len(self.rows)


def read_labels(
    table: Table,
    label: str | None,
    *,
    anomaly: object = None,
    normal: object = None,
    missing: Sequence[str] = (),
) -> Float[np.ndarray, " n"]:
    """Read the labels of all rows: 1, 0 and NaN, see `semi_labels`; all are NaN without a column of labels.

    Raises:
        InputError: there is no such column, or other labels.
    """
    if label is None:
        return np.full(table.height, np.nan)
    check_label(list(table.schema), label)
    values = pl.concat(frame[label] for frame in table.chunks([label]))
    labels: Float[np.ndarray, " n"] = semi_labels(values, anomaly=anomaly, normal=normal, missing=missing)
    return labels


def sample_table(
    table: Table,
    label: str | None = None,
    *,
    anomaly: object = None,
    normal: object = None,
    missing: Sequence[str] = (),
    max_unlabelled: int = MOST_UNLABELLED,
    random_state: int = 0,
) -> TableSample:
    """Read all labelled rows of a table, and as many unlabelled ones as are asked for, drawn at random.

    The labels are read first, then the rows, chunk by chunk. What is drawn depends on the labels and `random_state`.

    Args:
        table: to read.
        label: the column of labels; None if all rows are unlabelled.
        anomaly: the label of an anomaly, see `semi_labels`.
        normal: that of a checked normal row.
        missing: texts that stand for an unlabelled row, besides the usual ones.
        max_unlabelled: number of unlabelled rows, at most.
        random_state: draws them.

    Raises:
        InputError: there is no such column, other labels, or a number that is no number of rows.
    """
    check_whole("max_unlabelled", max_unlabelled, of="rows")
    labels = read_labels(table, label, anomaly=anomaly, normal=normal, missing=missing)
    taken = ~np.isnan(labels)
    unlabelled = np.flatnonzero(~taken)
    if len(unlabelled) > max_unlabelled:
        unlabelled = np.random.default_rng(random_state).choice(unlabelled, max_unlabelled, replace=False)
    taken[unlabelled] = True
    rows = table.take(taken, [name for name in table.schema if name != label])
    return TableSample(rows, labels[taken], table.height)


def with_more(
    sample: TableSample,
    more: pl.DataFrame,
    label: str,
    *,
    anomaly: object = None,
    normal: object = None,
    missing: Sequence[str] = (),
) -> TableSample:
    """Add the labelled rows of another table.

    An unlabelled row of the sample that is equal to one of them gets its label in place, so that the order of the table
    stays, and further unlabelled rows that are equal to it go. Those that the sample has with the same label are not
    added.

    Args:
        sample: of the first table.
        more: has the columns of the first table, and perhaps others; rows without a label do not count.
        label: its column of labels.
        anomaly: the label of an anomaly, see `semi_labels`.
        normal: that of a checked normal row.
        missing: texts that stand for an unlabelled row, besides the usual ones.

    Raises:
        InputError: a column is missing, has values of another type, or there are other labels.
    """
    rows, labels, numbers = labelled_rows(
        more, sample.rows.schema, label, anomaly=anomaly, normal=normal, missing=missing
    )
    if numbers is not None and ROW not in sample.rows.columns and len(sample) == sample.given:
        warn_of_changed(rows, numbers, sample.rows)
    names, unlabelled = rows.columns, np.isnan(sample.labels)
    table = sample.rows.with_columns(pl.Series(LABEL, sample.labels))
    new = rows.with_columns(pl.Series(LABEL, labels)).unique(maintain_order=True)
    new = new.join(table.filter(~unlabelled), on=[*names, LABEL], how="anti", nulls_equal=True, maintain_order="left")
    answers = new.unique(names, keep="first", maintain_order=True)
    places = sample.rows.with_row_index(PLACE).filter(unlabelled)
    found = places.join(answers, on=names, how="inner", nulls_equal=True, maintain_order="left")
    first = found.unique(names, keep="first", maintain_order=True)
    added = new.join(first, on=[*names, LABEL], how="anti", nulls_equal=True, maintain_order="left")
    kept, every = np.full(len(sample), True), sample.labels.copy()
    kept[found[PLACE].to_numpy()] = False
    kept[first[PLACE].to_numpy()] = True
    every[first[PLACE].to_numpy()] = first[LABEL].to_numpy()
    asked = np.full(len(sample), False) if sample.asked is None else sample.asked.copy()
    if numbers is not None:
        asked[first[PLACE].to_numpy()] = True
    return TableSample(
        pl.concat([sample.rows.filter(kept), added.drop(LABEL)], rechunk=True),
        np.concatenate([every[kept], added[LABEL].to_numpy()]),
        sample.given + len(added) - int((~kept).sum()),
        np.concatenate([asked[kept], np.full(len(added), numbers is not None)]),
    )


def warn_of_changed(rows: pl.DataFrame, numbers: pl.Series, table: pl.DataFrame) -> None:
    """Warn of answered rows that look like the row of a table that their number says, but are not equal to it.

    A spreadsheet may have rounded a number, or written a date in another way. At most half of the values differ then;
    the number alone proves nothing, as the rows may be of another table.

    Args:
        rows: the answered rows.
        numbers: their numbers, from 1.
        table: has the same columns.
    """
    at = numbers.cast(pl.Int64, strict=False).fill_null(0)
    known = table[at.clip(1, len(table)) - 1]
    simple = [name for name in rows.columns if not rows[name].dtype.is_nested()]
    differs = {name: ~rows[name].eq_missing(known[name]) for name in simple}
    count = pl.DataFrame(differs).sum_horizontal()
    changed = at.is_between(1, len(table)) & (count > 0) & (2 * count <= len(simple))
    if changed.any():
        names = ", ".join(f"'{name}'" for name, differ in differs.items() if (differ & changed).any())
        warnings.warn(
            f"{changed.sum():,} rows count as new ones, as they differ in {names} from the rows of the first table "
            f"that their `{ROW}` says; if they are these rows, give their values as they were",
            stacklevel=3,
        )


def labelled_rows(
    more: pl.DataFrame,
    schema: Types,
    label: str,
    *,
    anomaly: object = None,
    normal: object = None,
    missing: Sequence[str] = (),
) -> tuple[pl.DataFrame, Float[np.ndarray, " n"], pl.Series | None]:
    """Take the rows of a table that have a label, as columns of another table; their labels; and their `ROW`, if any.

    Raises:
        InputError: a column is missing, has values of another type, or there are other labels.
    """
    check_label(more.columns, label)
    if gone := [name for name in schema if name not in more.columns]:
        raise InputError(f"the column '{gone[0]}' is missing, expected all of the first table")
    labels = semi_labels(more[label], anomaly=anomaly, normal=normal, missing=missing)
    answered = more.filter(~np.isnan(labels))
    rows = answered.select(list(schema))
    for name, kind in schema.items():
        try:
            same = as_kind(rows[name], kind)
        except pl.exceptions.PolarsError as error:
            raise InputError(f"the column '{name}' has values that are not {kind}, as in the first table") from error
        rows = rows.with_columns(same.alias(name))
    return rows, labels[~np.isnan(labels)], answered[ROW] if ROW in answered.columns else None


def as_kind(values: pl.Series, kind: Any) -> pl.Series:  # noqa: ANN401 # no type of Polars can be checked when it runs
    """Convert values to a type that holds them unchanged, or that they are written in.

    Raises:
        polars.exceptions.PolarsError: a value is of another type, or would be another one.
    """
    if values.dtype == pl.String and isinstance(kind, pl.Date):
        return values.str.to_date()
    if values.dtype == pl.String and isinstance(kind, pl.Datetime):
        return values.str.to_datetime(time_unit=kind.time_unit, time_zone=kind.time_zone)
    if values.dtype == pl.String and isinstance(kind, pl.Time):
        return values.str.to_time()
    same = values.cast(kind)
    if values.dtype.is_numeric() and not (
        (kind.is_numeric() or kind == pl.Boolean) and same.cast(values.dtype).eq_missing(values).all()
    ):
        raise pl.exceptions.InvalidOperationError("a number would be another value")
    return same


def equal_rows(frame: pl.DataFrame, rows: pl.DataFrame) -> Bool[np.ndarray, " n"]:
    """Tell which rows of a table are equal to one of some rows of the same columns."""
    found = frame.with_row_index(PLACE).join(rows, on=rows.columns, how="semi", nulls_equal=True)
    equal = np.full(len(frame), False)
    equal[found[PLACE].to_numpy()] = True
    return equal
