"""Runs of experiments, methods, data sets and scenarios that semiad does not know are reported like all others."""

import csv
import json
import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from semiad.ledger.reader import Ledger
from semiad.ledger.reader import read as read_ledger
from semiad.report import unlisted
from semiad.report.__main__ import main
from semiad.report.commands import commands
from tests import ledgers
from tests.conftest import CONF, read
from tests.test_tables import Book

pytestmark = pytest.mark.slow

FORMATS = ("terminal", "csv", "markdown", "html", "latex")


def fill(folder: Path, experiment: str = "mine", budget: str = "quick", **more: Any) -> Ledger:
    """Four runs of an unknown method and of AE-SAD, on unknown data in an unknown scenario."""
    rng, shared = np.random.default_rng(0), {"dataset": "my/data", "scenario": "odd", "classes": ["a", "b"]}
    runs = [
        ledgers.run(
            f"{experiment} {budget} {method} {seed}", rng, method=method, seed=seed, normal=["a"], anomalous=["b"],
            config={"epochs": 3}, **{**shared, **more},
        )
        for method in ("novel", "aesad")
        for seed in range(2)
    ]  # fmt: skip
    return ledgers.write(folder / f"{experiment}-{budget}", experiment, runs, budget)


def text_of(folder: Path, form: str, out: Path, *words: str) -> str:
    """What the command writes in a format."""
    main([f"results={folder}", *words, "--format", form, "--out", str(out)])
    return out.read_text()


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("words", [(), ("experiment=mine",), ("experiment=mine", "budget=quick")])
def test_an_experiment_that_semiad_does_not_list_is_in_every_format(
    form: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    ledger = fill(tmp_path / "ledger")
    text = text_of(tmp_path / "ledger", form, tmp_path / "out", *words)
    assert "novel" in text and "aesad" in text and "my/data" in text
    if form != "csv" or words:
        assert "mine" in text and "quick" in text
    mean = ledger.runs.filter(method="novel")["auc"].mean()
    assert f"{mean:.4f}"[1:] in text
    if words and form == "csv":
        rows = list(csv.DictReader(text.splitlines()))
        assert {(row["experiment"], row["budget"], row["verdict"]) for row in rows} == {
            ("mine", "quick", "unpublished")
        }
        (row,) = [row for row in rows if (row["method"], row["metric"]) == ("novel", "AUC")]
        assert (row["data set"], row["scenario"], row["runs"], row["printed"]) == ("my/data", "odd", "2", "")
        assert float(row["ours_mean"]) == pytest.approx(mean)


@pytest.mark.parametrize("form", FORMATS)
def test_one_experiment_is_reported_alone(form: str, tmp_path: Path) -> None:
    fill(tmp_path / "ledger")
    fill(tmp_path / "ledger", "other", dataset="abroad")
    Book(tmp_path / "ledger", "aesad_table2").run("ae", 0.9, "odds/cardio")
    text = text_of(tmp_path / "ledger", form, tmp_path / "out", "experiment=mine")
    assert "my/data" in text and "abroad" not in text and "cardio" not in text


def test_every_budget_and_data_set_has_a_table_of_its_own(tmp_path: Path) -> None:
    fill(tmp_path, budget="full")
    fill(tmp_path, budget="quick")
    fill(tmp_path, "mine2", dataset="b")
    Book(tmp_path, "mine", None).run("ae", 0.9, "odds/cardio")
    ledger = read_ledger(tmp_path)
    results = unlisted.results(ledger, [])
    assert [(one.title, one.budget) for one in results] == [
        ("mine: my/data, odd", "full"),
        ("mine: my/data, odd", "quick"),
        ("mine: odds/cardio, one_vs_one", None),
        ("mine2: b, odd", "quick"),
    ]
    assert len({one.name for one in results}) == 4
    assert {key for one in results for entry in one.entries for key in entry.keys} == {*ledger.runs["key"]}
    quick = unlisted.results(ledger, [], "quick")
    assert [one.title for one in quick] == ["mine: my/data, odd", "mine2: b, odd"]


def test_runs_of_no_experiment_stay_apart(tmp_path: Path) -> None:
    fill(tmp_path)
    book = Book(tmp_path, "x", None)
    book.name = None  # type: ignore[assignment]
    key = book.run("ae", 0.9)
    *_, last = unlisted.results(read_ledger(tmp_path), [])
    assert last.title == "mnist, one_vs_one" and last.experiment == "" and last.entries[0].keys == (key,)
    assert last.commands == [f"python -m semiad.report results={tmp_path}"]


def test_holes_changes_and_notes_are_told(tmp_path: Path) -> None:
    book = Book(tmp_path, "mine")
    book.run("novel", 0.9)
    book.run("novel", None, seed=1, status="failed", reason="the loss is nan", changes="epochs=3")
    book.run("novel", None, seed=2, status="missing")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.md").write_text("Because.")
    (result,) = unlisted.of_experiment(read_ledger(tmp_path), "mine")
    assert result.notes == "Because." and result.entries[0].holes == "1/3"
    assert "not the experiment as it stands: 1 runs with epochs=3" in result.remarks
    assert any(remark.startswith("missing: 1 of 3 runs of mnist one_vs_one novel") for remark in result.remarks)
    assert result.commands == [
        f"python -m semiad.train experiment=mine budget=quick results={tmp_path} -m",
        f"python -m semiad.train experiment=mine budget=quick epochs=3 results={tmp_path} -m",
        f"python -m semiad.report experiment=mine budget=quick results={tmp_path}",
    ]


def test_a_budget_that_is_not_planned_is_one_sentence(tmp_path: Path) -> None:
    fill(tmp_path)
    with pytest.raises(SystemExit, match=r"^error: budget=full of experiment=mine is not planned in .*, only quick$"):
        main([f"results={tmp_path}", "experiment=mine", "budget=full"])
    with pytest.raises(
        SystemExit, match=r"there is no experiment 'mime', only aesad_table1, .*, mine\. Did you mean mi"
    ):
        main([f"results={tmp_path}", "experiment=mime"])


def test_the_overview_names_the_experiments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path)
    main([f"results={tmp_path}"])
    told = (
        f"experiment mine (quick), 4 of 4 runs: python -m semiad.report experiment=mine budget=quick results={tmp_path}"
    )
    assert told in capsys.readouterr().out.splitlines()


