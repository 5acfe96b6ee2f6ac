"""The pages of our own reproduction are what its records give, and hide nothing."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from semiad.ledger.reader import Ledger, read
from semiad.report.__main__ import main
from semiad.report.overview import as_csv, overview
from semiad.report.papers import PAPERS, catalogue
from semiad.report.result import Result
from semiad.report.tables import reproduce
from semiad.report.verdicts import COMPARED, Verdict
from tests.conftest import CONF

pytestmark = pytest.mark.slow
ROOT = CONF.parent
DOCS = ROOT / "docs"


@dataclass
class Written:
    """What the commands write of the records."""

    folder: Path
    overview: str
    results: list[Result]
    ledger: Ledger


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """All pages, written once."""
    folder = tmp_path_factory.mktemp("pages")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("reproduction").symlink_to(ROOT / "reproduction")
        main(["results=reproduction", "--format", "markdown", "--out", "docs/reproduction.md"])
        main(["results=reproduction", "--claims", "--out", "docs/claims.md"])
        ledger = read(Path("reproduction"))
        results = [reproduce(experiment, ledger) for experiment in catalogue().experiments.values()]
    return Written(folder, as_csv(overview(results, [*catalogue().experiments])), results, ledger)


@pytest.mark.parametrize("page", ["reproduction.md", "claims.md"])
def test_a_page_is_what_the_records_give(page: str, written: Written) -> None:
    assert (written.folder / "docs" / page).read_text() == (DOCS / page).read_text()


def test_the_figures_of_the_page_are_there(written: Written) -> None:
    drawn = {path.name for path in (written.folder / "docs" / "reproduction").iterdir()}
    assert drawn == {path.name for path in (DOCS / "reproduction").iterdir()} and drawn


def test_the_overview_counts_every_published_value_of_both_papers(written: Written) -> None:
    rows = {row["experiment"]: row for row in csv.DictReader(io.StringIO(written.overview))}
    total = rows.pop("all")
    assert (total["published"], total["runnable"]) == ("1221", "1179")
    assert sum(int(total[verdict]) for verdict in COMPARED) == 1179
    folder = PAPERS[0].folder
    assert folder is not None and {path.stem for path in folder.glob("*.csv")} - {"aesad_fig2c", "esad_table7"} <= {
        *rows
    }
    for name, row in rows.items():
        counts = [int(row[verdict]) for verdict in COMPARED]
        assert sum(counts) == int(row["runnable"]) and sum(counts) + int(row["absent"]) == int(row["published"])
        assert not (int(row["missing"]) or int(row["absent"]) or int(row["uncompared"])) or row["why"], name
        if name in catalogue().experiments:
            printed = catalogue().experiment(name).reference_cells()["mean"].drop_nulls()
            assert int(row["published"]) + int(row["uncompared"]) == len(printed)


def test_every_difference_that_needs_a_cause_has_one_or_says_that_none_was_found(written: Written) -> None:
    entries = [entry for result in written.results for entry in result.entries]
    needing = [entry for entry in entries if entry.verdict.needs_cause]
    assert needing and all(entry.cause.strip() for entry in needing)
    assert not any(entry.cause for entry in entries if not entry.verdict.needs_cause)


def test_every_cause_of_a_paper_explains_a_cell_that_is_printed() -> None:
    for paper in PAPERS:
        for experiment in paper.experiments:
            cells = [dict(zip(experiment.heads, row, strict=False)) for row in experiment.reference_cells().iter_rows()]
            for cause in experiment.causes:
                verdict = cause.verdict or Verdict.ABOVE
                assert any(cause.explains(cell, verdict) for cell in cells), (experiment.name, cause.text)


def test_records_of_uncommitted_code_are_counted(written: Written) -> None:
    marked = written.ledger.runs.filter(pl.col("commit").str.ends_with("+"))
    said = f"uncommitted code: {len(marked)} of {len(written.ledger.runs)} runs"
    for page in ("reproduction.md", "claims.md"):
        assert (said in (DOCS / page).read_text()) == bool(len(marked))
