"""What `semiad check` says of a table before anything is trained."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from semiad.errors import InputError
from semiad.tabular.columns import MIN_IDENTIFIERS, Column, example, plain, understand, without
from semiad.tabular.labels import canonical, many_anomalies, semi_labels, take_label

if TYPE_CHECKING:
    from rich.console import RenderableType

LEAK_AUC = 0.999
"""Of a single column, from which on it is told as one that may be the label in other words."""
LEAK_LABELS = 5
"""Labelled anomalies, and other rows, without which no column is told to be one."""
LEAK_CHECKED = 20
"""Labelled anomalies, and checked normal rows, without which these two are not held against each other."""
LEAK_CATEGORIES = 20
STRAYS = 0.1
"""Share of a column's texts up to which those that are no numbers are told, since all others are."""
DECIMAL_COMMA = r"^[+-]?\d*,\d+$"
SIGNS = "[\\s$%\u20ac\u00a3\u00a5]"
MANY_NUMBERS = 20
"""Different values of a column above which a single text among numbers is told however often it occurs."""
THOUSANDS = r"^[+-]?\d{1,3}([,' ]\d{3})+(\.\d+)?$"
FEW_LABELS = 5


@dataclass(frozen=True)
class TableReport:
    """What was seen in a table.

    Attributes:
        rows: their number.
        columns: what each is taken for.
        anomalies: labelled rows that are anomalous; None without a label column.
        normals: rows that are checked to be normal.
        copies: rows that are equal to an earlier one.
        contradictions: labelled rows that are equal to a row with the other label.
        equal: pairs of columns with the same values.
        leaks: columns that tell the label by themselves, but for those that are left out, and how.
        strays: columns of texts that are numbers but for a few, and which are not.
        plan: what training will do, in sentences.
    """

    rows: int
    columns: tuple[Column, ...]
    anomalies: int | None
    normals: int
    copies: int
    contradictions: int
    equal: tuple[tuple[str, str], ...]
    leaks: dict[str, str]
    strays: dict[str, str]
    plan: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Say what a user should look at before training."""
        warnings = [
            f"column '{name}' may be the label in other words: {how}; drop it?" for name, how in self.leaks.items()
        ]
        kinds = {column.name: column.kind for column in self.columns}
        warnings += [f"column '{name}' is {kinds[name]} and not number: {how}" for name, how in self.strays.items()]
        warnings += [f"columns '{first}' and '{second}' are equal" for first, second in self.equal]
        if self.copies:
            warnings.append(f"{self.copies:,} rows are copies of earlier ones ({self.copies / self.rows:.1%})")
        if self.contradictions:
            warnings.append(f"{self.contradictions:,} labelled rows are equal to a row with the other label")
        for column in self.columns:
            if column.infinite:
                warnings.append(f"column '{column.name}' has {column.infinite:,} infinite values")
            if column.kind != "dropped" and column.missing > self.rows / 2:
                warnings.append(f"column '{column.name}' is missing in {column.missing / self.rows:.0%} of the rows")
            if column.kind == "category" and column.distinct > max(MIN_IDENTIFIERS, (self.rows - column.missing) / 2):
                warnings.append(
                    f"column '{column.name}' has {column.distinct:,} different values in {self.rows:,} rows: drop it "
                    "if it names the row"
                )
            if column.kind == "date" and column.format is not None and is_ambiguous(column.format):
                warnings.append(f"column '{column.name}' is read as {column.format}; day and month may be swapped")
        if many := many_anomalies(self.anomalies or 0, self.rows):
            warnings.append(many)
        if self.anomalies is not None and self.anomalies < FEW_LABELS:
            warnings.append(
                f"{self.anomalies or 'no'} row{'' if self.anomalies == 1 else 's'} labelled anomalous: "
                + ("training is unsupervised" if not self.anomalies else "too few to choose a method by")
            )
        if self.has_nothing_to_learn:
            warnings.append("no column is left to learn from")
        return tuple(warnings)

    @property
    def has_nothing_to_learn(self) -> bool:
        """Whether all columns are left out."""
        return all(column.kind == "dropped" for column in self.columns)

    @property
    def labels(self) -> str:
        """Count the labels in a sentence."""
        if self.anomalies is None:
            return "no label column is named: all rows count as unlabelled"
        unlabelled = self.rows - self.anomalies - self.normals
        return f"{self.anomalies:,} anomalies, {self.normals:,} checked normal, {unlabelled:,} unlabelled"

    @property
    def lines(self) -> tuple[str, ...]:
        """Write the report as plain lines."""
        width = max(len(column.name) for column in self.columns)
        return (
            f"{self.rows:,} rows, {len(self.columns)} columns; {self.labels}",
            *(f"{c.name:<{width}}  {c.kind:<8}  {c.why}{seen(c)}" for c in self.columns),
            *(f"warning: {warning}" for warning in self.warnings),
            *self.plan,
        )

    def __rich__(self) -> "RenderableType":
        """Show the report on a terminal."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table("column", "taken for", "because", box=None)
        for heading in ("missing", "different"):
            table.add_column(heading, justify="right")
        for column in self.columns:
            style = "dim" if column.kind == "dropped" else ""
            numbers = (f"{column.missing:,}" if column.missing else "", f"{column.distinct:,}")
            table.add_row(*(Text(cell, style) for cell in (column.name, column.kind, column.why, *numbers)))
        warnings = [Text(f"warning: {warning}", "yellow") for warning in self.warnings]
        head = Text(f"{self.rows:,} rows, {len(self.columns)} columns; {self.labels}", "bold")
        return Group(head, table, *warnings, *map(Text, self.plan))


