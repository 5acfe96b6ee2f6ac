"""Claims of papers: which cells speak to them, the tests, the words, and the page."""

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from semiad.errors import InputError
from semiad.ledger.reader import read
from semiad.report import coordinates
from semiad.report.__main__ import main
from semiad.report.causes import Cause
from semiad.report.claims import Claim, Comparison, against
from semiad.report.coordinates import DATASET, METHODS
from semiad.report.evidence import Finding, Outcome, Verified, Word, min_cells, verify
from semiad.report.experiment import Experiment, Paper
from semiad.report.papers import PAPERS, catalogue, esad
from semiad.report.tables import reproduce
from tests.test_tables import Book

PAPER = catalogue().experiment("aesad_table2").paper
TABLES = ("arrhythmia", "breastw", "cardio", "glass", "letter", "lympho", "pima", "satellite", "wbc", "wine")


def filled(folder: Path, leads: dict[str, Sequence[float]], seeds: int = 3) -> Book:
    """Table 2, where AE-SAD has a lead of so much over each rival, table by table."""
    book = Book(folder, "aesad_table2")
    for number, (table, seed) in enumerate(product(TABLES, range(seeds))):
        at = number // seeds
        book.run("aesad", 0.9, f"odds/{table}", seed=seed)
        for method, lead in leads.items():
            if at < len(lead):
                book.run(method, 0.9 - lead[at] + seed / 1000, f"odds/{table}", seed=seed)
    return book


def findings(folder: Path, *claims: Claim) -> list[Verified]:
    return verify(replace(PAPER, claims=claims), read(folder))


