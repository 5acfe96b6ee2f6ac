"""Every published table in its own shape, with ours beside it as far as a ledger goes."""

import json
from collections.abc import Iterable, Sequence
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from semiad.errors import InputError
from semiad.ledger.reader import Ledger
from semiad.ledger.reader import read as read_ledger
from semiad.ledger.writer import LedgerWriter
from semiad.report import coordinates, summary
from semiad.report.commands import commands
from semiad.report.formats.grid import grid, our_text
from semiad.report.papers import aesad, catalogue, esad
from semiad.report.result import Entry, Ours, Result
from semiad.report.tables import reproduce
from tests.test_records import make_record

EXPERIMENTS = catalogue().experiments
NAMES = [*EXPERIMENTS]
experiment = catalogue().experiment
PUBLISHED = Path(str(aesad.PAPER.folder))
FIGURES = {"aesad_fig1", *(f"aesad_fig{i}" for i in range(3, 8)), *(f"esad_fig{i}" for i in (2, 3, 5))}
SHARED = Path(__file__).parents[2] / "shared" / "published"


class Book:
    """A ledger of one experiment that is filled run by run.

    Args:
        folder: of the ledger.
        name: of the experiment.
        budget: that its runs are planned for.
    """

    def __init__(self, folder: Path, name: str, budget: str | None = "quick") -> None:
        self.folder, self.name, self.budget = folder, name, budget
        self.writer, self.keys = LedgerWriter(folder), 0

    def run(
        self,
        method: str,
        auc: float | None,
        dataset: str = "mnist",
        normal: Sequence[object] = (8,),
        anomalous: Sequence[object] = (3,),
        seed: int = 0,
        status: str = "ok",
        config: dict[str, Any] | None = None,
        **more: Any,
    ) -> str:
        """Plan a run, and record it unless its status is missing; its key."""
        self.keys += 1
        names = {"method": method, "dataset": dataset, "scenario": more.pop("scenario", "one_vs_one")}
        names["config"] = config or {}
        run = {"key": f"{self.keys:020}", "normal": [*normal], "anomalous": [*anomalous], "seed": seed}
        run["tested"] = more.pop("tested", None)
        plan = {**names, "experiment": self.name, "budget": self.budget, "changes": more.pop("changes", None)}
        self.writer.plan(plan, [run])
        if status != "missing":
            self.writer.append(make_record(**{"auc": auc, "status": status, **names, **run, **more}))
        return str(run["key"])

    def result(self, budget: str | None = None) -> Result:
        return reproduce(experiment(self.name), read_ledger(self.folder), budget)


def cell(result: Result, *places: str) -> Entry:
    (found,) = [entry for entry in result.entries if entry.row + entry.column == places]
    return found


@pytest.fixture
def empty(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path)


def test_the_published_figures_are_those_that_were_transcribed() -> None:
    if not SHARED.is_dir():
        pytest.skip("needs the folder ../shared/published")
    files = {path.name: path.read_bytes() for path in SHARED.glob("*.csv")}
    assert files == {path.name: path.read_bytes() for path in PUBLISHED.glob("*.csv")} and len(files) == 16


@pytest.mark.parametrize("name", NAMES)
def test_every_published_figure_stands_where_it_is_printed(name: str, empty: Ledger) -> None:
    one = experiment(name)
    result = reproduce(one, empty)
    assert ({e.row[0] for e in result.entries if e.verdict != "unpublished"} == {"AE-SAD"}) == (name == "aesad_table3")
    assert all(len(e.row) == len(one.rows) and len(e.column) == len(one.columns) for e in result.entries)
    if name in FIGURES:
        assert not result.entries and result.summary == "nothing published to compare"
        return
    if name == "aesad_table6":
        assert len(result.entries) == 2 * 10 * 5 and all("lost" in e.flag for e in result.entries)
        assert {e.verdict for e in result.entries} == {
            "unpublished"
        } and result.summary == "nothing published to compare"
        return
    source = pl.read_csv(PUBLISHED / f"{one.source or name}.csv", infer_schema=False)
    assert len(result.entries) == len(source)

    def figures(rows: Iterable[tuple[object, ...]]) -> list[tuple[str, ...]]:
        return sorted(tuple("" if value is None else str(value) for value in row) for row in rows)

    texts = source.select(pl.col("mean", "std").cast(pl.Float64), "printed", pl.col("note").fill_null("")).rows()
    shown = [
        (e.published, e.published_std, e.printed, e.flag.removeprefix("not in semiad").strip("; "))
        for e in result.entries
    ]
    assert figures(shown) == figures(texts)
    # Rows in the order in which the transcription has them first, and in each row its own order of columns.
    frame, split = one.reference_cells().select(one.heads).rows(), len(one.rows)
    assert list(dict.fromkeys(e.row for e in result.entries)) == list(dict.fromkeys(row[:split] for row in frame))
    for row in {row[:split] for row in frame}:
        own = [place[split:] for place in frame if place[:split] == row]
        assert [e.column for e in result.entries if e.row == row] == own


