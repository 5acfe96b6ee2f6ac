"""Packs in training, saved for a killed job to go on from.

`NAME.pt` has all that training needs, `NAME.keys` the keys of the runs.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from semiad.engines.context import TrainingContext
from semiad.ledger.atomic import atomic_write
from semiad.runs import Run


def saved_path(runs: Sequence[Run], context: TrainingContext) -> Path | None:
    """The file in which a pack in training is saved."""
    name = sha256(" ".join(run.key for run in runs).encode()).hexdigest()[:16]
    return None if context.resumable is None else context.resumable / f"{name}.pt"


def save(state: dict[str, Any], path: Path) -> None:
    """Write both files; keys first, so that those of runs that go on are never too few.

    Where that cannot be done, a warning says so, and what was saved before stays.
    """
    try:
        write_keys(path.with_suffix(".keys"), filter(None, state["pack"]["keys"]))
        with atomic_write(path) as draft:
            torch.save(state, draft)
    except (OSError, RuntimeError) as error:  # torch's writer raises the second
        warnings.warn(f"a pack in training could not be saved ({' '.join(str(error).split())[:200]})", stacklevel=2)


def discard(path: Path, runs: Iterable[Run], context: TrainingContext) -> None:
    """Remove what some runs no longer need: all of it, unless there are others that have no record.

    Those are there where a pack was saved by a job of another sharding, and is shared out among the jobs of this one.
    """
    keys = path.with_suffix(".keys")
    if others := read_keys(keys) - {run.key for run in runs} - context.recorded:
        write_keys(keys, others)
    else:
        path.unlink(missing_ok=True)
        keys.unlink(missing_ok=True)


def read_keys(path: Path) -> set[str]:
    """Read the keys in a file; none if it is not there."""
    try:
        return set(path.read_text().split())
    except FileNotFoundError:
        return set()


def write_keys(path: Path, keys: Iterable[str]) -> None:
    """Write keys into a file."""
    with atomic_write(path) as draft:
        draft.write_text("\n".join(keys))


def saved_packs(context: TrainingContext) -> Iterator[tuple[Path, set[str]]]:
    """Yield the packs that killed jobs have left, and the keys of their runs."""
    for path in sorted(context.resumable.glob("*.pt")) if context.resumable is not None else ():
        yield path, read_keys(path.with_suffix(".keys"))


def saved_keys(context: TrainingContext) -> list[set[str]]:
    """Give the keys of the runs in each pack that a killed job has left."""
    return [keys for _, keys in saved_packs(context)]


def load_saved(runs: Sequence[Run], context: TrainingContext) -> tuple[Path | None, dict[str, Any] | None]:
    """Load the saved pack that has all of some runs; give its file and its content, None if there is no such pack."""
    wanted = {run.key for run in runs}
    for path, keys in saved_packs(context):
        if wanted <= keys:
            try:
                state = torch.load(path, map_location=context.device, weights_only=True)
            except Exception as error:  # whatever a damaged file makes torch raise
                sentence = f"{path} cannot be read ({type(error).__name__}): its runs start again"
                warnings.warn(sentence, stacklevel=2)
                return path, None
            if wanted <= set(state["pack"]["keys"]):
                return path, state
    return None, None
