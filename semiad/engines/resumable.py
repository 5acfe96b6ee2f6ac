"""Packs in training, saved for a killed job to go on from.

`NAME.pt` has all that training needs, `NAME.keys` the keys of the runs.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from semiad.aside import aside
from semiad.engines.base import Job
from semiad.engines.lane import Lane
from semiad.runs import Run


def place(runs: Sequence[Run], job: Job) -> Path | None:
    """Where a pack in training is saved."""
    name = sha256(" ".join(run.key for run in runs).encode()).hexdigest()[:16]
    return None if job.resumable is None else job.resumable / f"{name}.pt"


def save(state: dict[str, Any], lanes: Sequence[Lane], path: Path) -> None:
    """Write files aside and put them in place; keys first, of which there may be too many but never too few.

    Where that cannot be done, a warning says so, and what was saved before stays.
    """
    try:
        if not path.exists():
            write(path.with_suffix(".keys"), (lane.run.key for lane in lanes))
        with aside(path) as draft:
            torch.save(state, draft)
    except (OSError, RuntimeError) as error:  # torch's writer raises the second
        warnings.warn(f"a pack in training could not be saved ({' '.join(str(error).split())[:200]})", stacklevel=2)


def discard(path: Path, runs: Iterable[Run], job: Job) -> None:
    """Remove what some runs no longer need: all of it, unless there are others that have no record.

    Those are there where a pack was saved by a job of another sharding, and is shared out among the jobs of this one.
    """
    keys = path.with_suffix(".keys")
    if others := known(keys) - {run.key for run in runs} - job.recorded:
        write(keys, others)
    else:
        path.unlink(missing_ok=True)
        keys.unlink(missing_ok=True)


def known(path: Path) -> set[str]:
    """The keys in a file."""
    try:
        return set(path.read_text().split())
    except FileNotFoundError:
        return set()


def write(path: Path, keys: Iterable[str]) -> None:
    """Write keys into a file, aside and then in place."""
    with aside(path) as draft:
        draft.write_text("\n".join(keys))


def places(job: Job) -> Iterator[tuple[Path, set[str]]]:
    """The packs that killed jobs have left, and the keys of their runs."""
    for path in sorted(job.resumable.glob("*.pt")) if job.resumable is not None else ():
        yield path, known(path.with_suffix(".keys"))


def saved_keys(job: Job) -> list[set[str]]:
    """The keys of the runs in each of them."""
    return [keys for _, keys in places(job)]


def resumed(runs: Sequence[Run], job: Job) -> tuple[Path | None, dict[str, Any] | None]:
    """The saved pack that has all of some runs, if there is one."""
    wanted = {run.key for run in runs}
    for path, keys in places(job):
        if wanted <= keys:
            try:
                state = torch.load(path, map_location=job.device, weights_only=True)
            except Exception as error:  # whatever a damaged file makes torch raise
                sentence = f"{path} cannot be read ({type(error).__name__}): its runs start again"
                warnings.warn(sentence, stacklevel=2)
                return path, None
            if wanted <= set(state["pack"]["keys"]):
                return path, state
    return None, None