@pytest.mark.parametrize(("name", "columns"), [
    ("aesad_table3", "AE-SAD OC-SVM AE A3 Deep-SAD mean"),
    ("aesad_table4", "0 1 2 3 4 5 6 7 8 9 mean"),
    ("aesad_table5", "0.25 0.5 2.5 5 12.5 unknown"),
    ("esad_table2", "MNIST Fashion-MNIST CIFAR-10"),
])  # fmt: skip
def test_columns_are_in_the_papers_order(name: str, columns: str, empty: Ledger) -> None:
    entries = reproduce(experiment(name), empty).entries
    found = grid(Result("e", "T", "C", None, (), (), "AUC", 3, entries)).columns
    assert [text for (text,) in found] == columns.split()


def test_the_transcription_is_in_row_order_where_rows_are_printed(empty: Ledger) -> None:
    result = reproduce(experiment("aesad_table8"), empty)
    assert [entry.printed for entry in result.entries] == pl.read_csv(
        PUBLISHED / "aesad_table8.csv", infer_schema=False
    )["printed"].to_list()


@pytest.mark.parametrize(("name", "rows", "columns", "unit", "digits"), [
    ("aesad_table1", 9, 3, "AUC", 4),
    ("aesad_table2", 22, 5, "AUC", 3),
    ("aesad_table3", 6, 6, "probability", 2),
    ("aesad_table4", 33, 11, "probability", 2),
    ("aesad_table5", 10, 6, "AUC", 3),
    ("aesad_table6", 20, 5, "AUC", 3),
    ("aesad_table7", 60, 5, "AUC", 3),
    ("aesad_table8", 8, 2, "AUC", 2),
    ("esad_table1", 15, 4, "AUC in %", 1),
    ("esad_table2", 13, 3, "AUC in %", 1),
    ("esad_table3", 7, 4, "AUC in %", 1),
    ("esad_table4", 6, 8, "AUC in %", 1),
    ("esad_table5", 6, 2, "AUC in %", 1),
    ("esad_table8", 15, 9, "AUC in %", 1),
    ("esad_table9", 15, 9, "AUC in %", 1),
])  # fmt: skip
def test_shapes_are_the_papers(name: str, rows: int, columns: int, unit: str, digits: int, empty: Ledger) -> None:
    result = reproduce(experiment(name), empty)
    assert len({e.row for e in result.entries}) == rows and len({e.column for e in result.entries}) == columns
    assert (result.unit, result.digits) == (unit, digits)


def test_every_method_of_esad_table_4_is_in_semiad(empty: Ledger) -> None:
    result = reproduce(experiment("esad_table4"), empty)
    ssdgm, cae = cell(result, "cardio", "SS-DGM"), cell(result, "cardio", "CAE")
    assert (ssdgm.published, ssdgm.verdict, ssdgm.flag) == (66.2, "missing", "")
    assert (cae.published, cae.verdict, cae.flag) == (94.3, "missing", "")
    assert result.summary == "48 published cells: 48 missing"
    assert result.remarks[0].startswith("no run of esad_table4 is planned in")


def test_titles() -> None:
    titles = {one.title for one in EXPERIMENTS.values()}
    assert {"AE-SAD Table 5", "AE-SAD Figure 3", "ESAD Table 1", "ESAD Figure 5"} <= titles and len(titles) == 25


def test_a_cell_is_mean_deviation_and_students_interval_of_its_runs(tmp_path: Path) -> None:
    book = Book(tmp_path, "aesad_table2")
    keys = [book.run("aesad", auc, "odds/cardio", seed=i) for i, auc in enumerate((0.98, 0.99, 0.985))]
    entry = cell(book.result(), "cardio", "AE-SAD")
    assert entry.ours is not None and entry.keys == tuple(keys)
    assert (entry.ours.mean, entry.ours.std, entry.ours.n) == (pytest.approx(0.985), pytest.approx(0.005), 3)
    half = 4.302653 * 0.005 / 3**0.5
    assert (entry.ours.low, entry.ours.high) == (pytest.approx(0.985 - half), pytest.approx(0.985 + half))
    assert (entry.published, entry.published_std, entry.verdict) == (0.994, 0.002, "match")
    assert entry.difference == pytest.approx(0.985 - 0.994)


def test_one_run_has_no_interval(tmp_path: Path) -> None:
    book = Book(tmp_path, "aesad_table2")
    book.run("aesad", 0.98, "odds/cardio")
    ours = cell(book.result(), "cardio", "AE-SAD").ours
    assert ours == Ours(0.98, None, None, None, 1)


