"""Rows of a table that may have more rows than fit into memory: all labelled ones, and a draw of the others."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from semiad.checks import check_whole
from semiad.errors import InputError
from semiad.tabular.labels import check_label, semi_labels
from semiad.tabular.table import Table, Types

MOST_UNLABELLED = 1_000_000
"""Unlabelled rows that are drawn without another number: more than 20,000 steps of 32 rows see."""

PLACE, LABEL = "__row", "__label"


@dataclass(frozen=True)
class TableSample:
    """Rows of a table, in its order.

    Attributes:
        rows: the columns without that of the labels.
        labels: 1 for an anomaly, 0 for a checked normal row, NaN for an unlabelled one.
        given: number of rows that the table has.
    """

    rows: pl.DataFrame
    labels: Float[np.ndarray, " n"]
    given: int

    def __len__(self) -> int:
        """Count the rows of the sample."""
        return len(self.rows)


def read_labels(
    table: Table, label: str | None, *, anomaly: object = None, normal: object = None
) -> Float[np.ndarray, " n"]:
    """Read the labels of all rows: 1, 0 and NaN, see `semi_labels`; all are NaN without a column of labels.

    Raises:
        InputError: there is no such column, or other labels.
    """
    if label is None:
        return np.full(table.height, np.nan)
    check_label(list(table.schema), label)
    values = pl.concat(frame[label] for frame in table.chunks([label]))
    labels: Float[np.ndarray, " n"] = semi_labels(values, anomaly=anomaly, normal=normal)
    return labels


def sample_table(
    table: Table,
    label: str | None = None,
    *,
    anomaly: object = None,
    normal: object = None,
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
        max_unlabelled: number of unlabelled rows, at most.
        random_state: draws them.

    Raises:
        InputError: there is no such column, other labels, or a number that is no number of rows.
    """
    check_whole("max_unlabelled", max_unlabelled, of="rows")
    labels = read_labels(table, label, anomaly=anomaly, normal=normal)
    taken = ~np.isnan(labels)
    unlabelled = np.flatnonzero(~taken)
    if len(unlabelled) > max_unlabelled:
        unlabelled = np.random.default_rng(random_state).choice(unlabelled, max_unlabelled, replace=False)
    taken[unlabelled] = True
    rows = table.take(taken, [name for name in table.schema if name != label])
    return TableSample(rows, labels[taken], table.height)


def with_more(
    sample: TableSample, more: pl.DataFrame, label: str, *, anomaly: object = None, normal: object = None
) -> TableSample:
    """Add the labelled rows of another table.

    Unlabelled rows of the sample that are equal to one of them go; those that the sample has with the same label are
    not added.

    Args:
        sample: of the first table.
        more: has the columns of the first table, and perhaps others; rows without a label do not count.
        label: its column of labels.
        anomaly: the label of an anomaly, see `semi_labels`.
        normal: that of a checked normal row.

    Raises:
        InputError: a column is missing, has values of another type, or there are other labels.
    """
    rows, labels = labelled_rows(more, sample.rows.schema, label, anomaly=anomaly, normal=normal)
    known = sample.rows.with_columns(pl.Series(LABEL, sample.labels)).filter(~np.isnan(sample.labels))
    new = rows.with_columns(pl.Series(LABEL, labels)).join(
        known, on=[*rows.columns, LABEL], how="anti", nulls_equal=True, maintain_order="left"
    )
    kept = ~(np.isnan(sample.labels) & equal_rows(sample.rows, rows))
    return TableSample(
        pl.concat([sample.rows.filter(kept), new.drop(LABEL)], rechunk=True),
        np.concatenate([sample.labels[kept], new[LABEL].to_numpy()]),
        sample.given + len(new) - int((~kept).sum()),
    )


def labelled_rows(
    more: pl.DataFrame, schema: Types, label: str, *, anomaly: object = None, normal: object = None
) -> tuple[pl.DataFrame, Float[np.ndarray, " n"]]:
    """Take the rows of a table that have a label, as columns of another table; and their labels.

    Raises:
        InputError: a column is missing, has values of another type, or there are other labels.
    """
    check_label(more.columns, label)
    if missing := [name for name in schema if name not in more.columns]:
        raise InputError(f"the column '{missing[0]}' is missing, expected all of the first table")
    labels = semi_labels(more[label], anomaly=anomaly, normal=normal)
    rows = more.select(list(schema)).filter(~np.isnan(labels))
    for name, kind in schema.items():
        try:
            rows = rows.with_columns(pl.col(name).cast(kind))
        except pl.exceptions.PolarsError as error:
            raise InputError(f"the column '{name}' has values that are not {kind}, as in the first table") from error
    return rows, labels[~np.isnan(labels)]


def equal_rows(frame: pl.DataFrame, rows: pl.DataFrame) -> Bool[np.ndarray, " n"]:
    """Tell which rows of a table are equal to one of some rows of the same columns."""
    found = frame.with_row_index(PLACE).join(rows, on=rows.columns, how="semi", nulls_equal=True)
    equal = np.full(len(frame), False)
    equal[found[PLACE].to_numpy()] = True
    return equal
