"""What the loggers leave behind, read back; and that no logger can do a run harm."""

import csv
import json
import re
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import wandb
from wandb.proto import wandb_internal_pb2

from semiad.loggers.offline import unsynced
from semiad.loggers.reach import reachable
from semiad.loggers.wandb import configured
from tests.conftest import SMALL, read
from tests.test_train import Command, python

pytestmark = pytest.mark.slow

RESULTS = Path("outputs/results")
FEW = ("epochs=4", "seeds=[0,1]", "scenario.normal=8", "scenario.anomalous=3", "eval_every=2")
"""Two runs of a second."""
KEY = "a" * 40


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """W&B reads variables once a process, and so does semiad ask for a server."""
    reachable.cache_clear()
    yield
    if "wandb" in sys.modules:
        sys.modules["wandb"].teardown()


# Readers


@dataclass
class Logged:
    """A run of W&B's."""

    group: str = ""
    name: str = ""
    project: str = ""
    tags: list[str] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    steps: dict[str, str] = field(default_factory=dict)
    code: int | None = None


def entries(path: Path) -> Iterator[bytes]:
    """The entries of a LevelDB log, in which W&B keeps a run."""
    data, at, parts = path.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:  # no header fits into the rest of a block
            at += 32768 - at % 32768
            continue
        size, kind = struct.unpack("<HB", data[at + 4 : at + 7])
        parts = (b"" if kind in (1, 2) else parts) + data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # whole, or the last of several
            yield parts


def of_wandb(path: Path) -> Logged:
    wandb.teardown()  # its process may hold what a finished run has not yet written
    run = Logged()

    def values(items: Any) -> dict[str, Any]:
        return {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items}

    for entry in entries(path):
        record = wandb_internal_pb2.Record.FromString(entry)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run.group, run.name, run.project = record.run.run_group, record.run.display_name, record.run.project
            run.tags = [*record.run.tags]
            run.config |= values(record.run.config.update)
        elif kind == "config":
            run.config |= values(record.config.update)
        elif kind == "history":
            run.history.append(values(record.history.item))
        elif kind == "metric":
            run.steps[record.metric.name or record.metric.glob_name] = record.metric.step_metric
        elif kind == "exit":
            run.code = record.exit.exit_code
    return run


def all_of_wandb() -> list[Logged]:
    return [of_wandb(path) for path in sorted(Path("outputs/runs").rglob("*.wandb"))]


def bands(rows: list[dict[str, str]]) -> list[dict[str, float]]:
    """Mean, least and most of loss and AUC by epoch, from the file of all epochs of all runs."""
    shown = []
    for epoch in sorted({int(row["epoch"]) for row in rows}):
        metrics = {}
        for name, column in (("train_loss", "loss"), ("test_auc", "auc")):
            values = [float(row[column]) for row in rows if int(row["epoch"]) == epoch and row[column]]
            if values:
                kinds = {"mean": sum(values) / len(values), "min": min(values), "max": max(values)}
                metrics |= {f"{name}/{kind}": value for kind, value in {**kinds, "runs": len(values)}.items()}
        shown.append(metrics)
    return shown


def of_csv(folder: Path = Path("outputs/runs"), stem: str = "curves") -> list[dict[str, str]]:
    (path,) = folder.rglob(f"{stem}.csv")
    return [*csv.DictReader(path.read_text().splitlines())]


def number(text: str) -> float | None:
    return float(text) if text else None


# Each logger


def test_csv_has_every_epoch_of_every_run(command: Command) -> None:
    assert command(*FEW, "logger=csv") == 0
    got, rows, runs = read(RESULTS), of_csv(), of_csv(stem="runs")
    for record in got:
        own = [row for row in rows if row["key"] == record["key"]]
        assert [row["epoch"] for row in own] == ["1", "2", "3", "4"]
        assert [bool(row["auc"]) for row in own] == [False, True, False, True]
        assert float(own[3]["auc"]) == record["auc"] and float(own[3]["loss"]) < float(own[0]["loss"])
        (line,) = [run for run in runs if run["key"] == record["key"]]
        assert (line["normal"], line["anomalous"], line["seed"]) == ("8", "3", str(record["seed"]))
        assert line["status"] == "ok"
        assert all(float(line[name]) == record[name] for name in ("auc", "auc_seen", "auc_unseen", "seconds"))