def seen(column: Column) -> str:
    """Say what is missing or infinite in a column."""
    return (f", {column.missing:,} missing" if column.missing else "") + (
        f", {column.infinite:,} infinite" if column.infinite else ""
    )


def is_ambiguous(form: str) -> bool:
    """Whether a format puts the day and the month in an order that differs between countries."""
    return form.startswith(("%d/%m", "%m/%d"))


def check_table(
    frame: pl.DataFrame,
    label: str | None = None,
    *,
    drop: Iterable[str] = (),
    kinds: Mapping[str, str] | None = None,
    missing: Sequence[str] = (),
    plan: Sequence[str] = (),
) -> TableReport:
    """Look at a table before anything is trained.

    Args:
        frame: the table.
        label: the column of labels; None if there is none.
        drop: columns to leave out.
        kinds: what columns are whatever they look like.
        missing: texts that stand for a missing value.
        plan: what training will do, in sentences that end the report.

    Raises:
        InputError: no such column, other labels, all rows labelled anomalous, a single row.
    """
    rows, y = (frame, None) if label is None else take_label(frame, label)
    rows = rows.select(without(series, missing) for series in rows)
    s = None if y is None else semi_labels(y)
    if frame.height < 2:
        raise InputError("the table has 1 row, expected at least 2")
    if s is not None and (s == 1).all():
        raise InputError(f"all {len(s):,} rows are labelled anomalous, expected others to learn what is normal")
    columns = understand(rows, drop=drop, kinds=kinds)
    return TableReport(
        rows=frame.height,
        columns=columns,
        anomalies=None if s is None else int((s == 1).sum()),
        normals=0 if s is None else int((s == 0).sum()),
        copies=count_copies(rows),
        contradictions=0 if s is None else count_contradictions(rows, s),
        equal=equal_columns(rows, columns),
        strays=find_strays(rows, columns),
        leaks={} if s is None else find_leaks(rows, columns, s),
        plan=tuple(plan),
    )


def row_hashes(rows: pl.DataFrame) -> pl.Series:
    """Hash the values of each row; columns of nested types do not count."""
    plain_columns = [column for column in rows if not column.dtype.is_nested() and column.dtype != pl.Object]
    return rows.select(column.name for column in plain_columns).hash_rows()


def count_copies(rows: pl.DataFrame) -> int:
    """Count the rows that are equal to an earlier one."""
    return rows.height - row_hashes(rows).n_unique()


def count_contradictions(rows: pl.DataFrame, s: np.ndarray) -> int:
    """Count the labelled rows that are equal to a row with the other label."""
    labelled = pl.DataFrame({"row": row_hashes(rows), "s": s}).filter(pl.col("s").is_not_nan())
    return int((labelled.select(pl.col("s").n_unique().over("row")).to_series() > 1).sum())


def find_strays(rows: pl.DataFrame, columns: Sequence[Column]) -> dict[str, str]:
    """Find columns of texts that are numbers but for a few, and say which are not."""
    strays = {}
    for column in columns:
        values = plain(rows[column.name]).drop_nulls()
        if column.kind != "number" and values.dtype == pl.String and (told := stray(values)):
            strays[column.name] = told
    return strays


