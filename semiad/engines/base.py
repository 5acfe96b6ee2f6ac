"""What engines share: the job they are given, the outcome of a run, and how a trained model is tested."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from pytorch_lightning.loggers import Logger
from torch import Tensor

from semiad.data import SplitDataModule
from semiad.errors import InputError, RunFailed
from semiad.methods.base import Method
from semiad.metrics import figures
from semiad.runs import Run
from semiad.scenarios.base import Scenario
from semiad.types import Split, Table

CurvePoint = tuple[int, float, float]
"""Epoch (from 1), mean training loss in it, test AUC after it."""


@dataclass(frozen=True)
class Job:
    """All that the runs of a job share.

    Attributes:
        table: on the device.
        scenario: draws the splits.
        method: makes a method from the shape of a row (`shape=`).
        epochs: to train for.
        batch_size: of training.
        eval_every: test at each such epoch, 0 for the end only.
        logger: makes a logger for a run, or None.
        folder: for what a run leaves besides its record.
    """

    table: Table
    scenario: Scenario
    method: Callable[..., Method]
    epochs: int
    batch_size: int
    eval_every: int
    logger: Callable[..., Logger] | None
    folder: Path

    def split(self, run: Run) -> Split:
        """The rows of a run."""
        return self.scenario.split(run.cell, self.table.labels, run.seed)

    def build(self, run: Run) -> Method:
        """A fresh method, on the table's device, with initial weights drawn from the run's own randomness."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(run.cell.entropy(run.seed))
            return self.method(shape=self.table.shape).to(self.table.x.device)


@dataclass
class Outcome:
    """What came of a run.

    Attributes:
        run: which one.
        split: its rows.
        n_fit: how many rows the method trained on.
        steps: optimiser steps taken.
        seconds: of wall time for it.
        figures: see `semiad.metrics.figures`; empty if it failed.
        reason: why it failed; None if it did not.
        curve: a point for each epoch at which it was tested, if `eval_every` asks for that.
    """

    run: Run
    split: Split
    n_fit: int
    steps: int
    seconds: float
    figures: dict[str, Any]
    reason: str | None
    curve: list[CurvePoint] = field(default_factory=list)


class Engine(ABC):
    """Trains and tests the runs of a job."""

    name: ClassVar[str]

    @abstractmethod
    def train(self, runs: Sequence[Run], job: Job, tick: Callable[[], None]) -> Iterator[Outcome]:
        """Yield each run's outcome as it ends; call `tick` after each epoch of a run."""


def device(name: str) -> torch.device:
    """The device of a setting: `auto` takes a GPU if there is one.

    Raises:
        InputError: unknown, or not in this machine.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if there[kind]))
    if name not in there:
        raise InputError(f"device is '{name}', expected auto, {', '.join(there)}")
    if not there[name]:
        raise InputError(f"device={name} is not available on this machine: use device=auto or device=cpu")
    return torch.device(name)


@torch.no_grad()
def score(method: Method, data: SplitDataModule) -> Float[Tensor, " m"]:
    """The scores of all test rows, in evaluation mode.

    Raises:
        RunFailed: scores that are not finite, or all equal.
    """
    training = method.training
    method.eval()
    scores = torch.cat([method.scores(x) for x in data.test_chunks()])
    method.train(training)
    if not bool(scores.isfinite().all()):
        raise RunFailed(f"{int((~scores.isfinite()).sum())} of {len(scores)} test scores are not finite")
    if bool((scores == scores[0]).all()):
        raise RunFailed(f"all {len(scores)} test scores equal {float(scores[0]):g}")
    return scores


def measure(scores: Float[Tensor, " m"], split: Split, table: Table) -> dict[str, Any]:
    """The figures of a run; by class where there are several anomalous ones."""
    y = torch.from_numpy(table.labels.y[split.test])
    truth = torch.from_numpy(split.truth)
    seen = None if split.seen is None else torch.from_numpy(split.seen)
    groups = {str(c): y == i for i, c in enumerate(table.labels.classes)} if seen is not None else {}
    return dict(figures(scores.cpu(), truth, seen, groups))
