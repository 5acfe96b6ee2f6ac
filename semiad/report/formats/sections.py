"""Sections of the page of HTML, one a result."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, groupby
from typing import NamedTuple
from urllib.parse import quote

import polars as pl
from markdown_it import MarkdownIt
from markupsafe import Markup

from semiad.ledger.reader import Ledger
from semiad.report import figures
from semiad.report.coordinates import CLASS
from semiad.report.formats import grid, page_data
from semiad.report.formats.grid import Grid
from semiad.report.formats.page_data import Opened
from semiad.report.result import ABSENT, Entry, Result
from semiad.report.verdicts import COMPARED

PIXELS = 120
"""Of an inch of a figure: letters are as large as those of the page."""
METRICS = {"auc_at_min_loss": "AUC at the lowest loss"}
"""What metrics are called, where not by their column."""
URGENT = re.compile(
    "^(not the experiment|left out|no run|failed:|missing:|uncommitted code)|have no (planned run$|samples|curve)"
)
"""How a remark begins or ends that stands before the table."""


@dataclass(frozen=True)
class Cell:
    """A cell of a table as the page shows it.

    Attributes:
        entry: what is known of it.
        name: its coordinates, in words.
        ours: our value, as text; empty if there is none.
        published: the published one, as text; empty if the paper has no such cell.
        difference: as text.
        mark: letters of its flags.
        number: of the cause of its difference.
        value: that it is sorted by.
        opened: what its panel shows; without runs it has none.
    """

    entry: Entry
    name: str
    ours: str
    published: str
    difference: str
    mark: str
    number: str
    value: float | None
    opened: Opened


class Picture(NamedTuple):
    """A figure as the page shows it: its address, its caption, and its width in pixels."""

    address: str
    caption: str
    width: int


@dataclass(frozen=True)
class Section:
    """A result as the page shows it.

    Attributes:
        result: what it holds.
        grid: its table.
        levels: the heads of the columns, from the outermost: text and how many columns it spans.
        rows: coordinates and cells, None where the table has none.
        pictures: its figures.
        notes: as HTML.
        absent: of each column, whether semiad has nothing in it.
    """

    result: Result
    grid: Grid
    levels: list[list[tuple[str, int]]]
    rows: list[tuple[tuple[str, ...], list[Cell | None]]]
    pictures: list[Picture]
    notes: Markup
    absent: list[bool]

    @property
    def compared(self) -> bool:
        """Whether any published value is compared."""
        return any(self.result.count(verdict) for verdict in COMPARED)

    @property
    def first(self) -> list[str]:
        """Remarks that a reader needs before the table: what departs from the experiment, and what is missing."""
        return [remark for remark in self.result.remarks if URGENT.search(remark)]

    @property
    def last(self) -> list[str]:
        """The other remarks."""
        return [remark for remark in self.result.remarks if not URGENT.search(remark)]


def section(result: Result, ledger: Ledger, at: page_data.Index) -> Section:
    """Make the section of a result."""
    laid = absent_last(grid.grid(result))
    return Section(
        result=result,
        grid=laid,
        levels=[*levels(laid.columns)],
        rows=[
            (row, [None if entry is None else cell(entry, laid, ledger, at) for entry in entries])
            for row, entries in laid.rows
        ],
        pictures=[
            Picture(address(figures.content(figure, "svg")), caption, round(figure.get_figwidth() * PIXELS))
            for _, figure, caption in figures.draw(result, ledger)
        ],
        notes=markdown(result.notes),
        absent=[*lacking(laid)],
    )


def lacking(laid: Grid) -> Iterator[bool]:
    """Tell, for each column, whether its method is nowhere in semiad."""
    for i in range(len(laid.columns)):
        entries = [cells[i] for _, cells in laid.rows]
        yield all(entry is None or entry.flag.startswith(ABSENT) for entry in entries)


def absent_last(laid: Grid) -> Grid:
    """Move the columns that semiad has nothing of to the end."""
    order = [i for _, i in sorted(zip(lacking(laid), count(), strict=False))]
    rows = [(row, [cells[i] for i in order]) for row, cells in laid.rows]
    return replace(laid, columns=[laid.columns[i] for i in order], rows=rows)


def levels(columns: Sequence[tuple[str, ...]]) -> Iterator[list[tuple[str, int]]]:
    """Make the heads of columns, level by level; neighbours with one beginning share a head."""
    for level in range(len(columns[0]) if columns else 0):
        begins = [column[: level + 1] for column in columns]
        yield [(begin[-1], len([*same])) for begin, same in groupby(begins)]


def cell(entry: Entry, laid: Grid, ledger: Ledger, at: page_data.Index) -> Cell:
    """Make a cell."""
    printed = bool(entry.printed or entry.flag)
    return Cell(
        entry=entry,
        name=named(entry, laid.result),
        ours=grid.value_text(entry, laid.result) if entry.ours else "",
        published=grid.reference_text(entry, laid.result) if printed else "",
        difference=grid.difference(entry, laid.result),
        mark=laid.mark(entry),
        number=laid.number(entry),
        value=entry.ours.mean if entry.ours else entry.published,
        opened=panel(entry, laid.result, ledger, at),
    )


def panel(entry: Entry, result: Result, ledger: Ledger, at: page_data.Index) -> Opened:
    """Collect what the panel of a cell shows: its runs, and their values where no column of the runs has these."""
    cause = entry.cause and f"cause of the difference: {entry.cause}"
    said = "; ".join(filter(None, (grid.spread(entry, result), cause)))
    shown: Opened = {"runs": page_data.spans(entry.keys, at), "said": said.removesuffix(".")}
    known = result.reference
    if known is None:
        return shown
    if known.kind == "class":
        name = (entry.row + entry.column)[known.heads.index(CLASS.head)]
        auc = pl.col("auc_by_class").str.json_path_match(f"$['{name}']").cast(pl.Float64)
        shown |= {"metric": f"AUC of class {name}", "values": page_data.metric_values(entry.keys, auc, ledger, at)}
    elif known.metric != "auc":
        head = METRICS.get(known.metric, known.metric)
        shown |= {"metric": head, "values": page_data.metric_values(entry.keys, pl.col(known.metric), ledger, at)}
    if known.difference and known.difference[0] in entry.column:
        stems = {name: stem for stem, name in known.paper.methods.items()}
        shown["less"] = {name: stems.get(name, name) for name in known.difference[1:]}
    return shown


def named(entry: Entry, result: Result) -> str:
    """Name the coordinates of a cell, each after its head, unless it says that itself (seen: unseen)."""
    pairs = zip((*result.row_heads, *result.column_heads), entry.row + entry.column, strict=True)
    return ", ".join(text if head in text else f"{head} {text}" for head, text in pairs)


def address(svg: bytes) -> str:
    """Make an address that holds a picture; as an image it can run nothing and its names meet no others."""
    return "data:image/svg+xml," + quote(svg, safe=" /:=,;()!*+-._~@&?$|'")


def markdown(text: str) -> Markup:
    """Render Markdown as HTML; HTML in it is text, and it can load no pictures."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    return Markup(reader.render(text))
