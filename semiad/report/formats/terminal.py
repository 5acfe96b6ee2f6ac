"""Results in a terminal."""

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from semiad.report.formats import grid
from semiad.report.formats.grid import Grid
from semiad.report.marks import MARKS
from semiad.report.result import Entry, Result

GAP = 2
"""Blanks between columns."""


def show(result: Result, console: Console) -> None:
    """Print a result; a table wider than the terminal is folded, some columns below the others."""
    laid = grid.grid(result)
    console.print(Text(f"{grid.heading(result)}: {result.caption}", style="bold"))
    if laid.rows:
        console.print(f"{result.unit}. {grid.legend(result)}", markup=False)
    for columns in folded(laid, console.width):
        console.print(table(laid, columns))
    for note in laid.footnotes:
        console.print(note, markup=False, style="dim")
    console.print(Text(result.summary, style="bold"))
    for statement in result.statistics:
        console.print(Text(statement.name, style="bold"))
        shown = Table(*statement.heads, box=None, padding=(0, GAP, 0, 0))
        for row in statement.rows:
            shown.add_row(*map(Text, row))
        console.print(shown)
        console.print(statement.note, markup=False)
    for line in words(result):
        console.print(line, markup=False)


def words(result: Result) -> Iterator[str]:
    """Collect the lines that stand below a table."""
    yield from result.remarks
    if result.versions:
        yield f"training took {grid.duration(result.seconds)}"
    yield from result.versions
    yield from result.commands
    if result.notes:
        yield f"\n{result.notes}"


def table(laid: Grid, columns: Sequence[int]) -> Table:
    """Make a table of some columns of a result, two lines a row: ours, and what is published."""
    result = laid.result
    shown = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for head in result.row_heads:
        shown.add_column(head, no_wrap=True)
    for index in columns:
        shown.add_column("\n".join(laid.columns[index]), justify="right", no_wrap=True)
    before: tuple[str, ...] = ()
    for row, entries in laid.rows:
        texts = [cell(laid, entries[index]) for index in columns]
        new = next((i for i, name in enumerate(row) if before[i : i + 1] != (name,)), 0)
        shown.add_row(*("" if i < new else name for i, name in enumerate(row)), *texts)
        before = row
    return shown


def cell(laid: Grid, entry: Entry | None) -> Text:
    """Print our value with its verdict, below it the published one, our difference and the letter of its flag."""
    if entry is None:
        return Text("")
    first = f"{grid.our_text(entry, laid.result)} {MARKS[entry.verdict].symbol}".rstrip()
    mark = laid.mark(entry)
    second = grid.reference_text(entry, laid.result) + (f"[{mark}]" if mark else "")
    text = Text(first, style=MARKS[entry.verdict].colour)
    if laid.result.entries and any(other.printed or other.flag for other in laid.result.entries):
        text.append(f"\n{f'{second} {grid.difference(entry, laid.result)}'.rstrip()}", style="dim")
    return text


def folded(laid: Grid, width: int) -> Iterator[list[int]]:
    """Split the columns into as few parts as the width allows, at least one column each."""
    heads = zip(laid.result.row_heads, *(row for row, _ in laid.rows), strict=True)
    left = sum(max(map(cell_len, texts)) + GAP for texts in heads)
    part: list[int] = []
    used = left
    for index, column in enumerate(laid.columns):
        lines = [*column, *(line for _, row in laid.rows for line in cell(laid, row[index]).plain.split("\n"))]
        need = max(map(cell_len, lines)) + GAP
        if part and used + need > width:
            yield part
            part, used = [], left
        part.append(index)
        used += need
    if part:
        yield part
