"""The layout of a result in rows and columns, which every format prints."""

import re
import string
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import chain, pairwise, product

from semiad.report.causes import NOT_FOUND
from semiad.report.result import ABSENT, Entry, Result, Shift, Statement
from semiad.report.statistics import probability
from semiad.report.verdicts import Verdict, rules


@dataclass(frozen=True)
class Grid:
    """Rows and columns of a result.

    Attributes:
        result: that is laid out.
        columns: coordinates of each.
        rows: coordinates of each, and its entries by column, None where the table has no cell.
        marks: by flag of single cells, the letter that stands for it.
        general: flags that all published cells share, or all of a row or column.
        causes: by cause of a difference, the number that stands for it; that none was found is the last.
    """

    result: Result
    columns: Sequence[tuple[str, ...]]
    rows: Sequence[tuple[tuple[str, ...], Sequence[Entry | None]]]
    marks: dict[str, str]
    general: Sequence[str]
    causes: dict[str, int]

    def number(self, entry: Entry) -> str:
        """Give the number of the cause of a cell's difference; empty where its verdict needs none."""
        return f"{self.causes[entry.cause]}" if entry.cause else ""

    @property
    def cause_lines(self) -> list[str]:
        """The causes with their numbers, and of how many cells."""
        return [f"{number} ({', '.join(self.explained(text))}): {text}" for text, number in self.causes.items()]

    def explained(self, cause: str) -> Iterator[str]:
        """Count the cells of each verdict that a cause explains."""
        for verdict in Verdict:
            count = sum(entry.cause == cause and entry.verdict == verdict for entry in self.result.entries)
            if count:
                yield f"{count} {verdict}"

    def mark(self, entry: Entry) -> str:
        """Give the letters of a cell's own flags."""
        return ",".join(self.marks[flag] for flag in flags(entry) if flag in self.marks)

    @property
    def footnotes(self) -> list[str]:
        """The flags of all cells, rows and columns, and the meaning of the letters."""
        return [*self.general, *(f"{mark}: {flag}" for flag, mark in self.marks.items())]


def grid(result: Result) -> Grid:
    """Arrange a result in rows and columns."""
    columns = merged((entry.row, entry.column) for entry in result.entries)
    cells = {(entry.row, entry.column): entry for entry in result.entries}
    rows = [
        (row, [cells.get((row, column)) for column in columns])
        for row in dict.fromkeys(entry.row for entry in result.entries)
    ]
    printed = [entry for entry in result.entries if entry.printed or entry.flag]
    every = dict.fromkeys(flag for entry in printed for flag in flags(entry))
    scopes = {flag: scope(flag, printed) for flag in every}
    lone = [flag for flag, where in scopes.items() if where is None]
    general = [f"{where}: {flag}" if where else flag for flag, where in scopes.items() if where is not None]
    found = dict.fromkeys(entry.cause for entry in result.entries if entry.cause)
    ordered = sorted(found, key=lambda cause: cause == NOT_FOUND)
    causes = {cause: number for number, cause in enumerate(ordered, start=1)}
    return Grid(result, columns, rows, dict(zip(lone, letters(), strict=False)), general, causes)


def merged(cells: Iterable[tuple[tuple[str, ...], tuple[str, ...]]]) -> list[tuple[str, ...]]:
    """Merge the columns of all rows in an order that is that of each row, whichever cells a row lacks.

    Args:
        cells: row and column of each, the columns of a row in its order.
    """
    order: TopologicalSorter[tuple[str, ...]] = TopologicalSorter()
    by_row: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for row, column in cells:
        by_row.setdefault(row, []).append(column)
    for columns in by_row.values():
        order.add(columns[0])
        for before, after in pairwise(columns):
            order.add(after, before)
    return [*order.static_order()]


def flags(entry: Entry) -> list[str]:
    """Collect the flags of a cell: that its method is not in semiad, and what is said of the published value."""
    if not entry.flag.startswith(f"{ABSENT}; "):
        return [entry.flag] if entry.flag else []
    return [ABSENT, entry.flag.removeprefix(f"{ABSENT}; ")]


def scope(flag: str, printed: Sequence[Entry]) -> str | None:
    """Name the rows or columns of which all cells have a flag; empty for all cells, None for single cells."""
    having = [entry for entry in printed if flag in flags(entry)]
    if len(having) in (1, len(printed)):
        return None if len(having) == 1 else ""
    for i in range(len(printed[0].row + printed[0].column)):
        names = dict.fromkeys((entry.row + entry.column)[i] for entry in having)
        if sum((entry.row + entry.column)[i] in names for entry in printed) == len(having):
            return ", ".join(names)
    return None


