from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from matplotlib.collections import PathCollection
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from semiad.errors import InputError
from semiad.ledger.reader import Ledger
from semiad.report import curves, figures, samples
from semiad.report.drawings import RANKS, labels, matrix
from semiad.report.figures import points, ranks
from semiad.report.figures.selection import good_runs
from semiad.report.papers import catalogue
from semiad.report.result import Result
from semiad.report.statistics import bootstrap, friedman, student
from semiad.report.tables import reproduce
from tests import ledgers

experiment = catalogue().experiment
DRAWN = [one.name for one in catalogue().experiments.values() if one.drawings]


def drawn(name: str, folder: Path, **more: int) -> tuple[dict[str, Figure], pl.DataFrame]:
    """The figures of an experiment from runs that never were, and its good runs."""
    ledger = ledgers.write(folder, name, ledgers.runs_of(name, folder, **more))
    assert not ledger.warnings
    result = reproduce(experiment(name), ledger)
    return made_of(result, ledger), good_runs(experiment(name), ledger, result.budget)


def made_of(result: Result, ledger: Ledger) -> dict[str, Figure]:
    """The figures of a result by name."""
    return {name: figure for name, figure, _ in figures.draw(result, ledger)}


def bars(figure: Figure, panel: int, label: str) -> ErrorbarContainer:
    """The line of this name in a panel, with its intervals."""
    (found,) = [c for c in figure.axes[panel].containers if c.get_label() == label]
    return found


@pytest.mark.parametrize("name", DRAWN)
def test_every_experiment_has_its_figures(name: str, tmp_path: Path) -> None:
    ledger = ledgers.write(tmp_path, name, ledgers.runs_of(name, tmp_path, normals=2, seeds=2))
    drawings = experiment(name).drawings
    drawn = figures.draw(reproduce(experiment(name), ledger), ledger)
    assert all(figure.startswith(name) for figure, *_ in drawn) and len({figure for figure, *_ in drawn}) == len(drawn)
    # A caption each, in the order of the experiment's drawings.
    captions = [*dict.fromkeys(caption for *_, caption in drawn)]
    assert captions and captions == [drawing.caption for drawing in drawings if drawing.caption in captions]
    for word, drawing in (("_labels_", labels()), ("_matrix_", matrix()), ("_ranks", RANKS)):
        assert all((word in figure) == (caption == drawing.caption) for figure, _, caption in drawn)
    for _, figure, _ in drawn:
        figure.draw_without_rendering()
        assert figure.get_figwidth() <= 7.2
        axes = [axis for axis in figure.axes if axis.has_data()]
        assert axes and all(axis.axison for axis in axes)


def test_no_runs_no_figures(tmp_path: Path) -> None:
    runs = ledgers.runs_of("aesad_fig4", tmp_path)
    for one in runs:
        one.update(status="failed", auc=None, reason="the loss is nan")
    for ledger in (Ledger(tmp_path), ledgers.write(tmp_path, "aesad_fig4", runs)):
        assert made_of(reproduce(experiment("aesad_fig4"), ledger), ledger) == {}


@pytest.mark.parametrize(
    ("name", "what"), [("aesad_fig2", "samples"), ("esad_fig3", "samples"), ("aesad_fig5", "curve")]
)
def test_runs_without_what_a_figure_shows_are_told(name: str, what: str, tmp_path: Path) -> None:
    runs = ledgers.runs_of(name, tmp_path)
    told = f"{len(runs)} good runs have no {what} to draw: train again with force=true"
    assert told not in reproduce(experiment(name), ledgers.write(tmp_path, name, runs)).remarks
    for one in runs:
        one[what] = None
    assert told in reproduce(experiment(name), ledgers.write(tmp_path, name, runs)).remarks


def test_a_line_has_the_means_and_intervals_of_its_runs(tmp_path: Path) -> None:
    made, runs = drawn("aesad_fig3", tmp_path)
    figure = made["aesad_fig3"]
    line = bars(figure, 2, "normal 1")  # s = 32
    own = runs.filter(pl.col("labelled") == 32, normal_class="1")
    by = own.group_by("alpha").agg(pl.col("auc").mean()).sort("alpha")
    np.testing.assert_allclose(line[0].get_ydata(), by["auc"])
    cells = [c["auc"].to_numpy() for c in own.filter(pl.col("alpha") == 0.1).partition_by("known", maintain_order=True)]
    ends = line[2][0].get_segments()[1][:, 1]
    np.testing.assert_allclose(ends, bootstrap(cells))
    assert figure.axes[2].get_title() == "s = 32" and figure.axes[2].get_xlabel().startswith(r"$\alpha$")
    assert [tick.get_text() for tick in figure.axes[2].get_xticklabels()] == ["0", "0.1", "0.21", "0.45", "0.95", "2"]


