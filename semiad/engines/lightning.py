"""One run after the other, each with a Lightning Trainer: the reference that any other engine must agree with."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from time import perf_counter
from typing import Any

import pytorch_lightning as pl
import torch

from semiad.data import SplitDataModule
from semiad.engines.base import CurvePoint, Engine, Job, Outcome, check_loss, keep, measure, score
from semiad.errors import RunFailed
from semiad.methods.base import Method
from semiad.runs import Run


class Watch(pl.Callback):
    """Follows a run: mean training loss of each epoch, test AUC at some, an end if the loss is not finite.

    Args:
        auc: tests the method as it stands.
        job: says when.
        tick: called after each epoch.
    """

    def __init__(self, auc: Callable[[Method], float], job: Job, tick: Callable[[int], None]) -> None:
        self.auc, self.job, self.tick = auc, job, tick
        self.epochs, self.loss = 0, torch.nan
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
        """Check, test and log."""
        self.epochs += 1
        check_loss(self.loss, self.epochs)
        kept = {"train_loss": self.loss}
        if self.job.tested(self.epochs):
            assert isinstance(pl_module, Method)
            with suppress(RunFailed):  # only the last test decides on a run
                kept["test_auc"] = self.auc(pl_module)
                self.curve.append((self.epochs, self.loss, kept["test_auc"]))
        for logger in trainer.loggers:
            logger.log_metrics(kept, step=self.epochs)
        self.tick(1)


class LightningEngine(Engine):
    """Each run a method, a data module and a Trainer.

    Args:
        checkpoints: keep each trained method, see `engines.base.keep`.
    """

    def __init__(self, checkpoints: bool) -> None:
        self.checkpoints = checkpoints

    def train(self, runs: Sequence[Run], job: Job, tick: Callable[[int], None]) -> Iterator[Outcome]:
        """Yield each run's outcome as it ends."""
        job = job.on_device()
        for run in runs:
            yield self.one(run, job, tick)

    def one(self, run: Run, job: Job, tick: Callable[[int], None]) -> Outcome:
        """Train and test a run; the table is on the device."""
        start, split, method = perf_counter(), job.split(run), job.build(run)
        rows = job.rows(run, split, method)
        method.prepare(rows.x, rows.s)

        def test(trained: Method) -> dict[str, Any]:
            return measure(score(trained, rows), split, job.table)

        watch = Watch(lambda trained: float(test(trained)["auc"]), job, tick)
        logger = job.log(run)
        trainer = pl.Trainer(
            max_epochs=job.epochs,
            accelerator=job.device.type,
            devices=1,
            logger=logger or False,
            callbacks=[watch],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            log_every_n_steps=1,
        )
        figures, reason = {}, None
        try:
            trainer.fit(method, datamodule=SplitDataModule(rows))
            figures = test(method.to(job.device))
            if self.checkpoints:
                keep(method.state_dict(), run, job)
        except RunFailed as failure:
            reason = str(failure)
        finally:
            if logger is not None:
                logger.finalize("success" if reason is None else "failed")
            del rows.x  # the Trainer's own cycles would keep it for a while
        steps, seconds = watch.epochs * rows.steps, perf_counter() - start
        return Outcome(run, split, len(rows.s), steps, seconds, "lightning", 1, figures, reason, watch.curve)