def test_holes_are_shown(tmp_path: Path) -> None:
    book = Book(tmp_path, "aesad_table2")
    book.run("ae", 0.9, "odds/cardio")
    book.run("ae", None, "odds/cardio", seed=1, status="failed", reason="the training loss is nan")
    book.run("ae", None, "odds/cardio", seed=2, status="missing")
    book.run("a3", None, "odds/cardio", status="missing")
    result = book.result()
    entry, lost = cell(result, "cardio", "AE"), cell(result, "cardio", "A3")
    assert (entry.ours.n if entry.ours else 0, entry.failed, entry.missing, len(entry.keys)) == (1, 1, 1, 3)
    assert (lost.ours, lost.verdict, lost.missing) == (None, "missing", 1)
    assert (entry.holes, lost.holes, cell(result, "cardio", "AE-SAD").holes) == ("1/3", "0/1", "")
    assert [our_text(one, result) for one in (entry, lost)] == [".900 1/3", "- 0/1"]
    said = "\n".join(result.remarks)
    assert "failed: 1 of 4 runs: odds/cardio one_vs_one ae 8 vs 3 seed 1 (the training loss is nan)" in said
    assert (
        "missing: 2 of 4 runs: odds/cardio one_vs_one a3 8 vs 3 seed 0; odds/cardio one_vs_one ae 8 vs 3 seed 2" in said
    )
    assert "108 published cells have no planned run" in said


def test_duplicates_count_once_and_conflicts_are_told(tmp_path: Path) -> None:
    book = Book(tmp_path, "aesad_table2")
    key = book.run("ae", 0.9, "odds/cardio")
    book.run("ae", 0.8, "odds/cardio", seed=1)
    for path in tmp_path.glob("*.jsonl"):
        path.write_text(path.read_text() * 2)
    result = book.result()
    ours = cell(result, "cardio", "AE").ours
    assert ours is not None and (ours.n, ours.mean) == (2, pytest.approx(0.85))
    assert result.remarks[2:] == ["2 runs are recorded more than once, and agree"]
    lines = [json.loads(line) for path in tmp_path.glob("*.jsonl") for line in path.read_text().splitlines()]
    (tmp_path / "other.jsonl").write_text(
        "".join(json.dumps({**line, "auc": 0.5}) + "\n" for line in lines if line["key"] == key)
    )
    remarks = book.result().remarks
    assert any(remark.startswith(f"error: {key} (odds/cardio") for remark in remarks)
    assert "1 runs are recorded more than once, and agree" in remarks


def test_runs_on_which_rounding_has_grown_are_told(tmp_path: Path) -> None:
    book = Book(tmp_path, "aesad_table2")
    for seed, auc in enumerate((0.9, 0.92, 0.96, 0.94)):
        book.run("ae", auc, "odds/cardio", seed=seed, pack_width=1)
    lines = [json.loads(line) for path in tmp_path.glob("*.jsonl") for line in path.read_text().splitlines()]
    (tmp_path / "again.jsonl").write_text(json.dumps({**lines[0], "auc": 0.925, "pack_width": 5}) + "\n")
    ledger = read_ledger(tmp_path)
    said = "1 runs are recorded more than once, and agree; 1 of them up to 0.025 apart, "
    said += "in other circumstances or by a sensitive method"
    assert said in book.result().remarks
    assert said in summary.remarks(ledger, summary.groups(ledger))


def test_a_sensitive_method_is_told_with_the_spread_of_one_run_beside_that_of_seeds(tmp_path: Path) -> None:
    book = Book(tmp_path, "aesad_table2")
    for seed, auc in enumerate((0.9, 0.92, 0.96)):
        book.run("ae", auc, "odds/cardio", seed=seed, sensitive=True)
    (said,) = [remark for remark in book.result().remarks if "sensitive" in remark]
    assert said == "ae is sensitive: the number of threads, the engine and the device change the AUC of a run"
    lines = [json.loads(line) for path in tmp_path.glob("*.jsonl") for line in path.read_text().splitlines()]
    (tmp_path / "again.jsonl").write_text(json.dumps({**lines[0], "auc": 0.92}) + "\n")
    result = book.result()
    (said,) = [remark for remark in result.remarks if "sensitive" in remark]
    assert said.endswith("1 runs were trained more than once, and differ with a standard deviation of 0.0141, where "
                         "that over seeds is 0.0231")  # fmt: skip
    assert not any("recorded more than once" in remark for remark in result.remarks)


@pytest.mark.parametrize("seeds", [(0, 0), (0, 1)])
def test_runs_that_differ_in_settings_get_no_verdict(tmp_path: Path, seeds: tuple[int, int]) -> None:
    book = Book(tmp_path, "aesad_table2")
    for seed, epochs in zip(seeds, (5, 300), strict=True):
        book.run("ae", 0.9, "odds/cardio", seed=seed, config={"epochs": epochs})
        book.run("ae", 0.9, "odds/wine", seed=seed, config={"epochs": 5})
    for seed in range(3):
        book.run("aesad", 0.999, "odds/cardio", seed=seed, config={"epochs": 300})
    result = book.result()
    mixed = cell(result, "cardio", "AE")
    assert (mixed.verdict, mixed.doubt) == ("unpublished", "their runs differ in epochs 300 or 5")
    assert cell(result, "wine", "AE").verdict != "unpublished" and cell(result, "cardio", "AE-SAD").verdict == "match"
    told = "settings differ between the runs of 1 cells of the table, first cardio, AE: epochs 300 or 5"
    assert told in result.remarks and "no verdict on 1 cells: their runs differ in epochs 300 or 5" in result.remarks


