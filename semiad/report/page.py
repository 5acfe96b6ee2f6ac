"""Results as one page of HTML that needs nothing else: no network, no other file."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from semiad.errors import InputError
from semiad.ledger import Ledger
from semiad.report import drill, figures, grid
from semiad.report.grid import Grid
from semiad.report.result import Entry, Result, Verdict

VERDICTS: tuple[Verdict, ...] = ("match", "near", "below", "missing")


@dataclass(frozen=True)
class Cell:
    """A cell of a table as the page shows it.

    Attributes:
        entry: what is known of it.
        name: its coordinates, in words.
        ours: our figure, as text; empty if there is none.
        published: the published one, as text; empty if the paper has no such cell.
        difference: as text.
        mark: letters of its flags.
        value: that it is sorted by.
        runs: places of its runs.
    """

    entry: Entry
    name: str
    ours: str
    published: str
    difference: str
    mark: str
    value: float | None
    runs: list[int]


@dataclass(frozen=True)
class Section:
    """An experiment as the page shows it.

    Attributes:
        result: what it holds.
        grid: its table.
        levels: the heads of the columns, from the outermost: text and how many columns it spans.
        rows: coordinates and cells, None where the table has none.
        pictures: name and address of each figure.
        notes: as HTML.
    """

    result: Result
    grid: Grid
    levels: list[list[tuple[str, int]]]
    rows: list[tuple[tuple[str, ...], list[Cell | None]]]
    pictures: list[tuple[str, str]]
    notes: Markup

    @property
    def compared(self) -> bool:
        """Whether a published figure stands beside any of ours."""
        return any(self.result.count(verdict) for verdict in VERDICTS)


def write(results: Sequence[Result], ledger: Ledger, path: Path) -> None:
    """Write results as one page.

    Args:
        results: in the order in which they stand.
        ledger: that they are made from.
        path: of the page; its folder is made.

    Raises:
        InputError: it cannot be written.
    """
    text = render(results, ledger)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"--out {path} cannot be written ({error.strerror})") from error


def render(results: Sequence[Result], ledger: Ledger) -> str:
    """The page."""
    runs, at = drill.index(results, ledger)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["duration"] = grid.duration
    sections = [section(result, ledger, at) for result in results]
    return environment.get_template("page.html.jinja").render(
        sections=sections,
        folder=ledger.folder.name,
        overview=markdown(ledger.notes("overview")) if len(results) > 1 else "",
        n_runs=len(runs),
        warnings=[*ledger.conflicts, *ledger.warnings],
        symbols=grid.SYMBOLS,
        verdicts=VERDICTS,
        heading=grid.heading,
        legend=grid.legend,
        cells=Markup(drill.script(opened(sections))),
        payload=Markup(drill.script(drill.payload(runs, at))),
    )


def section(result: Result, ledger: Ledger, at: drill.Index) -> Section:
    """One experiment."""
    laid = grid.grid(result)
    return Section(
        result=result,
        grid=laid,
        levels=[*levels(laid.columns)],
        rows=[
            (row, [None if entry is None else cell(entry, laid, at) for entry in entries]) for row, entries in laid.rows
        ],
        pictures=[(name, address(figures.content(one, "svg"))) for name, one in figures.of(result, ledger).items()],
        notes=markdown(result.notes),
    )


def levels(columns: Sequence[tuple[str, ...]]) -> Iterator[list[tuple[str, int]]]:
    """The heads of columns, level by level; neighbours with one beginning share a head."""
    for level in range(len(columns[0]) if columns else 0):
        begins = [column[: level + 1] for column in columns]
        yield [(begin[-1], len([*same])) for begin, same in groupby(begins)]


def cell(entry: Entry, laid: Grid, at: drill.Index) -> Cell:
    """One cell."""
    printed = bool(entry.printed or entry.flag)
    return Cell(
        entry=entry,
        name=named(entry, laid.result),
        ours=grid.figure(entry, laid.result) if entry.ours else "",
        published=grid.published(entry, laid.result) if printed else "",
        difference=grid.difference(entry, laid.result),
        mark=laid.mark(entry),
        value=entry.ours.mean if entry.ours else entry.published,
        runs=drill.spans(entry.keys, at),
    )


def named(entry: Entry, result: Result) -> str:
    """The coordinates of a cell, each after its head."""
    heads = (*result.row_heads, *result.column_heads)
    return ", ".join(f"{head} {text}".strip() for head, text in zip(heads, entry.row + entry.column, strict=True))


def opened(sections: Sequence[Section]) -> list[list[list[int]]]:
    """Places of the runs of each cell of each section, in the order in which they stand."""
    return [[one.runs for _, cells in part.rows for one in cells if one] for part in sections]


def address(svg: bytes) -> str:
    """A picture as an address that holds it; as an image it can run nothing and its names meet no others."""
    return "data:image/svg+xml," + quote(svg, safe=" /:=,;()!*+-._~@&?$|'")


def markdown(text: str) -> Markup:
    """Markdown as HTML; HTML in it is text, and it can load no pictures."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    return Markup(reader.render(text))