def test_all_at_once_show_the_same_bands(command: Command, capfd: pytest.CaptureFixture[str]) -> None:
    from mlflow.tracking import MlflowClient
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert command(*FEW, "logger=[wandb,tensorboard,mlflow,csv]") == 0
    told, said = capfd.readouterr()
    got, expected = read(RESULTS), bands(of_csv())
    assert len(expected) == 4 and [len(metrics) for metrics in expected] == [4, 8, 4, 8]

    (run,) = all_of_wandb()
    (folder,) = Path("outputs/runs").iterdir()
    assert (run.project, run.group, run.code) == ("semiad", folder.name, 0)
    assert run.name == "aesad on digits, one_vs_one"
    assert run.tags == ["aesad", "digits", "one_vs_one"] and run.config["epochs"] == 4
    assert run.config["method"]["lam"] == {"rule": "paper", "alpha": 0.1}
    assert run.steps["train_loss/*"] == run.steps["test_auc/*"] == "epoch"
    for epoch, metrics in enumerate(expected, start=1):
        logged = run.history[epoch - 1]
        assert logged["epoch"] == epoch and {k: logged[k] for k in logged if "/" in k} == pytest.approx(metrics)
    mean = sum(record["auc"] for record in got) / 2
    assert run.history[4]["final/auc"] == pytest.approx(mean) and run.history[4]["final/runs"] == 2
    (table,) = Path("outputs/runs").rglob("runs*.table.json")
    rows = json.loads(table.read_text())
    aucs = {row[rows["columns"].index("key")]: row[rows["columns"].index("auc")] for row in rows["data"]}
    assert aucs == {record["key"]: record["auc"] for record in got}
    assert f"W&B was offline; to upload: wandb sync {folder}/wandb/offline-run-*" in told and not said

    client = MlflowClient(f"sqlite:///{Path.cwd()}/outputs/mlflow.db")
    (experiment,) = [e for e in client.search_experiments() if e.name == "semiad"]
    (logged,) = client.search_runs([experiment.experiment_id])
    tags = {name: logged.data.tags[name] for name in ("group", "method", "dataset", "scenario")}
    assert tags == {"group": folder.name, "method": "aesad", "dataset": "digits", "scenario": "one_vs_one"}
    assert logged.info.status == "FINISHED" and logged.data.params["method/lam/alpha"] == "0.1"
    assert logged.data.metrics["final/auc"] == pytest.approx(mean)
    history = {m.step: m.value for m in client.get_metric_history(logged.info.run_id, "train_loss/mean")}
    assert history == pytest.approx({i + 1: metrics["train_loss/mean"] for i, metrics in enumerate(expected)})
    (kept,) = Path("outputs/mlflow").rglob("runs.csv")
    assert kept.read_text() == (folder / "runs.csv").read_text()

    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    for name in ("train_loss/mean", "train_loss/min", "train_loss/max", "test_auc/mean", "test_auc/runs"):
        shown = {event.step: event.value for event in events.Scalars(name)}
        assert shown == pytest.approx({i + 1: metrics[name] for i, metrics in enumerate(expected) if name in metrics})
    config, runs = (
        events.Tensors(f"{name}/text_summary")[0].tensor_proto.string_val[0].decode() for name in ("config", "runs")
    )
    assert '"scenario": "one_vs_one"' in config and '"alpha": 0.1' in config
    assert all(record["key"] in runs for record in got)
    assert not [path for path in Path().iterdir() if path.name not in ("outputs", "none")]


