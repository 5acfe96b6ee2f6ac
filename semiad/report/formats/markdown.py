"""Results as Markdown, for documentation: the same records give the same bytes."""

import re
from collections.abc import Iterator, Mapping, Sequence

from semiad.report.formats import grid
from semiad.report.formats.grid import Grid
from semiad.report.overview import HEADS, Overview, counts
from semiad.report.result import Entry, Result

Picture = tuple[str, str]
"""Address and caption of a figure."""
NO_FIGURES: Mapping[str, Sequence[Picture]] = {}


def escaped(text: str) -> str:
    """Escape text that is to stand in a table as it is."""
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", " ".join(text.split()))


def document(
    results: Sequence[Result],
    overview: Overview,
    figures: Mapping[str, Sequence[Picture]] = NO_FIGURES,
    command: str = "",
    notes: Sequence[str] = (),
) -> str:
    """Write all results, with an overview where there are several.

    Args:
        results: in the order in which they stand.
        overview: of their tables, and of others that have no section.
        figures: by name of the result, its pictures.
        command: that writes this document; named in it.
        notes: on all of them, as Markdown.
    """
    lines = ["# Reproduction", "", "Our values beside the published ones."]
    if command:
        lines += [f"Written by `{command}`."]
    for note in notes:
        lines += ["", note]
    lines += ["", *overview_table(overview, results)]
    parts = ["\n".join(section(result, figures.get(result.name, ()))) for result in results]
    return "\n".join([*(lines if len(results) > 1 else []), *parts]).strip() + "\n"


def overview_table(overview: Overview, results: Sequence[Result] = ()) -> Iterator[str]:
    """Write the overview; tables among the results are linked to their sections."""
    yield f"| {' | '.join(HEADS)} |"
    yield "|---|" + "--:|" * (len(HEADS) - 2) + "---|"
    shown = {result.name for result in results}
    for line in (*overview.lines, overview.total):
        linked = line.result is not None and line.result.name in shown
        title = f"[{line.title}](#{anchor(line.title)})" if linked else line.title
        bold = "" if line.result else "**"
        yield f"| {' | '.join(f'{bold}{text}{bold}' for text in (title, *counts(line)))} | {escaped(line.why)} |"


def anchor(heading: str) -> str:
    """Give the address that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def section(result: Result, figures: Sequence[Picture]) -> Iterator[str]:
    """Write one result."""
    laid = grid.grid(result)
    yield from ("", f"## {grid.heading(result)}", "", f"{escaped(result.caption)} **{result.summary}.**", "")
    if laid.rows:
        yield from (f"{result.unit}. {grid.legend(result)}", "")
        heads = [*result.row_heads, *(" ".join(column) for column in laid.columns)]
        yield from table(
            heads, [[*map(escaped, row), *(cell(laid, entry) for entry in cells)] for row, cells in laid.rows]
        )
        for line in laid.cause_lines:
            yield from ("", f"<small>{escaped(line)}</small>")
        for note in laid.footnotes:
            yield from ("", f"<small>{escaped(note)}</small>")
    for address, caption in figures:
        yield from ("", f"![{caption}]({address})", "", f"*{caption}*")
    for statement in grid.statements(result):
        yield from ("", f"**{statement.name}**", "")
        yield from table(statement.heads, [[*map(escaped, row)] for row in statement.rows])
        yield from ("", statement.note)
    if result.remarks:
        yield from ("", *(f"- {escaped(remark)}" for remark in result.remarks))
    if result.versions:
        yield from ("", f"Training took {grid.duration(result.seconds)}.", "")
        yield from (f"- {escaped(line)}" for line in result.versions)
    yield from ("", "```", *result.commands, "```")
    if result.notes:
        yield from ("", result.notes)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Write a table of Markdown."""
    yield f"| {' | '.join(map(escaped, heads))} |"
    yield "|" + "---|" * len(heads)
    yield from (f"| {' | '.join(row)} |" for row in rows)


def cell(laid: Grid, entry: Entry | None) -> str:
    """Write our value with its verdict, below it the published one, our difference and the letter of its flag."""
    if entry is None:
        return ""
    number = laid.number(entry)
    first = f"{grid.our_text(entry, laid.result)} {entry.symbol}{f'<sup>{number}</sup>' if number else ''}".rstrip()
    if not entry.printed and not entry.flag:
        return first
    mark = laid.mark(entry)
    second = f"*{grid.reference_text(entry, laid.result)}*" + (f"<sup>{mark}</sup>" if mark else "")
    return f"{first}<br>{second} {grid.difference(entry, laid.result)}".rstrip()