def letters() -> Iterator[str]:
    """Count in letters: a, b, ..., z, aa, ab, ..."""
    alphabet = string.ascii_lowercase
    return chain(alphabet, map("".join, product(alphabet, alphabet)))


def our_text(entry: Entry, result: Result) -> str:
    """Print our value, a dash if there is none; and if runs are lacking, how many are done."""
    return f"{value_text(entry, result)} {entry.holes}".rstrip()


def value_text(entry: Entry, result: Result) -> str:
    """Print our value; a dash if there is none."""
    if entry.ours is None:
        return "-"
    std = "" if entry.ours.std is None else f"±{plain(entry.ours.std, result)}"
    return plain(entry.ours.mean, result) + std


def spread(entry: Entry, result: Result) -> str:
    """Print our mean, deviation and interval, in words; empty if there is none."""
    if entry.ours is None:
        return ""
    ours = entry.ours
    parts = [f"mean {plain(ours.mean, result)}"]
    if ours.std is not None:
        parts.append(f"standard deviation {plain(ours.std, result)}")
    parts.append(f"n = {ours.n}")
    if ours.low is not None and ours.high is not None:
        parts.append(f"95 % interval of the mean [{plain(ours.low, result)}, {plain(ours.high, result)}]")
    return ", ".join(parts)


def reference_text(entry: Entry, result: Result) -> str:
    """Print the published value; a dash if there is none."""
    return bare(entry.printed, result) or "-"


def difference(entry: Entry, result: Result) -> str:
    """Print ours less the published value; empty if either is lacking."""
    if entry.difference is None:
        return ""
    return signed(entry.difference, result)


def signed(value: float, result: Result) -> str:
    """Print a difference with its sign."""
    text = plain(abs(value), result)
    return ("-" if value < 0 and float(text) else "+") + text


def plain(value: float, result: Result) -> str:
    """Print a number with the digits of its table."""
    return bare(f"{value:.{result.digits}f}", result)


def bare(text: str, result: Result) -> str:
    """Remove the zero before the point, as the papers do where values are no percentages."""
    return text if "%" in result.unit else re.sub(r"(?<!\d)0(?=\.)", "", text)


def legend(result: Result, explained: bool = True) -> str:
    """Say how to read the cells.

    Args:
        result: whose cells these are.
        explained: whether to explain the verdicts, if that is not done elsewhere.
    """
    if not compares(result):
        return "Mean ± standard deviation over runs."
    words = "; ".join(f"{v.symbol} {v}: {text}" for v, text in rules(result.unit).items())
    return (
        "Ours above, the published value and our difference below. "
        f"{f'The first of these that holds: {words}. ' if explained else ''}"
        "A number beside a verdict is that of its cause below the table. "
        "2/10: two of ten runs (or pairs of runs) ended well."
    )


def statements(result: Result) -> list[Statement]:
    """List what stands in tables of its own below a result: the shift of each method, and the statistics."""
    return [*([shift_table(result)] if result.shifts else []), *result.statistics]


def shift_table(result: Result) -> Statement:
    """Tabulate the shift of each method from the paper."""
    compared = result.reference and result.reference.compared
    head = compared.head if compared else "method"
    return Statement(
        "Shift from the published values, over all cells",
        (head, "cells", f"mean difference, {result.unit} [95 %]", "lower", "higher", "p, sign test"),
        tuple(
            (shift.method, f"{shift.cells}", shift_text(shift, result), f"{shift.lower}", f"{shift.higher}",
             probability(shift.p))
            for shift in result.shifts
        ),
        "Means of our cells less the published ones, with Student's interval over cells; in how many cells ours is "
        "lower or higher; and the two-sided sign test, in which equal cells do not count. A shift may show here "
        "though each cell matches. Cells that share a normal class or a data set are not independent, so p is "
        "optimistic.",
    )  # fmt: skip


def shift_text(shift: Shift, result: Result) -> str:
    """Print the mean difference of a method, and its interval."""
    text = signed(shift.mean, result)
    if shift.low is None or shift.high is None:
        return text
    return f"{text} [{signed(shift.low, result)}, {signed(shift.high, result)}]"


def compares(result: Result) -> bool:
    """Tell whether any cell has a published value, or should have one."""
    return any(entry.verdict != Verdict.UNPUBLISHED or entry.printed for entry in result.entries)


def heading(result: Result) -> str:
    """Join title and budget."""
    return result.title + (f" ({result.budget})" if result.budget else "")


def duration(seconds: float) -> str:
    """Print seconds in words."""
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min {rest % 60} s" if rest >= 60 else f"{rest} s"