def test_per_run_gives_each_run_its_own(command: Command) -> None:
    from mlflow.tracking import MlflowClient

    words = ("logger=[wandb,tensorboard,mlflow,csv]", "logger.per_run=true")
    assert command(*FEW, "method.optimizer.lr=0.01", *words) == 0
    got, rows = read(RESULTS), of_csv()
    assert len(rows) == 8 and len(of_csv(stem="runs")) == 2
    runs = {run.config["run"]["key"]: run for run in all_of_wandb()}
    client = MlflowClient(f"sqlite:///{Path.cwd()}/outputs/mlflow.db")
    assert len(client.search_runs([e.experiment_id for e in client.search_experiments()])) == 2
    (folder,) = Path("outputs/runs").iterdir()
    assert {path.name for path in (folder / "tensorboard").iterdir()} == {*runs} == {record["key"] for record in got}
    for record in got:
        run, own = runs[record["key"]], [row for row in rows if row["key"] == record["key"]]
        assert run.name == f"aesad on digits, one_vs_one, 8 vs 3 seed {record['seed']}" and run.code == 0
        assert [line["train_loss"] for line in run.history[:4]] == [float(row["loss"]) for row in own]
        assert [line.get("test_auc") for line in run.history[:4]] == [number(row["auc"]) for row in own]
        assert run.history[4]["final/auc"] == record["auc"] and run.config["run"]["method"]["optimizer"]["lr"] == 0.01


def test_engines_give_the_same_curves(command: Command) -> None:
    words = ("method=deep_sad", "method.pretraining.epochs=2", "method.optimizer.lr=0.001", *FEW, "logger=csv")
    for engine in ("packed", "lightning"):
        assert command(*words, f"engine={engine}", f"results={engine}", f"hydra.run.dir=runs/{engine}") == 0
    packed, alone = ({(r["key"], r["epoch"]): r for r in of_csv(Path("runs") / e)} for e in ("packed", "lightning"))
    assert packed.keys() == alone.keys() and len(packed) == 8  # epochs of the pre-training are not among them
    for at, row in packed.items():
        assert float(row["loss"]) == pytest.approx(float(alone[at]["loss"]), rel=1e-4)
        assert number(row["auc"]) == pytest.approx(number(alone[at]["auc"]), abs=1e-3)


def test_two_processes_give_and_tell_what_one_does(command: Command) -> None:
    few = ("epochs=3", "seeds=[0]", "scenario.normal=8", "engine.width=3", "logger=csv")
    for devices in (1, 2):
        words = (f"engine.devices={devices}", f"results=of{devices}", f"hydra.run.dir=runs/{devices}")
        assert command(*few, *words) == 0
    one, two = ({(r["key"], r["epoch"]): r["loss"] for r in of_csv(Path(f"runs/{devices}"))} for devices in (1, 2))
    assert one == two and len(one) == 27
    one, two = ({r["key"]: r["auc"] for r in read(Path(f"of{devices}"))} for devices in (1, 2))
    assert one == two and len(one) == 9


def test_a_sweep_is_a_group_of_a_run_a_job(command: Command, capfd: pytest.CaptureFixture[str]) -> None:
    words = ("method=ae,aesad", "scenario.normal=8", "scenario.anomalous=3", "seeds=[0]", "epochs=2", "shards=1")
    assert command("-m", *words, "logger=[wandb,csv]", "hydra.sweep.dir=sweeps/first") == 0
    runs = [of_wandb(path) for path in sorted(Path("sweeps").rglob("*.wandb"))]
    assert {run.group for run in runs} == {"first"} and [run.code for run in runs] == [0, 0]
    assert {run.tags[0] for run in runs} == {"ae", "aesad"} and len({run.name for run in runs}) == 2
    assert "wandb sync sweeps/first/*/wandb/offline-run-*" in capfd.readouterr().out
    assert len([*Path("sweeps/first").glob("*/curves.csv")]) == 2


