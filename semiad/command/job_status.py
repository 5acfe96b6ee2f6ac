"""The status of each job of a command, left in the job's own folder, since a job may be another process."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hydra.types import RunMode

FILE = "status.json"


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
    """

    planned: int | None = None
    recorded: int = 0
    errors: list[str] = field(default_factory=list)
    shown: bool = True
    stopped: int = 0
    seconds: float = 0
    trains: bool = False

    def write(self, folder: Path) -> None:
        """Write the status into a job's folder."""
        (folder / FILE).write_text(json.dumps(asdict(self)))


def read_statuses(folder: Path) -> Iterator[JobStatus]:
    """Read the statuses of a command's jobs from its folder; a job that left none has ended before its time."""
    for job in sorted(path for path in folder.iterdir() if path.is_dir() and path.name.isdigit()):
        path = job / FILE
        ended = JobStatus(errors=[f"job {job.name} was ended"], shown=False)
        yield JobStatus(**json.loads(path.read_text())) if path.exists() else ended


def output_folder(hydra: Any) -> Path:  # noqa: ANN401
    """The folder of a command's outputs, given Hydra's own configuration."""
    return Path(hydra.sweep.dir if hydra.mode == RunMode.MULTIRUN else hydra.run.dir)