def test_one_cell_has_students_interval(tmp_path: Path) -> None:
    made, runs = drawn("aesad_fig6", tmp_path)
    own = runs.filter(pl.col("pollution") == 0.04, pl.col("alpha") == 2)["auc"].to_numpy()
    ends = bars(made["aesad_fig6"], 0, "pollution 0.04")[2][0].get_segments()[-1][:, 1]
    assert len(own) == 3 and tuple(ends) == pytest.approx(student(own))


def test_the_autoencoder_is_a_level(tmp_path: Path) -> None:
    made, runs = drawn("aesad_fig4", tmp_path)
    axis = made["aesad_fig4"].axes[0]
    (level,) = [line for line in axis.get_lines() if line.get_label() == "AE"]
    mean = runs.filter(method="ae", normal_class="0")["auc"].mean()
    assert set(level.get_ydata()) == {mean} and list(level.get_xdata()) == [0, 1]


def test_labels_are_shown_for_seen_and_unseen_classes(tmp_path: Path) -> None:
    made, runs = drawn("esad_table1", tmp_path, normals=2)
    figure = made["esad_table1_labels_mnist"]
    for panel, name in enumerate(("auc", "auc_seen", "auc_unseen")):
        by = runs.filter(method="esad").group_by("labelled").agg(pl.col(name).mean()).sort("labelled")
        first = 1 if name == "auc_seen" else 0  # at share 0 no class is seen
        np.testing.assert_allclose(bars(figure, panel, "ESAD")[0].get_ydata(), by[name][first:])
    assert "share" in figure.axes[0].get_xlabel()


def test_a_mark_is_a_pair_of_runs(tmp_path: Path) -> None:
    made, runs = drawn("aesad_fig7", tmp_path)
    axis = made["aesad_fig7"].axes[-1]
    assert axis.get_xlabel() == "AUC of Deep-SAD" and made["aesad_fig7"].axes[0].get_ylabel() == "AUC of AE-SAD"
    for polluted, label in ((False, "clean"), (True, "polluted")):
        (marks,) = [c for c in axis.collections if isinstance(c, PathCollection) and c.get_label() == label]
        some = runs.filter((pl.col("n_polluted") > 0) == polluted)
        key = ("scenario", "normal_class", "known", "seed")
        pairs = some.filter(method="deep_sad").join(some.filter(method="aesad"), on=key)
        expected = {(row["auc"], row["auc_right"]) for row in pairs.iter_rows(named=True)}
        assert {tuple(at) for at in marks.get_offsets().tolist()} == expected and len(expected) > 5


def test_polluted_marks_are_those_of_the_papers_tables(tmp_path: Path) -> None:
    runs = ledgers.runs_of("aesad_fig7", tmp_path)
    for one in runs:
        one["dataset"] = "cifar10"
    ledger = ledgers.write(tmp_path, "aesad_fig7", runs)
    result = reproduce(experiment("aesad_fig7"), ledger)
    assert {entry.row for entry in result.entries} == {("CIFAR-10", "one_vs_one")}
    (figure,) = made_of(result, ledger).values()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["clean"]


def test_curves_are_those_of_the_files(tmp_path: Path) -> None:
    made, runs = drawn("aesad_fig5", tmp_path)
    auc, loss = made["aesad_fig5"].axes[0], made["aesad_fig5"].axes[4]
    assert auc.get_title() == "cardio" and loss.get_yscale() == "log" and loss.get_ylabel() == "training loss"
    own = runs.filter(method="ae", dataset="odds/cardio")
    texts = [Path(one).read_text().splitlines()[1:] for one in own["curve"]]
    values = np.array([[line.split(",")[2:] for line in lines] for lines in texts], dtype=float).mean(0)
    name = f"AE ({own['auc_at_min_loss'].mean():.3f})"
    for axis, column in ((loss, 0), (auc, 1)):
        (line,) = [one for one in axis.get_lines() if one.get_label() == name]
        np.testing.assert_allclose(line.get_ydata(), values[:, column])


