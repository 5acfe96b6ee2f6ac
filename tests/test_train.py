"""The command: what it plans, trains, records, refuses and survives."""

import csv
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
import yaml
from rich.console import Console

import semiad.methods.ae
import semiad.train
from semiad.ledger.reader import read as read_ledger
from semiad.runs import canonical, key
from semiad.types import Dataset, Labels
from tests.conftest import CONF, SMALL, counted, read, shortened
from tests.test_datasets import write_letters

Command = Callable[..., int]
RESULTS = Path("outputs/results")
RECORDED = (
    "key method dataset scenario normal anomalous seed split n_train n_labelled n_polluted n_test auc ap auc_seen "
    "auc_unseen auc_by_class pack_width epochs steps seconds engine device versions commit config schema status"
).split()


def test_a_record_has_all_that_it_promises(command: Command) -> None:
    assert command(*SMALL, "device=cpu") == 0
    (got,) = read(RESULTS)
    assert set(RECORDED) <= set(got)
    assert (got["method"], got["dataset"], got["scenario"]) == ("aesad", "digits", "one_vs_one")
    assert (got["normal"], got["anomalous"], got["seed"]) == ([8], [3], 0)
    assert (got["n_train"], got["n_labelled"], got["n_polluted"], got["n_test"]) == (112, 8, 0, 719)
    assert (got["epochs"], got["steps"], got["engine"], got["device"]) == (2, 8, "lightning", "cpu")
    assert got["pack_width"] == 1 and got["tested"] is None
    assert (got["status"], got["schema"]) == ("ok", 1) and got["versions"]["torch"] == torch.__version__.split("+")[0]
    assert set(got["auc_by_class"]) == {str(c) for c in range(10)} - {"8"}
    assert got["auc_by_class"]["3"] == got["auc_seen"] and 0.5 < got["auc"] < 1
    # The key can be computed from the record.
    assert got["key"] == key(
        got["config"], {name: got[name] for name in ("normal", "anomalous", "tested")}, got["seed"]
    )


@pytest.mark.parametrize("path", sorted(CONF.glob("method/*.yaml")), ids=lambda path: path.stem)
def test_every_method_trains(path: Path, command: Command) -> None:
    words = [f"method={path.stem}", *SMALL]
    assert command(*(shortened(words) if path.stem == "auto" else words)) == 0
    assert [r["status"] for r in read(RESULTS)] == ["ok"]


NETWORKS = sorted(
    path for path in CONF.glob("network/*.yaml") if not path.stem.startswith("papers")
)  # which chooses among them


@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.stem)
def test_every_network_trains(path: Path, command: Command, tmp_path: Path) -> None:
    words = SMALL
    if path.stem in ("a3_conv", "lenet", "vgg"):  # digits are too small for them
        write_letters(tmp_path)
        words = ("dataset=emnist", f"data_root={tmp_path}", "scenario.normal=A", "scenario.anomalous=B", "epochs=1")
        words += ("seeds=[0]", "scenario.labelled=1")
    if path.stem.startswith("dgm"):  # no autoencoder, so no network of AE-SAD
        words += (f"method=ss_{path.stem}",)
    assert command(f"network={path.stem}", *words) == 0
    (got,) = read(RESULTS)
    assert got["status"] == "ok" and got["config"]["method"]["net"] == canonical(settings(path))


def settings(path: Path) -> dict[str, Any]:
    """What a preset says, and those that it is made from."""
    own = yaml.safe_load(path.read_text())
    for other in own.pop("defaults", ()):
        own = {**settings(path.with_stem(other)), **own}
    return cast("dict[str, Any]", own)