def test_settings_that_a_table_varies_or_averages_over_are_no_difference(tmp_path: Path) -> None:
    book = Book(tmp_path, "aesad_fig7")
    for (scenario, alpha), (method, hidden) in product(
        (("one_vs_one", 0.1), ("one_vs_all", 1)), (("aesad", 9), ("ae", 8))
    ):
        config = {"method": {"hidden": hidden, "lam": {"alpha": alpha}}, "scenario": {"labelled": alpha}}
        book.run(method, 0.9, scenario=scenario, config=config)
    wins = Book(tmp_path / "wins", "aesad_table3")
    for dataset, hidden in (("mnist", 1), ("fmnist", 2)):
        for method in ("aesad", "ae"):
            wins.run(method, 0.9, dataset, config={"method": {"hidden": hidden}})
    assert not any("differ" in remark for one in (book, wins) for remark in one.result().remarks)


def test_the_better_of_two_by_its_mean_over_the_table_is_compared(tmp_path: Path) -> None:
    """The soft boundary is better in one table of three, and on the mean; and has one table that the other lacks."""
    book = Book(tmp_path, "esad_table4")
    aucs = {"arrhythmia": (0.72, 0.70), "cardio": (0.80, 0.90), "thyroid": (0.95, 0.94), "shuttle": (None, 0.5)}
    for (name, pair), seed in product(aucs.items(), range(2)):
        for method, auc in zip(("deep_svdd", "deep_svdd_soft"), pair, strict=True):
            if auc is not None:
                book.run(method, auc, f"odds/{name}", seed=seed, scenario="table_stratified")
        book.run("esad", 0.99, f"odds/{name}", seed=seed, scenario="table_stratified")
    result = book.result()
    better, other = (cell(result, "arrhythmia", name) for name in ("Deep SVDD", "Deep SVDD (one-class)"))
    assert better.ours is not None and other.ours is not None
    assert (better.published, better.ours.mean, better.ours.n) == (74.6, pytest.approx(70), 2)
    assert (other.published, other.ours.mean, other.verdict) == (None, pytest.approx(72), "unpublished")
    columns = [text for (text,) in grid(result).columns]
    assert "Deep SVDD (soft boundary)" not in columns
    assert columns.index("Deep SVDD (one-class)") > columns.index("Deep SVDD")
    assert result.remarks[-1] == (
        "Deep SVDD is Deep SVDD (soft boundary), which has the greatest mean over 3 cells of the table (Deep SVDD "
        "(one-class) 82.3, Deep SVDD (soft boundary) 84.7): the paper's own choice, made on test rows"
    )
    assert {row[0] for row in result.statistics[0].rows} == {"Deep SVDD", "Deep SVDD (one-class)"}


def test_without_a_second_there_is_no_better_one(tmp_path: Path) -> None:
    book = Book(tmp_path, "esad_table4")
    book.run("deep_svdd_soft", 0.8, "odds/cardio", scenario="table_stratified")
    book.run("deep_svdd", None, "odds/cardio", scenario="table_stratified", status="missing")
    result = book.result()
    ours = cell(result, "cardio", "Deep SVDD").ours
    assert ours is not None and ours.mean == pytest.approx(80)
    assert result.remarks[-1].startswith("Deep SVDD is Deep SVDD (soft boundary): the paper reports the better of")
    empty = Book(tmp_path / "none", "esad_table4")
    empty.run("esad", 0.9, "odds/cardio", scenario="table_stratified")
    assert not any("Deep SVDD" in remark for remark in empty.result().remarks)
    assert cell(empty.result(), "cardio", "Deep SVDD").verdict == "missing"


def test_plans_with_changes_that_are_left_out_are_told(tmp_path: Path) -> None:
    book = Book(tmp_path, "aesad_table2")
    book.run("ae", 0.9, "odds/cardio", config={"epochs": 300})
    book.run("ae", 0.5, "odds/cardio", config={"epochs": 5}, changes="epochs=5")
    result = book.result()
    assert "left out: 1 runs with epochs=5" in result.remarks
    ours = cell(result, "cardio", "AE").ours
    assert ours is not None and ours.mean == 0.9 and not any("differ" in remark for remark in result.remarks)


