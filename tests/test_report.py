import csv
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from semiad.ledger.reader import read as read_ledger
from semiad.ledger.record import Record
from semiad.ledger.writer import LedgerWriter
from semiad.report import summary, unlisted
from semiad.report.__main__ import main
from tests.test_records import make_record

PLAN = {"method": "ae", "dataset": "digits", "scenario": "one_vs_one", "config": {"epochs": 5, "method": {"lr": 1}}}


def full(key: str, auc: float | None, **more: object) -> Record:
    figures = {name: auc for name in ("ap", "auc_seen", "auc_unseen")}
    return make_record(key, auc, **{"config": PLAN["config"], **figures, **more})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four planned runs: two good, one failed, one missing; and two runs with other settings."""
    writer = LedgerWriter(tmp_path / "ledger")
    writer.plan(PLAN, [{"key": k, "normal": [8], "anomalous": [i], "seed": 0} for i, k in enumerate("abcd")])
    writer.append(full("a", 0.8))
    writer.append(full("b", 0.9))
    writer.append(full("c", None, status="failed", reason="the training loss is nan in epoch 2"))
    other = {"epochs": 9, "method": {"lr": 1, "lam": {"alpha": 0.5}}}
    writer.append(full("e", 0.5, method="aesad", config=other))
    writer.append(full("f", 0.6, method="aesad", config={**other, "method": {"lr": 2, "lam": {"alpha": 0.5}}}))
    return tmp_path / "ledger"


def test_table_and_remarks(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([f"results={folder}"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == "data set scenario method runs AUC AP AUC seen AUC unseen".split()
    assert lines[1].split()[:7] == ["digits", "one_vs_one", "ae", "2/4", "0.8500", "±", "0.0707"]
    assert lines[2].split()[:6] == ["digits", "one_vs_one", "aesad", "1", "1/1", "0.5000"]
    assert lines[3].split()[:6] == ["digits", "one_vs_one", "aesad", "2", "1/1", "0.6000"]
    assert lines[4:] == [
        "digits one_vs_one ae: epochs=5",
        "digits one_vs_one aesad 1: epochs=9 method.lr=1",
        "digits one_vs_one aesad 2: epochs=9 method.lr=2",
        "failed: 1 of 4 runs of digits one_vs_one ae: 8 vs 3 seed 0 (the training loss is nan in epoch 2)",
        "missing: 1 of 4 runs of digits one_vs_one ae: 8 vs 3 seed 0",
    ]


def test_csv(folder: Path, tmp_path: Path) -> None:
    main([f"results={folder}", "--format", "csv", "--out", str(tmp_path / "new" / "t.csv")])
    rows = list(csv.DictReader((tmp_path / "new" / "t.csv").read_text().splitlines()))
    first = rows[0]
    assert [first[k] for k in ("dataset", "method", "planned", "runs", "failed", "missing")] == [
        "digits",
        "ae",
        "4",
        "2",
        "1",
        "1",
    ]
    assert float(first["auc_mean"]) == pytest.approx(0.85) and float(first["auc_std"]) == pytest.approx(0.1 / 2**0.5)
    assert rows[1]["auc_std"] == "" and len(rows) == 3


def test_an_empty_folder_gives_a_table_of_holes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([f"results={tmp_path}"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["-", "-", "-", "0/0", "-", "-", "-", "-"] and "no records and no plans" in lines[2]


def test_a_plan_without_records_is_a_row_of_holes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    LedgerWriter(tmp_path).plan(PLAN, [{"key": str(i), "normal": [8], "anomalous": [3], "seed": i} for i in range(7)])
    main([f"results={tmp_path}"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["digits", "one_vs_one", "ae", "0/7", "-", "-", "-", "-"]
    assert lines[2].startswith("missing: 7 of 7 runs") and lines[2].endswith("8 vs 3 seed 4; ...")


def test_conflicts_are_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for auc in (0.5, 0.6):
        LedgerWriter(tmp_path).append(full("a", auc))
    with pytest.raises(SystemExit) as ended:
        main([f"results={tmp_path}"])
    assert str(ended.value.code).startswith("error: a (digits one_vs_one ae")
    assert "0.6000" in capsys.readouterr().out


@pytest.mark.parametrize(("words", "sentence"), [
    (["results=none"], "results=none is no folder: python -m semiad.train results=none makes one"),
    (["results=.", "experiment=aesad_tabel5"], "there is no experiment 'aesad_tabel5', only aesad_table1, .*table5\\?"),
    (["results=.", "budget=quick"], "budget=quick is of an experiment: experiment=NAME names one"),
    (["results=.", "experiment=aesad_table5", "budget=tiny"], "there is no budget 'tiny', only full and quick"),
    (["results=.", "--format", "html"], "results=. holds no runs and no plans: python -m semiad.train makes some"),
    (["results=.", "--format", "csv", "--out", "file/t.csv"], r"--out file/t.csv cannot be written \(File exists\)"),
    (["results=.", "experiment=esad_table4", "--format", "latex", "--out", "."], r"out . cannot be written \(Is a"),
    (["results=.", "experiment=esad_table4", "--format", "html", "--out", "file/r.html"], "cannot be written"),
])  # fmt: skip
def test_bad_input_is_one_sentence(
    words: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    with pytest.raises(SystemExit, match=sentence) as ended:
        main(words)
    assert str(ended.value.code).startswith("error: ") and "\n" not in str(ended.value.code)


@pytest.mark.parametrize("word", ["outputs", "results=", "size=3"])
def test_words_that_are_no_settings_are_refused(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([word])
    assert f"'{word}' is none of experiment=..., budget=..., results=..." in capsys.readouterr().err


def test_starts_without_torch_and_is_not_cut_in_a_pipe(folder: Path) -> None:
    heavy = {"torch", "pytorch_lightning", "hydra", "matplotlib", "pandas", "scipy", "sklearn", "jinja2"}
    code = f"import sys; from semiad.report.__main__ import main; main(['results={folder}']); " \
        f"sys.exit(bool({heavy} & set(sys.modules)))"  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"COLUMNS": "40"})
    assert done.returncode == 0, done.stderr
    assert "failed: 1 of 4 runs of digits one_vs_one ae: 8 vs 3 seed 0 (the training loss" in done.stdout


def test_numbers_in_settings_are_in_order_of_size() -> None:
    words = ["epochs=100", "epochs=20", "alpha=0.5 epochs=3", "alpha=0.25 epochs=3", ""]
    ordered = ["", "alpha=0.25 epochs=3", "alpha=0.5 epochs=3", "epochs=20", "epochs=100"]
    assert sorted(words, key=summary.natural_key) == ordered


def test_no_figure_is_cut_in_a_narrow_terminal(folder: Path) -> None:
    found = summary.groups(read_ledger(folder))
    for width in (40, 60, 70, 80, 100, 140):
        console = Console(width=width, file=io.StringIO())
        summary.show(found, console)
        shown = console.file.getvalue()
        assert shown.count("0.8500") == 4 and shown.count("0.0707") == 4 and "…" not in shown
        assert all(len(line) <= width for line in shown.splitlines())
        assert all(head in shown for head in ("runs", "AUC", "AP", "AUC seen", "AUC unseen", "scenario", "data set"))


def test_cells_of_other_sizes_are_another_protocol(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer = LedgerWriter(tmp_path)
    writer.append(full("a", 0.5, anomalous=[1, 2]))
    writer.append(full("b", 0.9, anomalous=[1, 2, 3]))
    main([f"results={tmp_path}"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[3:] == [
        "digits one_vs_one ae 1: anomalous classes=2",
        "digits one_vs_one ae 2: anomalous classes=3",
    ]


def test_a_setting_that_only_one_has_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer = LedgerWriter(tmp_path)
    writer.append(full("a", 0.5, config={"method": {"lr": 1}}))
    writer.append(full("b", 0.9, config={"method": {"lr": 1, "net": {"latent": 4}}}))
    main([f"results={tmp_path}"])
    assert capsys.readouterr().out.splitlines()[-1] == "digits one_vs_one ae 2: network.latent=4"


def test_runs_of_no_experiment_have_a_page_too(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path / "ledger")
    for key, seed, auc in (("a", 0, 0.8), ("b", 1, 0.9)):
        writer.append(full(key, auc, seed=seed))
    found = unlisted.results(read_ledger(tmp_path / "ledger"), [])
    (result,) = found
    (entry, *_) = result.entries
    assert result.title == "digits, one_vs_one" and (entry.row, entry.column) == (("ae",), ("AUC",))
    assert entry.ours is not None and entry.ours.mean == pytest.approx(0.85) and entry.keys == ("a", "b")
    page = tmp_path / "page.html"
    main([f"results={tmp_path / 'ledger'}", "--out", str(page)])
    assert "digits, one_vs_one</h2>" in re.sub(r"\s*<a[^>]*>.*?</a>", "", page.read_text())


@pytest.mark.parametrize(("suffix", "start"), [("csv", "dataset,"), ("md", "## "), ("tex", "%"), ("txt", "data set")])
def test_the_suffix_decides_on_the_format(
    suffix: str, start: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    LedgerWriter(tmp_path / "ledger").append(full("a", 0.8))
    out = tmp_path / f"table.{suffix}"
    main([f"results={tmp_path / 'ledger'}", "--out", str(out)])
    assert out.read_text().lstrip().startswith(start) and capsys.readouterr().err == f"written: {out}\n"


@pytest.mark.parametrize("form", ["terminal", "csv", "markdown"])
def test_the_overview_has_the_tables_of_which_no_run_is_planned(form: str, tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path / "r")
    run = {"key": "k", "normal": [0], "anomalous": [1], "tested": None, "seed": 0}
    names = {"method": "ae", "dataset": "odds/cardio", "scenario": "table", "config": {}}
    writer.plan({**names, "experiment": "aesad_table2", "budget": "quick", "changes": None}, [run])
    main([f"results={tmp_path / 'r'}", "--overview", "--format", form, "--out", str(tmp_path / "out")])
    text = (tmp_path / "out").read_text()
    assert "AE-SAD Table 8" in text and "no run is planned" in text and "planned, and not recorded: cardio 1" in text
    assert "ESAD Table 4" not in text.replace("AE-SAD", "")  # nothing of this paper is planned
    if form == "csv":
        rows = {row["experiment"]: row for row in csv.DictReader(text.splitlines())}
        assert (rows["aesad_table8"]["missing"], rows["aesad_table8"]["published"]) == ("16", "16")
        assert int(rows["all"]["missing"]) == int(rows["all"]["runnable"]) == 18 + 2 + 110 + 5 + 333 + 45 + 300 + 16