def test_a_comparison_is_over_cells_with_the_test_of_scipy_and_holms_correction(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    leads = {"ae": rng.normal(0.05, 0.02, 10), "a3": rng.normal(0.02, 0.03, 10), "ocsvm": rng.normal(-0.05, 0.01, 10)}
    filled(tmp_path, leads)
    claim = Claim("Better", "Table 2", against("AE-SAD", ("AE", "A3", "OC-SVM", "Deep-SAD"), "aesad_table2"))
    (verified,) = findings(tmp_path, claim)
    means = {name: values - 0.001 for name, values in leads.items()}
    ps = [stats.wilcoxon(values).pvalue for values in means.values()]
    adjusted = multipletests(ps, method="holm")[1]
    for finding, values, p, corrected in zip(verified.findings, means.values(), ps, adjusted, strict=False):
        assert finding.cells == 10 and finding.scope == "10 data sets" and finding.title == "AE-SAD Table 2 (quick)"
        assert finding.mean == pytest.approx(values.mean()) and finding.low and finding.high
        assert finding.low < values.mean() < finding.high
        assert (finding.p, finding.corrected) == (pytest.approx(p), pytest.approx(corrected))
    none = verified.findings[3]
    assert (none.cells, none.mean, none.p, none.corrected, none.outcome) == (0, None, None, None, "not tested")
    outcomes = [finding.outcome for finding in verified.findings]
    assert outcomes[0] == "supported" and outcomes[2] == "refuted" and verified.word == "holds in part"


def test_the_printed_difference_is_over_the_same_cells(tmp_path: Path) -> None:
    filled(tmp_path, {"ae": [0.05] * 2})
    (verified,) = findings(tmp_path, Claim("Better", "Table 2", against("AE-SAD", ("AE",), "aesad_table2")))
    (finding,) = verified.findings
    assert (finding.cells, finding.outcome) == (2, "not tested")
    assert finding.printed == pytest.approx(((0.796 - 0.789) + (0.992 - 0.995)) / 2)


def test_a_claim_on_the_better_of_two_is_of_the_one_that_the_table_takes(tmp_path: Path) -> None:
    book = Book(tmp_path, "esad_table4")
    for name in ("cardio", "thyroid"):
        for method, auc in (("esad", 0.99), ("deep_svdd", 0.7), ("deep_svdd_soft", 0.8)):
            book.run(method, auc, f"odds/{name}", scenario="table_stratified")
    claim = Claim("Better", "Table 4", against("ESAD", ("Deep SVDD",), "esad_table4"))
    (verified,) = verify(replace(esad.PAPER, claims=(claim,)), read(tmp_path))
    (finding,) = verified.findings
    assert (finding.cells, finding.mean) == (2, pytest.approx(0.99 - 0.8))


def test_runs_of_other_seeds_are_no_pairs(tmp_path: Path) -> None:
    book = Book(tmp_path, "aesad_table2")
    book.run("aesad", 0.9, "odds/cardio", seed=0)
    book.run("ae", 0.8, "odds/cardio", seed=1)
    book.run("aesad", 0.9, "odds/wine", seed=0)
    book.run("ae", 0.8, "odds/wine", seed=0)
    book.run("aesad", None, "odds/pima", seed=0, status="failed")
    book.run("ae", 0.8, "odds/pima", seed=0)
    (verified,) = findings(tmp_path, Claim("Better", "Table 2", against("AE-SAD", ("AE",), "aesad_table2")))
    assert (verified.findings[0].cells, verified.findings[0].scope) == (1, "wine")


def test_no_difference_is_tested_against_the_margin_on_both_sides(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    small, large = rng.normal(0.003, 0.002, 10), rng.normal(0.05, 0.002, 10)
    filled(tmp_path, {"ae": small, "a3": large})
    comparisons = [replace(one, kind="same") for one in against("AE-SAD", ("AE", "A3"), "aesad_table2")]
    same, other = findings(tmp_path, Claim("Same", "-", (comparisons[0],)), Claim("Same too", "-", (comparisons[1],)))
    p = stats.wilcoxon(small - 0.001 - 0.02, alternative="less").pvalue
    assert same.findings[0].p == pytest.approx(p) and (same.word, other.word) == ("holds", "does not hold")
    assert other.findings[0].outcome == "refuted"


def test_a_difference_of_differences(tmp_path: Path) -> None:
    book = Book(tmp_path, "aesad_table5")
    for seed, (method, low, high) in product(range(3), (("aesad", 0.95, 0.94), ("ae", 0.94, 0.86))):
        for share, auc in ((0.0025, low), (0.125, high)):
            book.run(method, auc + seed / 1000, seed=seed, config={"scenario": {"pollution": share}})
    less = Comparison("less", "aesad_table5", "pollution, %", "12.5", "0.25", beside=("method", "AE-SAD", "AE"))
    alone = Comparison("alone", "aesad_table5", "pollution, %", "12.5", "0.25", {"method": ("AE-SAD",)}, kind="same")
    (verified,) = findings(tmp_path, Claim("Robust", "Table 5", (less, alone)))
    assert [finding.mean for finding in verified.findings] == [pytest.approx(0.07), pytest.approx(-0.01)]
    printed = [finding.printed for finding in verified.findings]
    assert printed == [pytest.approx((0.955 - 0.968) - (0.864 - 0.944)), pytest.approx(0.955 - 0.968)]
    assert verified.word == "not tested"


def test_two_metrics_of_a_run_can_be_compared(tmp_path: Path) -> None:
    book = Book(tmp_path, "aesad_fig5")
    book.run("aesad", 0.95, "odds/cardio", auc_at_min_loss=0.9)
    book.run("ae", 0.5, "odds/cardio", auc_at_min_loss=0.9)
    one = Comparison("epochs", "aesad_fig5", "", "auc", "auc_at_min_loss", {"method": ("AE-SAD",)})
    (verified,) = findings(tmp_path, Claim("Epochs", "Figure 5", (one,)))
    assert verified.findings[0].mean == pytest.approx(0.05) and verified.findings[0].cells == 1


@pytest.mark.parametrize(("cells", "least"), [
    ([], 1), ([0, 0], 1), ([5], 6), ([6], 6), ([6, 6], 7), ([7, 7], 7), ([6, 9, 20], 9), ([6, 6, 6, 9, 20], 9),
    ([90] * 30, 90), ([10] * 30, 11),
])  # fmt: skip
def test_so_few_cells_that_nothing_could_come_out_are_not_tested(cells: list[int], least: int) -> None:
    assert min_cells(cells) == least
    tested = [n for n in cells if n >= least]
    ps = [stats.wilcoxon(np.arange(1, n + 1)).pvalue for n in tested]
    assert all(p < 0.05 for p in multipletests(ps, method="holm")[1]) if tested else True


@pytest.mark.parametrize(("outcomes", "word"), [
    (("supported",), "holds"),
    (("supported", "supported"), "holds"),
    (("supported", "open"), "holds in part"),
    (("supported", "refuted"), "holds in part"),
    (("supported", "not tested"), "holds in part"),
    (("open",), "does not hold"),
    (("refuted", "not tested"), "does not hold"),
    (("not tested", "not tested"), "not tested"),
])  # fmt: skip
def test_the_word_of_a_claim(outcomes: tuple[str, ...], word: str) -> None:
    values = {"supported": (0.1, 0.01, True), "refuted": (-0.1, 0.01, False), "open": (0.1, 0.2, True)}
    made = []
    for outcome in outcomes:
        mean, corrected, toward = values.get(outcome, (0.1, None, False))
        comparison = Comparison("c", "t", "method", "a", "b")
        made.append(Finding(comparison, "T", 9, "-", mean, 0, 0, None, 0.01, toward, corrected))
    assert [one.outcome for one in made] == [*outcomes]
    assert Verified(Claim("C", "S", ()), made).word == word


def test_a_mean_that_contradicts_its_ranks_is_open() -> None:
    finding = Finding(Comparison("c", "t", "method", "a", "b"), "T", 9, "-", -0.1, -0.2, 0.1, None, 0.01, True, 0.01)
    assert finding.outcome == Outcome.OPEN


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.name)
def test_claims_name_what_is_there(paper: Paper) -> None:
    experiments, claims = {experiment.name: experiment for experiment in paper.experiments}, paper.claims
    assert len({claim.text for claim in claims}) == len(claims) > 6
    for comparison in (comparison for claim in claims for comparison in claim.comparisons):
        experiment = experiments[comparison.table]
        coordinates = {c.head: c for c in (*experiment.coordinates, *filter(None, [experiment.compared]))}
        values = {comparison.head: (comparison.first, comparison.second), **comparison.where}
        if comparison.beside:
            values[comparison.beside[0]] = comparison.beside[1:]
        for head, texts in values.items():
            known = {*coordinates[head].known} if head else set()
            assert not known or {*texts} <= known | {*paper.better_of}
        printed = experiment.reference_cells()
        for head, texts in values.items():
            if head in printed.columns and experiment.kind == "run" and len(printed) and not experiment.lost:
                assert {*texts} <= {*printed[head]}, comparison


def test_the_command_writes_claims_as_markdown_and_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    filled(tmp_path / "r", {"ae": [0.05] * 10, "a3": [0.001 * i for i in range(10)]})
    main([f"results={tmp_path / 'r'}", "--claims", "--out", str(tmp_path / "claims.md")])
    text = (tmp_path / "claims.md").read_text()
    assert text.startswith("# What holds of the papers\n") and "## ESAD" not in text
    assert (
        "| [AE-SAD is better than each rival on tables](#ae-sad-is-better-than-each-rival-on-tables-holds-in-part)"
        in text
    )
    assert "| AE-SAD with AE | AE-SAD Table 2 (quick) | 10 (10 data sets) | +0.049 " in text
    assert f"Written by `python -m semiad.report results={tmp_path / 'r'} --claims --format markdown --out" in text
    capsys.readouterr()
    main([f"results={tmp_path / 'r'}", "--claims", "--format", "csv"])
    rows = [*csv.DictReader(io.StringIO(capsys.readouterr().out))]
    assert {row["paper"] for row in rows} == {"aesad"} and {row["word"] for row in rows} <= {*Word}
    (row,) = [row for row in rows if row["comparison"] == "AE-SAD with AE" and row["experiment"] == "aesad_table2"]
    assert (row["cells"], row["outcome"]) == ("10", "supported")


@pytest.mark.parametrize(("words", "said"), [
    (["--claims", "--format", "html"], "--claims is written as markdown or csv, not as html"),
    (["--overview", "--format", "latex"], "--overview is written as terminal, csv or markdown, not as latex"),
    (["--claims", "experiment=gone"], "there is no experiment 'gone'"),
])  # fmt: skip
def test_what_cannot_be_written_is_one_sentence(words: list[str], said: str, tmp_path: Path) -> None:
    filled(tmp_path, {"ae": [0.05]})
    with pytest.raises(SystemExit, match=f"error: {said}"):
        main([f"results={tmp_path}", *words])


def test_a_paper_without_claims_has_none(tmp_path: Path) -> None:
    Book(tmp_path, "demo").run("ae", 0.9)
    with pytest.raises(SystemExit, match="has no plans of a paper that makes claims: nothing can be tested"):
        main([f"results={tmp_path}", "--claims"])


@pytest.mark.parametrize(("comparison", "said"), [
    (Comparison("x", "gone", "method", "a", "b"), "table gone, which the paper does not have"),
    (Comparison("x", "aesad_table2", "gone", "a", "b"), "coordinate gone, expected one of data set, method of aesad_t"),
    (Comparison("x", "aesad_table2", "method", "a", "b", {"gone": ("a",)}), "coordinate gone, expected"),
    (Comparison("x", "aesad_table2", "method", "a", "b", beside=("gone", "a", "b")), "coordinate gone, expected"),
    (Comparison("x", "aesad_table2", "method", "a", "b", metric="device"), "metric device, expected a number"),
    (Comparison("x", "aesad_table2", "", "auc", "gone"), "metric gone, expected a number of a record"),
])  # fmt: skip
def test_a_claim_that_names_what_is_not_there_is_one_sentence(
    comparison: Comparison, said: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=f"the claims of AE-SAD compare 'x' by {said}"):
        findings(tmp_path, Claim("C", "S", (comparison,)))


def test_a_paper_of_a_package_has_claims_and_causes_of_its_own(tmp_path: Path) -> None:
    table = tmp_path / "published.csv"
    table.write_text("dataset,method,mean,std,printed,note\n" + "".join(
        f"{name},{method},{mean},,{mean},\n" for name in TABLES for method, mean in (("Novel", 0.9), ("AE", 0.7))
    ))  # fmt: skip
    named = coordinates.method({**METHODS, "novel": "Novel"})
    cause = Cause("Another seed.", {"method": ("AE",)})
    paper = Paper(
        "ours",
        experiments=[Experiment("ours_table1", "T", (DATASET,), (named,), 3, compared=named, subject="Novel",
                                source=table, causes=(cause,))],
        methods={**METHODS, "novel": "Novel"},
        claims=(Claim("Novel is better", "Table 1", against("Novel", ("AE",), "ours_table1")),),
    )  # fmt: skip
    book = Book(tmp_path / "r", "ours_table1")
    for name, seed in product(TABLES, range(3)):
        book.run("novel", 0.9, f"odds/{name}", seed=seed)
        book.run("ae", 0.8, f"odds/{name}", seed=seed)
    (verified,) = verify(paper, read(tmp_path / "r"))
    (finding,) = verified.findings
    assert (verified.word, finding.mean, finding.printed) == ("holds", pytest.approx(0.1), pytest.approx(0.2))
    result = reproduce(paper.experiments[0], read(tmp_path / "r"))
    assert {(entry.column[0], entry.verdict, entry.cause) for entry in result.entries} == {
        ("Novel", "match", ""), ("AE", "above", "Another seed.")
    }  # fmt: skip