def test_a_curve_that_is_torn_or_gone_counts_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("key,epoch,loss,auc\na,1,0.5,0.75\na,2,nan,0.8\nb,1,0.1,0.2\na,3")
    (tmp_path / "b.csv").write_bytes(b"\x00\xff")
    files = [str(tmp_path / f"{name}.csv") for name in "abc"]
    found = curves.read(pl.DataFrame({"key": ["a", "x", "y"], "curve": files}))
    assert found["epoch"].to_list() == [1, 2, 3] and found["auc"].to_list() == [0.75, 0.8, None]
    assert np.isnan(found["loss"][1]) and set(found["key"]) == {"a"}


def test_boxes_have_the_medians_of_the_scores(tmp_path: Path) -> None:
    made, runs = drawn("aesad_fig2", tmp_path)
    axis = made["aesad_fig2"].axes[0]
    run = runs.filter(method="aesad").row(0, named=True)
    arrays = samples.read(run["samples"])
    assert (
        arrays is not None
        and axis.get_yscale() == "log"
        and axis.get_title() == f"AE-SAD (seed 0: AUC {run['auc']:.3f})"
    )
    medians = [np.median(arrays["scores"][arrays["classes"] == str(c)]) for c in range(10)]
    flat = [list(line.get_ydata()) for line in axis.get_lines() if line.get_linewidth() == 1.5]
    np.testing.assert_allclose(flat, [[median] * 2 for median in medians], rtol=1e-6)


def test_originals_stand_above_reconstructions(tmp_path: Path) -> None:
    made, runs = drawn("aesad_fig1", tmp_path)
    arrays = samples.read(runs.filter(method="aesad")["samples"][0])
    assert arrays is not None
    axes = [axis for axis in made["aesad_fig1"].axes if axis.images]
    row = int(np.flatnonzero((arrays["shown_kind"] == "labelled") & (arrays["shown_class"] == "3"))[0])
    shown = [axis.images[0].get_array() for axis in axes]
    assert [(image == arrays["x"][row][0]).all() for image in shown].index(True) == 3  # 8, 8, 1, 3
    assert (shown[9] == 255 - arrays["x"][row][0]).all() and axes[9].get_xlabel() == "3\nseen"
    assert len(axes) == 2 * 2 * (6 + 10)


def test_codes_are_marked_by_kind(tmp_path: Path) -> None:
    made, runs = drawn("esad_fig3", tmp_path)
    figure = made["esad_fig3"]
    assert [axis.get_title().partition(": ")[2] for axis in figure.axes] == [
        "Deep SAD, $z$",
        "ESAD, $z$",
        r"ESAD, $\hat z$",
    ]
    arrays = samples.read(runs.filter(method="esad")["samples"][0])
    assert arrays is not None
    counts = {c.get_label(): len(c.get_offsets()) for c in figure.axes[1].collections}
    of = samples.kinds(runs.row(0, named=True), arrays, arrays["code_class"])
    assert counts == {kind: of.count(kind) for kind in ("normal", "seen", "unseen")}


def test_codes_that_are_all_equal_or_infinite_are_drawn(tmp_path: Path) -> None:
    assert points.plane(np.ones((9, 3), np.float32)).tolist() == [[0, 0]] * 9
    at = points.plane(np.random.default_rng(0).normal(size=(40, 1)).astype(np.float32))
    assert at.shape == (40, 2) and np.isfinite(at).all()
    ledger = ledgers.write(tmp_path, "esad_fig3", ledgers.runs_of("esad_fig3", tmp_path))
    for path in ledger.runs["samples"]:
        with np.load(path) as file:
            arrays = dict(file)
        arrays["z"][:7] = np.inf
        np.savez(path, **arrays)
    made = made_of(reproduce(experiment("esad_fig3"), ledger), ledger)
    drawn_points = [sum(len(c.get_offsets()) for c in axis.collections) for axis in made["esad_fig3"].axes]
    assert drawn_points == [293, 293, 300]


def test_ranks_are_of_means_over_draws(tmp_path: Path) -> None:
    made, runs = drawn("aesad_table2", tmp_path)
    axis = made["aesad_table2_ranks"].axes[0]
    means = runs.group_by("dataset", "method").agg(pl.col("auc").mean())
    ranks = means.with_columns(rank=pl.col("auc").rank(descending=True).over("dataset")).group_by("method")
    expected = {round(rank, 2) for _, rank in ranks.agg(pl.col("rank").mean()).iter_rows()}
    texts = " ".join(text.get_text() for text in axis.texts)
    assert all(f"({rank:.2f})" in texts for rank in expected) and "6 data sets" in axis.get_title()


