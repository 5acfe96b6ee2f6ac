"""The rules of the verdicts at their edges, shifts over cells, causes of differences, marks of uncommitted code."""

import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from semiad.ledger.reader import read
from semiad.report.__main__ import main
from semiad.report.causes import NOT_FOUND, Cause, cause_of
from semiad.report.formats import grid
from semiad.report.result import Entry, Ours
from semiad.report.statistics import sign_test
from semiad.report.verdicts import COMPARED, Verdict, judge, margin_of, rules
from tests.conftest import CONF
from tests.test_tables import Book, cell

FORMATS = ("terminal", "csv", "latex", "html", "markdown")


@pytest.mark.parametrize(("low", "high", "runs", "expected"), [
    (0.90, 0.90, 2, "unsure"),  # 1: fewer than three runs, whatever they say
    (0.10, 0.20, 2, "unsure"),
    (0.90, 0.90, 3, "match"),
    (0.88, 0.92, 5, "match"),  # 2: within the margin, ends included
    (0.9, 0.92, 5, "match"),
    (0.91, 0.92, 5, "match"),  # the published mean outside of the interval, and near all of it
    (0.87, 0.91, 5, "match"),  # the published mean inside, half-width of the margin
    (0.90, 0.94, 5, "match"),
    (0.8699, 0.91, 5, "unsure"),  # the half-width is beyond it
    (0.92, 0.93, 5, "near"),  # 3: above begins beyond the margin
    (0.9201, 0.93, 5, "above"),
    (0.9201, 1.5, 5, "above"),  # however wide
    (0.87, 0.88, 5, "near"),  # 4: and so does below
    (0.87, 0.8799, 5, "below"),
    (0.2, 0.8799, 5, "below"),
    (0.91, 0.9501, 5, "unsure"),  # 5: wide, beside the published mean
    (0.91, 0.95, 5, "near"),  # 6
    (0.85, 0.89, 5, "near"),
    (None, None, 3, "unsure"),
    (None, None, 1, "unsure"),
    (None, None, 0, "missing"),
])  # fmt: skip
def test_the_first_rule_that_holds_decides(low: float | None, high: float | None, runs: int, expected: str) -> None:
    assert judge(0.9, low, high, runs) == expected
    percent = (None if low is None else 100 * low, None if high is None else 100 * high)
    assert judge(90.0, *percent, runs, margin_of("AUC in %")) == expected
    mirrored = {"above": "below", "below": "above"}.get(expected, expected)
    flipped = (None if high is None else 1.8 - high, None if low is None else 1.8 - low)
    assert judge(0.9, *flipped, runs) == mirrored


def test_far_above_is_no_match() -> None:
    assert judge(0.603, 0.949, 0.961, 5) == "above"


@pytest.mark.parametrize(("mean", "low", "high", "symbol"), [
    (0.93, 0.915, 0.945, "≈+"), (0.87, 0.855, 0.885, "≈-"), (0.9, 0.89, 0.91, "✓"), (0.95, 0.93, 0.97, "▲"),
])  # fmt: skip
def test_a_near_mean_has_its_sign(mean: float, low: float, high: float, symbol: str) -> None:
    verdict = judge(0.9, low, high, 5)
    assert (
        Entry(("a",), ("x",), 0.9, None, ".9", "", Ours(mean, 0.01, low, high, 5), verdict, (), 0, 0).symbol == symbol
    )


def test_a_verdict_is_its_word_and_looks_like_no_other() -> None:
    assert [f"{verdict}" for verdict in COMPARED] == ["match", "near", "above", "below", "unsure", "missing"]
    for looks in ([v.symbol for v in COMPARED], [v.colour for v in COMPARED], [v.hue for v in COMPARED]):
        assert len({*looks}) == len(COMPARED)
    assert len({v.latex for v in COMPARED if v.latex}) == len(COMPARED) - 1
    assert {v for v in Verdict if v.needs_cause} == {"above", "below"}


