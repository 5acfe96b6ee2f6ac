"""One run after the other, each with a Lightning Trainer: the reference that any other engine must agree with."""

from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import Any

import pytorch_lightning as pl
import torch

from semiad.data import Rows, SplitDataModule
from semiad.engines.base import CurvePoint, Engine, Job, Outcome, Point, Tick, check_loss, keep, measure, score
from semiad.errors import RunFailed
from semiad.methods.base import Method
from semiad.runs import Run
from semiad.types import Split


class Watch(pl.Callback):
    """Follows a phase: mean training loss of each epoch, test AUC at some, an end if the loss is not finite.

    Args:
        test: gives the figures of the method as it stands; None for a phase before the last.
        job: says when.
        key: of the run.
        tick: told of each epoch.
    """

    def __init__(self, test: Callable[[Method], dict[str, Any]] | None, job: Job, key: str, tick: Tick) -> None:
        self.test, self.job, self.key, self.tick = test, job, key, tick
        self.epochs, self.loss = 0, torch.nan
        self.figures: dict[str, Any] = {}
        self.curve: list[CurvePoint] = []

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,  # noqa: ANN401
        batch: object,
        batch_idx: int,
    ) -> None:
        """Keep the mean loss of the epoch, which is one item to Lightning."""
        self.loss = float(outputs["loss"])

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Check, test and tell."""
        self.epochs += 1
        check_loss(self.loss, self.epochs)
        assert isinstance(pl_module, Method)
        auc, last = None, self.epochs == trainer.max_epochs
        if self.test is not None and (last or self.job.tested(self.epochs)):
            try:
                self.figures = self.test(pl_module)
            except RunFailed:  # only the last test decides on a run
                if last:
                    raise
            else:
                if self.job.tested(self.epochs):
                    auc = float(self.figures["auc"])
                    self.curve.append((self.epochs, self.loss, auc))
        self.tick([Point(self.key, 0) if self.test is None else Point(self.key, self.epochs, self.loss, auc)])


class LightningEngine(Engine):
    """Each run a method, a data module and a Trainer.

    Args:
        checkpoints: keep each trained method, see `engines.base.keep`.
    """

    def __init__(self, checkpoints: bool) -> None:
        self.checkpoints = checkpoints

    def train(self, runs: Sequence[Run], job: Job, tick: Tick) -> Iterator[Outcome]:
        """Yield each run's outcome as it ends."""
        job = job.on_device()
        for run in runs:
            yield self.one(run, job, tick)

    def one(self, run: Run, job: Job, tick: Tick) -> Outcome:
        """Train and test a run; the table is on the device."""
        start, split, phases = perf_counter(), job.split(run), job.phases(run)
        reason, first, steps = None, 0, 0
        try:
            for method in phases:
                rows = job.rows(run, split, method, first)
                watch = self.watch(method, rows, run, split, job, tick)
                try:
                    self.fit(method, rows, job, watch)
                finally:
                    first, steps = first + watch.epochs, steps + watch.epochs * rows.steps
            if self.checkpoints:
                keep(method.state_dict(), run, job)
        except RunFailed as failure:
            reason = str(failure)
        figures = watch.figures if reason is None else {}
        seconds = perf_counter() - start
        return Outcome(run, split, len(rows.s), steps, seconds, "lightning", 1, figures, reason, watch.curve)

    def watch(self, method: Method, rows: Rows, run: Run, split: Split, job: Job, tick: Tick) -> Watch:
        """What follows a phase; the last one is tested."""

        def test(trained: Method) -> dict[str, Any]:
            return measure(score(trained, rows), split, job.table)

        return Watch(test if method.epochs is None else None, job, run.key, tick)

    def fit(self, method: Method, rows: Rows, job: Job, watch: Watch) -> None:
        """Train a phase."""
        trainer = pl.Trainer(
            max_epochs=job.length(method),
            accelerator=job.device.type,
            devices=1,
            logger=False,
            callbacks=[watch],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            log_every_n_steps=1,
        )
        try:
            method.prepare(rows.x, rows.s)
            trainer.fit(method, datamodule=SplitDataModule(rows))
            method.to(job.device)
        finally:
            del rows.x  # the Trainer's own cycles would keep it for a while
