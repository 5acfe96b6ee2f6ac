"""What engines share: the job they are given, the outcome of a run, and how a trained model is tested."""

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from semiad.data import Rows
from semiad.errors import InputError, RunFailed
from semiad.methods.base import Method
from semiad.methods.shallow import Shallow
from semiad.metrics import figures
from semiad.runs import Run
from semiad.types import Split, Table

PRECISIONS = ("fp32", "tf32", "bf16")

CurvePoint = tuple[int, float, float]
"""Epoch (from 1), mean training loss in it, test AUC after it."""


class Point(NamedTuple):
    """An epoch that a run has done.

    Attributes:
        key: of the run.
        epoch: from 1; 0 for an epoch of an earlier phase, which is progress and nothing more.
        loss: the mean training loss in it; not a number if the run has failed, or did the epoch before it was resumed.
        auc: on the test rows after it, where it was tested.
        past: whether the run did it before it was resumed.
    """

    key: str
    epoch: int
    loss: float = math.nan
    auc: float | None = None
    past: bool = False


Tick = Callable[[Sequence[Point]], None]
"""Is told of epochs as they end."""


@dataclass(frozen=True)
class Job:
    """All that the runs of a job share.

    Attributes:
        table: the data set.
        epochs: to train for.
        batch_size: of training.
        eval_every: test at each such epoch, 0 for the end only.
        folder: for what a run leaves besides its record.
        device: to train on.
        size: how many runs the job was planned with, recorded ones included.
        resumable: a folder for what lets a killed job go on; None for none.
        recorded: the keys in the ledger at the start, of whatever job.
        samples: a folder for what is kept of each run to be looked at, see `engines.samples`; None for none.
        most: bound on the epochs of every phase, for a probe; None for none.
    """

    table: Table
    epochs: int
    batch_size: int
    eval_every: int
    folder: Path
    device: torch.device
    size: int
    resumable: Path | None
    recorded: Set[str] = frozenset()
    samples: Path | None = None
    most: int | None = None

    def on_device(self) -> "Job":
        """The same with the table on the device."""
        return replace(self, table=replace(self.table, x=self.table.x.to(self.device)))

    def split(self, run: Run) -> Split:
        """The rows of a run."""
        return run.recipe.scenario.split(run.cell, self.table.labels, run.seed)

    def build(self, run: Run) -> Method | Shallow:
        """A fresh method, on the device, with initial weights drawn from the run's own randomness."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(run.entropy)
            method = run.recipe.method(shape=self.table.shape)
        return method if isinstance(method, Shallow) else method.to(self.device)

    def phases(self, run: Run) -> Sequence[Method]:
        """The methods that a run trains one after the other; they share weights, and the last is the run's own.

        None if the method is shallow.
        """
        method = self.build(run)
        if isinstance(method, Shallow):
            return []
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(run.entropy + 1)
            phases = [phase.to(self.device) for phase in method.phases()]
        for phase in phases[:-1]:
            if not isinstance(phase.epochs, int) or phase.epochs < 1:
                raise InputError(f"{type(phase).__name__} has {phase.epochs} epochs, expected a whole number from 1 on")
        return phases

    def length(self, phase: Method) -> int:
        """Epochs of a phase."""
        epochs = self.epochs if phase.epochs is None else phase.epochs
        return epochs if self.most is None else min(epochs, self.most)

    def rows(self, run: Run, split: Split, method: Method, first: int = 0) -> Rows:
        """The rows of a run as its method takes them, after so many epochs of earlier phases."""
        noise = None if method.noise(1, torch.Generator()) is None else method.noise
        return Rows(
            self.table, split, method.unsupervised, self.batch_size, run.entropy, method.full_batches, noise, first
        )

    def tested(self, epoch: int) -> bool:
        """Whether a point of the curve is due after an epoch (from 1)."""
        return bool(self.eval_every) and epoch % self.eval_every == 0


@dataclass
class Outcome:
    """What came of a run.

    Attributes:
        run: which one.
        split: its rows.
        n_fit: how many rows the method trained on.
        steps: optimiser steps taken.
        seconds: of wall time for it; its share of the pack's where many runs are trained as one.
        engine: what trained it.
        pack_width: how many runs were trained as one.
        figures: see `semiad.metrics.figures`; empty if it failed.
        reason: why it failed; None if it did not.
        curve: a point for each epoch at which it was tested, if `eval_every` asks for that.
    """

    run: Run
    split: Split
    n_fit: int
    steps: int
    seconds: float
    engine: str
    pack_width: int
    figures: dict[str, Any]
    reason: str | None
    curve: list[CurvePoint] = field(default_factory=list)


class Engine(ABC):
    """Trains and tests the runs of a job."""

    @abstractmethod
    def train(self, runs: Sequence[Run], job: Job, tick: Tick) -> Iterator[Outcome]:
        """Yield each run's outcome as it ends; call `tick` with the epochs done since it was last called."""