def test_fewer_cells_than_the_test_asks_for_are_not_ranked(tmp_path: Path) -> None:
    runs = [one for one in ledgers.runs_of("aesad_table2", tmp_path) if one["dataset"] != "odds/glass"]
    ledger = ledgers.write(tmp_path, "aesad_table2", runs)
    assert made_of(reproduce(experiment("aesad_table2"), ledger), ledger) == {}


def test_ranks_say_the_critical_difference_and_nothing_covers_a_name(tmp_path: Path) -> None:
    made, runs = drawn("esad_table4", tmp_path)
    figure = made["esad_table4_ranks"]
    means = runs.group_by("dataset", "method").agg(pl.col("auc").mean()).pivot("method", index="dataset", values="auc")
    critical = friedman(means.drop("dataset").to_numpy()).difference
    axis = figure.axes[0]
    texts = {text.get_text(): text for text in axis.texts}
    assert f"critical difference {critical:.2f}" in texts and {*"12345"} <= {*texts}
    assert sum("CAE" in text or "Deep SAD" in text for text in texts) == 2
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in texts.values()]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


def test_groups_are_the_widest_that_are_not_told_apart() -> None:
    assert [*ranks.alike([1, 1.5, 2.4, 4, 4], 1.5)] == [(0, 2), (3, 4)]
    assert [*ranks.alike([1, 2, 3], 1.5)] == [(0, 1), (1, 2)]
    assert [*ranks.alike([1, 2, 3], 1)] == [] and [*ranks.alike([1, 2, 3], 3)] == [(0, 2)]
    assert [*ranks.apart([1, 1, 1.01, 3], 0.1)] == pytest.approx([1, 1.1, 1.2, 3])


def test_a_paper_names_methods_its_own_way(tmp_path: Path) -> None:
    esad, _ = drawn("esad_table1", tmp_path / "esad", normals=2)
    assert {c.get_label() for c in esad["esad_table1_labels_mnist"].axes[0].containers} == {"ESAD", "Deep SAD"}
    aesad, _ = drawn("aesad_fig7", tmp_path / "aesad")
    assert [axis.get_xlabel() for axis in aesad["aesad_fig7"].axes][-1] == "AUC of Deep-SAD"


