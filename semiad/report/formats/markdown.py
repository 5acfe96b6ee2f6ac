"""Results as Markdown, for documentation: the same records give the same bytes."""

import re
from collections.abc import Iterator, Mapping, Sequence

from semiad.report.formats import grid
from semiad.report.formats.grid import Grid
from semiad.report.marks import COMPARED, MARKS
from semiad.report.result import Entry, Result

Picture = tuple[str, str]
"""Address and caption of a figure."""
NO_FIGURES: Mapping[str, Sequence[Picture]] = {}


def escaped(text: str) -> str:
    """Escape text that is to stand in a table as it is."""
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", " ".join(text.split()))


def document(
    results: Sequence[Result], figures: Mapping[str, Sequence[Picture]] = NO_FIGURES, command: str = "", notes: str = ""
) -> str:
    """Write all results, with an overview where there are several.

    Args:
        results: in the order in which they stand.
        figures: by name of the result, its pictures.
        command: that writes this document; named in it.
        notes: on all of them, as Markdown.
    """
    lines = ["# Reproduction", "", "Our figures beside the published ones."]
    if command:
        lines += [f"Written by `{command}`."]
    if notes:
        lines += ["", notes]
    lines += [
        "",
        f"| | budget | published cells | {' | '.join(COMPARED)} | training |",
        "|---|---|" + "--:|" * 6,
    ]
    for result in results:
        counts = [result.count(verdict) for verdict in COMPARED]
        link = f"[{result.title}](#{anchor(grid.heading(result))})"
        shown = [f"{sum(counts)}", *map(str, counts)] if sum(counts) else ["-"] * 5
        cells = [link, result.budget or "-", *shown, grid.duration(result.seconds)]
        lines.append(f"| {' | '.join(cells)} |")
    parts = ["\n".join(section(result, figures.get(result.name, ()))) for result in results]
    return "\n".join([*(lines if len(results) > 1 else []), *parts]).strip() + "\n"


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
        for note in laid.footnotes:
            yield from ("", f"<small>{escaped(note)}</small>")
    for address, caption in figures:
        yield from ("", f"![{caption}]({address})", "", f"*{caption}*")
    for statement in result.statistics:
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
    first = f"{grid.our_text(entry, laid.result)} {MARKS[entry.verdict].symbol}".rstrip()
    if not entry.printed and not entry.flag:
        return first
    mark = laid.mark(entry)
    second = f"*{grid.reference_text(entry, laid.result)}*" + (f"<sup>{mark}</sup>" if mark else "")
    return f"{first}<br>{second} {grid.difference(entry, laid.result)}".rstrip()
