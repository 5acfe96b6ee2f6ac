"""A user's own file in experiments: `dataset=frame`, with the scenarios `holdout` and `kfold`."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import semiad.report.__main__ as report
from semiad.command.recipes import load_dataset
from semiad.data import SplitData
from semiad.datasets.frame import Frame
from semiad.errors import InputError
from semiad.runs import key
from semiad.scenarios.base import Scenario
from semiad.scenarios.holdout import Holdout
from semiad.scenarios.kfold import KFold
from semiad.scenarios.table_fraction import TableFraction
from semiad.testing import check_dataset, check_scenario
from semiad.types import UNLABELLED, Cell, Labels
from tests.conftest import read

Command = Callable[..., int]
FRAME = ("dataset=frame", "dataset.path=pay.csv", "dataset.label=fraud")
QUICK = (*FRAME, "epochs=2", "logger=none", "results=r")
NORMAL, ANOMALOUS, WITHOUT = 60, 12, 28
CELL = Cell((0, UNLABELLED), (1,))


@pytest.fixture(autouse=True)
def _as_new_processes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Read each file anew, as a new process would, and start no processes for classical methods."""
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    load_dataset.cache_clear()
    yield
    load_dataset.cache_clear()


def write(path: str, fraud: str = "1", ok: str = "0", shift: float = 5, without: int = WITHOUT) -> None:
    """Write a file of normal, anomalous and unlabelled rows, in mixed order, with categories and missing values."""
    draws = np.random.default_rng(0)
    labels = draws.permutation([ok] * NORMAL + [fraud] * ANOMALOUS + [""] * without)
    load_dataset.cache_clear()
    lines = ["amount,kind,rate,fraud"]
    for label in labels:
        rate = "" if draws.random() < 0.2 else f"{draws.random():.4f}"
        amount = draws.normal() + (shift if label == fraud else 0)
        lines.append(f"{amount:.4f},{'abc'[draws.integers(3)]},{rate},{label}")
    Path(path).write_text("\n".join(lines) + "\n")


def labels(unlabelled: bool = True) -> Labels:
    """Make labels of 60 normal rows, 12 anomalies and perhaps 28 rows without a label, in mixed order."""
    y = np.random.default_rng(1).permutation(np.repeat([0, 1, 2], [NORMAL, ANOMALOUS, WITHOUT if unlabelled else 0]))
    return Labels("pay", (0, 1, UNLABELLED) if unlabelled else (0, 1), y, None)


def test_a_holdout_is_trained_in_a_pack(command: Command) -> None:
    write("pay.csv")
    assert command(*QUICK, "scenario=holdout", "scenario.labelled=3") == 0
    records = read(Path("r"))
    assert [record["seed"] for record in sorted(records, key=lambda r: r["seed"])] == [0, 1, 2, 3, 4]
    for record in records:
        assert (record["status"], record["dataset"], record["scenario"]) == ("ok", "pay", "holdout")
        # 30 % of 60 normal rows and 3.6 of 12 anomalies are tested; other normal and all unlabelled rows train.
        assert (record["n_train"], record["n_labelled"], record["n_test"]) == (42 + WITHOUT + 3, 3, 18 + 4)
        assert record["engine"] == "packed" and record["pack_width"] == 5 and "fold" not in record
        assert record["normal"] == [0, UNLABELLED] and record["anomalous"] == [1]
    assert len({record["split"] for record in records}) == 5


