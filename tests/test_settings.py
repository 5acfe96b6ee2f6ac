"""What a command asks for is done, refused in a sentence, or said not to be done; no file of a user is lost."""

import csv
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import semiad.command.job
import semiad.train
from semiad.command.arguments import expand_home
from semiad.command.recipes import load_dataset
from semiad.datasets.digits import load as load_digits
from semiad.engines.device import resolve_device
from semiad.errors import InputError
from semiad.ledger.files import FileTree
from semiad.ledger.reader import read as read_ledger
from semiad.scenarios.table_fraction import TableFraction
from semiad.scenarios.table_stratified import TableStratified
from semiad.types import Labels
from tests.conftest import SMALL, read

Command = Callable[..., int]
Own = Callable[[str], None]
Captured = pytest.CaptureFixture[str]
RESULTS = Path("outputs/results")
QUICK = (*SMALL, "epochs=1", "shards=1", "logger=none")


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Own]:
    """Write the module `own_code`, which configurations may name."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(text: str) -> None:
        (tmp_path / "own_code.py").write_text(text)

    yield write
    sys.modules.pop("own_code", None)


# What a user has stays


@pytest.mark.parametrize("words", [("dry_run=true",), ("audit=true",), ("method=ae,aesad",)])
def test_a_sweep_in_the_users_folder_leaves_the_users_files(words: tuple[str, ...], command: Command) -> None:
    names = ("mytool/status.json", "0/status.json", "curves.csv", "runs.csv", "traceback.txt", "checkpoints/mine.ckpt")
    for name in names:
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("mine")
    assert command(*QUICK, "logger=csv", "hydra.sweep.dir=.", "hydra.sweep.subdir=.", *words, "-m") == 0
    assert [Path(name).read_text() for name in names] == ["mine"] * len(names)


LATE = """
from semiad.methods.ae import AE


class Late(AE):
    def losses(self, batch):
        raise KeyError("late")
