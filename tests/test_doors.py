"""What a package or a folder from outside brings is found, trained, recorded and reported."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from semiad.ledger.reader import read as read_ledger
from semiad.report.__main__ import main
from tests.conftest import CONF, SMALL, read
from tests.pages import run_section

pytestmark = pytest.mark.slow

EXAMPLE = CONF.parent / "examples" / "own_method"
PAGE = "docs/own_method.md"
MINE = """
import torch
from semiad.methods.ae import AE


class Mine(AE):
    unsupervised = False

    def losses(self, batch):
        errors = super().losses(batch)
        return torch.where(batch.s == 1, (0.5 - errors).clamp(min=0), errors)
"""
METHOD = """
# @package _global_
training: {batch_size: 32, epochs: {image: 3, table: 3}}
method:
  _target_: mine.Mine
  _partial_: true
  net: ${network}
  optimizer: {_target_: torch.optim.Adam, _partial_: true, lr: 0.001}
"""
EXPERIMENT = """
# @package _global_
defaults: [override /method: mine, override /network: papers]
seeds: [0, 1]
shards: 1
scenario: {normal: 8, anomalous: 3}
hydra: {sweeper: {params: {method: "mine,ae"}}}
"""


def run(*words: str, cwd: Path, path: str = "") -> str:
    """Run a command in a process of its own, and give what it prints."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(CONF.parent), path]))}
    env |= {"OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    done = subprocess.run([sys.executable, *words], cwd=cwd, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The example package, installed into a folder of its own."""
    folder = tmp_path_factory.mktemp("own")
    shutil.copytree(EXAMPLE, folder / "source", ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--target")
    run("-m", "pip", "install", *options, str(folder / "site"), str(folder / "source"), cwd=folder)
    return str(folder / "site")


def reports(folder: Path, *words: str, results: str = "r") -> Iterator[str]:
    """The report of the results in a folder, in every format."""
    for form in ("terminal", "csv", "markdown", "latex", "html"):
        main([*words, f"results={folder}/{results}", "--format", form, "--out", f"{folder}/out.{form}"])
        yield (folder / f"out.{form}").read_text()


def test_an_installed_package_trains_in_a_pack_with_methods_of_semiad(
    site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(CONF.parent), site]), "COLUMNS": "200"}
    for section in ("Installed: `pyproject.toml`", "A published table: `own_method/experiments.py`"):
        run_section(PAGE, section, tmp_path, environment | {"OMP_NUM_THREADS": "1"})
    records = read(tmp_path / "margin")
    assert sorted((r["method"], r["seed"], r["status"]) for r in records) == [
        *[("ae", seed, "ok") for seed in (0, 1)],
        *[("margin_ae", seed, "ok") for seed in (0, 1)],
    ]
    assert {r["method"]: r.get("distributions") for r in records} == {"ae": None, "margin_ae": {"own-method": "0.1.0"}}
    assert {(r["engine"], r["pack_width"]) for r in records} == {("packed", 2)}
    monkeypatch.syspath_prepend(site)
    for text in reports(tmp_path, "experiment=margin_table1", "budget=quick", results="margin"):
        assert "Margin AE" in text and ".983" in text  # the package's own printed value
        assert "own-method 0.1.0" in " ".join(text.split()) or text.startswith("experiment,")  # CSV has values only
    margins = [r for r in read(tmp_path / "outputs/results") if r["config"]["method"].get("margin") in (0.1, 0.3)]
    assert [r["pack_width"] for r in margins] == [4] * 4


def test_a_package_that_is_not_installed_trains_as_the_page_says(tmp_path: Path) -> None:
    copy = shutil.copytree(EXAMPLE, tmp_path / "own_method", ignore=shutil.ignore_patterns("outputs", "__pycache__"))
    environment = {**os.environ, "PYTHONPATH": str(CONF.parent), "OMP_NUM_THREADS": "1"}
    run_section(PAGE, "Without installing anything", copy, environment)


def test_the_package_passes_its_own_test(site: str) -> None:
    options = ("-q", "-p", "no:cacheprovider", "-W", "ignore", "--rootdir", str(EXAMPLE))
    assert "1 passed" in run("-m", "pytest", *options, str(EXAMPLE / "tests"), cwd=EXAMPLE, path=site)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a class and configurations, as a user has who installs nothing."""
    for name, text in (("method/mine", METHOD), ("experiment/mine", EXPERIMENT)):
        path = tmp_path / "my conf" / f"{name}.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    (tmp_path / "mine.py").write_text(MINE)
    return tmp_path


@pytest.mark.parametrize("named", [("--config-dir", "my conf"), ("hydra.searchpath=['file://my conf']",)])
def test_an_experiment_of_a_folder_trains_and_its_printed_commands_run(named: tuple[str, ...], folder: Path) -> None:
    # Of another command than `python -m`: its folder is not the current one.
    command = "import sys; sys.path.pop(0); from semiad.train import main; main()"
    run("-c", command, *named, "experiment=mine", "results=r", "logger=none", "-m", cwd=folder)
    assert sorted(r["method"] for r in read(folder / "r")) == ["ae", "ae", "mine", "mine"]
    assert {r["config"]["method"]["net"]["_target_"] for r in read(folder / "r")} == {"semiad.networks.dense.Dense"}
    ledger = read_ledger(folder / "r")
    assert ledger.plans["search_path" if len(named) == 1 else "config_dir"].null_count() == 0
    for text in reports(folder):
        assert "mine" in text and "no runs" not in text
    printed = run("-m", "semiad.report", "experiment=mine", "results=r", cwd=folder)
    train, report = (re.search(rf"python -m semiad\.{name} .*", printed) for name in ("train", "report"))
    assert train is not None and report is not None
    shutil.move(folder / "r", folder / "first")
    run(*shlex.split(train[0])[1:], cwd=folder)
    assert [r["key"] for r in read(folder / "r")] == [r["key"] for r in read(folder / "first")]
    assert "mine" in run(*shlex.split(report[0])[1:], cwd=folder)


def test_an_option_between_settings_is_one_sentence(
    command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("method=mine", "--config-dir", "my conf", "epochs=1") == 1
    error = "error: --config-dir stands between settings: options go before or after all of them\n"
    assert capsys.readouterr().err == error


def test_data_of_a_third_kind_takes_the_settings_of_tables(command: Callable[..., int]) -> None:
    assert command("kind=series", "method=deep_sad", "method.pretraining.epochs=1", *SMALL, "results=r") == 0
    (record,) = read(Path("r"))
    assert record["config"]["method"]["optimizer"]["lr"] == 0.001  # of tables; 0.0001 of images