def test_settings_are_told(tmp_path: Path) -> None:
    book = Book(tmp_path, "aesad_table2")
    for seed, (method, net) in product((0, 10, 2), (("ae", "dense.Dense"), ("deep_sad", "mlp.MLP"), ("ocsvm", ""))):
        config = {"method": {"net": {"_target_": f"semiad.networks.{net}"}}, "epochs": 50} if net else {"method": {}}
        book.run(method, 0.9, "odds/cardio", seed=seed, config=config)
    told = "settings: epochs 50; seeds 0, 2, 10; data sets cardio; networks Dense, MLP"
    assert book.result().remarks[0] == told


def test_budgets(tmp_path: Path) -> None:
    Book(tmp_path, "aesad_table2", "quick").run("ae", 0.5, "odds/cardio")
    full = Book(tmp_path, "aesad_table2", "full")
    full.keys = 1
    full.run("ae", 0.9, "odds/cardio")
    means = {}
    for budget in (None, "quick", "full"):
        result = full.result(budget)
        ours = cell(result, "cardio", "AE").ours
        means[budget] = (result.budget, ours and ours.mean)
        assert "full and quick are planned: this is " + str(result.budget) in result.remarks
    assert means == {None: ("full", 0.9), "quick": ("quick", 0.5), "full": ("full", 0.9)}
    with pytest.raises(InputError, match="there is no budget 'huge', only full and quick"):
        full.result("huge")


def test_runs_of_no_experiment_do_not_count(tmp_path: Path) -> None:
    book = Book(tmp_path, "aesad_table2")
    LedgerWriter(tmp_path).append(make_record("z" * 20, 0.1, dataset="odds/cardio"))
    book.run("ae", 0.9, "odds/cardio")
    ours = cell(book.result(), "cardio", "AE").ours
    assert ours is not None and ours.mean == 0.9


def test_ours_alone_stand_at_the_ends_of_their_groups(tmp_path: Path) -> None:
    book = Book(tmp_path, "aesad_table5")
    for method, dataset, seed in product(("iforest", "aesad"), ("mnist", "fmnist"), range(3)):
        book.run(method, 0.9, dataset, seed=seed, config={"scenario": {"pollution": 0.025}})
    result = book.result()
    rows = list(dict.fromkeys(entry.row for entry in result.entries))
    assert rows[4:7] == [("MNIST", "Deep-SAD"), ("MNIST", "IF"), ("Fashion-MNIST", "AE-SAD")] and rows[-1][1] == "IF"
    assert cell(result, "MNIST", "IF", "2.5").verdict == "unpublished"
    assert cell(result, "MNIST", "AE-SAD", "2.5").verdict == "below"


def test_the_figure_whose_place_is_lost_is_shown_and_not_compared(empty: Ledger) -> None:
    entry = cell(reproduce(experiment("aesad_table5"), empty), "MNIST", "OC-SVM", "unknown")
    assert (entry.published, entry.verdict) == (0.870, "unpublished") and "cannot be told" in entry.flag


def test_by_class(tmp_path: Path) -> None:
    book = Book(tmp_path, "aesad_table1")
    known = {"anomalous": [1, 3, 5, 9], "scenario": "one_vs_many"}
    for seed, (low, high) in enumerate([(0.3, 0.9), (0.5, 0.95)]):
        book.run("ae", 0.8, auc_by_class={"1": low, "0": 0.99}, seed=seed, **known)
        book.run("aesad", 0.8, auc_by_class={"1": high, "0": 0.98}, seed=seed, **known)
    result = book.result()
    seen, unseen = cell(result, "seen", "1", "AE").ours, cell(result, "unseen", "0", "AE-SAD").ours
    assert seen is not None and unseen is not None and (seen.mean, seen.n, unseen.mean) == (0.4, 2, 0.98)
    increase = cell(result, "seen", "1", "AE-SAD minus AE")
    assert increase.ours is not None and increase.ours.mean == pytest.approx((0.6 + 0.45) / 2)
    assert (
        increase.ours.std == pytest.approx(0.15 / 2**0.5) and increase.published == 0.7074 and len(increase.keys) == 4
    )
    assert (increase.verdict, increase.doubt) == ("unpublished", "made from two other columns, which are compared")
    # One cell and two seeds, whatever the number of classes.
    ((name, pairs, _, less, _, by_cell),) = result.statistics[0].rows
    assert (name, pairs, by_cell) == ("AE", "2", "-") and less.startswith("+0.2575 [")
    assert cell(result, "seen", "3", "AE").ours is None and cell(result, "seen", "3", "AE").verdict == "missing"


