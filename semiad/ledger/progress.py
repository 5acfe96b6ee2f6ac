"""The progress of jobs: each job keeps one small file beside the ledger, for live views and for `semiad.status`."""

import json
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import time

import msgspec
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from semiad.ledger.atomic import atomic_write

SILENT = 120
"""Seconds without an update after which a job counts as lost; an epoch of a wide pack may take long."""
SHOWN = 12
"""Number of jobs that a view shows; the others are counted."""
RESULTS = 4
"""Number of latest results that a view shows."""


@dataclass
class Progress:
    """The progress of a job.

    Attributes:
        title: the title of the job.
        command: the folder of the command's outputs, which all jobs of the command share.
        runs: number of runs that the job has planned.
        recorded: number of those that were recorded before the job began.
        done: number of runs that the job has recorded, failed ones included.
        failed: number of those that failed.
        epochs: number of epochs trained so far, over all runs.
        resumed: number of those that were trained before the job began.
        of: number of epochs to train, over all runs.
        state: `training`, `ended` or `stopped`.
        started: time at which the job began, in seconds since 1970.
        updated: time of the last update, in seconds since 1970.
        host: name of the machine.
        pid: number of the process.
        last: the latest results, each a sentence.
    """

    title: str
    command: str
    runs: int
    recorded: int
    of: int
    done: int = 0
    failed: int = 0
    epochs: int = 0
    resumed: int = 0
    state: str = "training"
    started: float = field(default_factory=time)
    updated: float = 0.0
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    last: list[str] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Number of runs still to train."""
        return self.runs - self.recorded - self.done

    @property
    def seconds(self) -> float:
        """Seconds from the start of the job to its last update."""
        return max(self.updated - self.started, 1e-3)

    def shown_state(self, now: float) -> str:
        """The state of the job at a time; `lost` if it has not been updated for long."""
        return "lost" if self.state == "training" and now - self.updated > SILENT else self.state

    def write(self, path: Path) -> None:
        """Replace the file of the job; an error is ignored, since training must not end because of it."""
        self.updated = time()
        with suppress(OSError), atomic_write(path) as draft:
            draft.write_text(json.dumps(asdict(self)))


def read(results: Path) -> Iterator[Progress]:
    """Read the progress of all jobs on a ledger, oldest first; files that cannot be read are left out."""
    jobs = []
    for path in results.glob("jobs/*.json"):
        try:
            jobs.append(msgspec.json.decode(path.read_bytes(), type=Progress))
        except (OSError, ValueError, RecursionError):
            continue
    return iter(sorted(jobs, key=lambda job: job.started))


def view(jobs: Sequence[Progress], now: float) -> RenderableType:
    """Render the progress of several jobs: a table of jobs, a summary and the latest results."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("job", "state", "runs", "failed", "left"):
        table.add_column(name, justify="right" if name in ("runs", "failed", "left") else "left")
    table.add_column("epochs", min_width=20)
    table.add_column("time left", justify="right")
    first = [job for job in jobs if job.shown_state(now) == "training"]
    order = first + [job for job in reversed(jobs) if job not in first]
    for job in order[:SHOWN]:
        table.add_row(
            Text(job.title),
            job.shown_state(now),
            str(job.recorded + job.done),
            str(job.failed),
            str(job.left),
            ProgressBar(total=max(job.of, 1), completed=job.epochs, width=20),
            clock(remaining([job], now)) if job in first else "",
        )
    rest = f"; {len(order) - SHOWN} more jobs" if len(order) > SHOWN else ""
    lines = [summary(jobs, now) + rest]
    lines += [line for job in sorted(jobs, key=lambda job: job.updated) for line in job.last][-RESULTS:]
    return Group(table, *map(Text, lines))


def summary(jobs: Sequence[Progress], now: float) -> str:
    """Summarize all jobs in one line."""
    states = [job.shown_state(now) for job in jobs]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    done, failed, left = (sum(getattr(job, name) for job in jobs) for name in ("done", "failed", "left"))
    recorded = sum(job.recorded for job in jobs)
    elapsed = max((job.updated for job in jobs), default=now) - min((job.started for job in jobs), default=now)
    rate = f"{60 * done / elapsed:.1f}" if elapsed > 0 else "0"
    word = "job" if len(jobs) == 1 else "jobs"
    return (
        f"{len(jobs)} {word} ({counts}): {recorded + done} runs recorded, {failed} failed, {left} left, {rate} runs a "
        f"minute, {clock(remaining(jobs, now))} left"
    )


def remaining(jobs: Sequence[Progress], now: float) -> float | None:
    """Estimate the seconds that the jobs in training still take, each at its own pace; None while that is unknown."""
    training = [job for job in jobs if job.shown_state(now) == "training"]
    if not training and not sum(job.left for job in jobs):
        return 0.0
    if not training or any(job.epochs == job.resumed for job in training):
        return None
    return max(job.seconds * (job.of - job.epochs) / (job.epochs - job.resumed) for job in training)


def clock(seconds: float | None) -> str:
    """Format seconds as h:mm:ss."""
    if seconds is None:
        return "-:--:--"
    total = round(seconds)
    return f"{total // 3600}:{total // 60 % 60:02}:{total % 60:02}"