def device(name: str) -> torch.device:
    """The device of a setting: `auto` takes a GPU if there is one.

    Raises:
        InputError: unknown, or not in this machine.
    """
    if not torch.cuda.is_available():
        # Or torch's optimisers look for a driver at every step (2.15), which costs a fifth of a small model's step.
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if there[kind]))
    if name not in there:
        raise InputError(f"device is '{name}', expected auto, {', '.join(there)}")
    if not there[name]:
        raise InputError(f"device={name} is not available on this machine: use device=auto or device=cpu")
    return torch.device(name)


def exact(precision: str) -> None:
    """Make this process compute as a precision says, the same way each time.

    Args:
        precision: `fp32` (no TF32, which CUDA takes for convolutions by default), `tf32` or `bf16`.

    Raises:
        InputError: unknown.
    """
    if precision not in PRECISIONS:
        raise InputError(f"engine.precision is '{precision}', expected one of {', '.join(PRECISIONS)}")
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision != "fp32"
    torch.backends.cudnn.deterministic = True


def check_loss(loss: float, epoch: int) -> None:
    """The mean training loss of an epoch (from 1) must be finite.

    Raises:
        RunFailed: it is not.
    """
    if not math.isfinite(loss):
        raise RunFailed(f"the training loss is {loss} in epoch {epoch}")


def check_scores(scores: Float[Tensor, " m"]) -> None:
    """Scores must be finite and tell rows apart.

    Raises:
        RunFailed: they do not.
    """
    if not bool(scores.isfinite().all()):
        raise RunFailed(f"{int((~scores.isfinite()).sum())} of {len(scores)} test scores are not finite")
    if bool((scores == scores[0]).all()):
        raise RunFailed(f"all {len(scores)} test scores equal {float(scores[0]):g}")


@torch.no_grad()
def score(method: Method, rows: Rows) -> Float[Tensor, " m"]:
    """The scores of all test rows, in evaluation mode."""
    training = method.training
    method.eval()
    scores = torch.cat([method.scores(x) for x in rows.test_chunks()])
    method.train(training)
    return scores


def keep(state: Mapping[str, Tensor], run: Run, job: Job) -> None:
    """Write `checkpoints/KEY.ckpt` in the job's folder: a dictionary for `torch.load`.

    It has the method's `state_dict`, and the `config`, `cell` and `seed` of the run's record.
    """
    folder = job.folder / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    kept = {"config": run.recipe.config, "cell": asdict(run.cell), "seed": run.seed}
    torch.save({"state_dict": dict(state), **kept}, folder / f"{run.key}.ckpt")


def measure(scores: Float[Tensor, " m"], split: Split, table: Table) -> dict[str, Any]:
    """The figures of a run; by class where there are several anomalous ones.

    Raises:
        RunFailed: see `check_scores`.
    """
    scores = scores.cpu()
    check_scores(scores)
    y = torch.from_numpy(table.labels.y[split.test])
    truth = torch.from_numpy(split.truth)
    seen = None if split.seen is None else torch.from_numpy(split.seen)
    groups = {str(c): y == i for i, c in enumerate(table.labels.classes)} if seen is not None else {}
    return dict(figures(scores, truth, seen, groups))