def test_win_probabilities_are_strict_and_paired(tmp_path: Path) -> None:
    """MNIST, cells 0-1 and 0-2, two seeds: AE-SAD beats AE in 3 of 4, ties once, and loses to A3, which lacks a run."""
    book = Book(tmp_path, "aesad_table3")
    aucs = {("1", 0): (0.9, 0.8), ("1", 1): (0.9, 0.9), ("2", 0): (0.7, 0.6), ("2", 1): (0.7, 0.5)}
    for (known, seed), (ours_, ae) in aucs.items():
        cell_ = {"normal": ["0"], "anomalous": [known], "seed": seed}
        book.run("aesad", ours_, **cell_)
        book.run("ae", ae, **cell_)
        book.run("a3", 0.95, status="missing" if (known, seed) == ("2", 1) else "ok", **cell_)
    result = book.result()
    for row, column, mean, n in [
        ("AE-SAD", "AE", 0.75, 4),
        ("AE", "AE-SAD", 0.0, 4),
        ("AE-SAD", "A3", 0.0, 3),
        ("A3", "AE-SAD", 1.0, 3),
        ("AE-SAD", "mean", 3 / 7, 7),
        ("mean", "AE-SAD", 3 / 7, 7),
    ]:
        ours = cell(result, row, column).ours
        assert ours is not None and (ours.mean, ours.n, ours.std) == (pytest.approx(mean), n, None), (row, column)
    assert cell(result, "A3", "AE-SAD").verdict == "unpublished" and cell(result, "A3", "AE-SAD").published == 0.14
    assert "mirror image" in cell(result, "mean", "A3").doubt and cell(result, "AE-SAD", "A3").verdict == "below"
    assert cell(result, "AE-SAD", "A3").missing == 1 and cell(result, "AE-SAD", "OC-SVM").verdict == "missing"
    assert ("mean", "mean") not in {entry.row + entry.column for entry in result.entries}
    assert result.statistics[0].rows[0][:3] == ("AE", "4", "0.75")


def test_win_probabilities_by_pair_of_classes(tmp_path: Path) -> None:
    book = Book(tmp_path, "aesad_table4")
    draws = np.random.default_rng(0)
    wins: dict[tuple[str, str], list[bool]] = {}
    for normal, known in permutations("012", 2):
        for seed in range(3):
            where = {"normal": [normal], "anomalous": [known], "seed": seed}
            aesad, *rivals = draws.random(5)
            book.run("aesad", aesad, **where)
            for method, auc in zip(("ae", "ocsvm", "a3", "deep_sad"), rivals, strict=True):
                book.run(method, auc, **where)
            wins.setdefault((normal, known), []).extend(aesad > auc for auc in rivals)
    result = book.result()
    for (normal, known), won in wins.items():
        entry = cell(result, "MNIST", normal, known)
        assert entry.ours is not None and entry.ours.mean == pytest.approx(np.mean(won)) and entry.ours.n == 12
        assert len(entry.keys) == 15
    row = cell(result, "MNIST", "1", "mean").ours
    assert row is not None and row.mean == pytest.approx(np.mean(wins["1", "0"] + wins["1", "2"])) and row.n == 24
    both = cell(result, "MNIST", "mean", "mean").ours
    assert both is not None and both.mean == pytest.approx(np.mean([*wins.values()])) and both.n == 72
    assert [statement.name.split(",")[0] for statement in result.statistics] == [
        "AE-SAD against each of the others",
        "Friedman",
    ]


def test_wins_over_other_rivals_than_the_papers_get_no_verdict(tmp_path: Path) -> None:
    book = Book(tmp_path, "aesad_table4")
    for seed, known, method in product(range(3), "12", ("aesad", "ae", "ocsvm", "a3", "deep_sad")):
        if (known, method) != ("2", "a3"):
            book.run(method, 0.9 - 0.1 * (method != "aesad"), normal=["0"], anomalous=[known], seed=seed)
    result = book.result()
    whole, lacking, row = (cell(result, "MNIST", "0", column) for column in ("1", "2", "mean"))
    assert (whole.verdict, whole.doubt, whole.ours and whole.ours.n) == ("match", "", 12)
    assert lacking.verdict == row.verdict == "unpublished" and lacking.ours is not None and lacking.published == 1.0
    assert lacking.doubt == "counted against AE, Deep-SAD, OC-SVM, the paper's against OC-SVM, AE, A3, Deep-SAD"
    assert row.doubt == "means of other cells than the published ones"
    assert result.summary == "328 published cells: 1 match, 327 missing"
    assert f"no verdict on 2 cells: {lacking.doubt}" in result.remarks
    assert cell(result, "MNIST", "9", "mean").verdict == "missing"


def test_a_mean_over_all_printed_rivals_gets_a_verdict(tmp_path: Path) -> None:
    book = Book(tmp_path, "aesad_table3")
    rivals = ("ae", "ocsvm", "a3", "deep_sad")
    for seed, method in product(range(3), ("aesad", *rivals[:-1])):
        book.run(method, 0.9 - 0.1 * (method != "aesad"), normal=["0"], anomalous=["1"], seed=seed)
    assert cell(book.result(), "AE-SAD", "mean").verdict == "unpublished"
    for seed in range(2):
        book.run("deep_sad", 0.8, normal=["0"], anomalous=["1"], seed=seed)
    assert cell(book.result(), "AE-SAD", "Deep-SAD").verdict == "unsure"  # two runs, and four values in the mean
    book.run("deep_sad", 0.8, normal=["0"], anomalous=["1"], seed=2)
    assert cell(book.result(), "AE-SAD", "mean").verdict == "above"  # it won each time, in print .91 of the times
    told = "means over 1 cells of MNIST; the paper's are over 270 cells of three data sets"
    assert told in book.result().remarks


