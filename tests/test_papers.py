"""Papers of installed packages: their experiments are listed, compared and drawn like those of semiad."""

import csv
import sys
from itertools import product
from pathlib import Path

import polars as pl
import pytest

from semiad.errors import InputError
from semiad.ledger.reader import read as read_ledger
from semiad.report import figures
from semiad.report.__main__ import main
from semiad.report.coordinates import ANOMALOUS, DATASET, METHODS, NORMAL, POLLUTION, method
from semiad.report.drawings import RANKS, Drawing, Setting, labels, matrix, sweep
from semiad.report.experiment import Experiment, Paper
from semiad.report.figures.style import CYCLE, LOOKS, method_looks
from semiad.report.papers import PAPERS, as_paper, catalogue
from semiad.report.tables import reproduce
from tests.test_tables import Book, cell

MODULE = """
from pathlib import Path
from semiad.report.coordinates import DATASET, METHODS, method
from semiad.report.drawings import RANKS, Drawing
from semiad.report.experiment import Experiment, Paper

NAMES = {**METHODS, "novel": "Novel"}
PAPER = Paper(
    "ours", "Our paper", (
        Experiment("ours_table1", "A table.", (DATASET,), (method(NAMES),), 3, compared=method(NAMES), subject="Novel",
                   drawings=(RANKS, Drawing("mypkg:draw", "A cross."))),
        Experiment("ours_fig2", "A figure.", (DATASET,), (method(NAMES),), 3),
    ),
    NAMES, Path(__file__).parent / "published",
)
LIST = [Experiment("loose", "Neither.", (DATASET,), (method(NAMES),), 3, source=Path(__file__).parent / "loose.csv")]
TAKEN = [Experiment("aesad_table2", "Ours.", (DATASET,), (method(NAMES),), 3)]
WRONG = ["a name"]

def draw(experiment, runs):
    from matplotlib.figure import Figure
    figure = Figure()
    figure.subplots().plot(range(len(runs)))
    return {f"{experiment.name}_cross": figure}
"""
CSV = "dataset,method,mean,std,printed,note\nmine,Novel,0.9,,.900,\nmine,AE,0.7,0.1,.700±.100,\nmine,Gone,0.5,,.500,\n"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A distribution that brings a paper and an experiment, and entries that cannot be loaded."""
    site = tmp_path / "site"
    (site / "mypkg" / "published").mkdir(parents=True)
    (site / "mypkg" / "__init__.py").write_text(MODULE)
    (site / "mypkg" / "published" / "ours_table1.csv").write_text(CSV)
    (site / "mypkg" / "loose.csv").write_text(CSV)
    info = site / "mypkg-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mypkg\nVersion: 1.0\n")
    entries = ("a = mypkg:PAPER", "b = mypkg:LIST", "c = mypkg_gone:PAPER", "d = mypkg:WRONG", "e = mypkg:TAKEN")
    (info / "entry_points.txt").write_text("[semiad.experiments]\n" + "\n".join(entries) + "\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "mypkg", raising=False)
    return site / "mypkg"


def book(folder: Path, name: str = "ours_table1") -> Book:
    """Runs of the experiment of a package on eight data sets."""
    filled = Book(folder, name)
    for i, (where, model) in enumerate(product(("mine", *"abcdefg"), ("novel", "ae", "strange", "aesad"))):
        auc = 0.9 - 0.01 * (i % 7)
        filled.run(model, auc, where, ["x"], ["y"], auc_by_class={"y": auc}, scenario="odd")
    return filled


def test_experiments_of_packages_are_listed_after_those_of_semiad(package: Path) -> None:
    known = catalogue()
    own = [experiment.name for paper in PAPERS for experiment in paper.experiments]
    assert [*known.experiments] == [*own, "ours_table1", "ours_fig2", "loose"] and len(own) == 25
    titles = [known.experiment(name).title for name in ("ours_table1", "ours_fig2", "loose")]
    assert titles == ["Our paper Table 1", "Our paper Figure 2", "loose"]
    assert known.experiment("aesad_table2").caption.startswith("ODDS")


def test_an_entry_point_that_cannot_be_loaded_is_one_sentence(
    package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book(tmp_path / "r")
    main([f"results={tmp_path / 'r'}", "experiment=ours_table1"])
    said = capsys.readouterr()
    lines = said.err.splitlines()
    assert lines == [
        "warning: entry point c = mypkg_gone:PAPER of mypkg in group semiad.experiments cannot be loaded "
        "(ModuleNotFoundError: No module named 'mypkg_gone'): its experiments are not reported",
        "warning: entry point d = mypkg:WRONG of mypkg in group semiad.experiments cannot be loaded "
        "(TypeError: a Paper or an iterable of Experiment was expected, found str): its experiments are not reported",
        "warning: entry point e = mypkg:TAKEN of mypkg in group semiad.experiments has an experiment aesad_table2: "
        "the name is taken",
    ]
    assert said.out.startswith("Our paper Table 1 (quick): A table.")


@pytest.mark.parametrize("name", ["ours_table1", "loose"])
def test_experiments_of_packages_are_compared_with_their_own_transcription(
    name: str, package: Path, tmp_path: Path
) -> None:
    book(tmp_path / "r", name)
    main([f"results={tmp_path / 'r'}", f"experiment={name}", "--out", str(tmp_path / "t.csv")])
    rows = {
        (row["data set"], row["method"]): row for row in csv.DictReader((tmp_path / "t.csv").read_text().splitlines())
    }
    novel, autoencoder, gone, strange = (rows["mine", method] for method in ("Novel", "AE", "Gone", "strange"))
    assert (novel["printed"], novel["published_mean"], novel["verdict"]) == (".900", "0.9", "unsure")
    assert (autoencoder["verdict"], autoencoder["published_std"]) == ("unsure", "0.1")
    assert (gone["verdict"], gone["flag"]) == ("unpublished", "not in semiad")
    assert (strange["verdict"], strange["runs"], strange["experiment"]) == ("unpublished", "1", name)


@pytest.mark.parametrize("form", ["markdown", "html", "latex"])
def test_the_overview_and_every_format_have_them(form: str, package: Path, tmp_path: Path) -> None:
    book(tmp_path / "r")
    other = Book(tmp_path / "r" / "more", "aesad_table2")
    other.keys = 1000
    other.run("ae", 0.9, "odds/cardio")
    main([f"results={tmp_path / 'r'}", "--format", form, "--out", str(tmp_path / "d" / "out.txt")])
    text = (tmp_path / "d" / "out.txt").read_text()
    assert "Our paper Table 1 (quick)" in text and "AE-SAD Table 2 (quick)" in text and "strange" in text
    if form == "markdown":
        names = {path.name for path in (tmp_path / "d").rglob("*.svg")}
        assert names == {"ours_table1_ranks.svg", "ours_table1_cross.svg"} and "*A cross.*" in text
        assert "| [Our paper Table 1 (quick)](#our-paper-table-1-quick) | 3 | 2 | · | · | · | · | 2 | · | 1 |" in text
    if form == "html":
        assert "A cross.</figcaption>" in text


def test_a_transcription_that_cannot_be_read_is_one_sentence(package: Path, tmp_path: Path) -> None:
    (package / "published" / "ours_table1.csv").write_text("dataset,mean\nmine,0.9\n")
    (package / "loose.csv").unlink()
    experiments = catalogue().experiments
    with pytest.raises(InputError, match=r"ours_table1.csv is no transcription of experiment=ours_table1 \(.*std"):
        experiments["ours_table1"].reference_cells()
    with pytest.raises(InputError, match=r"experiment=loose names .*loose.csv as its published table: no such file"):
        experiments["loose"].reference_cells()


def test_a_figure_that_cannot_be_imported_is_one_sentence(tmp_path: Path) -> None:
    one = Experiment("x_table1", "C.", (DATASET,), (method(METHODS),), 3, drawings=(Drawing("semiad.gone:draw", "C."),))
    (bound,) = as_paper("x", [one]).experiments
    ledger = read_ledger(book(tmp_path, "x_table1").folder)
    with pytest.raises(InputError, match=r"^experiment=x_table1 names semiad.gone:draw to draw a figure: No module"):
        figures.draw(reproduce(bound, ledger), ledger)


def third_paper(*drawings: Drawing) -> Experiment:
    """The only experiment of a paper that nothing in semiad knows."""
    columns = (method(METHODS),)
    one = Experiment("third_table1", "C.", (DATASET, NORMAL, ANOMALOUS), columns, 3, drawings=drawings)
    settings = {"depth": Setting("method.depth", "depth", "depth {}")}
    return Paper("third", experiments=[one], settings=settings).experiments[0]


def test_a_third_paper_has_all_kinds_of_figures_of_what_semiad_does_not_know(tmp_path: Path) -> None:
    experiment = third_paper(
        RANKS, matrix(), matrix("aesad", "ae"), labels(), sweep("depth", "method", "dataset", "Depth."),
        sweep("depth", "scenario", "normal_class", "Scenarios."),
    )  # fmt: skip
    assert experiment.title == "third Table 1"
    filled = Book(tmp_path, "third_table1")
    for depth, known, where, model in product((1, 2), "yzw", ("mine", "theirs"), ("novel", "strange", "aesad")):
        config = {"method": {"depth": depth}, "scenario": {"labelled": depth}}
        shared = {"auc_by_class": {"y": 0.8, "x": None}, "auc_seen": 0.7, "auc_unseen": 0.8, "config": config}
        anomalous = [known] if depth == 1 else []
        filled.run(model, 0.8 + 0.01 * depth, where, ["it's"], anomalous, scenario="odd", **shared)
    ledger = read_ledger(tmp_path)
    result = reproduce(experiment, ledger)
    drawn = {name: figure for name, figure, _ in figures.draw(result, ledger)}
    assert {name.removeprefix("third_table1") for name in drawn} == {
        *("", "_ranks", "_matrix_mine", "_matrix_theirs", "_labels_mine", "_labels_theirs"),
    }
    for figure in drawn.values():
        figure.draw_without_rendering()
    lines = [text.get_text() for text in drawn["third_table1_labels_mine"].legends[0].get_texts()]
    assert lines == ["AE-SAD", "novel", "strange"]
    assert drawn["third_table1"].axes[-1].get_xlabel() == "depth"
    assert cell(result, "theirs", "it's", "y", "novel").verdict == "unpublished"


def test_methods_that_semiad_does_not_know_look_different() -> None:
    looks = method_looks(["zeta", "aesad", "novel", "ae", "novel"])
    assert [*looks] == ["aesad", "ae", "novel", "zeta"]
    assert looks["aesad"] == LOOKS["aesad"] and len({*looks.values()}) == 4
    many = method_looks([f"m{i}" for i in range(12)])
    assert len({*many.values()}) == len(CYCLE)


def test_wins_over_methods_that_semiad_does_not_know(tmp_path: Path) -> None:
    names = {**METHODS, "novel": "Novel"}
    rows, columns = method(names), method(names, "opponent", "param_value")
    one = Experiment("third_table2", "C.", (rows,), (columns,), 2, kind="win", compared=rows, subject="Novel")
    experiment = Paper("third", "Third", [one], names).experiments[0]
    filled = Book(tmp_path, "third_table2")
    for model, auc in (("novel", 0.9), ("strange", 0.8), ("ae", 0.7)):
        filled.run(model, auc)
    result = reproduce(experiment, read_ledger(tmp_path))
    ours = cell(result, "Novel", "strange").ours
    assert result.title == "Third Table 2" and ours is not None and ours.mean == 1
    assert [row[0] for row in result.statistics[0].rows] == ["AE", "strange"]


def test_runs_on_unknown_data_stand_in_tables_of_semiad(tmp_path: Path) -> None:
    filled = Book(tmp_path, "aesad_table5")
    config = {"scenario": {"pollution": 0.05}}
    filled.run("novel", 0.9, "mine/data", scenario="odd", config=config)
    filled.run("aesad", 0.9, "mine/data", scenario="odd", config=config)
    ledger = read_ledger(tmp_path)
    result = reproduce(catalogue().experiment("aesad_table5"), ledger)
    entry = cell(result, "mine/data", "novel", "5")
    assert entry.verdict == "unpublished" and entry.ours is not None and entry.ours.mean == 0.9
    for drawn in figures.draw(result, ledger):
        drawn.figure.draw_without_rendering()
    page = tmp_path / "page.html"
    main([f"results={tmp_path}", "--out", str(page)])
    assert "data set mine/data, method novel, pollution, % 5" in page.read_text()


def test_coordinates_of_packages_are_their_own() -> None:
    frame = pl.DataFrame({"method": ["novel", "ae", "other"], "config": ['{"scenario": {}}'] * 3})
    names = method({**METHODS, "novel": "Novel"})
    assert frame.select(names.ours).to_series().to_list() == ["Novel", "AE", "other"]
    assert frame.select(POLLUTION.ours).to_series().to_list() == ["unknown"] * 3
    assert sorted(["other", "AE", "Novel", "a10", "a9"], key=names.order) == ["AE", "Novel", "a9", "a10", "other"]


def test_a_figure_by_an_unknown_setting_is_one_sentence(tmp_path: Path) -> None:
    experiment = third_paper(sweep("width", "method", "dataset", "Width."))
    ledger = read_ledger(book(tmp_path, "third_table1").folder)
    with pytest.raises(
        InputError, match=r"by width, which is neither a column .* settings labelled, pollution, depth$"
    ):
        figures.draw(reproduce(experiment, ledger), ledger)


def test_a_figure_by_a_column_of_runs(tmp_path: Path) -> None:
    experiment = third_paper(sweep("seed", "method", "dataset", "Seeds."))
    filled = Book(tmp_path, "third_table1")
    for seed in range(3):
        filled.run("novel", 0.8, "mine", seed=seed)
    ledger = read_ledger(tmp_path)
    ((name, figure, _),) = figures.draw(reproduce(experiment, ledger), ledger)
    figure.draw_without_rendering()
    assert name == "third_table1" and figure.axes[0].get_xlabel() == "seed"
