"""One run of a pack."""

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain, count, islice
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from semiad.engines.base import CurvePoint, Job, Point, check_loss
from semiad.errors import RunFailed
from semiad.methods.base import Method
from semiad.runs import Run


class Lane:
    """One run of a pack: its rows in the order of its steps, and what is kept of its epochs.

    Args:
        run: which one.
        job: of the run.
        method: the phase of it that is trained.
        first: epochs of earlier phases.
        done: steps taken already.
    """

    def __init__(self, run: Run, job: Job, method: Method, first: int, done: int) -> None:
        self.run, self.method, self.split = run, method, job.split(run)
        self.rows = job.rows(run, self.split, method, first)
        self.steps, self.size = self.rows.steps, job.batch_size
        self.last = self.steps * job.length(method)
        self.per_epoch = self.steps * self.size if self.rows.full else len(self.rows.s)
        self.curve: list[CurvePoint] = []
        self.loss, self.failed_in, self.done = torch.nan, 0, False
        self.reason: str | None = None
        self.figures: dict[str, Any] = {}
        self.epoch, skip = divmod(done, self.steps)
        self.pending = torch.empty((0, self.size), dtype=torch.int64)
        self.noise = chain.from_iterable(map(self.rows.draws, count(self.epoch)))
        if skip:
            self.take(skip)
            deque(islice(self.noise, skip), maxlen=0)

    def take(self, steps: int) -> Int64[Tensor, "steps b"]:
        """Positions among its training rows for the next steps, -1 where a batch is short."""
        while len(self.pending) < steps:
            order = self.rows.order(self.epoch)
            padded = torch.full((self.steps * self.size,), -1)
            padded[: len(order)] = order
            self.pending = torch.cat([self.pending, padded.view(self.steps, self.size)])
            self.epoch += 1
        taken, self.pending = self.pending[:steps], self.pending[steps:]
        return taken

    def end_epoch(self, epoch: int, loss: float) -> None:
        """Keep the mean loss of an epoch (from 1); a run whose loss was not finite once has failed for good."""
        self.loss = loss
        if self.reason is None:
            with self.failing(epoch):
                check_loss(loss, epoch)

    def point(self, epoch: int, auc: float | None) -> Point:
        """What it tells of an epoch."""
        return Point(self.run.key, epoch, self.loss if self.reason is None else torch.nan, auc)

    @contextmanager
    def failing(self, epoch: int) -> Iterator[None]:
        """Keep why the run has failed, if that is what happens, and when (0 for before the first epoch)."""
        try:
            yield
        except RunFailed as failure:
            self.reason, self.failed_in = str(failure), epoch

    @torch.no_grad()
    def take_back(self, state: Mapping[str, Tensor]) -> None:
        """Write what was trained into the method."""
        for name, own in chain(self.method.named_parameters(), self.method.named_buffers()):
            own.copy_(state[name])