@pytest.mark.parametrize(
    ("name", "cells"), [("one_vs_one", 90), ("one_vs_many", 30), ("one_vs_all", 10), ("many_vs_many", 4)]
)
def test_every_scenario_trains(name: str, cells: int, command: Command) -> None:
    words = [f"scenario={name}", "seeds=[0]", "scenario.labelled=1", "scenario.pollution=0.05"]
    assert command(*words, "epochs=1", f"shards={min(9, cells)}", "shard=0") == 0
    assert len(read(RESULTS)) == cells // min(9, cells) > 0
    for got in read(RESULTS):
        assert got["n_polluted"] > 0 and got["n_labelled"] == (
            len(got["anomalous"]) if "all" in name or name == "one_vs_many" else 1
        )


@pytest.mark.parametrize(
    ("name", "words", "n_labelled", "n_polluted"),
    # Of 104 rows of class 8: 1.05 are 1 % beside them, 11.6 are 10 %, and beside both 6.1 are 5 %.
    [
        ("labelled_ratio", ["scenario.anomalous=3"], 1, 0),
        ("pollution_ratio", ["scenario.anomalous=3"], 6, 11),
        ("labelled_classes", ["scenario.classes=2"], 6, 11),
    ],
)
def test_scenarios_of_esad_train(
    name: str, words: list[str], n_labelled: int, n_polluted: int, command: Command
) -> None:
    few = [f"scenario={name}", "seeds=[0]", "scenario.normal=8", "epochs=1", *words]
    assert command(*few) == command(*few, "scenario.variant=published", "results=published") == 0
    (got,), (published,) = read(RESULTS), read(Path("published"))
    assert (got["n_labelled"], got["n_polluted"]) == (n_labelled, n_polluted) and got["status"] == "ok"
    assert got["n_train"] == published["n_train"] == 104 + n_labelled + n_polluted
    assert got["auc_seen"] is not None and got["auc_unseen"] is not None
    assert got["key"] != published["key"] and published["config"]["scenario"]["variant"] == "published"
    assert got["split"] != published["split"] or not n_polluted


