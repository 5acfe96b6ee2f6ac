"""The core works without the packages of the extras, and a sentence names the extra that is missing."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from typing import Any

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PIL import Image

from tests.conftest import CONF, SMALL

ROOT = CONF.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
Run = Callable[..., dict[str, Any]]


def closure(requirements: list[str]) -> set[str]:
    """Names of distributions that are required, and those that they require in turn."""
    names: set[str] = set()
    waiting = [(Requirement(line), "") for line in requirements]
    while waiting:
        requirement, extra = waiting.pop()
        name = canonicalize_name(requirement.name)
        wanted = requirement.marker is None or requirement.marker.evaluate({"extra": extra})
        if not wanted or (name in names and not requirement.extras):
            continue
        names.add(name)
        try:
            needed = [Requirement(line) for line in requires(name) or ()]
        except PackageNotFoundError:  # for another system
            continue
        waiting += [(one, extra) for one in needed for extra in (*requirement.extras, "")]
    return names


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Run a program in a folder as where the core alone is installed."""
    allowed = closure(PROJECT["dependencies"]) | {"semiad"}
    modules = packages_distributions()
    hidden = {name for name, owners in modules.items() if not allowed & {canonicalize_name(one) for one in owners}}
    hidden -= {"tests", "pip", "setuptools"}
    others = {one.lower() for owners in modules.values() for one in owners if canonicalize_name(one) not in allowed}
    assert {"PIL", "matplotlib", "statsmodels", "torchvision", "wandb", "pandas"} <= hidden
    assert not {"torch", "numpy", "polars", "hydra", "sklearn", "typer", "yaml", "rich"} & hidden
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.core_server"],
        cwd=ROOT,
        env={
            **os.environ,
            "HIDDEN": " ".join(hidden),
            "HIDDEN_DISTRIBUTIONS": " ".join(others),
            "PYTHONPATH": str(ROOT),
            "WANDB_MODE": "offline",
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdin and server.stdout and server.stdout.readline() == "ready\n"
    folder = tmp_path_factory.mktemp("core")

    def run(program: str, *words: object) -> dict[str, Any]:
        assert server.stdin and server.stdout
        given = {"folder": str(folder), "words": [*map(str, words)], "program": f"{program}:main"}
        print(json.dumps(given), file=server.stdin, flush=True)
        told: dict[str, Any] = json.loads(server.stdout.readline())
        assert "Traceback" not in told["err"] + told["out"], told["err"]
        return {**told, "folder": folder}

    rows = np.random.default_rng(0).normal(size=(80, 3))
    rows[:6] += 6
    lines = [
        "a,b,c,label",
        *(f"{a},{b},{c},{'1' if i < 6 else '0' if i < 20 else ''}" for i, (a, b, c) in enumerate(rows)),
    ]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    (folder / "images").mkdir()
    for i in range(12):
        Image.new("L", (8, 8), 20 * i).save(folder / "images" / f"{i}.png")
    header = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    (folder / "new.mat").write_bytes(header.ljust(600, b"\0"))
    with server:
        yield run
        server.stdin.close()
    assert server.returncode == 0


@pytest.fixture(scope="module")
def fitted(core: Run) -> Run:
    """The same, with a model and records in the folder."""
    told = core(
        "semiad.cli.app", "fit", "rows.csv", "--method", "aesad", "--epochs", "3", "--label", "label", "--out", "model"
    )
    assert told["status"] == 0, told
    told = core("semiad.train", *SMALL, "samples=true")
    assert told["status"] == 0, told
    return core


def test_help(core: Run) -> None:
    for program, words in (
        ("semiad.cli.app", ["--help"]),
        ("semiad.train", ["--help"]),
        ("semiad.report.__main__", ["-h"]),
    ):
        told = core(program, *words)
        assert told["status"] == 0 and told["out"]


def test_a_table_is_checked_scored_and_evaluated(fitted: Run) -> None:
    for words in (
        ["check", "rows.csv", "--label", "label"],
        ["score", "model", "rows.csv", "--out", "scored.csv", "--explain", "2"],
        ["evaluate", "model", "rows.csv", "--label", "label"],
        ["export", "model", "--format", "pt2", "--out", "model.pt2"],
    ):
        told = fitted("semiad.cli.app", *words)
        assert told["status"] == 0, told
    assert (told["folder"] / "scored.csv").read_text().count("\n") == 81
    assert (told["folder"] / "model" / "report.html").is_file()


def test_runs_are_recorded_drawn_as_curves_and_reported(fitted: Run) -> None:
    told = fitted("semiad.report.__main__")
    assert told["status"] == 0 and "aesad" in told["out"]
    assert [*told["folder"].glob("outputs/runs/**/curves.csv")]  # logger=auto is csv without W&B


FEATURES = {
    "image files": ("semiad.cli.app", ["fit", "images", "--out", "m"], "pillow", "images", 2),
    "an image data set": ("semiad.train", ["dataset=cifar10"], "torchvision", "images", 1),
    "a download": ("semiad.train", ["dataset=mnist", "data_root=nothing"], "torchvision", "images", 1),
    "a page": ("semiad.report.__main__", ["--out", "report.html"], "pillow", "report", 1),
    "figures": ("semiad.report.__main__", ["--figures", "figures"], "matplotlib", "report", 1),
    "wandb": ("semiad.train", [*SMALL, "force=true", "logger=wandb"], "wandb", "wandb", 1),
    "tensorboard": ("semiad.train", [*SMALL, "force=true", "logger=tensorboard"], "tensorboard", "tracking", 1),
    "mlflow": ("semiad.train", [*SMALL, "force=true", "logger=mlflow"], "mlflow", "tracking", 1),
    "xgboost": ("semiad.train", [*SMALL, "method=xgboost"], "xgboost", "trees", 1),
    "catboost": ("semiad.train", [*SMALL, "method=catboost"], "catboost", "trees", 1),
    "onnx": ("semiad.cli.app", ["export", "model", "--format", "onnx", "--out", "model.onnx"], "onnx", "export", 2),
    "an MLflow model": (
        "semiad.cli.app",
        ["export", "model", "--format", "mlflow", "--out", "m"],
        "mlflow",
        "tracking",
        2,
    ),
    "ray": (
        "semiad.cli.app",
        ["score", "model", "rows.parquet", "--out", "s", "--engine", "ray"],
        "ray[data]",
        "ray",
        2,
    ),
    "MATLAB 7.3": ("semiad.cli.app", ["check", "new.mat"], "h5py", "tables", 2),
    "processes": ("semiad.train", [*SMALL, "hydra/launcher=processes", "-m"], "hydra-joblib-launcher", "processes", 1),
    "slurm": ("semiad.train", [*SMALL, "hydra/launcher=slurm", "-m"], "hydra-submitit-launcher", "slurm", 1),
    "ray_node": ("semiad.train", [*SMALL, "hydra/launcher=ray_node", "-m"], "hydra-ray-launcher", "ray", 1),
    "optuna": ("semiad.train", [*SMALL, "hydra/sweeper=optuna", "-m"], "hydra-optuna-sweeper", "optuna", 1),
}


@pytest.mark.parametrize(("program", "words", "package", "extra", "status"), FEATURES.values(), ids=FEATURES)
def test_a_sentence_names_the_extra(
    program: str, words: list[str], package: str, extra: str, status: int, fitted: Run
) -> None:
    told = fitted(program, *words)
    assert f"the package {package} is needed" in told["err"] and f"pip install 'semiad[{extra}]'" in told["err"], told
    assert told["status"] == status
    assert sum("error:" in line for line in told["err"].splitlines()) == 1


def test_the_sentences_are_true() -> None:
    """Each extra that the code names is there, and installs the package."""
    calls = [
        match
        for path in (ROOT / "semiad").rglob("*.py")
        for match in re.findall(r'(?:optional_import|missing_package)\(\s*"([^"]+)", "([^"]+)"', path.read_text())
    ]
    assert len({extra for _, extra in calls}) >= 9
    for package, extra in calls:
        assert canonicalize_name(Requirement(package).name) in direct(extra), (package, extra)


def direct(extra: str) -> set[str]:
    """Names of the packages that an extra lists, by itself or by another extra."""
    listed = [Requirement(line) for line in EXTRAS[extra]]
    nested = {name for one in listed if one.name == "semiad" for other in one.extras for name in direct(other)}
    return nested | {canonicalize_name(one.name) for one in listed if one.name != "semiad"}


def test_all_has_every_extra_of_a_user() -> None:
    every = {name for extra in EXTRAS if extra not in ("docs", "test") for name in direct(extra)}
    assert direct("all") == every
    assert every <= direct("test")