def test_every_format_and_the_documentation_say_the_same_of_a_verdict(tmp_path: Path) -> None:
    page = (CONF.parent / "docs" / "report.md").read_text()
    for verdict, text in rules().items():
        assert f"| {verdict.symbol} {verdict} | {text} |" in page
    book = Book(tmp_path / "r", "aesad_table2")
    for seed in range(3):
        book.run("a3", 0.99 + seed / 1000, "odds/cardio", seed=seed)
    for form in ("terminal", "latex", "html", "markdown"):
        main([f"experiment={book.name}", f"results={book.folder}", "--format", form, "--out", str(tmp_path / "t.txt")])
        said = " ".join((tmp_path / "t.txt").read_text().split()).replace(r"\%", "%")
        unit = "" if form == "html" else "AUC"
        for verdict, text in rules(unit).items():
            assert text in said or (form == "latex" and not verdict.latex), (form, verdict)


def shifted(folder: Path, experiment: str = "aesad_table2") -> Book:
    """A table in which one method is a little lower than printed in each of seven cells, and another is not."""
    book = Book(folder, experiment)
    printed = {"cardio": 0.994, "glass": 0.974, "ionosphere": 0.971, "letter": 0.908, "pima": 0.733, "wbc": 0.970}
    for number, (table, mean) in enumerate({**printed, "wine": 0.994}.items()):
        for seed in range(3):
            book.run("aesad", mean - 0.005 - number / 1000 + seed / 10000, f"odds/{table}", seed=seed)
    for seed in range(3):
        book.run("ae", 0.9, "odds/cardio", seed=seed)
    return book


def test_a_shift_shows_where_each_cell_matches(tmp_path: Path) -> None:
    result = shifted(tmp_path).result()
    assert result.count(Verdict.MATCH) == 7
    ours, other = result.shifts
    differences = [entry.difference for entry in result.entries if entry.column == ("AE-SAD",) and entry.ours]
    test = stats.binomtest(7, 7)
    assert (ours.method, ours.cells, ours.lower, ours.higher) == ("AE-SAD", 7, 7, 0)
    assert ours.p == pytest.approx(test.pvalue) and ours.p == pytest.approx(2 / 2**7)
    assert ours.mean == pytest.approx(np.mean(differences))
    interval = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert (ours.low, ours.high) == pytest.approx((interval.low, interval.high))
    assert (other.method, other.cells, other.low, other.p) == ("AE", 1, None, 1.0)


@pytest.mark.parametrize(("lower", "higher"), [(27, 3), (3, 27), (0, 0), (1, 0), (5, 5), (12, 2)])
def test_the_sign_test_is_scipys(lower: int, higher: int) -> None:
    expected = stats.binomtest(higher, lower + higher, 0.5).pvalue if lower + higher else 1.0
    assert sign_test(lower, higher) == pytest.approx(expected)


def test_equal_cells_and_means_over_cells_do_not_count_in_a_shift(tmp_path: Path) -> None:
    book = Book(tmp_path, "aesad_table3")
    for normal in range(3):
        book.run("aesad", 0.9, normal=[normal], anomalous=[9])
        book.run("ae", 0.8, normal=[normal], anomalous=[9])
    (shift,) = book.result().shifts  # AE-SAD always wins over AE, as printed
    assert (shift.cells, shift.lower, shift.higher, shift.p) == (1, 0, 0, 1.0)


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_has_the_shift(form: str, tmp_path: Path) -> None:
    book = shifted(tmp_path / "r")
    out = tmp_path / "table"
    main([f"experiment={book.name}", f"results={book.folder}", "--format", form, "--out", str(out)])
    text = out.read_text()
    if form == "csv":
        rows = [*csv.DictReader(io.StringIO(text))]
        (row,) = [row for row in rows if row["data set"] == "pima" and row["method"] == "AE-SAD"]
        shift = book.result().shifts[0]
        assert float(row["shift"]) == shift.mean and float(row["shift_p"]) == shift.p
        assert (row["shift_cells"], row["shift_lower"], row["shift_higher"]) == ("7", "7", "0")
        assert {row["shift"] for row in rows if row["method"] == "A3"} == {""}
    else:
        shift_text = grid.shift_text(book.result().shifts[0], book.result())
        assert shift_text == "-.008 [-.010, -.006]"
        assert shift_text.replace("[", r"\[").replace("]", r"\]") in text or shift_text in text
        assert "0.016" in text


