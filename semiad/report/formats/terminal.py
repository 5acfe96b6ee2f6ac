"""Results in a terminal."""

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from semiad.report.formats import folding, grid
from semiad.report.formats.grid import Grid
from semiad.report.overview import HEADS, Overview, counts
from semiad.report.result import Entry, Result


def show(result: Result, console: Console) -> None:
    """Print a result; a table wider than the terminal is folded."""
    laid = grid.grid(result)
    console.print(Text(f"{grid.heading(result)}: {result.caption}", style="bold"))
    if laid.rows:
        console.print(f"{result.unit}. {grid.legend(result)}", markup=False)
        heads = ["\n".join(column) for column in laid.columns]
        rows = [(row, [cell(laid, entry) for entry in entries]) for row, entries in laid.rows]
        folding.show(console, result.row_heads, heads, rows)
    for note in (*laid.cause_lines, *laid.footnotes):
        console.print(note, markup=False, style="dim")
    console.print(Text(result.summary, style="bold"))
    for statement in grid.statements(result):
        console.print(Text(statement.name, style="bold"))
        texts = [(row[:1], [*map(Text, row[1:])]) for row in statement.rows]
        folding.show(console, statement.heads[:1], statement.heads[1:], texts)
        console.print(statement.note, markup=False)
    for line in words(result):
        console.print(line, markup=False)


def show_overview(made: Overview, console: Console) -> None:
    """Print the overview of papers."""
    rows = [((line.title,), [*map(Text, counts(line))]) for line in (*made.lines, made.total)]
    folding.show(console, HEADS[:1], HEADS[1:-1], rows)
    for reason in made.reasons:
        console.print(reason, markup=False)


def words(result: Result) -> Iterator[str]:
    """Collect the lines that stand below a table."""
    yield from result.remarks
    if result.versions:
        yield f"training took {grid.duration(result.seconds)}"
    yield from result.versions
    yield from result.commands
    if result.notes:
        yield f"\n{result.notes}"


def cell(laid: Grid, entry: Entry | None) -> Text:
    """Print our value with its verdict, below it the published one, our difference and the letter of its flag."""
    if entry is None:
        return Text("")
    first = f"{grid.our_text(entry, laid.result)} {entry.symbol}{laid.number(entry)}".rstrip()
    mark = laid.mark(entry)
    second = grid.reference_text(entry, laid.result) + (f"[{mark}]" if mark else "")
    text = Text(first, style=entry.verdict.colour)
    if laid.result.entries and any(other.printed or other.flag for other in laid.result.entries):
        text.append(f"\n{f'{second} {grid.difference(entry, laid.result)}'.rstrip()}", style="dim")
    return text