def test_processes_share_a_new_store_of_mlflow(tmp_path: Path) -> None:
    from mlflow.tracking import MlflowClient

    words = (*SMALL, "scenario.anomalous=1,2,3,5", "shards=1", "logger=mlflow", "hydra/launcher=processes", "-m")
    out, _ = python(*words, cwd=tmp_path).communicate(timeout=300)
    assert len(read(tmp_path / "outputs" / "results")) == 4 and "warning" not in out, out
    client = MlflowClient(f"sqlite:///{tmp_path}/outputs/mlflow.db")
    runs = client.search_runs([e.experiment_id for e in client.search_experiments()])
    assert [run.info.status for run in runs] == ["FINISHED"] * 4


def test_mlflow_shows_it(command: Command) -> None:
    assert command(*SMALL, "logger=mlflow") == 0
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    where = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    store = ["--backend-store-uri", "sqlite:///outputs/mlflow.db"]
    with Path("server.log").open("w") as log:
        server = subprocess.Popen([sys.executable, "-m", "mlflow", "server", *where, *store], stdout=log, stderr=log)
    try:
        url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 90
        while not answers(f"{url}/health"):
            assert server.poll() is None and time.monotonic() < deadline, Path("server.log").read_text()
            time.sleep(0.5)
        assert "<title>MLflow</title>" in urlopen(url, timeout=30).read().decode()
        got = json.load(urlopen(f"{url}/api/2.0/mlflow/experiments/get-by-name?experiment_name=semiad", timeout=30))
        assert got["experiment"]["name"] == "semiad"
    finally:
        server.terminate()
        server.wait(30)


def answers(url: str) -> bool:
    try:
        return bool(urlopen(url, timeout=5).status == 200)
    except OSError:
        return False


# What is chosen


def test_csv_is_the_default_where_wandb_is_not_configured(command: Command, capfd: pytest.CaptureFixture[str]) -> None:
    assert command(*SMALL) == 0
    assert len(of_csv()) == 2 and not all_of_wandb() and "W&B" not in capfd.readouterr().out