@pytest.mark.parametrize("name", ["table_fraction", "table_stratified"])
def test_scenarios_on_tables_train(name: str, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("semiad.command.job.load_dataset", lambda *_: small_table())
    assert command(f"scenario={name}", "dataset=odds", "seeds=[0,1]", "epochs=1", "scenario.labelled=0.1") == 0
    got = read(RESULTS)
    # 60 of 100 normal rows train, 6.7 anomalies are 10 % with them; 40 % of 20, or all others, are tested.
    labelled, tested = {"table_fraction": (7, 53), "table_stratified": (6, 48)}[name]
    assert {(r["n_train"], r["n_labelled"], r["n_test"]) for r in got} == {(60 + labelled, labelled, tested)}
    assert len(got) == 2 and {r["status"] for r in got} == {"ok"} and got[0]["auc_seen"] is None


def small_table() -> Dataset:
    """100 normal rows and 20 anomalies of four features."""
    y = np.repeat([0, 1], [100, 20])
    x = torch.randn(120, 4, generator=torch.Generator().manual_seed(0)) + torch.from_numpy(y)[:, None]
    return Dataset(Labels("odds/small", (0, 1), y, None), x.float(), None)


def test_dry_run_plans_the_paper_and_trains_nothing(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("dry_run=true", "-m") == 0
    out = capsys.readouterr().out
    # Classes differ in size: the parts are of equal cost to within a run, not of equally many runs.
    rows = [int(n) for n in re.findall(r" runs of 100 epochs, (\d+) training rows", out)]
    assert len(rows) == 10 and sum(rows) == 104220 and max(rows) - min(rows) < 120
    assert "10 jobs, 900 runs, 0 of them recorded before" in out
    assert command("dry_run=true") == 0
    assert (
        "900 runs of 100 epochs, 104220 training rows, 647100 test rows, 0 recorded already" in capsys.readouterr().out
    )
    assert not RESULTS.exists()


def test_multirun_and_single_run_have_the_same_keys(command: Command) -> None:
    few = ("epochs=1", "seeds=[0]", "scenario.normal=8")
    assert command(*few, "results=one") == command(*few, "results=many", "-m") == 0
    one, many = read(Path("one")), read(Path("many"))
    assert len(one) == 9 and [(r["key"], r["auc"]) for r in one] == [(r["key"], r["auc"]) for r in many]


def test_what_only_places_or_selects_runs_is_not_in_the_key(command: Command) -> None:
    assert command(*SMALL) == 0
    assert command("epochs=2", "seeds=[0,0,1]", "scenario.normal=8", "results=other", "eval_every=1", "shards=3") == 0
    assert {r["key"] for r in read(RESULTS)} < {r["key"] for r in read(Path("other"))}
    assert len(read(Path("other"))) == 18


def test_figures_are_the_same_to_the_last_digit(command: Command) -> None:
    few = ("epochs=2", "seeds=[0,1]", "scenario.normal=8", "scenario.anomalous=3")
    assert command(*few, "results=a") == 0 and command(*few, "results=b", "eval_every=1") == 0
    varying = ("seconds", "finished", "curve", "auc_at_min_loss")
    a, b = ([{k: v for k, v in r.items() if k not in varying} for r in read(Path(d))] for d in "ab")
    assert a == b


def test_a_rerun_trains_what_is_missing_only(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(*SMALL) == 0
    first = read(RESULTS)
    assert command(*SMALL, "seeds=[0,1]") == 0
    assert "2 runs, 1 recorded already, 1 to train" in capsys.readouterr().out
    assert command(*SMALL, "seeds=[0,1]") == 0
    assert "2 runs, 2 recorded already, 0 to train" in capsys.readouterr().out
    assert len(read(RESULTS)) == 2 and first[0] in read(RESULTS)


def test_force_trains_again_and_supersedes(command: Command) -> None:
    assert command(*SMALL) == command(*SMALL, "force=true") == 0
    old, new = read(RESULTS)
    assert old["key"] == new["key"] and [old["forced"], new["forced"]].count(True) == 1
    assert counted(RESULTS)[old["key"]]["forced"]


def test_curves_and_auc_at_min_loss(command: Command) -> None:
    assert command(*SMALL, "epochs=6", "eval_every=2") == 0
    (got,) = read(RESULTS)
    rows = list(csv.DictReader((RESULTS / got["curve"]).read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["2", "4", "6"] and {row["key"] for row in rows} == {got["key"]}
    assert float(rows[-1]["auc"]) == got["auc"]
    best = min(rows, key=lambda row: float(row["loss"]))
    assert got["auc_at_min_loss"] == float(best["auc"]) and 0 < float(best["loss"]) < 10
    assert not [path for path in RESULTS.rglob("*.jsonl") if path.parent != RESULTS]


def test_checkpoints_hold_the_trained_method(command: Command) -> None:
    assert command(*SMALL, "engine.checkpoints=true") == 0
    (got,) = read(RESULTS)
    (path,) = Path("outputs/runs").rglob("*.ckpt")
    kept = torch.load(path, weights_only=True)
    assert path.stem == got["key"] == key(kept["config"], kept["cell"], kept["seed"])
    assert kept["state_dict"]["lam"] == pytest.approx(1 + 0.1 * (112 / 8 - 1))


def test_failed_runs_are_recorded_and_do_not_stop_others(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    few = ("epochs=3", "seeds=[0,1]", "scenario.normal=8", "scenario.anomalous=3")
    bad = ("method.optimizer.lr=1e38",)
    assert command(*few, *bad) == 1
    got = read(RESULTS)
    assert [r["status"] for r in got] == ["failed"] * 2 and {r["auc"] for r in got} == {None}
    assert all("the training loss is" in r["reason"] for r in got)
    assert "2 of 2 runs failed" in capsys.readouterr().out
    assert command(*few, *bad) == 1 and len(read(RESULTS)) == 2
    assert command(*few, *bad, "retry_failed=true") == 1 and len(read(RESULTS)) == 4


def test_constant_scores_are_a_failure(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("semiad.methods.ae.AE.scores", lambda self, x: torch.full((len(x),), 0.5))
    assert command(*SMALL) == 1
    (got,) = read(RESULTS)
    assert (got["status"], got["reason"]) == ("failed", "all 719 test scores equal 0.5")


def test_scores_that_are_not_finite_are_a_failure(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("semiad.methods.ae.AE.scores", lambda self, x: torch.full((len(x),), torch.nan))
    assert command(*SMALL) == 1
    assert read(RESULTS)[0]["reason"] == "719 of 719 test scores are not finite"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["scenario.normal=11"], "scenario.normal: data set digits has no class 11, only 0, 1, 2"),
        (["scenario.labelled=100000"], "100000 labelled rows asked for of class 1, but only 109 are available"),
        (["seeds=[]"], "seeds is an empty list"),
        (["seeds=3"], "seeds is 3, expected a list"),
        (["epochs=9223372036854775808"], "epochs is 9223372036854775808, expected a whole number from 1 to 1000000"),
        (["epochs=-1"], "epochs is -1, expected a whole number from 1 to 1000000"),
        (["epochs=many"], "epochs is many, expected a whole number"),
        (["batch_size=0"], "batch_size is 0, expected a whole number from 1 to 2147483647"),
        (["eval_every=-1"], "eval_every is -1, expected a whole number from 0 to 2147483647"),
        (["device=tpu"], "device is 'tpu', expected auto, cpu, cuda, mps"),
        (["results=/proc/none"], "results=/proc/none cannot be written to"),
        (["dataset=mnist"], "data/MNIST/raw/train-images-idx3-ubyte.gz is not there and cannot be downloaded"),
        (["dataset=odds", "dataset.name=nothing"], "dataset.name is 'nothing', expected one of annthyroid, arrhythmia"),
        (["method.lam.rule=none"], "method.lam.rule is 'none', expected one of paper, journal, fixed"),
        (["method.f=f3"], "method.f is 'f3', expected one of f0, f1, f2"),
        (["scenario=table_fraction"], "table_fraction needs a table with classes 0 and 1, but digits has others"),
        (["shard=3", "shards=2"], "shard is 3, expected 0 to 1 with shards=2"),
        (["shard=a"], "shard is a, expected a whole number from 0 to 10000"),
        (["force=no"], "force is no, expected true or false"),
        (["audit=1"], "audit is 1, expected true or false"),
        (["results=null"], "results is None, expected a folder"),
        (["scenario.pollution=nan"], "scenario.pollution is nan, expected a share"),
        (["network.latent=0"], "latent 0, expected whole numbers from 1 on"),
        (["network=conv", "network.filters=[]"], "network.filters is [], expected whole numbers"),
        (
            ["method.optimizer.lr=-1"],
            "the method cannot be built with its settings (ValueError: Invalid learning rate: -1)",
        ),
        (["method.lam.alpha=abc"], "the method cannot be built with its settings (ValueError: could not convert"),
        (["grid={method.lr:[1]}"], "grid.method.lr is no setting of method, network or scenario"),
        (["grid={method.lam.alpha:1}"], "grid.method.lam.alpha is 1, expected a list of values"),
        (["engine.precision=fp8"], "engine.precision is 'fp8', expected one of fp32, tf32, bf16"),
        (["engine.width=0"], "engine.width is 0, expected auto or a whole number from 1 on"),
        (["experiment=aesad_table1,aesad_table2", "-m"], "experiment takes one name"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    words: list[str],
    sentence: str,
    command: Command,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", [])
    assert command(*words) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and sentence in error and error.count("\n") == 1
    assert not RESULTS.exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU, so device=cuda is no error")
def test_cuda_without_a_gpu(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(*SMALL, "device=cuda") == 1
    assert "device=cuda is not available on this machine" in capsys.readouterr().err


def test_an_error_in_one_job_leaves_the_others(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(*SMALL, "shards=1", "method.f=f3,f0,f1", "-m") == 1
    assert capsys.readouterr().err.count("error: ") == 1 and len(read(RESULTS)) == 2


def test_an_unforeseen_error_is_a_sentence_too(
    command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("what nobody\nthought of")

    monkeypatch.setattr("semiad.methods.ae.AE.scores", broken)
    assert command(*SMALL) == 1
    error = capsys.readouterr().err
    assert "error: ZeroDivisionError: what nobody thought of (raised in " in error
    (log,) = Path("outputs/runs").rglob("traceback.txt")
    assert "in broken" in log.read_text()


def test_a_view_shows_on_a_terminal_only(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Console(force_terminal=True, width=120, file=Path("view.txt").open("w"))
    monkeypatch.setattr(semiad.train, "console", shown)
    assert command(*SMALL, "seeds=[0,1]", "epochs=3") == 0
    shown.file.close()
    text = Path("view.txt").read_text()
    assert "1 job (1 ended): 2 runs recorded, 0 failed, 0 left" in text and "epochs" in text


def test_output_in_a_pipe_has_no_bar(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(*SMALL) == 0
    assert capsys.readouterr().out.splitlines() == [
        "aesad on digits, one_vs_one: 1 runs, 0 recorded already, 1 to train, engine=lightning",
        f"aesad on digits, one_vs_one: AUC {read(RESULTS)[0]['auc']:.3f} (1 runs)",
        "to see the results: python -m semiad.report",
    ]


def python(*words: str, cwd: Path) -> subprocess.Popen[str]:
    env = {k: v for k, v in os.environ.items() if k != "SEMIAD_DATA"} | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "semiad.train", *words]
    return subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_killed_in_the_middle_and_resumed_equals_undisturbed(
    how: signal.Signals, tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("epochs=25", "seeds=[0,1]", "scenario.normal=8", "device=cpu")
    words += ("engine=lightning",)
    process = python(*words, "results=killed", cwd=tmp_path)
    deadline = time.monotonic() + 120
    while sum(path.read_bytes().count(b"\n") for path in (tmp_path / "killed").glob("*.jsonl")) < 4:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.01)
    process.send_signal(how)
    out, _ = process.communicate(timeout=60)
    if how == signal.SIGINT:
        assert process.returncode == 130 and "the same command goes on from there" in out and "Traceback" not in out
    before = read(tmp_path / "killed")
    assert 4 <= len(before) < 18
    # As if the machine had died while a line was written.
    (path,) = (tmp_path / "killed").glob("*.jsonl")
    path.write_bytes(path.read_bytes()[:-20])
    assert command(*words, "results=killed") == 0
    out = capsys.readouterr().out
    assert command(*words, "results=whole") == 0
    assert f"line {len(before)} is torn" in out and f"18 runs, {len(before) - 1} recorded already" in out
    resumed, undisturbed = read_ledger(tmp_path / "killed"), read_ledger(tmp_path / "whole")
    figures = [
        {k: (r["auc"], r["ap"], r["split"]) for k, r in counted(ledger).items()} for ledger in (resumed, undisturbed)
    ]
    assert figures[0] == figures[1] and len(figures[0]) == 18 and not resumed.conflicts


def test_help_lists_what_there_is(tmp_path: Path) -> None:
    out, _ = python("--help", cwd=tmp_path).communicate(timeout=120)
    for group in ("method", "dataset", "scenario"):
        assert f"{group}: {', '.join(sorted(path.stem for path in CONF.glob(f'{group}/*.yaml')))}" in out
    names = (
        "seeds epochs batch_size eval_every device results data_root shards samples dry_run audit force retry_failed"
    )
    for name in names.split():
        assert f"\n  {name}=" in out


@pytest.mark.parametrize("key", ["scenario.per_class", "network.linear"])
def test_a_switch_is_true_or_false(key: str, tmp_path: Path) -> None:
    # In a process of its own: here, types are checked before semiad can.
    out, _ = python(f"{key}=no", cwd=tmp_path).communicate(timeout=120)
    assert out == f"error: {key} is no, expected true or false\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["epchs=3"], "epchs is no setting here: semiad train --cfg job shows them all, --help the most common ones"),
        (["method=none"], "Could not find 'method/none', only a3, ae, aesad, "),
        (["dataset=digits", "-m", "epochs=1"], "-m goes first or last on the command line"),
        (["hydra/launcher=processes", "epochs=1"], "hydra/launcher=processes places the jobs of a sweep: add -m, "),
        (["budget=quick"], "budget=quick is of an experiment: add experiment=NAME"),
        (["seeds=[0"], "no viable alternative at input '[0'"),
    ],
)
def test_a_mistyped_command_line_is_one_sentence(
    words: list[str], sentence: str, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(*words) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith(f"error: {sentence}") and printed.err.count("\n") == 1 and not printed.out


def test_a_grid_may_vary_what_is_null(command: Command) -> None:
    words = ("method=deep_svdd", "method.pretraining.epochs=1", *SMALL)
    assert command(*words, "grid={method.nu:[null,0.1]}") == 0
    assert sorted(str(r["config"]["method"]["nu"]) for r in read(RESULTS)) == ["0.1", "None"]


def test_shallow_methods_need_no_gpu(command: Command) -> None:
    assert command("method=iforest", *SMALL, "device=cuda") == 0
    assert [(r["status"], r["device"]) for r in read(RESULTS)] == [("ok", "cpu")]


@pytest.mark.slow
def test_sweeping_scenarios_counts_shards_right(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("scenario=one_vs_one,one_vs_all", "dry_run=true", "-m") == 0
    assert "11 jobs, 1000 runs, 0 of them recorded before" in capsys.readouterr().out


def test_grid_is_part_of_the_plan_and_of_the_key(command: Command) -> None:
    grid = "grid={method.lam.alpha:[0.1,1],scenario.labelled:[2,4]}"
    assert command(*SMALL, grid) == 0
    got = read(RESULTS)
    assert {(r["config"]["method"]["lam"]["alpha"], r["n_labelled"]) for r in got} == {
        (0.1, 2),
        (0.1, 4),
        (1, 2),
        (1, 4),
    }
    assert command(*SMALL, "method.lam.alpha=1", "scenario.labelled=4", "results=alone") == 0
    (alone,) = read(Path("alone"))
    (same,) = [r for r in got if r["key"] == alone["key"]]
    assert same["split"] == alone["split"] and abs(same["auc"] - alone["auc"]) < 1e-3


def test_curves_of_recorded_runs_need_force(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(*SMALL) == 0 and command(*SMALL, "eval_every=1") == 0
    told = "1 runs that are recorded already get no curves: force=true trains them again"
    assert told in capsys.readouterr().out


def test_a_bad_test_in_the_middle_does_not_fail_a_run(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    real = semiad.methods.ae.AE.scores

    def once(self: semiad.methods.ae.AE, x: torch.Tensor) -> torch.Tensor:
        calls.append(len(x))
        return torch.zeros(len(x)) if len(calls) == 1 else real(self, x)

    monkeypatch.setattr("semiad.methods.ae.AE.scores", once)
    assert command(*SMALL, "eval_every=1", "engine=lightning") == 0
    (got,) = read(RESULTS)
    assert got["status"] == "ok" and len((RESULTS / got["curve"]).read_text().splitlines()) == 2


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    process = python(*SMALL, "results=/tmp/none", cwd=Path("/proc"))
    out, _ = process.communicate(timeout=120)
    assert (
        process.returncode == 1 and out.startswith("error: this folder cannot be written to") and out.count("\n") == 1
    )