def test_folds_are_trained_in_a_pack_with_each_other_and_reported(
    command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write("pay.csv")
    assert command(*QUICK, "scenario=kfold", "scenario.folds=3", "seeds=[0,1]") == 0
    records = read(Path("r"))
    assert {(r["fold"], r["seed"], r["pack_width"]) for r in records} == {(f, s, 6) for f in range(3) for s in (0, 1)}
    assert {(r["n_train"], r["n_labelled"], r["n_test"]) for r in records} == {(40 + WITHOUT + 8, 8, 20 + 4)}
    for r in records:
        cell = {name: r[name] for name in ("normal", "anomalous", "tested", "fold")}
        assert r["key"] == key(r["config"], cell, r["seed"]), "the key can be computed from the record"
    assert command(*QUICK, "scenario=kfold", "scenario.folds=3", "seeds=[0,1]", "scenario.fold=1,2", "-m") == 0
    assert "2 jobs, 4 runs, 4 of them recorded before" in capsys.readouterr().out
    write("pay.csv", shift=6)  # other rows under the same name are other runs, one of which is planned only
    assert command(*QUICK, "scenario=kfold", "scenario.folds=3", "seeds=[0]", "scenario.fold=2") == 0
    capsys.readouterr()
    report_lines = reported(monkeypatch, capsys)
    (first,) = [line for line in report_lines if line.startswith("pay") and "6/6" in line]
    (second,) = [line for line in report_lines if line.startswith("pay") and "1/1" in line]
    assert first.split()[:3] == second.split()[:3] == ["pay", "kfold", "aesad"]
    assert any("content=" in line for line in report_lines), "what tells the two tables apart is said"


def reported(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Lines of `python -m semiad.report results=r`."""
    monkeypatch.setattr("sys.argv", ["report", "results=r"])
    report.main()
    return capsys.readouterr().out.splitlines()


def test_a_page_names_the_folds(command: Command) -> None:
    write("pay.csv")
    assert command(*QUICK, "scenario=kfold", "scenario.folds=2", "seeds=[0]", "method=iforest") == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["report", "results=r", "--out", "page.html"])
        report.main()
    page = Path("page.html").read_text()
    assert "0,unlabelled vs 1, fold 0" in page and "0,unlabelled vs 1, fold 1" in page


def test_the_key_is_of_the_content_and_not_of_the_path(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    write("pay.csv")
    few = ("scenario=holdout", "seeds=[0]", "method=iforest")
    assert command(*QUICK, *few) == 0
    (before,) = read(Path("r"))
    Path("elsewhere").mkdir()
    shutil.copy("pay.csv", "elsewhere/pay.csv")
    text = Path("pay.csv").read_text()
    Path("pay.tsv").write_text(text.replace(",", "\t"))
    for path in (Path("elsewhere/pay.csv"), Path("elsewhere/pay.csv").resolve(), "pay.tsv"):
        capsys.readouterr()
        assert command(*QUICK, *few, f"dataset.path={path}") == 0
        assert "1 recorded already, 0 to train" in capsys.readouterr().out
    assert str(Path.cwd()) not in json.dumps(before) and "path" not in before["config"]["dataset"]
    header, *lines = text.splitlines()
    lines[0] = "9" + lines[0]
    Path("pay.csv").write_text("\n".join([header, *lines]))
    load_dataset.cache_clear()
    assert command(*QUICK, *few) == 0
    contents = {record["config"]["content"] for record in read(Path("r"))}
    assert len(contents) == 2 and before["config"]["content"] in contents


def test_other_words_for_labels_and_no_checked_normal_rows(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    write("pay.csv", "fraud", "ok")
    few = ("scenario=holdout", "seeds=[0]", "method=iforest")
    assert command(*QUICK, *few, "dataset.anomaly=fraud", "dataset.normal=ok") == 0
    assert "labelled normal" not in capsys.readouterr().out
    write("pay.csv", "1", "")
    assert command(*QUICK, *few) == 0
    out = capsys.readouterr().out
    assert (
        out.count("warning: pay.csv has no row that is labelled normal: the 88 unlabelled ones stand for normal") == 1
    )
    (record,) = [record for record in read(Path("r")) if record["normal"] == [0]]
    assert record["n_train"] == 62 + 8 and record["n_test"] == 26 + 4
    # Classes 0 and 1 are those of any table: its scenarios, too, can be had.
    assert command(*QUICK, "scenario=table_fraction", "seeds=[0]", "method=iforest") == 0


def test_columns_are_encoded_by_all_rows_and_scaled_by_the_training_rows(tmp_path: Path) -> None:
    path = tmp_path / "small.csv"
    path.write_text("id,amount,kind,day,y\n" + "".join(f"{i},{i * i},{'ab'[i % 2]},,{int(i > 7)}\n" for i in range(10)))
    path.write_text(path.read_text().replace("16,", "inf,").replace("25,", ","))
    table = Frame(str(path), "y", drop=["id"])(tmp_path)
    assert table.labels.name == "small" and table.labels.classes == (0, 1) and table.top is None
    assert table.labels.y.tolist() == [0] * 8 + [1] * 2
    amount, missing, a, b = table.x.T[:4]
    finite = [0, 1, 4, 9, 36, 49, 64, 81]
    assert amount.tolist() == [0, 1, 4, 9, 81, np.median(finite), 36, 49, 64, 81], "an infinite value is the largest"
    assert missing.tolist() == [0] * 5 + [1] + [0] * 4 and (a + b == 1).all()
    split = Holdout(0.3, "all").split(Cell((0,), (1,)), table.labels, 0)
    data = SplitData(table, split, False, 4, 0)
    train = table.x[torch.from_numpy(split.train)]
    assert torch.equal(data.scale.low, train.amin(0)) and data.x.amax() == 1 and data.x.amin() == 0


def test_what_a_user_says_of_columns_counts(command: Command) -> None:
    write("pay.csv")
    table = Frame("pay.csv", "fraud", kinds={"rate": "dropped"}, drop=["kind"])(Path())
    assert table.x.shape == (100, 1)
    check_dataset(*FRAME, "dataset.drop=[kind]", "dataset.kinds={rate: dropped}")


def test_texts_for_missing_values_are_missing(tmp_path: Path) -> None:
    values = [f"{i % 9}" for i in range(27)]
    spoilt = pl.DataFrame({"a": [*values, "?"], "y": [1, *[0] * 27]})
    spoilt.write_csv(tmp_path / "a.csv")
    spoilt.with_columns(a=pl.Series([*values, None])).write_csv(tmp_path / "b.csv")
    first, second = Frame(tmp_path / "a.csv", "y", missing=["?"])(Path()), Frame(tmp_path / "b.csv", "y")(Path())
    assert torch.equal(first.x, second.x) and first.x.shape == (28, 2) and first.x[-1].tolist() == [4, 1]


@pytest.mark.parametrize("words", [("scenario=kfold",), ("scenario=holdout",), ("scenario=kfold", "scenario.folds=12")])
@pytest.mark.parametrize("labelled", ["all", "4", "0.05"])
@pytest.mark.parametrize("unlabelled", [True, False])
def test_scenarios_keep_the_contract(words: tuple[str, ...], labelled: str, unlabelled: bool) -> None:
    check_scenario(*words, f"scenario.labelled={labelled}", labels=labels(unlabelled))


def test_each_row_with_a_label_is_tested_once_by_the_folds_of_a_seed() -> None:
    table, scenario = labels(), KFold(5, "all")
    splits = [scenario.split(cell, table, 3) for cell in scenario.cells(table)]
    assert sorted(np.concatenate([split.test for split in splits])) == np.flatnonzero(table.y < 2).tolist()
    assert [int(split.truth.sum()) for split in splits] == [3, 3, 2, 2, 2]
    for split in splits:
        assert np.isin(np.flatnonzero(table.y == 2), split.train[split.s == 0]).all(), "rows without a label train"
        assert split.s.sum() == ANOMALOUS - split.truth.sum() and split.n_polluted == 0
    (one,) = KFold(5, "all", fold=2).cells(table)
    assert one == Cell((0, UNLABELLED), (1,), fold=2) and scenario.split(one, table, 3).digest == splits[2].digest


def test_fewer_labels_differ_in_nothing_else() -> None:
    for scenario, cell in ((Holdout, CELL), (KFold, Cell(*CELL.fields.values(), fold=1))):
        first = 0.3 if scenario is Holdout else 4
        few, many, share = (scenario(first, n).split(cell, labels(), 0) for n in (2, 5, 0.1))
        assert few.test.tolist() == many.test.tolist() == share.test.tolist()
        assert few.train[few.s == 0].tolist() == many.train[many.s == 0].tolist()
        assert set(few.train[few.s == 1]) < set(many.train[many.s == 1]) and few.s.sum() == 2
        assert share.s.sum() == round(len(few.train[few.s == 0]) / 9), "10 % of the training rows"
        assert not scenario(first, 0).split(cell, labels(), 0).s.any()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["dataset.path=none.csv"], "dataset.path: none.csv does not exist"),
        (
            ["dataset.label=frud"],
            "dataset.label of pay.csv: there is no column 'frud' for the labels; the columns are amount",
        ),
        (["dataset.kinds={kind: number}"], "pay.csv: column 'kind' is of numbers, but holds '"),
        (["scenario=kfold", "scenario.folds=13"], "scenario.folds is 13, but pay has only 12 anomalous rows, and each"),
        (["scenario=one_vs_one"], "data set pay has no official split into training and test rows"),
    ],
)
def test_a_mistake_is_a_sentence_before_anything_is_trained(
    words: list[str], sentence: str, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    write("pay.csv")
    given = {
        **dict(word.split("=", 1) for word in ("scenario=holdout", *QUICK)),
        **dict(w.split("=", 1) for w in words),
    }
    assert command(*(f"{name}={value}" for name, value in given.items())) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and sentence in error, error
    assert not Path("r").exists()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"path": None}, "dataset.path is None, expected a file"),
        ({"path": "pay.docx"}, "dataset.path: pay.docx has the suffix '.docx', expected one of .csv"),
        ({"label": None}, "dataset.label is None, expected the name of a column"),
        ({"label": "y"}, "dataset.label of pay.csv: there is no column 'y' for the labels; the columns are amount"),
        ({"label": "kind"}, "dataset.label of pay.csv: labels are 1 (anomaly), 0 (checked normal) or empty or -1"),
        ({"label": "kind"}, "there is a, b, c: say by `anomaly` and `normal` which"),
        ({"anomaly": "x", "normal": "x"}, "`anomaly` and `normal` are both 'x', expected two different"),
        ({"drop": "kind"}, "dataset.drop is kind, expected a list of columns such as dataset.drop=[id]"),
        ({"drop": ["knd"]}, "pay.csv: there is no column 'knd'; the columns are amount, kind, rate"),
        ({"drop": ["amount", "kind", "rate"]}, "pay.csv: no column is left to learn from (amount: as asked for"),
        ({"missing": "?"}, "dataset.missing is ?, expected a list of texts"),
        ({"kinds": 3}, "dataset.kinds is 3, expected kinds by column, such as dataset.kinds={zip: category}"),
    ],
)
def test_a_setting_of_a_file_that_cannot_be(
    settings: dict[str, Any], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write("pay.csv")
    with pytest.raises(InputError) as caught:
        Frame(**{"path": "pay.csv", "label": "fraud", **settings})(Path())
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("scenario", "settings", "sentence"),
    [
        (KFold, (1, "all"), "scenario.folds is 1, expected a whole number from 2 on"),
        (KFold, (5, "all", 5), "scenario.fold is 5, expected a whole number from 0 to 4, or null for all"),
        (KFold, (5, 11), "11 labelled training rows asked for of class 1, but only 9 are available"),
        (KFold, (5, None), "scenario.labelled is None, expected all, a whole number of rows, or a share"),
        (Holdout, (0.3, -1), "scenario.labelled is -1, expected a share of at least 0 and below 1, or a whole"),
        (Holdout, (0.3, True), "scenario.labelled is True, expected a share of at least 0 and below 1, or a whole"),
        (Holdout, (1, "all"), "scenario.test is 1, expected a share above 0 and below 1"),
        (
            TableFraction,
            (0.6, 0.1),
            "needs a table with classes 0 and 1, but pay has unlabelled rows: use scenario=holdout",
        ),
    ],
)
def test_a_setting_of_a_scenario_that_cannot_be(
    scenario: Callable[..., Scenario], settings: tuple[Any, ...], sentence: str
) -> None:
    with pytest.raises(InputError) as caught:
        chosen = scenario(*settings)
        chosen.split(chosen.cells(labels())[0], labels(), 0)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("a,y\n" + "1,1\n2,1\n", "dataset.label is 'y', but every row of t.csv is labelled anomalous"),
        ("a,y\n" + "1,0\n2,\n", "dataset.label is 'y', but no row of t.csv is labelled anomalous, so that nothing can"),
        ("y\n1\n0\n", "dataset.label of t.csv: 'y' is the only column, expected others to learn from"),
        ("a,y\n" + "3,1\n3,0\n3,0\n", "t.csv: no column is left to learn from (a: constant: '3')"),
    ],
)
def test_a_file_that_cannot_be_learnt_from(
    content: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text(content)
    with pytest.raises(InputError) as caught:
        Frame("t.csv", "y")(Path())
    assert str(caught.value).startswith(sentence)


def test_a_cell_without_folds_is_what_it_was() -> None:
    cell = {"normal": [8], "anomalous": [3], "tested": None}
    assert Cell((8,), (3,)).fields == {"normal": (8,), "anomalous": (3,), "tested": None}
    for fields in (Cell((8,), (3,)).fields, {**cell, "fold": None}):
        assert key({"a": 1}, fields, 0) == key({"a": 1}, cell, 0) != key({"a": 1}, {**cell, "fold": 0}, 0)