def test_a_cause_explains_the_cells_that_it_names() -> None:
    a3 = Cause("Settings.", {"method": ("A3", "AE")})
    low = Cause("Draws.", {"method": ("A3",), "data set": ("pima",)}, Verdict.BELOW)
    at = {"method": "A3", "data set": "pima"}
    assert cause_of((low, a3), at, Verdict.BELOW) == "Draws." and cause_of((low, a3), at, Verdict.ABOVE) == "Settings."
    assert cause_of((low, a3), {"method": "OC-SVM"}, Verdict.ABOVE) == NOT_FOUND
    assert cause_of((low,), {"data set": "pima"}, Verdict.BELOW) == NOT_FOUND
    assert {cause_of((a3,), at, verdict) for verdict in Verdict if not verdict.needs_cause} == {""}


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_has_the_causes(form: str, tmp_path: Path) -> None:
    book = Book(tmp_path / "r", "aesad_table2")
    for seed in range(3):
        book.run("a3", 0.99 + seed / 1000, "odds/cardio", seed=seed)
        book.run("aesad", 0.90 + seed / 1000, "odds/cardio", seed=seed)
    out = tmp_path / "table"
    main([f"experiment={book.name}", f"results={book.folder}", "--format", form, "--out", str(out)])
    text = " ".join(out.read_text().split())
    assert "The settings of A3 are not printed" in text and NOT_FOUND in text
    numbered = {
        "terminal": ("▲1", "▼2", "1 (1 above): The settings", "2 (1 below): not found"),
        "markdown": ("▲<sup>1</sup>", "▼<sup>2</sup>", "1 (1 above): The settings", "2 (1 below): not found"),
        "latex": (r"$^{\uparrow1}$", r"$^{\downarrow2}$", r"\par 1 (1 above): The settings", "2 (1 below): not found"),
        "html": ("<sup>1</sup>", "<sup>2</sup>", "<li>1 (1 above): The settings", "<li>2 (1 below): not found</li>"),
        "csv": (",above,", ",below,not found,"),
    }[form]
    assert all(part in text for part in numbered)


@pytest.mark.parametrize("form", FORMATS)
def test_every_report_marks_runs_of_uncommitted_code(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book = Book(tmp_path / "r", "aesad_table2")
    for seed in range(3):
        book.run("a3", 0.9, "odds/cardio", seed=seed, commit="0123456789abcdef" + "+" * (seed > 0))
    out = tmp_path / "table"
    words = [f"results={book.folder}", "--format", form, "--out", str(out)]
    main([f"experiment={book.name}", *words])
    said = " ".join((out.read_text() + capsys.readouterr().err).split())
    assert "uncommitted code: 2 of 3 runs were made at 012345678+, which no commit holds" in said
    assert form == "csv" or "commit 0123456789abcdef+ (with uncommitted changes)" in said
    assert cell(book.result(), "cardio", "A3").uncommitted == 2
    if form == "csv":
        assert [row["uncommitted"] for row in csv.DictReader(io.StringIO(out.read_text())) if row["runs"]] == ["2"]
    if form in ("csv", "terminal"):
        main(words)
        assert re.search(r"uncommitted", out.read_text())


def test_a_ledger_of_commits_is_not_marked(tmp_path: Path) -> None:
    book = Book(tmp_path, "aesad_table2")
    book.run("a3", 0.9, "odds/cardio", commit="0123456789abcdef")
    book.run("a3", 0.9, "odds/cardio", seed=1, commit=None)
    book.run("a3", None, "odds/cardio", seed=2, status="missing")
    result = book.result()
    assert not result.uncommitted and not any("uncommitted" in text for text in (*result.remarks, *result.versions))
    assert len(read(tmp_path).runs) == 3