@pytest.mark.parametrize("mode", ["offline", "online"])
def test_wandb_is_the_default_where_a_mode_is_set(mode: str, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", mode)  # and no key: nothing can go online, and nobody is asked for one
    assert command(*SMALL) == 0
    (run,) = all_of_wandb()
    assert len(run.history) == 4 and run.code == 0 and not [*Path("outputs/runs").rglob("curves.csv")]


def test_what_configured_means(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import wandb

    def after(**variables: str) -> bool:
        wandb.teardown()
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            return configured()

    netrc, settings = tmp_path / "netrc", tmp_path / "config" / "settings"
    assert not after() and not after(WANDB_PROJECT="mine") and not after(WANDB_MODE="disabled")
    assert after(WANDB_API_KEY=KEY) and after(WANDB_MODE="offline") and after(WANDB_MODE="online")
    netrc.write_text(f"machine other.example\n  login user\n  password {KEY}\n")
    assert not after(NETRC=str(netrc))
    netrc.write_text(f"machine wandb.example\n  login user\n  password {KEY}\n")
    assert after(NETRC=str(netrc), WANDB_BASE_URL="https://wandb.example")
    settings.parent.mkdir()
    settings.write_text("[default]\nmode = offline\n")
    assert after(WANDB_CONFIG_DIR=str(settings.parent))
    assert not after(WANDB_CONFIG_DIR=str(settings.parent), WANDB_MODE="disabled")


def test_none_leaves_nothing(command: Command) -> None:
    assert command(*SMALL, "logger=none") == 0
    assert {path.name for path in Path("outputs/runs").rglob("*") if path.is_file()} == {
        *("config.yaml", "hydra.yaml", "overrides.yaml", "train.log")
    }


def test_how_to_upload_a_folder_with_a_blank(tmp_path: Path) -> None:
    folder = tmp_path / "my runs"
    jobs = [folder / "0", folder / "1"]
    assert unsynced(jobs) is None
    for job in jobs:
        (job / "wandb" / "offline-run-1").mkdir(parents=True)
    assert unsynced(jobs) == f"wandb sync '{folder}'/*/wandb/offline-run-*"
    assert unsynced(jobs[:1]) == f"wandb sync '{folder}/0'/wandb/offline-run-*"


def test_a_logger_that_is_not_installed(
    command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("semiad.command.job.find_spec", lambda name: None)
    assert command(*SMALL, "logger=mlflow") == 1
    assert (
        capsys.readouterr().err
        == "error: the package mlflow is needed for logger=mlflow: pip install 'semiad[tracking]'\n"
    )


def test_per_run_is_true_or_false(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(*SMALL, "logger.per_run=some") == 1
    assert capsys.readouterr().err == "error: logger.per_run is some, expected true or false\n"


# What goes wrong


@pytest.mark.parametrize("what", ["__init__", "log_hyperparams", "log_metrics", "log_table", "finalize"])
def test_a_logger_that_fails_is_left_out(
    what: str, command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(f"semiad.loggers.tensorboard.TensorBoard.{what}", broken)
    assert command(*FEW, "logger=[tensorboard,csv]") == 0
    sentence = "warning: logger tensorboard has failed and is left out from here on (OSError: no space left)"
    assert capsys.readouterr().out.count(sentence) == 1
    assert [record["status"] for record in read(RESULTS)] == ["ok"] * 2 and len(of_csv()) == 8


def test_a_logger_that_hangs_is_left(
    command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("semiad.callbacks.logging.PATIENCE", 1)
    monkeypatch.setattr("semiad.loggers.csv.CSV.log_curves", lambda self, rows: time.sleep(5))
    start = time.monotonic()
    assert command(*SMALL, "logger=csv") == 0
    assert "warning: loggers are left, not done 1 s after the last run" in capsys.readouterr().out
    assert len(read(RESULTS)) == 1 and time.monotonic() - start < 5


def test_failed_runs_are_told_from_others(command: Command) -> None:
    words = ("grid={method.optimizer.lr:[0.001,1e38]}", "logger=csv", "engine=packed")
    assert command(*FEW, *words) == 0
    rows = {row["key"]: row for row in of_csv(stem="runs")}
    assert sorted(row["status"] for row in rows.values()) == ["failed", "failed", "ok", "ok"]
    assert {r["key"]: r["status"] for r in read(RESULTS)} == {key: row["status"] for key, row in rows.items()}
    good = [key for key, row in rows.items() if row["status"] == "ok"]
    assert {row["key"] for row in of_csv() if int(row["epoch"]) > 1} == {*good}


def test_no_network_with_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{port}")
    start = time.monotonic()
    process = python(*FEW, "method=ae,aesad", "shards=1", "-m", cwd=tmp_path)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0 and time.monotonic() - start < 60
    assert len(read(tmp_path / "outputs" / "results")) == 4
    assert out.count(f"W&B is offline (no answer from http://127.0.0.1:{port})") == 2
    (how,) = re.findall("to upload: wandb sync (.*)", out)
    kept = [*tmp_path.glob(how)] if not how.startswith("/") else [*Path("/").glob(how[1:])]
    assert len(kept) == 2 and all(len(of_wandb(next(path.glob("*.wandb"))).history) == 6 for path in kept)


def test_a_server_of_mlflow_that_is_not_there(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(*SMALL, "logger=mlflow", "logger.mlflow.uri=http://127.0.0.1:9") == 0
    sentence = "warning: logger mlflow has failed and is left out from here on (ConnectionError: no answer from"
    assert sentence in capsys.readouterr().out
    assert len(read(RESULTS)) == 1


def test_shallow_methods_have_a_table(command: Command) -> None:
    assert command("method=iforest", *SMALL, "logger=[csv,wandb]") == 0
    (got,), (line,), (run,) = read(RESULTS), of_csv(stem="runs"), all_of_wandb()
    assert (line["key"], float(line["auc"])) == (got["key"], got["auc"]) and not of_csv()
    assert run.history[0]["final/auc"] == got["auc"]
