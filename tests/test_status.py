import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from semiad import status
from semiad.ledger.progress import SILENT, Progress, clock, read, remaining, summary
from tests.conftest import SMALL


def job(**more: object) -> Progress:
    return Progress(
        **{"title": "t", "command": "c", "runs": 10, "recorded": 2, "of": 100, "host": "h", "pid": 1} | more
    )


def test_how_far_jobs_are() -> None:
    going = job(done=4, failed=1, epochs=50, started=1000.0, updated=1060.0)
    ended = job(done=8, epochs=100, started=1000.0, updated=1090.0, state="ended")
    assert going.left == 4 and ended.left == 0
    # Half of the epochs took a minute, so the other half takes one more; what has ended takes none.
    assert remaining([going, ended], 1060.0) == pytest.approx(60) and remaining([ended], 1060.0) == 0
    assert remaining([going, job(started=1000.0, updated=1060.0)], 1060.0) is None
    assert remaining([job(done=4, epochs=50, started=1000.0, updated=1060.0, state="stopped")], 1060.0) is None
    # Of 50 epochs 40 were done before: the other 50 take five times as long as its minute.
    assert remaining([job(epochs=50, resumed=40, started=1000.0, updated=1060.0)], 1060.0) == pytest.approx(300)
    assert remaining([job(epochs=40, resumed=40, started=1000.0, updated=1060.0)], 1060.0) is None
    # 12 runs in the 90 seconds from the first start to the last sign.
    assert summary([going, ended], 1090.0) == (
        "2 jobs (1 training, 1 ended): 16 runs recorded, 1 failed, 4 left, 8.0 runs a minute, 0:01:00 left"
    )
    assert going.shown_state(1060.0 + SILENT) == "training" and going.shown_state(1061.0 + SILENT) == "lost"
    assert [clock(3661.4), clock(0), clock(None)] == ["1:01:01", "0:00:00", "-:--:--"]


def test_a_progress_file_is_read_back_and_a_torn_one_is_no_job(tmp_path: Path) -> None:
    kept = job(last=["one"])
    kept.write(tmp_path / "jobs" / "a.json")
    (tmp_path / "jobs" / "b.json").write_text((tmp_path / "jobs" / "a.json").read_text()[:40])
    assert [*read(tmp_path)] == [kept]
    job().write(Path("/proc/no/such/folder.json"))  # training goes on all the same


def asked(monkeypatch: pytest.MonkeyPatch, *words: str) -> object:
    monkeypatch.setattr(sys, "argv", ["status", *words])
    with pytest.raises(SystemExit) as ended:
        status.main()
    return ended.value.code


def test_status_of_a_ledger(
    command: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(*SMALL[:2], "scenario.normal=8", "shards=2", "results=r", "-m") == 0
    capsys.readouterr()
    assert asked(monkeypatch, "results=r") == 0
    said = capsys.readouterr().out
    assert "2 jobs (2 ended): 9 runs recorded, 0 failed, 0 left" in said
    assert "ledger: 9 runs recorded, 0 of them failed, 0 planned ones missing" in said
    job(command="earlier", state="stopped", started=0.0).write(Path("r/jobs/earlier.json"))
    assert asked(monkeypatch, "results=r") == 0 and "9 runs recorded, 0 failed, 0 left" in capsys.readouterr().out
    (first, *_) = sorted(Path("r").glob("*.jsonl"))
    lost = len(first.read_text().splitlines())
    first.unlink()
    assert asked(monkeypatch, "results=r") == 1
    assert f"{9 - lost} runs recorded, 0 of them failed, {lost} planned ones missing" in capsys.readouterr().out
    assert asked(monkeypatch, "results=nowhere") == (
        "error: results=nowhere is no folder; python -m semiad.status results=DIR (default outputs/results)"
    )
    assert "error: result=r: expected" in str(asked(monkeypatch, "result=r"))


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [(), ("hydra/launcher=processes",)], ids=["basic", "processes"])
def test_a_terminal_shows_all_jobs(launcher: tuple[str, ...], tmp_path: Path) -> None:
    words = ("epochs=40", "seeds=[0]", "scenario.normal=8", "shards=2", *launcher, "-m")
    host, terminal = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "OMP_NUM_THREADS": "1"}
    run = [sys.executable, "-m", "semiad.train", *words]
    process = subprocess.Popen(run, cwd=tmp_path, env=env, stdout=terminal, stderr=terminal)
    os.close(terminal)
    said = b""
    while True:
        try:
            said += os.read(host, 65536)
        except OSError:  # the other end is closed
            break
    assert process.wait() == 0
    text = said.decode()
    assert "2 jobs (2 ended): 9 runs recorded, 0 failed, 0 left" in text and "AUC 0.9" in text
    jobs = [json.loads(path.read_text()) for path in (tmp_path / "outputs" / "results" / "jobs").iterdir()]
    assert sorted(job["state"] for job in jobs) == ["ended", "ended"]
