"""Printing and writing of results."""

import io
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from semiad.console import open_console
from semiad.errors import InputError
from semiad.ledger.reader import Ledger
from semiad.report import summary
from semiad.report.evidence import verify
from semiad.report.experiment import Paper
from semiad.report.formats import claims_page, csv, grid, labels_page, latex, markdown, terminal
from semiad.report.labels import SEEN, UNSEEN, study
from semiad.report.overview import Overview, as_csv
from semiad.report.result import Result
from semiad.report.uncommitted import uncommitted

FORMATS = ("terminal", "csv", "latex", "html", "markdown")
SUFFIXES = {".csv": "csv", ".tex": "latex", ".html": "html", ".htm": "html", ".md": "markdown"}
WIDTH = 120
"""Of a file that the terminal's table is written to."""


def form(out: Path | None) -> str:
    """Choose the format of a file by its suffix; a file without one is text, as in a terminal.

    Raises:
        InputError: no format has this suffix.
    """
    if out is None or out.suffix.lower() in ("", ".txt"):
        return "terminal"
    if out.suffix.lower() not in SUFFIXES:
        raise InputError(f"--out {out} has a suffix of no format, expected .txt, {', '.join(SUFFIXES)}, or --format")
    return SUFFIXES[out.suffix.lower()]


def groups(ledger: Ledger, form: str, out: Path | None) -> None:
    """Show what the ledger holds, group by group, in a terminal or as CSV.

    Raises:
        InputError: the file cannot be written.
    """
    every = summary.groups(ledger)
    if form == "csv":
        return put(summary.as_csv(every), out)
    console = open_console(WIDTH if out else None)
    summary.show(every, console)
    for remark in [
        *summary.remarks(ledger, every),
        *summary.experiments(ledger),
        *(f"warning: {warning}" for warning in ledger.warnings),
    ]:
        console.print(remark, markup=False)
    return write_captured(console, out)


def overview(made: Overview, ledger: Ledger, form: str, out: Path | None) -> None:
    """Show the overview of papers.

    Raises:
        InputError: the format has no overview of its own, or the file cannot be written.
    """
    if form == "csv":
        return put(as_csv(made), out)
    if form == "markdown":
        return put("\n".join(markdown.overview_table(made)) + "\n", out)
    if form != "terminal":
        raise InputError(f"--overview is written as terminal, csv or markdown, not as {form}")
    console = open_console(WIDTH if out else None)
    terminal.show_overview(made, console)
    for remark in uncommitted(ledger.runs):
        console.print(remark, markup=False)
    return write_captured(console, out)


def claims(
    papers: Sequence[Paper], ledger: Ledger, budget: str | None, form: str, out: Path | None, chosen: str = ""
) -> None:
    """Show what holds of the claims of some papers.

    Raises:
        InputError: the format has no page of claims, no paper has claims, or the file cannot be written.
    """
    if form not in ("markdown", "csv"):
        raise InputError(f"--claims is written as markdown or csv, not as {form}")
    made = [(paper, verify(paper, ledger, budget)) for paper in papers if paper.claims]
    if not made:
        raise InputError(f"results={ledger.folder} has no plans of a paper that makes claims: nothing can be tested")
    if form == "csv":
        return put(claims_page.as_csv(made), out)
    again = command(ledger, out, chosen, " --claims")
    return put(claims_page.document(made, again, [*uncommitted(ledger.runs)]), out)


def labels(ledger: Ledger, budget: str | None, form: str, out: Path | None, chosen: str = "") -> None:
    """Show which method is best with how many labelled anomalies.

    Raises:
        InputError: the format has no such page, no run of these studies is recorded, or a file cannot be written.
    """
    if form != "markdown":
        raise InputError(f"--labels is written as markdown, not as {form}")
    known, unseen = study(ledger, SEEN, "ap", budget), study(ledger, UNSEEN, "auc_unseen", budget)
    studies = [made for made in (known, unseen) if made]
    if not studies:
        raise InputError(
            f"results={ledger.folder} has no runs of experiment={', '.join((*SEEN, *UNSEEN))}"
            + (f" with budget={budget}" if budget else "")
        )
    pictures = {}
    if out:
        from semiad.report.figures import content
        from semiad.report.figures.labels import differences, figure

        drawn = {"means": ("", figure(studies))}
        for name, made in (("known", known), ("unseen", unseen)):
            if made and (ranks := differences(made)):
                drawn[name] = (f"_{name}", ranks)
        for name, (suffix, picture) in drawn.items():
            path = out.with_name(f"{out.stem}{suffix}.svg")
            put(content(picture, "svg").decode(), path, quiet=True)
            pictures[name] = path.name
    again = command(ledger, out, chosen, " --labels")
    put(labels_page.document(known, unseen, again, pictures, [*uncommitted(ledger.runs)]), out)