def test_a_document_names_the_command_that_writes_it(tmp_path: Path) -> None:
    fill(tmp_path, budget="full")
    fill(tmp_path, budget="quick")
    text = text_of(tmp_path, "markdown", tmp_path / "all.md", "experiment=mine")
    words = f"experiment=mine results={tmp_path} --format markdown --out {tmp_path / 'all.md'}"
    assert f"`python -m semiad.report {words}`" in text


YAML = """# @package _global_
defaults:
  - override /scenario: one_vs_one
epochs: 1
seeds: [0]
scenario: {normal: 8, anomalous: 3}
hydra: {sweeper: {params: {method: "ae,aesad"}}}
"""


@pytest.mark.parametrize("how", ["config_dir", "search_path"])
def test_the_command_of_an_experiment_of_the_user_runs_as_it_stands(how: str, tmp_path: Path) -> None:
    """From a folder whose name needs quotes in a shell and in Hydra's grammar."""
    conf = tmp_path / "my conf, mine"
    (conf / "experiment").mkdir(parents=True)
    (conf / "experiment" / "mine.yaml").write_text(YAML)
    place = {"config_dir": str(conf), "search_path": json.dumps([f"file://{conf}"])}
    empty = {"changes": None, "job": None, "sweep": None, "config_dir": None, "search_path": None}
    plans = pl.DataFrame([{**empty, how: place[how]}], schema=dict.fromkeys(empty, pl.String))
    train, report = commands("mine", None, plans, tmp_path / "my results")
    env = {**os.environ, "PYTHONPATH": str(CONF.parent)}
    words = [sys.executable, *shlex.split(train)[1:]]
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {record["method"] for record in read(tmp_path / "my results")} == {"ae", "aesad"}
    told = subprocess.run(
        [sys.executable, *shlex.split(report)[1:]], env=env, capture_output=True, text=True, check=True
    )
    assert told.stdout.startswith("mine: digits, one_vs_one (full): 2 runs.")


def test_commands_carry_what_their_plans_record(tmp_path: Path) -> None:
    ledger = fill(tmp_path)
    path = json.dumps(["pkg://mypkg.conf", "file:///x/conf"])
    plans = ledger.plans.with_columns(config_dir=pl.lit("my conf"), search_path=pl.lit(path))
    (result,) = unlisted.of_experiment(replace(ledger, plans=plans), "mine")
    assert result.commands[0] == (
        "python -m semiad.train --config-dir 'my conf' 'hydra.searchpath=[pkg://mypkg.conf,file:///x/conf]' "
        f"experiment=mine budget=quick results={ledger.folder} -m"
    )
    assert result.commands[1].startswith("python -m semiad.report experiment=mine")
