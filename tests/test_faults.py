"""What may happen to a sweep, done to one for real; afterwards the ledger must equal that of an undisturbed one."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from semiad.ledger.reader import read as read_ledger
from tests.conftest import counted, read
from tests.test_train import python

pytestmark = pytest.mark.slow

GRID = ("epochs=400", "seeds=[0,1,2,3]", "scenario.normal=8", "scenario.anomalous=1", "device=cpu")
"""Four runs of digits."""
PACKED = ("engine=packed", "engine.width=2", "engine.compile=false", "engine.checkpoint_minutes=0")
JOBS = ("shards=2", "-m")
Command = Callable[..., int]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """AUC by key."""
    folder = tmp_path_factory.mktemp("undisturbed")
    process = python(*GRID, *PACKED, "results=whole", cwd=folder)
    assert process.communicate(timeout=300) and process.returncode == 0
    return aucs(folder / "whole")


def aucs(folder: Path) -> dict[str, float]:
    ledger = read_ledger(folder)
    assert not ledger.conflicts
    assert set(ledger.runs["status"]) <= {"ok", "missing"}
    return {key: record["auc"] for key, record in counted(ledger).items()}


def equal(folder: Path, expected: dict[str, float]) -> None:
    assert aucs(folder) == pytest.approx(expected, abs=1e-6) and len(expected) == 4
    assert not [*folder.glob("resumable/*.pt")]


def until(process: subprocess.Popen[str], happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not happened():
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.01)


def saved(folder: Path) -> Callable[[], object]:
    return lambda: [*folder.glob("resumable/*.pt")]


def children(pid: int) -> list[int]:
    """Of a process and of its children."""
    found = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return found + [grandchild for child in found for grandchild in children(child)]


def workers(pid: int) -> list[int]:
    """Processes that train for a process."""
    return [child for child in children(pid) if "popen_loky" in cmdline(child) or "spawn_main" in cmdline(child)]


def cmdline(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def resume(command: Command, folder: Path, *words: str) -> None:
    assert command(*GRID, *PACKED, f"results={folder}", *words) == 0


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda how: how.name)
def test_the_command_is_ended(how: signal.Signals, tmp_path: Path, command: Command, undisturbed: dict) -> None:
    results = tmp_path / "r"
    minutes = "engine.checkpoint_minutes=" + (
        "0" if how == signal.SIGKILL else "600"
    )  # those asked to end save at once
    words = (*GRID, *PACKED[:-1], minutes, f"results={results}")
    process = python(*words, cwd=tmp_path)
    until(process, saved(results) if how == signal.SIGKILL else lambda: [*results.glob("jobs/*.json")])
    time.sleep(0.3)
    process.send_signal(how)
    out, _ = process.communicate(timeout=100)
    if how == signal.SIGKILL:
        assert process.returncode == -how
    else:
        assert process.returncode == 128 + how and "Traceback" not in out
        assert "the same command goes on from there: python -m semiad.train epochs=400 'seeds=[0,1,2,3]'" in out
        assert ("Ctrl-C again stops at once" in out) == (how == signal.SIGINT)
    assert saved(results)() and len(read_ledger(results).recorded) < 4
    resume(command, results)
    equal(results, undisturbed)


def test_a_worker_is_killed(tmp_path: Path, command: Command, undisturbed: dict) -> None:
    results = tmp_path / "r"
    process = python(*GRID, *PACKED, "shards=1", f"results={results}", "hydra/launcher=processes", "-m", cwd=tmp_path)
    until(process, saved(results))
    for worker in workers(process.pid):
        os.kill(worker, signal.SIGKILL)
    out, _ = process.communicate(timeout=100)
    assert process.returncode == 1 and "Traceback" not in out
    assert "error: TerminatedWorkerError" in out and "the same command goes on from there" in out
    resume(command, results)
    equal(results, undisturbed)


def test_the_parent_of_workers_is_killed(tmp_path: Path, command: Command, undisturbed: dict) -> None:
    results = tmp_path / "r"
    words = (*GRID, *PACKED[:-1], "engine.checkpoint_minutes=600", f"results={results}")
    process = python(*words, "hydra/launcher=processes", *JOBS, cwd=tmp_path)
    until(process, lambda: [*results.glob("jobs/*.json")])
    time.sleep(0.3)
    left = workers(process.pid)
    process.kill()
    process.communicate(timeout=100)
    deadline = time.monotonic() + 60
    while any("popen_loky" in cmdline(worker) for worker in left):
        assert time.monotonic() < deadline, "workers go on without their parent"
        time.sleep(0.1)
    assert left and saved(results)()
    resume(command, results)
    equal(results, undisturbed)


def test_a_process_of_another_device_is_killed(tmp_path: Path, command: Command, undisturbed: dict) -> None:
    results = tmp_path / "r"
    process = python(*GRID, *PACKED, "engine.devices=2", f"results={results}", cwd=tmp_path)
    until(process, saved(results))
    os.kill(workers(process.pid)[0], signal.SIGKILL)
    out, _ = process.communicate(timeout=100)
    assert process.returncode == 1 and "Traceback" not in out
    assert "error: a process on another device was ended (-9)" in out
    resume(command, results)
    equal(results, undisturbed)


def test_devices_save_when_the_command_is_ended(tmp_path: Path, command: Command, undisturbed: dict) -> None:
    results = tmp_path / "r"
    words = (*GRID, *PACKED[:-1], "engine.checkpoint_minutes=600", "engine.devices=2", f"results={results}")
    process = python(*words, cwd=tmp_path)
    until(process, lambda: [job for job in results.glob("jobs/*.json") if json.loads(job.read_text())["epochs"]])
    process.terminate()
    out, _ = process.communicate(timeout=100)
    assert process.returncode == 143 and "Traceback" not in out and saved(results)()
    resume(command, results)
    equal(results, undisturbed)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if (
        not shutil.which("mount")
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]).returncode
    ):
        pytest.skip("a disk of its own needs the right to mount (run as root)")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_the_disk_is_full(small: Path, command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("epochs=2", "seeds=[0,1,2,3,4,5]", "scenario.normal=8", "device=cpu", "engine=auto", f"results={small}")
    assert command(*words) == 1
    said = capsys.readouterr()
    assert "cannot be written to (No space left on device); what was recorded before is kept" in said.err
    before = counted(small)
    assert 0 < len(before) < 54
    subprocess.run(["mount", "-o", "remount,size=10m", small], check=True)
    assert command(*words) == 0
    after = counted(small)
    assert len(after) == 54 and all(after[key] == record for key, record in before.items())


def test_the_disk_is_full_when_a_pack_is_saved(small: Path, command: Command, undisturbed: dict) -> None:
    with pytest.warns(UserWarning, match="a pack in training could not be saved"):
        resume(command, small)
    equal(small, undisturbed)


def test_a_torn_ledger_goes_on(tmp_path: Path, command: Command) -> None:
    """Torn at any byte: see `test_records`."""
    words = ("epochs=1", "seeds=[0,1]", "scenario.normal=8", "scenario.anomalous=1", "results=r")
    assert command(*words) == 0
    (path,) = Path("r").glob("*.jsonl")
    whole, first = path.read_bytes(), path.read_bytes().index(b"\n")
    both = counted(Path("r"))
    for cut in (0, first // 2, first, first + 1, first + 100, len(whole) - 1):
        path.write_bytes(whole[:cut])
        ledger = read_ledger(Path("r"))
        # A line that lacks nothing but its end is a record.
        expected = (cut >= first) + (cut >= len(whole) - 1)
        assert len(ledger.recorded) == expected and all(both[key] == row for key, row in counted(ledger).items())
        assert bool(ledger.warnings) == (cut not in (0, first, first + 1, len(whole) - 1))
    path.write_bytes(whole[: first + 100])
    assert command(*words) == 0
    again = counted(Path("r"))
    assert {key: record["auc"] for key, record in again.items()} == {key: both[key]["auc"] for key in both}


def test_two_sweeps_on_one_ledger_at_once(tmp_path: Path, undisturbed: dict) -> None:
    results = tmp_path / "r"
    words = (*GRID, *PACKED, f"results={results}", *JOBS)
    both = [python(*words, cwd=tmp_path) for _ in range(2)]
    said = [process.communicate(timeout=300)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    equal(results, undisturbed)
    assert 4 <= len(read(results)) <= 8


def test_a_data_file_is_damaged_between_two_jobs(
    tmp_path: Path, command: Command, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data" / "odds"
    data.mkdir(parents=True)
    for name in ("wine", "lympho"):
        shutil.copyfile(shared / "odds" / f"{name}.mat", data / f"{name}.mat")
    words = ("dataset=odds", "dataset.name=lympho,wine", "scenario=table_fraction", "seeds=[0]", "epochs=2")
    words += ("data_root=data", "shards=1", "results=r", "-m")
    whole = (data / "wine.mat").read_bytes()
    (data / "wine.mat").write_bytes(whole[:-10] + b"0123456789")
    assert command(*words) == 1
    assert "odds/wine.mat has the wrong content" in " ".join(capsys.readouterr().err.split())
    (before,) = counted(Path("r")).values()
    assert before["dataset"] == "odds/lympho"
    (data / "wine.mat").write_bytes(whole)
    assert command(*words) == 0
    assert sorted(r["dataset"] for r in read(Path("r"))) == ["odds/lympho", "odds/wine"]


SCARCE = """
import resource
from pathlib import Path
import torch
import semiad.train
from semiad.ledger.reader import read as read_ledger
from semiad.engines.packed import engine
torch.ones(1, requires_grad=True).backward()  # starts torch's threads, which need memory too
read_ledger(Path("none"))  # and Polars'
engine.fitting_width = lambda run, context: 64  # as if there were room
has = int(next(line for line in open("/proc/self/status") if line.startswith("VmSize")).split()[1]) << 10
resource.setrlimit(resource.RLIMIT_AS, (has + (700 << 20), -1))
semiad.train.main()
"""


def test_memory_runs_out_in_a_pack(tmp_path: Path) -> None:
    words = ("epochs=1", "seeds=[0,1,2,3,4,5,6,7]", "scenario.normal=8", "device=cpu", "network.hidden=[4096]")
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    run = [sys.executable, "-c", SCARCE, *words, "engine=packed", "engine.compile=false", "results=r"]
    done = subprocess.run(run, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(read(tmp_path / "r")) == 72 and {record["pack_width"] for record in read(tmp_path / "r")} < {
        *range(1, 37)
    }