def tables(
    results: Sequence[Result], made: Overview, ledger: Ledger, form: str, out: Path | None, chosen: str = ""
) -> None:
    """Show published tables and figures beside ours.

    Args:
        results: in the order in which they stand.
        made: the overview of their tables, and of others.
        ledger: that they are made from.
        form: the format.
        out: file to write; None for the terminal.
        chosen: words of the command that chose these results.

    Raises:
        InputError: a file cannot be written.
    """
    if form != "terminal":
        for warning in ledger.warnings:
            print(f"warning: {warning}", file=sys.stderr)
    if form == "csv":
        for result in results:
            print(*(f"{grid.heading(result)}: {remark}" for remark in result.remarks), sep="\n", file=sys.stderr)
    if form == "html":
        from semiad.report.formats import page

        return put(page.render(results, ledger, made), out or Path("report.html"))
    if form == "terminal":
        console = open_console(WIDTH if out else None)
        for result in results:
            terminal.show(result, console)
        for warning in ledger.warnings:
            console.print(f"warning: {warning}", markup=False)
        return write_captured(console, out)
    if form == "csv":
        text = csv.render(results)
    elif form == "latex":
        text = "\n".join(map(latex.render, results))
    else:
        shown = pictures(results, ledger, out) if out else {}
        notes = [*filter(None, [ledger.notes("overview")]), *(f"**{text}.**" for text in uncommitted(ledger.runs))]
        text = markdown.document(results, made, shown, command(ledger, out, chosen), notes)
    return put(text, out)


def write_captured(console: Console, out: Path | None) -> None:
    """Write what a console that is no terminal has captured."""
    if isinstance(console.file, io.StringIO):
        put(console.file.getvalue(), out)


def put(text: str, out: Path | None, quiet: bool = False) -> None:
    """Print, or write to a file, whose folder is made, and say so.

    Raises:
        InputError: it cannot be written.
    """
    if out is None:
        print(text, end="")
        return
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"--out {out} cannot be written ({error.strerror})") from error
    if not quiet:
        print(f"written: {out}", file=sys.stderr)


def figures(results: Sequence[Result], ledger: Ledger, folder: Path) -> None:
    """Write the figures of all results as SVG, PDF and PNG.

    Raises:
        InputError: they cannot be written.
    """
    from semiad.report.figures import draw, save

    names = []
    for result in results:
        for name, figure, _ in draw(result, ledger):
            save(figure, folder / name)
            names.append(name)
    print(f"figures: {', '.join(names) or 'none can be drawn from these runs'}", file=sys.stderr)


def pictures(results: Sequence[Result], ledger: Ledger, out: Path) -> dict[str, list[markdown.Picture]]:
    """Write the figures as SVG into a folder beside a document; by result their addresses as seen from there.

    Raises:
        InputError: they cannot be written.
    """
    from semiad.report.figures import content, draw

    folder = out.with_suffix("")
    addresses: dict[str, list[markdown.Picture]] = {}
    for result in results:
        for name, figure, caption in draw(result, ledger):
            put(content(figure, "svg").decode(), folder / f"{name}.svg", quiet=True)
            addresses.setdefault(result.name, []).append((f"{folder.name}/{name}.svg", caption))
    return addresses


def command(ledger: Ledger, out: Path | None, chosen: str, page: str = "") -> str:
    """Write the command that writes the same document again."""
    to = f" --out {shlex.quote(str(out))}" if out else ""
    return f"python -m semiad.report {chosen}{shlex.quote(f'results={ledger.folder}')}{page} --format markdown{to}"
