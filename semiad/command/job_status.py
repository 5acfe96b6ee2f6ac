"""The status of each job of a command, left beside the jobs' outputs, since a job may be another process.

Each command has a folder of its own for them, so that no file needs to be deleted or is overwritten by another job,
wherever `hydra.sweep.subdir` places the outputs.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hydra.types import RunMode

from semiad.ledger.atomic import atomic_write


@dataclass
class JobStatus:
    """The status of a job.

    Attributes:
        planned: its runs; None for a job without a plan, because it had none or an error came first.
        recorded: how many of them had been recorded before.
        errors: what went wrong, in sentences.
        shown: whether the command's console has shown the errors.
        stopped: 0, or the exit status of a process that was asked to end before its time.
        seconds: that its runs will take, of a job that only plans.
        trains: whether it does more than plan.
        ended: whether the job has ended by itself.
        folder: its outputs.
    """

    planned: int | None = None
    recorded: int = 0
    errors: list[str] = field(default_factory=list)
    shown: bool = True
    stopped: int = 0
    seconds: float = 0
    trains: bool = False
    ended: bool = True
    folder: str = ""

    def write(self, folder: Path, job: int) -> None:
        """Write the status of a job into the folder of the command's statuses."""
        with atomic_write(folder / f"{job}.json") as draft:
            draft.write_text(json.dumps(asdict(self)))


def statuses_folder(hydra: Any, cwd: Path) -> Path:  # noqa: ANN401
    """Give the folder for the statuses of a command's jobs, by Hydra's configuration and the command's directory."""
    return cwd / str(hydra.sweep.dir) / ".semiad" / str(hydra.callbacks.summary.command)


def read_statuses(folder: Path) -> Iterator[JobStatus]:
    """Read the statuses of a command's jobs; what has not ended by itself was ended from outside."""
    for path in sorted(folder.glob("*.json"), key=lambda path: int(path.stem)):
        status = JobStatus(**json.loads(path.read_text()))
        if not status.ended:
            status.errors, status.shown = [f"job {path.stem} was ended"], False
        yield status


def output_folder(hydra: Any) -> Path:  # noqa: ANN401
    """The folder of a command's outputs, given Hydra's own configuration."""
    return Path(hydra.sweep.dir if hydra.mode == RunMode.MULTIRUN else hydra.run.dir)
