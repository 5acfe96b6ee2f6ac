from collections.abc import Callable
from pathlib import Path

import pytest

from semiad.command.job_status import JobStatus, read_statuses
from tests.conftest import SMALL, read
from tests.test_train import python

pytestmark = pytest.mark.slow


def test_a_job_that_did_not_end_was_ended(tmp_path: Path) -> None:
    JobStatus(3, 1).write(tmp_path, 0)
    JobStatus(3, 1, ended=False).write(tmp_path, 10)
    JobStatus(2).write(tmp_path, 9)
    first, second, third = read_statuses(tmp_path)
    assert (first, second) == (JobStatus(3, 1), JobStatus(2))
    assert third.errors == ["job 10 was ended"] and not third.shown


def test_jobs_side_by_side_give_what_they_give_one_after_the_other(
    tmp_path: Path, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    words = (*SMALL, "method=ae,aesad", "scenario.anomalous=3,5", "shards=1")
    assert command(*words, "results=one", "-m") == 0
    process = python(*words, "hydra/launcher=processes", "results=many", "-m", cwd=tmp_path)
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    for said in (capsys.readouterr().out, out):
        assert "4 jobs, 4 runs, 0 of them recorded before" in said
    one, many = ({r["key"]: r["auc"] for r in read(tmp_path / d)} for d in ("one", "many"))
    assert one == pytest.approx(many, abs=1e-6) and len(one) == 4


def test_an_error_in_another_process_is_the_commands(tmp_path: Path) -> None:
    words = (*SMALL[:2], "method=ae,aesad", "scenario.normal=77", "shards=1", "hydra/launcher=processes", "-m")
    process = python(*words, cwd=tmp_path)
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 1 and out.count("error: scenario.normal: data set digits has no class 77") == 2
