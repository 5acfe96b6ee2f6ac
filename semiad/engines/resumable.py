"""Packs in training, saved for a killed job to go on from."""

import os
import warnings
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from semiad.engines.base import Job
from semiad.runs import Run


def place(runs: Sequence[Run], job: Job) -> Path | None:
    """Where a pack in training is saved."""
    name = sha256(" ".join(run.key for run in runs).encode()).hexdigest()[:16]
    return None if job.resumable is None else job.resumable / f"{name}.pt"


def save(state: dict[str, Any], path: Path) -> None:
    """Write a file aside and put it in place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(f".{os.getpid()}.tmp")
    torch.save(state, aside)
    aside.replace(path)


def states(job: Job) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The packs that killed jobs have left, those that can be read."""
    for path in sorted(job.resumable.glob("*.pt")) if job.resumable is not None else ():
        try:
            yield path, torch.load(path, map_location=job.device, weights_only=True)
        except Exception as error:  # whatever a damaged file makes torch raise
            warnings.warn(f"{path} cannot be read ({type(error).__name__}): its runs start again", stacklevel=2)


def saved_keys(job: Job) -> list[set[str]]:
    """The keys of the runs in each of them."""
    return [set(state["keys"]) for _, state in states(job)]


def resumed(runs: Sequence[Run], job: Job) -> tuple[Path | None, dict[str, Any] | None]:
    """The saved pack that has all of some runs, if there is one."""
    for path, state in states(job):
        if {run.key for run in runs} <= set(state["keys"]):
            return path, state
    return None, None