"""


def test_jobs_that_share_a_folder_keep_their_curves_and_tracebacks(command: Command, own: Own) -> None:
    own(LATE)
    shared = ("hydra.sweep.subdir=same", "hydra.sweep.dir=runs", "logger=csv", "-m")
    assert command(*QUICK, "seeds=[0],[1]", *shared) == 0
    files = [path.read_text() for path in Path("runs/same").glob("curves*")]
    keys = [{row["key"] for row in csv.DictReader(text.splitlines())} for text in files]
    assert sorted(map(sorted, keys)) == [[record["key"]] for record in read(RESULTS)]
    assert command(*QUICK, "seeds=[2],[3]", "method._target_=own_code.Late", *shared) == 1
    assert len([*Path("runs/same").glob("traceback*.txt")]) == 2


@pytest.mark.parametrize("subdir", ["'job-${hydra.job.num}'", "a/${hydra.job.num}/b", "same"])
def test_jobs_are_known_wherever_their_folders_are(subdir: str, command: Command, capsys: Captured) -> None:
    words = (*QUICK, "method=ae,aesad,esad", "scenario.labelled=8,-1", "seeds=[0]", f"hydra.sweep.subdir={subdir}")
    assert command(*words, "dry_run=true", "-m") == 1
    out, err = capsys.readouterr()
    assert "3 jobs, 3 runs, 0 of them recorded before" in out and err.count("error: scenario.labelled is -1") == 3


# A record says what was trained


def test_a_class_that_the_command_names_is_recorded_by_its_name(command: Command, own: Own) -> None:
    own("from semiad.methods.ae import AE\nclass Mine(AE):\n    pass\n")
    assert command(*QUICK, "method=ae", "method._target_=own_code.Mine") == 0
    assert command(*QUICK, "method=ae") == 0
    assert command(*QUICK, "scenario._target_=semiad.scenarios.one_vs_all.OneVsAll", "method=ae") == 0
    named = {record["config"]["method"]["_target_"].rpartition(".")[2]: record["method"] for record in read(RESULTS)}
    assert named == {"Mine": "Mine", "AE": "ae"} and len({record["key"] for record in read(RESULTS)}) == 3
    assert {record["scenario"] for record in read(RESULTS)} == {"one_vs_one", "OneVsAll"}


def test_classes_are_no_grid(command: Command, capsys: Captured) -> None:
    assert command(*QUICK, "grid={method._target_:[a.B,a.C]}") == 1
    assert capsys.readouterr().err.startswith("error: ") and not RESULTS.exists()


# No logger stops a run


@pytest.mark.parametrize(
    "words",
    [
        ("logger=csv", "logger.csv._target_=no_such.Module"),
        ("logger=csv", "+logger.csv.unknown=1"),
        ("logger=csv", "logger.csv._partial_=false"),
        ("logger=csv", "logger.csv._target_=sys.exit", "logger.per_run=true"),
        ("logger=auto", "logger.auto._target_=no_such.Module"),
        ("logger=[wandb,csv]", "logger.wandb.timeout=x", "logger.wandb.project=[1]"),
        ("logger=tensorboard", "logger.tensorboard._target_=builtins.dict"),
    ],
    ids=" ".join,
)
def test_a_logger_that_cannot_be_made_is_a_warning(words: tuple[str, ...], command: Command, capsys: Captured) -> None:
    assert command(*QUICK, *words) == 0
    assert capsys.readouterr().out.count("warning: logger ") == 1 and read(RESULTS)[0]["status"] == "ok"


def test_a_user_without_a_home(command: Command, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    def unknown(*_: object) -> None:
        raise KeyError("uid not found")

    monkeypatch.delenv("HOME")
    monkeypatch.delenv("NETRC")
    monkeypatch.delenv("WANDB_CONFIG_DIR")
    monkeypatch.setattr("pwd.getpwuid", unknown)
    assert command(*QUICK, "logger=auto") == 0 and len(read(RESULTS)) == 1
    assert "warning" not in capsys.readouterr().out and [*Path("outputs/runs").rglob("curves.csv")]
    assert command(*QUICK, "hydra/launcher=ray_node", "-m") == 1
    assert "this user has none: set HOME" in capsys.readouterr().err
    for word in ("results=~/x", "data_root='~/x'"):
        assert command(*QUICK, word) == 1
        assert (
            f"error: {word.replace('=', ' is ').replace(chr(39), '')}, but this user has no home folder"
            in capsys.readouterr().err
        )


def test_wandb_that_cannot_be_asked_is_left_out(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> bool:
        raise OSError("no such device")

    monkeypatch.setattr("semiad.loggers.auto.configured", broken)
    with pytest.warns(UserWarning, match=r"W&B cannot say .*no such device.*logger=auto is csv"):
        assert command(*QUICK, "logger=auto") == 0
    assert [*Path("outputs/runs").rglob("curves.csv")]


# Causes are named

CONSTRUCTOR = "class Bad:\n    narrows = ()\n\n    def __init__(self, **settings):\n        {}['b']\n"


@pytest.mark.parametrize(
    ("code", "words", "said"),
    [
        (
            "import no_such_module\n",
            "method._target_=own_code.X",
            "No module named 'no_such_module', raised in {}, line 1",
        ),
        ("x = 1\ny = {}['k']\n", "method._target_=own_code.X", "KeyError: 'k', raised in {}, line 2"),
        ("\ndef f(:\n", "method._target_=own_code.X", "raised in {}, line 2"),
        (CONSTRUCTOR, "method._target_=own_code.Bad", "KeyError: 'b', raised in {}, line 5"),
        (CONSTRUCTOR, "scenario._target_=own_code.Bad", "KeyError: 'b', raised in {}, line 5"),
        (CONSTRUCTOR, "network._target_=own_code.Bad", "KeyError: 'b', raised in {}, line 5"),
        (CONSTRUCTOR, "trainer.callbacks=[{_target_:own_code.Bad}]", "KeyError: 'b', raised in {}, line 5"),
        (
            "def load(root):\n    raise EOFError('short')\n",
            "dataset._target_=own_code.load",
            "short (raised in {}, line 2",
        ),
    ],
)
def test_the_cause_in_own_code_is_named(
    code: str, words: str, said: str, command: Command, own: Own, capsys: Captured, tmp_path: Path
) -> None:
    own(code)
    assert command(*QUICK, "method=ae", words) == 1
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ") and said.format(tmp_path / "own_code.py") in error
    assert "HYDRA_FULL_ERROR" not in error
    (log,) = Path("outputs/runs").rglob("traceback.txt")
    assert f"traceback in {log.absolute()}" in error and "own_code.py" in log.read_text()


def test_a_class_that_is_not_there_needs_no_traceback(command: Command, capsys: Captured) -> None:
    assert command(*QUICK, "method._target_=no_such.Method") == 1
    told = "error: Error locating target 'no_such.Method' at method: ModuleNotFoundError: No module named 'no_such'\n"
    assert capsys.readouterr().err == told and not [*Path("outputs/runs").rglob("traceback.txt")]
    assert command(*QUICK, "method._target_=semiad.methods.aesad.AESADD") == 1
    told = "'semiad.methods.aesad.AESADD' at method: semiad.methods.aesad has no AESADD, perhaps AESAD\n"
    assert capsys.readouterr().err == f"error: Error locating target {told}"


# Folders


def test_a_tilde_is_the_home_folder(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "data").mkdir(parents=True)
    monkeypatch.setenv("SEMIAD_DATA", "~/data")
    words = (
        "results='~/x'",
        "samples=true",
        "hydra.run.dir=~/runs",
        "logger=mlflow",
        "logger.mlflow.uri='sqlite:///~/m.db'",
    )
    assert command(*QUICK, *words) == 0 and not Path("~").exists()
    assert len(read(tmp_path / "home" / "x")) == 1 and (tmp_path / "home" / "runs" / ".hydra").is_dir()
    assert (tmp_path / "home" / "m.db").is_file() and [*(tmp_path / "home" / "x" / "samples").iterdir()]
    seen: list[Path] = []
    load_dataset.cache_clear()
    monkeypatch.setattr("semiad.datasets.digits.load", lambda root: seen.append(root) or load_digits(root))
    assert command(*QUICK, "seeds=[1]", "results=~/x", "data_root='~/other'") == 0
    assert command(*QUICK, "seeds=[2]", "results=~/x", "method=ae") == 0
    assert seen == [tmp_path / "home" / "other", tmp_path / "home" / "data"]


def test_tildes_of_hydras_own_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/h")
    words = ["--config-dir", "~/c", "--config-dir=~/c", "hydra.sweep.dir=~/s", "hydra.searchpath=[file://~/p]"]
    want = ["--config-dir", "/h/c", "--config-dir=/h/c", "hydra.sweep.dir=/h/s", "hydra.searchpath=[file:///h/p]"]
    assert expand_home([*words, "a=~", "b=x~"]) == [*want, "a=/h", "b=x~"]


def test_links_in_a_ledger_are_followed_once(command: Command, tmp_path: Path) -> None:
    assert command(*QUICK, "results=elsewhere/a") == command(*QUICK, "seeds=[1]", "results=main") == 0
    Path("main/linked").symlink_to(tmp_path / "elsewhere")
    Path("main/again").symlink_to(tmp_path / "elsewhere" / "a")
    Path("elsewhere/loop").symlink_to(tmp_path / "main")
    ledger = read_ledger(Path("main"))
    assert len(ledger.recorded) == len(ledger.runs) == 2 and not ledger.repeated and not ledger.warnings
    assert len(read_ledger(Path("elsewhere")).recorded) == 2
    Path("main/away").symlink_to(tmp_path / "nowhere")
    assert read_ledger(Path("main")).warnings == ["main/away is a link to no file: set aside"]
    assert command(*QUICK, "seeds=[0,1]", "results=main", "dry_run=true") == 0


def test_a_file_behind_a_link_is_listed_once(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").touch()
    (tmp_path / "b.jsonl").symlink_to(tmp_path / "a.jsonl")
    assert FileTree(tmp_path).named("*.jsonl") == [tmp_path / "a.jsonl"]
    assert FileTree(tmp_path / "absent").files == []


@pytest.mark.skipif(os.getuid() == 0, reason="root reads every folder")
def test_a_folder_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    assert FileTree(tmp_path).problems == [f"{tmp_path / 'closed'} cannot be read (Permission denied): set aside"]


# Devices and counts


def test_a_gpu_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("cuda:1") == torch.device("cuda", 1) and resolve_device("cuda") == torch.device("cuda")
    for name, said in {
        "cuda:2": "device=cuda:2 is not in this machine, whose last GPU is cuda:1",
        **dict.fromkeys(
            ("cuda:", "cuda:x", "cuda:-1", "cpu:0", "mps:1", "cuda:1:2", ""), "expected auto, cpu, cuda, mps"
        ),
    }.items():
        with pytest.raises(InputError, match=said):
            resolve_device(name)


def table(normal: int, anomalies: int) -> Labels:
    return Labels("own", (0, 1), np.repeat([0, 1], [normal, anomalies]), None)


@pytest.mark.parametrize(
    ("scenario", "labelled"),
    [
        (TableFraction(0.6, 15), 15),
        (TableFraction(0.6, 1), 1),
        (TableFraction(0.6, 0.2), 15),  # 20 % would be 90 beside 360 rows, and half of 30 are allowed
        (TableFraction(0.6, 0.2, 0.9), 27),
        (TableFraction(0.6, 29, 0.97), 29),
        (TableStratified(0.6, 17, "clean"), 17),
        (TableStratified(0.6, 1, "clean"), 1),
    ],
)
def test_anomalies_are_labelled_by_number(scenario: TableFraction | TableStratified, labelled: int) -> None:
    labels = table(600, 30)
    (cell,) = scenario.cells(labels)
    split = scenario.split(cell, labels, 0)
    assert split.s.sum() == labelled and split.truth.sum() > 0 and len(split.train) == 360 + labelled


def test_more_labelled_anomalies_than_may_be(command: Command) -> None:
    scenario = TableFraction(0.6, 16)
    with pytest.raises(InputError, match=r"labelled is 16, but of the 30 .* at most 15 may .*max_labelled=0.5"):
        scenario.split(scenario.cells(table(600, 30))[0], table(600, 30), 0)
    assert command("scenario=labelled_ratio", "scenario.labelled=9", *QUICK[1:]) == 0
    assert read(RESULTS)[0]["n_labelled"] == 9
    for value in (0, 1, 1.5, True):
        with pytest.raises(InputError, match=f"scenario.max_labelled is {value}, expected a share"):
            TableFraction(0.6, 16, value)


# What will not be written is said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("samples=true",), "note: 1 runs that are recorded already get no samples: force=true trains them again"),
        (("engine.checkpoints=true",), "note: 1 runs that are recorded already get no checkpoints: force=true"),
        (("method=iforest", "samples=true", "eval_every=1"), "has no curves, samples\n"),
        (
            ("method=ocsvm", "engine.checkpoints=true"),
            "note: engine.checkpoints=true: OCSVM is a classical method",
        ),
    ],
)
def test_files_that_will_not_be_written(words: tuple[str, ...], said: str, command: Command, capsys: Captured) -> None:
    assert command(*QUICK) == 0 and "note: " not in capsys.readouterr().out
    assert command(*QUICK, *words) == 0
    assert said in capsys.readouterr().out


def test_nothing_is_said_of_files_that_are_there(command: Command, capsys: Captured) -> None:
    assert command(*QUICK, "samples=true", "eval_every=1") == command(*QUICK, "samples=true", "eval_every=1") == 0
    assert "note: " not in capsys.readouterr().out


# What is printed


def test_a_job_prints_its_mean_auc(command: Command, capsys: Captured) -> None:
    assert command(*QUICK, "seeds=[0,1]") == 0
    mean = f"AUC {np.mean([record['auc'] for record in read(RESULTS)]):.3f} (2 runs)"
    assert mean in capsys.readouterr().out
    assert command(*QUICK, "seeds=[0,1]") == 0 and mean in capsys.readouterr().out
    assert command(*QUICK, "seeds=[0]", "method.optimizer.lr=1e38", "epochs=3") == 1
    assert "no AUC (0 of 1 runs)" in capsys.readouterr().out


@pytest.mark.parametrize("word", ["method=ae,aesad", "epochs=1,2", "seeds=[0],[1]", "batch_size=choice(8,16)"])
def test_several_values_need_m(word: str, command: Command, capsys: Captured) -> None:
    assert command(word) == 1
    (error,) = capsys.readouterr().err.splitlines()
    name, _, values = word.partition("=")
    assert error == f"error: {name} has several values, {values}: add -m, first or last, to train each"


def test_a_file_that_is_no_yaml(command: Command, capsys: Captured) -> None:
    Path("mine/method").mkdir(parents=True)
    Path("mine/method/broken.yaml").write_text("method: {a: [}\n")
    assert command("--config-dir", "mine", "method=broken") == 1
    (error,) = capsys.readouterr().err.splitlines()
    assert "broken.yaml" in error and "what has ended is recorded" not in error


def test_a_configuration_that_is_shadowed(command: Command, capsys: Captured) -> None:
    Path("mine/method").mkdir(parents=True)
    for name in ("ae", "own"):
        Path(f"mine/method/{name}.yaml").write_text("# @package _global_\nmethod: {nothing: 1}\n")
    assert command("--config-dir", "mine", *QUICK, "method=ae") == 0
    told = "warning: mine/method/ae.yaml is not used: semiad has a method/ae too, so give it another name"
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning")] == [told]


# Objectives


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("objective=x",), "objective is x, expected auc, ap, loss or null"),
        (("objective=loss",), "objective=loss is the last training loss of the curves: add eval_every=N"),
        (("hydra/sweeper=optuna",), "hydra/sweeper=optuna chooses the jobs of a sweep: add -m"),
    ],
)
def test_objectives_that_cannot_be(words: tuple[str, ...], said: str, command: Command, capsys: Captured) -> None:
    assert command(*QUICK, *words) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("name", ["auc", "ap", "loss"])
def test_the_value_of_a_job(name: str, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    values: list[float | None] = []
    real_job = semiad.command.job.run_job

    def kept(*given: object) -> float | None:
        values.append(real_job(*given))  # type: ignore[arg-type]
        return values[-1]

    monkeypatch.setattr(semiad.command.job, "run_job", kept)
    words = (*QUICK, "seeds=[0,1]", "eval_every=1", f"objective={name}")
    assert command(*words) == command(*words) == 0 and len(read(RESULTS)) == 2
    if name == "loss":
        (curves,) = RESULTS.glob("curves/*.csv")
        want = np.mean([float(row["loss"]) for row in csv.DictReader(curves.read_text().splitlines())])
    else:
        want = np.mean([record[name] for record in read(RESULTS)])
    assert values == [pytest.approx(want)] * 2
    assert json.loads(json.dumps(values)) == values