def test_a_matrix_has_the_means_by_class_and_marks_what_was_seen(tmp_path: Path) -> None:
    made, runs = drawn("aesad_table7", tmp_path)
    axis = made["aesad_table7_matrix_mnist"].axes[0]
    shown = np.ma.filled(axis.images[0].get_array().astype(float), np.nan)
    own = runs.filter(method="aesad", known="1,2,3")
    mean = own["auc_by_class"].str.json_path_match("$['7']").cast(pl.Float64).mean()
    assert shown[0, 7] == pytest.approx(mean) and np.isnan(shown[0, 0])
    bold = {text.get_position() for text in axis.texts if text.get_fontweight() == "bold"}
    hatched = {patch.get_xy() for patch in axis.patches if patch.get_hatch()}
    assert hatched == {(-0.5, row - 0.5) for row in range(3)}
    assert axis.images[0].get_clim() == (0.5, 1) and made["aesad_table7_matrix_mnist"].axes[-1].get_ylabel() == "AUC"
    assert bold == {(column, (column - 1) // 3) for column in range(1, 10)}


def test_one_method_has_one_matrix(tmp_path: Path) -> None:
    runs = [one for one in ledgers.runs_of("aesad_table7", tmp_path) if one["method"] == "aesad"]
    ledger = ledgers.write(tmp_path, "aesad_table7", runs)
    made = made_of(reproduce(experiment("aesad_table7"), ledger), ledger)
    assert list(made) == ["aesad_table7_matrix_mnist"]
    (figure,) = made.values()
    figure.draw_without_rendering()
    assert [axis.get_title() for axis in figure.axes if axis.images] == ["AE-SAD"]


def test_one_number_of_labels_makes_no_curve_and_several_a_matrix_of_the_most(tmp_path: Path) -> None:
    runs = ledgers.runs_of("esad_table1", tmp_path, normals=2)
    for folder, some in (
        ("one", [one for one in runs if one["config"]["scenario"]["labelled"] == 0.05]),
        ("all", runs),
    ):
        ledger = ledgers.write(tmp_path / folder, "esad_table1", some)
        made = made_of(reproduce(experiment("esad_table1"), ledger), ledger)
        assert ("esad_table1_labels_mnist" in made) == (folder == "all")
        title = made["esad_table1_matrix_mnist"].get_suptitle()
        assert ("labelled 0.2 " in title) == (folder == "all") and title.startswith("MNIST")


def test_a_matrix_has_a_number_of_labels_that_all_its_methods_have(tmp_path: Path) -> None:
    runs = ledgers.runs_of("esad_table1", tmp_path, normals=2)
    for least, title, methods in ((0, "labelled 0.05 ", ["ESAD", "Deep SAD"]), (0.1, "labelled 0.2 ", ["Deep SAD"])):
        few = [
            one
            for one in runs
            for labelled in [one["config"]["scenario"]["labelled"]]
            if (labelled <= 0.05 if one["method"] == "esad" else labelled >= least)
        ]
        ledger = ledgers.write(tmp_path / str(least), "esad_table1", few)
        figure = made_of(reproduce(experiment("esad_table1"), ledger), ledger)["esad_table1_matrix_mnist"]
        assert title in figure.get_suptitle()
        assert [axis.get_title() for axis in figure.axes if axis.images] == methods


def test_a_matrix_names_its_pollution_where_that_varies(tmp_path: Path) -> None:
    runs = ledgers.runs_of("aesad_table5", tmp_path)
    for i, one in enumerate(runs):
        one["config"] = ledgers.config(pollution=(0.05, 0.0025)[i % 4 > 1], labelled=50)
    ledger = ledgers.write(tmp_path, "aesad_table5", runs)
    (figure,) = made_of(reproduce(experiment("aesad_table5"), ledger), ledger).values()
    assert figure.get_suptitle().startswith("MNIST, pollution 0.0025 (")


def test_many_cells_become_a_row_a_normal_class(tmp_path: Path) -> None:
    made, runs = drawn("aesad_table4", tmp_path, normals=4)
    seen, unseen = made["aesad_table4_matrix_mnist"].axes[:2]
    assert (seen.get_title(), unseen.get_title()) == ("AE-SAD, class has labels", "AE-SAD, class has none")
    auc = pl.col("auc_by_class").str.json_path_match("$['5']").cast(pl.Float64)
    own = runs.filter(method="aesad", normal_class="2")
    assert seen.images[0].get_array()[2, 5] == pytest.approx(own.filter(known="5").select(auc.mean()).item())
    assert unseen.images[0].get_array()[2, 5] == pytest.approx(
        own.filter(pl.col("known") != "5").select(auc.mean()).item()
    )


def test_files_are_the_same_each_time(tmp_path: Path) -> None:
    contents = []
    for folder in ("one", "two"):
        made, _ = drawn("aesad_fig6", tmp_path / folder)
        files = figures.save(made["aesad_fig6"], tmp_path / folder / "out" / "a.b")
        assert [file.name for file in files] == ["a.b.svg", "a.b.pdf", "a.b.png"]
        contents.append([file.read_bytes() for file in files])
    assert contents[0] == contents[1] and b"/FontFile2" in contents[0][1]
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        figures.save(made["aesad_fig6"], tmp_path / "file" / "a")


def test_samples_that_are_torn_or_gone_are_none(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 torn")
    assert samples.read(str(tmp_path / "a.npz")) is None and samples.read(str(tmp_path / "b.npz")) is None


def test_kinds_are_those_that_the_run_knew() -> None:
    """Of the cell's classes 1 and 3 one was drawn, and 4 is in no test row."""
    run = {"normal": ["8"], "anomalous": ["1", "3", "4"]}
    arrays = {"classes": np.array(["8", "1", "3", "1"]), "seen": np.array([0, 1, 0, 1], dtype=np.uint8)}
    assert samples.kinds(run, arrays, "8134") == ["normal", "seen", "unseen", "seen"]
    assert samples.kinds(run, {}, "813") == ["normal", "seen", "seen"]


def test_pictures_of_rows() -> None:
    colour = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    assert samples.picture(colour)[0, 1].tolist() == [1, 5, 9]
    assert samples.picture(colour[:1]).tolist() == [[0, 1], [2, 3]]
    assert samples.picture(np.array([-1, 0.5, 2, np.nan], dtype=np.float32)).tolist() == [[0, 128, 255, 0]]