def test_means_over_other_cells_than_the_papers_are_told(tmp_path: Path) -> None:
    book = Book(tmp_path, "esad_table1")
    for normal, known in permutations(range(10), 2):
        for labelled in (0.1, 0.2):
            if labelled == 0.1 or normal < 3:
                config = {"scenario": {"labelled": labelled}}
                book.run("esad", 0.9, normal=[normal], anomalous=[known], config=config)
    assert "means over 27 to 90 cells; the paper's are over 90 cells" in book.result().remarks
    other = Book(tmp_path / "other", "esad_table1")
    for normal, known in permutations(range(10), 2):
        other.run("esad", 0.9, normal=[normal], anomalous=[known], config={"scenario": {"labelled": 0.1}})
    assert not any("means over" in remark for remark in other.result().remarks)


def test_means_over_cells_have_an_interval_over_cells(tmp_path: Path) -> None:
    book = Book(tmp_path, "esad_table1")
    aucs = np.random.default_rng(0).uniform(0.9, 1, 20)
    for i, auc in enumerate(aucs):
        book.run(
            "esad", auc, normal=[i % 10], anomalous=[(i + 1 + i // 10) % 10], config={"scenario": {"labelled": 0.1}}
        )
    entry = cell(book.result(), "MNIST", "0.1", "ESAD")
    assert entry.ours is not None and entry.ours.mean == pytest.approx(100 * aucs.mean())
    assert entry.ours.std == pytest.approx(100 * aucs.std(ddof=1)) and entry.published == 99.5
    half = 1.96 * 100 * aucs.std() / 20**0.5
    assert entry.ours.high == pytest.approx(entry.ours.mean + half, abs=0.25)


def place(where: coordinates.Coordinate, run: dict[str, Any]) -> str:
    defaults = {"method": "esad", "dataset": "mnist", "normal": ["8"], "anomalous": ["3"], "config": {}}
    row = {**defaults, **run}
    frame = pl.DataFrame([{**row, "config": json.dumps(row["config"])}])
    return str(frame.select(where.ours).item())


@pytest.mark.parametrize(("where", "run", "expected"), [
    (coordinates.DATASET, {"dataset": "odds/satimage-2"}, "satimage-2"),
    (coordinates.DATASET, {"dataset": "mnist_letters"}, "E-MNIST"),
    (coordinates.DATASET, {"dataset": "digits"}, "digits"),
    (coordinates.POLLUTION, {"config": {"scenario": {"pollution": 0.0025}}}, "0.25"),
    (coordinates.POLLUTION, {"config": {"scenario": {"pollution": 0.125}}}, "12.5"),
    (coordinates.LABELLED, {"config": {"scenario": {"labelled": 128}}}, "128"),
    (coordinates.LABELLED, {"config": {"scenario": {"labelled": 0.10}}}, "0.1"),
    (aesad.ALPHA, {"config": {"method": {"lam": {"alpha": 0.2115}}}}, "0.2115"),
    (aesad.METHOD, {"method": "deep_sad"}, "Deep-SAD"),
    (esad.METHOD, {"method": "deep_sad"}, "Deep SAD"),
    (esad.METHOD, {"method": "cae"}, "CAE"),
    (esad.VERSION, {"config": {"scenario": {"labelled": 0}}}, "ESAD (unsupervised)"),
    (esad.VERSION, {"config": {"scenario": {"labelled": 0.2}}}, "ESAD (full)"),
    (esad.VERSION, {"method": "cae", "config": {"scenario": {"labelled": 0}}}, "CAE"),
    (coordinates.NORMAL, {"normal": ["0", "1"]}, "0, 1"),
])  # fmt: skip
def test_where_a_run_stands(where: coordinates.Coordinate, run: dict[str, Any], expected: str) -> None:
    assert place(where, run) == expected


@pytest.mark.parametrize(("second", "lam2", "gaussian", "permutation", "expected"), [
    (False, 0, 0, False, "none"),
    (True, 0, 0, False, "enc2"),
    (True, 1, 0, False, "enc2+ass"),
    (True, 1, 0.1, False, "enc2+ass+gaussian"),
    (True, 1.0, 0.0, True, "enc2+ass+permutation"),
    (True, 1, 0.1, True, "enc2+ass+gaussian+permutation"),
])  # fmt: skip
def test_designs(second: bool, lam2: float, gaussian: float, permutation: bool, expected: str) -> None:
    method = {"second": second, "lam2": lam2, "transform": {"gaussian": gaussian, "permutation": permutation}}
    assert place(esad.DESIGN, {"config": {"method": method}}) == expected


def test_figures_have_our_cells_with_means_over_normal_classes(tmp_path: Path) -> None:
    book = Book(tmp_path, "aesad_fig3")
    for normal, labelled, alpha in product("01", (8, 16), (0, 0.1)):
        config = {"method": {"lam": {"alpha": alpha}}, "scenario": {"labelled": labelled}}
        book.run("aesad", 0.5 + int(normal) / 10 + alpha, normal=[normal], config=config)
    result = book.result()
    rows = list(dict.fromkeys(entry.row for entry in result.entries))
    columns = list(dict.fromkeys(entry.column for entry in result.entries))
    assert rows == [("0",), ("1",), ("mean",)] and columns == [("8", "0"), ("8", "0.1"), ("16", "0"), ("16", "0.1")]
    ours = cell(result, "mean", "8", "0.1").ours
    assert ours is not None and ours.mean == pytest.approx(0.65) and result.summary == "nothing published to compare"


def test_a_result_tells_where_it_comes_from(tmp_path: Path) -> None:
    book = Book(tmp_path, "aesad_table2")
    made = {"versions": {"torch": "2.15.0"}, "commit": "abc", "device": "cpu", "seconds": 2.5}
    book.run("ae", 0.9, "odds/cardio", **made)
    book.run("ae", 0.9, "odds/cardio", seed=1, **{**made, "device": "cuda"})
    book.run("ae", 0.9, "odds/cardio", seed=2, **made)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "aesad_table2.md").write_text("Because of *this*.\n")
    result = book.result()
    assert result.seconds == 7.5 and result.notes == "Because of *this*."
    assert result.versions == ["2 runs: torch 2.15.0; commit abc; cpu", "1 runs: torch 2.15.0; commit abc; cuda"]
    assert result.commands == [
        f"python -m semiad.train experiment=aesad_table2 budget=quick results={tmp_path} -m",
        f"python -m semiad.report experiment=aesad_table2 budget=quick results={tmp_path}",
    ]


def test_misprints_that_count_are_told(tmp_path: Path) -> None:
    book = Book(tmp_path, "aesad_table5")
    book.run("ocsvm", 0.9, "fmnist", config={"scenario": {"pollution": 0.125}})
    book.run("ocsvm", 0.9, "fmnist", config={"scenario": {"pollution": 0.05}})
    assert "1 published values that look misprinted are counted as printed" in book.result().remarks


def test_commands_can_be_pasted(tmp_path: Path) -> None:
    book = Book(tmp_path / "my runs", "aesad_table2")
    book.run("ae", 0.9, "odds/cardio")
    assert [command.split("budget=quick ")[1] for command in book.result().commands] == [
        f"'results={tmp_path}/my runs' -m",
        f"'results={tmp_path}/my runs'",
    ]


def test_unknown_experiments_are_one_sentence() -> None:
    with pytest.raises(
        InputError, match=r"no experiment 'aesad_table55', only aesad_table1, .*Did you mean aesad_table5\?"
    ):
        experiment("aesad_table55")


def test_the_command_of_a_part_is_that_of_the_part() -> None:
    sweep = json.dumps({"dataset.name": ["cardio", "wine", "musk"], "method": ["ae", "aesad"]})
    jobs = [
        json.dumps({"dataset.name": name, "method": method})
        for name in ("wine", "cardio")
        for method in ("ae", "aesad")
    ]
    plans = pl.DataFrame(
        {"changes": [None] * 4, "job": jobs, "sweep": [sweep] * 4}, schema_overrides={"changes": pl.String}
    )
    assert commands("aesad_table2", "full", plans, Path("a folder")) == [
        "python -m semiad.train experiment=aesad_table2 budget=full dataset.name=cardio,wine 'results=a folder' -m",
        "python -m semiad.report experiment=aesad_table2 budget=full 'results=a folder'",
    ]
    changed = plans.with_columns(changes=pl.lit("epochs=3 'seeds=[0]'"))
    first, second, _ = commands("aesad_table2", None, pl.concat([plans[:1], changed[3:]]), Path("r"))
    assert first == "python -m semiad.train experiment=aesad_table2 dataset.name=wine method=ae results=r -m"
    assert second.endswith("dataset.name=cardio method=aesad epochs=3 'seeds=[0]' results=r -m")
    longer = json.dumps({"method": ["ssad", "ae", "aesad"], "dataset.name": ["cardio", "wine", "musk"]})
    newer = pl.concat([plans, plans.with_columns(sweep=pl.lit(longer))])  # the experiment has got another method since
    for both in (newer, newer.reverse()):
        assert " method=ae,aesad " in commands("aesad_table2", None, both, Path("r"))[0]
    older = pl.concat([plans, plans[:1].with_columns(job=pl.lit(None, pl.String), sweep=pl.lit(None, pl.String))])
    assert commands("aesad_table2", None, older, Path("r"))[0] == (
        "python -m semiad.train experiment=aesad_table2 results=r -m"
    )
