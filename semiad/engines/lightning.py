"""One run after the other, each with a Lightning Trainer: the reference that any other engine must agree with."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from time import perf_counter
from typing import Any

import pytorch_lightning as pl
import torch

from semiad.data import SplitDataModule
from semiad.engines.base import CurvePoint, Engine, Job, Outcome, measure, score
from semiad.errors import RunFailed
from semiad.methods.base import Method
from semiad.runs import Run


class Watch(pl.Callback):
    """Follows a run: mean training loss of each epoch, test AUC at some, an end if the loss is not finite.

    Args:
        auc: tests the method as it stands.
        every: test at each such epoch, 0 for never.
        tick: called after each epoch.
    """

    def __init__(self, auc: Callable[[Method], float], every: int, tick: Callable[[], None]) -> None:
        self.auc, self.every, self.tick = auc, every, tick
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
        epoch, loss = self.epochs, self.loss
        if loss != loss or loss == float("inf"):
            raise RunFailed(f"the training loss is {loss} in epoch {epoch}")
        kept = {"train_loss": loss}
        if self.every and epoch % self.every == 0:
            assert isinstance(pl_module, Method)
            kept["test_auc"] = self.auc(pl_module)
            self.curve.append((epoch, loss, kept["test_auc"]))
        for logger in trainer.loggers:
            logger.log_metrics(kept, step=epoch)
        self.tick()


class LightningEngine(Engine):
    """Each run a method, a data module and a Trainer.

    Args:
        checkpoints: keep each trained method as `checkpoints/KEY.ckpt` in the job's folder, a dictionary for
            `torch.load` with its `state_dict`, and the `config`, `cell` and `seed` that its record has.
    """

    name = "lightning"

    def __init__(self, checkpoints: bool) -> None:
        self.checkpoints = checkpoints

    def train(self, runs: Sequence[Run], job: Job, tick: Callable[[], None]) -> Iterator[Outcome]:
        """Yield each run's outcome as it ends."""
        for run in runs:
            yield self.one(run, job, tick)

    def one(self, run: Run, job: Job, tick: Callable[[], None]) -> Outcome:
        """Train and test a run."""
        start, split, method = perf_counter(), job.split(run), job.build(run)
        data = SplitDataModule(job.table, split, method.unsupervised, job.batch_size, run.cell.entropy(run.seed))
        method.prepare(data.x, data.s)

        def test(trained: Method) -> dict[str, Any]:
            return measure(score(trained, data), split, job.table)

        watch = Watch(lambda trained: float(test(trained)["auc"]), job.eval_every, tick)
        logger = None if job.logger is None else job.logger(save_dir=str(job.folder / "curves"), name=run.key)
        trainer = pl.Trainer(
            max_epochs=job.epochs,
            accelerator=job.table.x.device.type,
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
            trainer.fit(method, datamodule=data)
            figures = test(method.to(job.table.x.device))
            if self.checkpoints:
                folder = job.folder / "checkpoints"
                folder.mkdir(parents=True, exist_ok=True)
                kept = {"config": run.config, "cell": asdict(run.cell), "seed": run.seed}
                torch.save({"state_dict": method.state_dict(), **kept}, folder / f"{run.key}.ckpt")
        except RunFailed as failure:
            reason = str(failure)
        finally:
            if logger is not None:
                logger.finalize("success" if reason is None else "failed")
        seconds = perf_counter() - start
        return Outcome(run, split, len(data.s), watch.epochs * data.steps, seconds, figures, reason, watch.curve)
