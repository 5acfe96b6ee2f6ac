"""One run of a pack."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from semiad.engines.context import CurvePoint, EpochPoint, TrainingContext
from semiad.engines.evaluation import check_loss
from semiad.engines.packed.stacked_data import StepStream
from semiad.errors import RunFailed
from semiad.methods.base import Method
from semiad.runs import Run


class Lane:
    """One run of a pack: its rows, and what is kept of its epochs.

    Args:
        run: which one.
        context: of the run.
        method: the phase that is trained.
        step: steps that were taken before.
    """

    def __init__(self, run: Run, context: TrainingContext, method: Method, step: int) -> None:
        self.run, self.method, self.split = run, method, context.split(run)
        self.data = context.data(run, method)
        self.stream = StepStream(self.data, step)
        self.steps = self.data.steps
        self.last = self.steps * context.phase_epochs(method)
        self.rows_per_epoch = self.data.rows_per_epoch
        self.best_loss = math.inf
        self.curve: list[CurvePoint] = []
        self.loss, self.failed_in, self.done = torch.nan, 0, False
        self.reason: str | None = None
        self.metrics: dict[str, Any] = {}

    def end_epoch(self, epoch: int, loss: float) -> None:
        """Keep the mean loss of an epoch (from 1); a run whose loss was not finite once has failed for good."""
        self.loss = loss
        if self.reason is None:
            with self.failing(epoch):
                check_loss(loss, epoch)

    def is_best(self) -> bool:
        """Whether the last epoch has the lowest mean loss so far; that is then the one to be compared with."""
        better = self.loss < self.best_loss
        self.best_loss = self.loss if better else self.best_loss
        return better

    def point(self, epoch: int, auc: float | None) -> EpochPoint:
        """What is told of an epoch."""
        return EpochPoint(self.run.key, epoch, self.loss if self.reason is None else torch.nan, auc)

    @contextmanager
    def failing(self, epoch: int) -> Iterator[None]:
        """Keep why the run has failed, if the body raises that, and when (0 for before the first epoch)."""
        try:
            yield
        except RunFailed as failure:
            self.reason, self.failed_in = str(failure), epoch

    @torch.no_grad()
    def write_back(self, values: Mapping[str, Tensor]) -> None:
        """Write what was trained into the method."""
        for name, own in chain(self.method.named_parameters(), self.method.named_buffers()):
            own.copy_(values[name])
