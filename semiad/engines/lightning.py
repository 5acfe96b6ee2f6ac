"""One run after the other, each with a Lightning Trainer: the reference that any other engine must agree with."""

import logging
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment, find_free_network_port

from semiad.data import Rows, SplitDataModule
from semiad.engines.base import CurvePoint, Engine, Job, Outcome, Point, Tick, check_loss, exact, keep, measure, score
from semiad.engines.processes import Put, side_by_side
from semiad.engines.samples import sample
from semiad.engines.stopping import obey
from semiad.errors import InputError, RunFailed
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
        self.failure: RunFailed | None = None  # of the last test, which only one process does: so not raised in there
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
        if self.test is not None and trainer.is_global_zero and (last or self.job.tested(self.epochs)):
            try:
                self.figures = self.test(pl_module)
            except RunFailed as failure:  # only the last test decides on a run
                self.failure = failure if last else None
            else:
                if self.job.tested(self.epochs):
                    auc = float(self.figures["auc"])
                    self.curve.append((self.epochs, self.loss, auc))
        self.tick([Point(self.key, 0) if self.test is None else Point(self.key, self.epochs, self.loss, auc)])
        obey()


class LightningEngine(Engine):
    """Each run a method, a data module and a Trainer.

    Args:
        checkpoints: keep each trained method, see `engines.base.keep`.
        strategy: `auto`, or `ddp` for several processes that take a part of each batch.
        devices: how many processes, with a GPU each where the job's device is one.

    Raises:
        InputError: a value out of range.
    """

    def __init__(self, checkpoints: bool, strategy: str, devices: int) -> None:
        if strategy not in ("auto", "ddp"):
            raise InputError(f"engine.strategy is {strategy}, expected auto or ddp")
        if not isinstance(devices, int) or isinstance(devices, bool) or devices < 1:
            raise InputError(f"engine.devices is {devices}, expected a whole number from 1 on")
        if devices > 1 and strategy != "ddp":
            raise InputError(f"engine.devices is {devices}, which takes engine.strategy=ddp (or engine=packed)")
        self.checkpoints, self.devices = checkpoints, devices

    def train(self, runs: Sequence[Run], job: Job, tick: Tick) -> Iterator[Outcome]:
        """Yield each run's outcome as it ends."""
        if self.devices > 1:
            yield from self.together(runs, job, tick)
            return
        job = job.on_device()
        for run in runs:
            yield self.one(run, job, tick)

    def together(self, runs: Sequence[Run], job: Job, tick: Tick) -> Iterator[Outcome]:
        """Train each run in all processes at once; the first of them tests and tells."""
        there = torch.cuda.device_count()
        if job.device.type == "cuda" and self.devices > there:
            raise InputError(f"engine.devices is {self.devices}, but this machine has {there} GPUs")
        if any(phase.full_batches for run in {run.recipe: run for run in runs}.values() for phase in job.phases(run)):
            raise InputError("engine.strategy=ddp cuts batches into parts, but this method needs them whole")
        port = find_free_network_port()
        yield from side_by_side(work, [(self, runs, job, rank, port) for rank in range(self.devices)], tick)

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
                if watch.failure is not None:
                    raise watch.failure
            if self.checkpoints:
                keep(method.state_dict(), run, job)
            sample(method, rows, run, split, job)
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
            devices=self.devices,
            strategy="ddp" if self.devices > 1 else "auto",
            logger=False,
            callbacks=[watch],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            log_every_n_steps=1,
            plugins=[LightningEnvironment()],  # in a Slurm job Lightning would catch its signals
        )
        try:
            method.prepare(rows.x, rows.s)
            trainer.fit(method, datamodule=SplitDataModule(rows))
            method.to(job.device)
        finally:
            del rows.x  # the Trainer's own cycles would keep it for a while


def work(put: Put, engine: LightningEngine, runs: Sequence[Run], job: Job, rank: int, port: int) -> None:
    """What each of several processes does: told by the environment who it is, Lightning starts no others."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "NODE_RANK": "0", "LOCAL_RANK": str(rank)}
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
    exact("fp32")
    if job.device.type == "cuda":
        job = replace(job, device=torch.device("cuda", rank))
    if rank:
        engine.checkpoints, job = False, replace(job, samples=None)
    job = job.on_device()
    for run in runs:
        outcome = engine.one(run, job, lambda points: put("tick", [] if rank else points))
        if not rank:
            put("outcome", outcome)
