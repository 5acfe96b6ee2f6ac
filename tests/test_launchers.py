"""Jobs placed by each launcher: a complete ledger, equal to the plain command's, and the right exit status."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from tests.conftest import read
from tests.pages import run_section
from tests.slurm import Slurm, missing

pytestmark = pytest.mark.slow

GRID = ("epochs=20", f"seeds={[*range(12)]}", "scenario.normal=8", "scenario.anomalous=3", "device=cpu", "shards=3")
"""12 runs on digits, in 3 jobs with -m."""
ENV = {k: v for k, v in os.environ.items() if k not in ("SEMIAD_DATA", "OMP_NUM_THREADS")}
ONE = {"OMP_NUM_THREADS": "1"}
SUMMARY = "3 jobs, 12 runs, 0 of them recorded before"


def start(folder: Path, *words: str, env: dict[str, str] = ENV, inside: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    command = [*inside, sys.executable, "-m", "semiad.train", *words]
    return subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def ended(process: subprocess.Popen[str]) -> str:
    """What a command that succeeds prints."""
    out, _ = process.communicate(timeout=150)
    assert process.returncode == 0, out
    return out


def figures(folder: Path, results: str = "") -> dict[str, float]:
    """AUC by key; a key has one record, and it is good."""
    got = read(folder / results)
    assert len({r["key"] for r in got}) == len(got) and {r["status"] for r in got} <= {"ok"}
    return {r["key"]: r["auc"] for r in got}


PAGE = "docs/tutorial_sweep.md"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """What the command without a launcher records, which is the tutorial's first one."""
    folder = tmp_path_factory.mktemp("plain")
    run_section(PAGE, "On your computer", folder, ENV | ONE)
    got = figures(folder, "outputs/here")
    assert len(got) == 12
    return pytest.approx(got, abs=1e-6)


def test_local_processes(tmp_path: Path, plain: dict[str, float]) -> None:
    assert SUMMARY in ended(start(tmp_path, *GRID, "hydra/launcher=local", "-m"))
    assert figures(tmp_path) == plain
    assert len(list(tmp_path.glob("outputs/runs/*/.submitit/*/*_log.out"))) == 3


def test_an_error_in_a_job_whose_console_is_a_file_is_told(tmp_path: Path) -> None:
    words = (*GRID[1:], "epochs=1,-1", "shards=1", "hydra/launcher=local", "-m")
    process = start(tmp_path, *words)
    out, _ = process.communicate(timeout=150)
    assert process.returncode == 1 and len(figures(tmp_path)) == 12
    assert out.count("error: epochs is -1, expected a whole number from 1 to 1000000") == 1 and "Traceback" not in out


# Ray listens on all addresses of a machine: here it gets a network of its own, with a loopback only, and a home.


@pytest.fixture(scope="module")
def inside() -> tuple[str, ...]:
    """What a command is put behind for that."""
    words = ("unshare", "--net", "--pid", "--fork", "--mount-proc", "sh", "-c")
    needs = shutil.which("unshare") and shutil.which("ip")
    if not needs or subprocess.run([*words, "ip link set lo up"], capture_output=True).returncode:
        pytest.skip("Ray is tested in a network namespace, for which unshare, ip and root are needed")
    return words


@pytest.mark.ray
def test_a_ray_node_of_the_commands_own(tmp_path: Path, plain: dict[str, float], inside: tuple[str, ...]) -> None:
    pytest.importorskip("ray")
    script = 'ip link set lo up; exec "$@"'
    env = ENV | {"HOME": str(tmp_path)}
    run_section(PAGE, "On one machine with Ray", tmp_path, env, inside=(*inside, script, "sh"))
    assert figures(tmp_path, "outputs/ray") == plain


@pytest.mark.ray
def test_a_ray_cluster_that_runs_already(tmp_path: Path, plain: dict[str, float], inside: tuple[str, ...]) -> None:
    pytest.importorskip("ray")
    script = 'ip link set lo up; "$@"'
    (home := tmp_path / "home").mkdir()
    env = ENV | {"HOME": str(home), "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 32}
    run_section(PAGE, "On a Ray cluster", tmp_path, env, inside=(*inside, script, "sh"))
    assert figures(tmp_path, "outputs/cluster") == plain
    assert not (home / "outputs").exists()  # jobs write where the command was given, not where the cluster was started


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """A cluster."""
    pytest.importorskip("submitit")
    if reason := missing():
        pytest.skip(reason)
    with Slurm(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


SMALL_JOBS = ("hydra/launcher=slurm", "hydra.launcher.mem_gb=2", "hydra.launcher.cpus_per_task=1")


@pytest.mark.slurm
def test_a_slurm_cluster(tmp_path: Path, plain: dict[str, float], slurm: Slurm) -> None:
    run_section(PAGE, "On Slurm", tmp_path, ENV | slurm.env)
    assert figures(tmp_path, "outputs/slurm") == plain
    assert {"#SBATCH --array=0-2%2", "#SBATCH --requeue", "#SBATCH --gpus-per-node=0"} <= batch_options(tmp_path)


def batch_options(folder: Path) -> set[str]:
    """Lines of the script that Slurm was given."""
    (script,) = folder.glob("outputs/runs/*/.submitit/*.sh")
    return {line.replace("'", "") for line in script.read_text().splitlines()}


@pytest.mark.slurm
def test_a_preempted_job_goes_on_where_it_was(tmp_path: Path, slurm: Slurm) -> None:
    words = ("epochs=800", *GRID[1:5], "engine.checkpoint_minutes=0")
    process = start(tmp_path, *words, *SMALL_JOBS, "shards=1", "-m", env=ENV | slurm.env)
    resumable = tmp_path / "outputs" / "results" / "resumable"
    wait(process, lambda: reached(resumable) > 500)
    assert "#SBATCH --gpus-per-node=1" in batch_options(tmp_path)
    (number,) = slurm.ask("squeue", "-h", "-o", "%A").split()
    slurm.ask("scancel", "--signal=USR2", number)
    wait(process, lambda: "Restarts=1" in slurm.ask("scontrol", "show", "job", number))
    before = reached(resumable)
    (saved,) = resumable.glob("*.pt")
    written = saved.stat().st_mtime_ns
    wait(process, lambda: not saved.exists() or saved.stat().st_mtime_ns > written)
    assert reached(resumable) > before > 500 and not read(tmp_path)
    assert "1 jobs" not in ended(process) and not list(resumable.iterdir())
    ended(start(tmp_path, *words, "results=whole", env=ENV | ONE))
    assert figures(tmp_path / "outputs") == pytest.approx(figures(tmp_path / "whole"), abs=1e-6)
    (log,) = tmp_path.glob("outputs/runs/*/.submitit/*/*_log.err")
    assert "Caught signal SIGUSR2" in log.read_text() and len(list(tmp_path.glob("outputs/runs/*/0"))) == 1


def wait(process: subprocess.Popen[str], until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not until():
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.02)


def reached(folder: Path) -> int:
    """Steps that a saved pack has taken."""
    paths = list(folder.glob("*.pt"))
    return torch.load(paths[0], weights_only=True)["pack"]["t"] if paths else 0
