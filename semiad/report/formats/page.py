"""Results as one page of HTML that needs no network and no other file."""

from collections.abc import Sequence

from markupsafe import Markup

from semiad.ledger.reader import Ledger
from semiad.report.formats import grid, page_data
from semiad.report.formats.environment import make_environment
from semiad.report.formats.page_data import Opened
from semiad.report.formats.sections import Section, markdown, section
from semiad.report.overview import HEADS, Overview, counts
from semiad.report.result import Result, Statement
from semiad.report.statistics import CELLS
from semiad.report.uncommitted import uncommitted
from semiad.report.verdicts import COMPARED, rules


def render(results: Sequence[Result], ledger: Ledger, overview: Overview) -> str:
    """Render the page.

    Args:
        results: in the order in which they stand.
        ledger: that they are made from.
        overview: of their tables, and of others that have no section.
    """
    runs, at = page_data.index(results, ledger)
    environment = make_environment()
    environment.filters["duration"] = grid.duration
    sections = [section(result, ledger, at) for result in results]
    return environment.get_template("page.html.jinja").render(
        sections=sections,
        folder=ledger.folder.name,
        overview=overview,
        heads=HEADS,
        counts=counts,
        notes=markdown(ledger.notes("overview")) if len(results) > 1 else "",
        uncommitted=[*uncommitted(ledger.runs)] if len(results) > 1 else [],
        n_runs=len(runs),
        warnings=[*ledger.conflicts, *ledger.warnings],
        verdicts=COMPARED,
        rules=rules(),
        heading=grid.heading,
        legend=grid.legend,
        statements=grid.statements,
        unmade=unmade,
        cells=Markup(page_data.script(opened(sections))),
        payload=Markup(page_data.script(page_data.payload(runs, at))),
    )


def unmade(statement: Statement) -> str:
    """Explain why a table of tests has holes; empty if it has none."""
    return f" -: fewer than {CELLS} cells, too few for a test." if any("-" in row for row in statement.rows) else ""


def opened(sections: Sequence[Section]) -> list[list[Opened]]:
    """Collect what the panel of each cell of each section shows, in the order in which they stand."""
    return [[cell.opened for _, cells in part.rows for cell in cells if cell] for part in sections]
