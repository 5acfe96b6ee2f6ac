"""Tables of a terminal that are folded to its width: no column is left out, and no number is split."""

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

GAP = 2
"""Blanks between columns."""

Row = tuple[Sequence[str], Sequence[Text]]
"""Names of a row, and its cells."""


def show(
    console: Console, names: Sequence[str], heads: Sequence[str], rows: Sequence[Row], repeat: bool = False
) -> None:
    """Print a table: some columns below the others where it is wider than the console, or a list of cells.

    Args:
        console: to print to.
        names: heads of the names of rows, which each part of the table repeats.
        heads: of the other columns, each in one line or several.
        rows: names and cells of each.
        repeat: whether a name that repeats the one above it is printed again.
    """
    left = sum(max(map(widest, texts)) + GAP for texts in zip(names, *(row for row, _ in rows), strict=True))
    widths = [max(widest(text) for text in (head, *(cells[i].plain for _, cells in rows))) + GAP
              for i, head in enumerate(heads)]  # fmt: skip
    if left + max(widths, default=0) - GAP > console.width:
        for line in listed(names, heads, rows):
            console.print(line)
        return
    for part in parts(widths, console.width - left):
        console.print(table(names, heads, rows, part, repeat))


def widest(text: str) -> int:
    """Measure the widest line of a text."""
    return max((cell_len(line) for line in text.split("\n")), default=0)


def parts(widths: Sequence[int], width: int) -> Iterator[list[int]]:
    """Split columns into as few parts as the width allows, at least one column each."""
    part: list[int] = []
    used = 0
    for i, need in enumerate(widths):
        if part and used + need - GAP > width:
            yield part
            part, used = [], 0
        part.append(i)
        used += need
    if part:
        yield part


def table(names: Sequence[str], heads: Sequence[str], rows: Sequence[Row], part: Sequence[int], repeat: bool) -> Table:
    """Make a table of some columns."""
    shown = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for name in names:
        shown.add_column(Text(name), no_wrap=True)
    for i in part:
        shown.add_column(Text(heads[i]), justify="right", no_wrap=True)
    before: Sequence[str] = ()
    for row, cells in rows:
        new = next((i for i in range(len(row)) if repeat or before[i : i + 1] != row[i : i + 1]), 0)
        shown.add_row(*(Text("" if i < new else name) for i, name in enumerate(row)), *(cells[i] for i in part))
        before = row
    return shown


def listed(names: Sequence[str], heads: Sequence[str], rows: Sequence[Row]) -> Iterator[Text]:
    """Write each row as a list of its cells, where not even one column fits beside the names."""
    for row, cells in rows:
        yield Text(", ".join(f"{name} {text}".strip() for name, text in zip(names, row, strict=True)), style="bold")
        for head, cell in zip(heads, cells, strict=True):
            if cell.plain:
                lines = Text("  ").join(cell.split("\n"))
                yield Text("  ").append(" ".join(head.split("\n"))).append(": ").append_text(lines)