def stray(values: pl.Series) -> str | None:
    """Say which of some texts is no number, if almost all are or if it is one with signs; None if there is none."""
    others = values.filter(values.cast(pl.Float64, strict=False).is_null())
    if not len(others):
        return None
    if others.str.contains(THOUSANDS).all():
        return f"{example(others)} is a number with marks between thousands: write it without"
    if others.str.contains(DECIMAL_COMMA).all():
        advice = "write a point, or name the decimal sign (--decimal ,)"
        return f"{example(others)} is a number with a decimal comma: {advice}"
    if not bare(others).is_null().any():
        return f"{example(others)} is a number with other signs: write it without"
    if len(others) <= STRAYS * len(values) or (others.n_unique() == 1 and values.n_unique() > MANY_NUMBERS):
        return (
            f"{len(values) - len(others):,} of its {len(values):,} values are numbers, but {example(others)} is not; "
            "if that stands for a missing value, say so by --missing"
        )
    return None


def bare(texts: pl.Series) -> pl.Series:
    """Read texts as numbers without signs of currencies and per cent, spaces, and the minus of typography."""
    return texts.str.replace_all(SIGNS, "").str.replace_all("\u2212", "-").cast(pl.Float64, strict=False)


def equal_columns(rows: pl.DataFrame, columns: Sequence[Column]) -> tuple[tuple[str, str], ...]:
    """Find pairs of columns with the same values, among those that are not constant."""
    groups: dict[int, list[str]] = {}
    for column in columns:
        series = plain(rows[column.name])
        if column.distinct > 1 and not series.dtype.is_nested() and series.dtype != pl.Object:
            series = series.cast(pl.Float64) if series.dtype.is_numeric() else series
            groups.setdefault(hash(series.hash().to_numpy().tobytes()), []).append(column.name)
    return tuple(pair for names in groups.values() for pair in combinations(names, 2))


def find_leaks(rows: pl.DataFrame, columns: Sequence[Column], s: np.ndarray) -> dict[str, str]:
    """Find columns that separate the labelled anomalies from others by themselves, and say how.

    The others are all other rows, among which there may be anomalies too, and the checked normal rows.
    """
    anomalous, leaks = s == 1, dict[str, str]()
    others = {"all other rows": (~anomalous, LEAK_LABELS), "the checked normal rows": (s == 0, LEAK_CHECKED)}
    for name, (other, least) in others.items():
        if min(anomalous.sum(), other.sum()) < least:
            continue
        kept = anomalous | other
        some, labels = rows.filter(kept), anomalous[kept]
        for column in columns:
            if column.kind == "dropped" or column.name in leaks:
                continue
            for how, values in views(some[column.name], column, labels):
                value = auc(values, labels)
                if max(value, 1 - value) >= LEAK_AUC:
                    leaks[column.name] = (
                        f"{how} separates the labelled anomalies from {name} (AUC {max(value, 1 - value):.3f})"
                    )
                    break
    return leaks


def views(series: pl.Series, column: Column, anomalous: np.ndarray) -> Iterable[tuple[str, np.ndarray]]:
    """Yield numbers by which a column could tell the label."""
    values = plain(series)
    if column.missing:
        yield "whether it is missing", values.is_null().to_numpy().astype(np.float64)
    if 1 < column.distinct <= LEAK_CATEGORIES and not values.dtype.is_nested():
        shares = pl.DataFrame({"value": canonical(values), "a": anomalous}).select(pl.col("a").mean().over("value"))
        yield "its value", shares.to_series().to_numpy()
    elif values.dtype.is_numeric() or values.dtype == pl.Datetime:
        numbers = values.cast(pl.Float64)
        middle = numbers.median()
        yield "its value", numbers.fill_null(middle if isinstance(middle, float) else 0.0).to_numpy()


def auc(values: np.ndarray, anomalous: np.ndarray) -> float:
    """Compute the share of pairs of an anomaly and another row in which the anomaly has the larger value."""
    from scipy.stats import rankdata

    ranks, positive = rankdata(values), int(anomalous.sum())
    return float((ranks[anomalous].sum() - positive * (positive + 1) / 2) / (positive * (len(values) - positive)))
