"""One run after the other, each with Lightning's Trainer: the reference that any other engine must agree with."""

import logging
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.lightning import find_free_network_port
from pytorch_lightning.loggers import WandbLogger

from semiad.checks import check_whole
from semiad.data import SplitData
from semiad.datamodule import SplitDataModule
from semiad.engines.base import Engine
from semiad.engines.checkpoint import save_checkpoint
from semiad.engines.context import CurvePoint, EpochPoint, OnEpochs, Outcome, TrainingContext
from semiad.engines.device import check_single, set_precision
from semiad.engines.evaluation import check_loss, evaluate, score_test_rows
from semiad.engines.processes import Put, run_processes
from semiad.engines.samples import sample
from semiad.engines.signals import exit_if_requested
from semiad.engines.threads import check_threads, has_fixed_bits, is_small, threads_given
from semiad.errors import InputError, RunFailed
from semiad.methods.base import Method
from semiad.runs import Run
from semiad.seeding import seeded


class EpochCallback(pl.Callback):
    """Tells of the epochs of a phase: mean training loss, test AUC at some; ends it if the loss is not finite.

    Args:
        test: gives the AUC of the method as it stands, None if its scores cannot be used; None for a phase before the
            last.
        context: says when to test.
        key: of the run.
        on_epochs: is called with each epoch.
    """

    def __init__(
        self,
        test: Callable[[Method], float | None] | None,
        context: TrainingContext,
        key: str,
        on_epochs: OnEpochs,
    ) -> None:
        self.test, self.context, self.key, self.on_epochs = test, context, key, on_epochs
        self.curve: list[CurvePoint] = []

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Check, test and tell."""
        assert isinstance(pl_module, Method)
        epoch, loss = trainer.current_epoch + 1, float(pl_module.epoch_loss())
        check_loss(loss, epoch)
        auc = None
        if self.test is not None and trainer.is_global_zero and self.context.is_tested(epoch):
            pl_module.compare_with_best(loss)
            with pl_module.best_weights():
                auc = self.test(pl_module)
            if auc is not None:
                self.curve.append((epoch, loss, auc))
        self.on_epochs([EpochPoint(self.key, 0) if self.test is None else EpochPoint(self.key, epoch, loss, auc)])
        exit_if_requested()


class LightningEngine(Engine):
    """Trains each run with a method, a data module and a Trainer.

    Args:
        checkpoints: whether each trained method is kept, see `save_checkpoint`.
        strategy: `auto`, or `ddp` for several processes that take a part of each batch.
        devices: how many processes, with a GPU each where the job's device is one.
        threads: on a CPU; `auto` for those of the process, of which a small step takes one.

    Raises:
        InputError: a value is out of range.
    """

    name = "lightning"

    def __init__(self, checkpoints: bool, strategy: str, devices: int, threads: int | str = "auto") -> None:
        check_threads(threads)
        if strategy not in ("auto", "ddp"):
            raise InputError(f"engine.strategy is {strategy}, expected auto or ddp")
        check_whole("engine.devices", devices)
        if devices > 1 and strategy != "ddp":
            raise InputError(f"engine.devices is {devices}, which takes engine.strategy=ddp (or engine=packed)")
        self.checkpoints, self.devices, self.threads = checkpoints, devices, threads

    def check(self, runs: Sequence[Run], context: TrainingContext) -> None:
        """Refuse variables of Lightning, callbacks that cannot be made, and what several processes cannot do.

        Raises:
            InputError: there are some.
        """
        context.trainer.check_environment()
        context.trainer.check()
        if context.device.index is not None:
            check_single(context.device, self.devices)
        available = torch.cuda.device_count()
        if self.devices > 1 and context.device.type == "cuda" and self.devices > available:
            raise InputError(f"engine.devices is {self.devices}, but this machine has {available} GPUs")
        if self.devices > 1 and any(context.facts(run).drop_last for run in runs):
            raise InputError("engine.strategy=ddp cuts batches into parts, but this method needs them whole")

    def train(self, runs: Sequence[Run], context: TrainingContext, on_epochs: OnEpochs) -> Iterator[Outcome]:
        """Yield the outcome of each run as it ends."""
        if self.devices > 1:
            yield from self.train_in_processes(runs, context, on_epochs)
            return
        context = context.on_device()
        for run in runs:
            yield self.train_run(run, context, on_epochs)

    def train_in_processes(
        self, runs: Sequence[Run], context: TrainingContext, on_epochs: OnEpochs
    ) -> Iterator[Outcome]:
        """Train each run in all processes at once; the first of them tests and tells."""
        port = find_free_network_port()
        arguments = [(self, runs, context, rank, port) for rank in range(self.devices)]
        yield from run_processes(train_rank, arguments, on_epochs)

    def train_run(self, run: Run, context: TrainingContext, on_epochs: OnEpochs) -> Outcome:
        """Train and test a run; the data set is on the device."""
        start, data, steps = perf_counter(), self.data_module(run, context), 0
        reason, metrics = None, dict[str, Any]()
        curve: list[CurvePoint] = []
        n_fit, threads, trained = 0, None, None
        try:
            for phase in (phases := context.phases(run)):
                split_data = SplitData.of_method(phase, context.dataset, data.split, data.batch_size, data.entropy)
                n_fit = len(split_data.s)

                def test(trained: Method) -> float | None:
                    try:
                        scores = score_test_rows(trained, split_data)  # noqa: B023
                        return float(evaluate(scores, data.split, context.dataset)["auc"])
                    except RunFailed:  # only the last test decides on a run
                        return None

                callback = EpochCallback(test if phase is phases[-1] else None, context, run.key, on_epochs)
                trainer = self.trainer(phase, run, context, callback)
                try:
                    threads = self.step_threads(phase, context)
                    with threads_given(threads), seeded(run.entropy + phase.phase, context.device):
                        trainer.fit(phase, datamodule=data)
                finally:
                    finish_loggers(trainer)
                    steps += trainer.global_step
                    phase.to(context.device)
            curve = callback.curve
            if trainer.is_global_zero:
                scores = score_test_rows(phase, split_data)
                metrics = evaluate(scores, data.split, context.dataset, context.scores_file(run))
            if self.checkpoints:
                save_checkpoint(phase.state_dict(), run, context)
            sample(phase, split_data, run, context)
            if context.keep_methods:
                trained = phase
        except RunFailed as failure:
            reason, curve = str(failure), callback.curve
        seconds = perf_counter() - start
        return Outcome(run, data.split, n_fit, steps, seconds, self.name, 1, metrics, reason, curve, threads, trained)

    def step_threads(self, phase: Method, context: TrainingContext) -> int | None:
        """Choose the number of threads of a step; None where the device is no CPU.

        A step is timed by nobody here, and a user's own `Trainer` changes no number of threads: so a step has one
        thread where it is small and that changes no bit of what it computes.
        """
        if context.device.type != "cpu":
            return None
        if isinstance(self.threads, int):
            return self.threads
        return 1 if is_small(phase, context.batch_size) and has_fixed_bits(phase) else torch.get_num_threads()

    def data_module(self, run: Run, context: TrainingContext) -> SplitDataModule:
        """The data module of a run, the same for all of its phases."""
        return SplitDataModule(
            context.dataset, run.recipe.scenario, run.cell, run.seed, context.batch_size, context.validation
        )

    def trainer(self, phase: Method, run: Run, context: TrainingContext, callback: pl.Callback) -> pl.Trainer:
        """Make the trainer of a phase."""
        return context.trainer.make(
            [callback],
            context.folder / "lightning" / run.key,
            max_epochs=context.phase_epochs(phase),
            accelerator=context.device.type,
            devices=self.devices if context.device.index is None or self.devices > 1 else [context.device.index],
            strategy="ddp" if self.devices > 1 else "auto",
        )


def finish_loggers(trainer: pl.Trainer) -> None:
    """End the runs of W&B, which else would take the next run for the same."""
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.finish()


def train_rank(
    put: Put, engine: LightningEngine, runs: Sequence[Run], context: TrainingContext, rank: int, port: int
) -> None:
    """Train runs in one of several processes: told by the environment who it is, Lightning starts no others."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "NODE_RANK": "0", "LOCAL_RANK": str(rank)}
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
    set_precision("fp32")
    if context.device.type == "cuda":
        context = replace(context, device=torch.device("cuda", rank))
    if rank:
        engine.checkpoints, context = False, replace(context, samples=None)
    context = context.on_device()
    for run in runs:
        outcome = engine.train_run(run, context, lambda points: put("epochs", [] if rank else points))
        if not rank:
            put("outcome", outcome)
