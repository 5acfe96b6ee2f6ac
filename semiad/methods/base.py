"""The base class of all methods that are trained by gradient descent: a LightningModule."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import pytorch_lightning as pl
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torchmetrics import Metric
from torchmetrics.classification import BinaryAUROC, BinaryAveragePrecision

from semiad.errors import InputError
from semiad.methods.contract import check_learns, check_noise, check_rows
from semiad.seeding import seeded
from semiad.types import Batch, EvaluationBatch

Network = Callable[..., nn.Module]
"""Builds a network from the shape of one row (`shape=`)."""
OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]
"""Builds an optimiser from parameters."""


class MeanLoss:
    """The sum of losses over rows, and their number."""

    def __init__(self) -> None:
        self.total: Tensor | None = None
        self.count = 0

    def add(self, losses: Float[Tensor, " b"]) -> None:
        """Add the losses of a batch."""
        total = losses.detach().sum()
        self.total = total if self.total is None else self.total + total
        self.count += len(losses)

    def both(self, device: torch.device) -> Float[Tensor, "2"]:
        """Give sum and number as one tensor, which can be summed over processes."""
        total = torch.zeros((), device=device) if self.total is None else self.total
        return torch.stack([total, torch.full_like(total, self.count)])


class Method(pl.LightningModule, ABC):
    """A LightningModule that learns an anomaly score from normal rows and a few labelled anomalies.

    A subclass gives `losses` and `scores`; a `Trainer` and the packed engine both call these. They read parameters,
    buffers and arguments only, and what may differ between two runs (a weight, a centre) is a buffer: so that many runs
    can be trained as one.

    A method with several optimisers overrides `training_step`. A class with a hook of its own is not trained in packs.

    Args:
        optimizer: builds the optimiser from the parameters.

    Attributes:
        epochs: to train for; None for those of the `Trainer`. The phases before the last have epochs of their own.
        start_epoch: epochs of the phases before this one.
        phase: the place of this method among its phases, from 0.
    """

    engine: ClassVar[str | None] = None
    """The engine that trains this method; None for the engine that the user chose."""
    unsupervised: bool = False
    """Whether the rows that are labelled anomalous are left out of training."""
    packable: ClassVar[bool] = True
    """Whether many runs can be trained as one; not if a step of one run is no elementwise function of its gradient."""
    batch_coupled: bool = False
    """Whether the objective of a row depends on the other rows of its batch."""
    sensitive: bool = False
    """Whether training is chaotic: a difference in the last bit of a weight grows until it decides the metrics."""
    clip_value: float | None = None
    """Bound on each element of a gradient; None for no bound."""
    clip_norm: float | None = None
    """Bound on the norm of all gradients of a run together; None for no bound."""
    keep_best: ClassVar[bool] = False
    """Whether training ends with the weights after the epoch of the lowest mean training loss, not with the last."""

    def __init__(self, optimizer: OptimizerFactory) -> None:
        super().__init__()
        self.optimizer = optimizer
        self.epochs: int | None = None
        self.start_epoch = self.phase = 0
        self._seed = torch.initial_seed() + 1
        self._train_loss, self._val_loss = MeanLoss(), MeanLoss()
        self._best: tuple[float, dict[str, Tensor]] | None = None
        self._metrics: dict[str, Metric] = {}

    @abstractmethod
    def losses(self, batch: Batch) -> Float[Tensor, " b"]:
        """Compute the objective of each row; the loss of a batch is their mean."""

    @abstractmethod
    def scores(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, " b"]:
        """Compute the anomaly score of each row, larger for more anomalous."""

    def score_parts(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, "b *shape"] | None:
        """Compute the part of each feature in the score of a row; None if the score is no sum over features."""
        return None

    def views(self, x: Float[Tensor, "b *shape"]) -> Mapping[str, Float[Tensor, "b ..."]]:
        """Compute what is shown of rows: reconstructions `x_hat`, codes `z` and `z_hat`, if the method has any."""
        return {}

    def noise(self, rows: int, source: torch.Generator) -> Float[Tensor, "b ..."] | None:
        """Draw random numbers for the objective of a number of rows, from the run's source; None if it needs none."""
        return None

    def draw_rows(
        self, s: Float[Tensor, " n"], batch_size: int, source: torch.Generator
    ) -> Int64[Tensor, "steps b"] | Int64[Tensor, "steps b p"] | None:
        """Draw the rows of an epoch; None for every row once, in random order.

        Rows may be drawn in any number and more than once (see `semiad.draws`). With a third axis an element of a batch
        is a group of rows, such as a pair: `batch.x` is then (b, p, ...) and `batch.s` (b, p).

        Args:
            s: semi-labels of the training rows, on the CPU.
            batch_size: b, the elements of a batch.
            source: of random numbers, on the CPU; each epoch has its own.

        Returns:
            Row numbers, for as many steps each time.
        """
        return None

    def targets(self, x: Float[Tensor, "m *shape"], source: torch.Generator) -> Float[Tensor, "m *shape"] | None:
        """Draw what labelled anomalies are to be reconstructed as, once before training; None if nothing needs that.

        Args:
            x: the labelled rows.
            source: of random numbers, on the CPU.
        """
        return None

    def make_batch(self, x: Float[Tensor, "n *shape"], s: Float[Tensor, " n"]) -> Batch:
        """Make a batch of some rows, with rows, noise and targets drawn as for training, but from a fixed source."""
        drawn = self.draw_rows(s.cpu(), len(s), torch.Generator().manual_seed(0))
        if drawn is not None:
            x, s = x[drawn[0].to(x.device)], s[drawn[0].to(x.device)]
        noise = self.noise(len(s), torch.Generator().manual_seed(0))
        check_noise(self, noise, len(s))
        targets, target = self.targets(x[s == 1], torch.Generator().manual_seed(0)), None
        if targets is not None:
            target = x.clone()
            target[s == 1] = targets
        return Batch(x, s, None if noise is None else noise.to(x.device), target)

    def lr_factor(self, epoch: int) -> float:
        """Give the learning rate of an epoch (from 0) as a multiple of the optimiser's."""
        return 1.0

    @property
    def drop_last(self) -> bool:
        """Whether every batch must have the full number of rows: see `data.epoch_order`."""
        return self.batch_coupled or any(isinstance(module, _BatchNorm) for module in self.modules())

    # Phases

    def earlier_phases(self) -> Sequence["Method"]:
        """Build the methods that are trained before this one, in order; they share modules with it."""
        return []

    def phases(self) -> list["Method"]:
        """Build all that is trained, one after the other, this method last; called once, before training.

        Each is trained by `Trainer(max_epochs=phase.epochs).fit(phase, datamodule)`. Their weights are drawn from the
        seed that torch had when this method was made.
        """
        with seeded(self._seed):
            phases = [*self.earlier_phases(), self]
        for index, phase in enumerate(phases):
            if phase is not self and (not isinstance(phase.epochs, int) or phase.epochs < 1):
                raise InputError(f"{type(phase).__name__} has {phase.epochs} epochs, expected a whole number from 1 on")
            phase.phase, phase.start_epoch = index, sum(earlier.epochs or 0 for earlier in phases[:index])
        return phases

    def prepare(self, x: Float[Tensor, "n *shape"], s: Float[Tensor, " n"]) -> None:
        """Set buffers from the training rows and their semi-labels, before the first step.

        Raises:
            RunFailed: nothing can be learnt from these rows.
        """

    # Lightning's hooks

    def setup(self, stage: str) -> None:
        """Prepare on the rows of the data module, on the device; a checkpoint is restored after this.

        Raises:
            InputError: there is no such data module.
        """
        if stage == "fit":
            data: Any = getattr(self.trainer, "datamodule", None)
            if not hasattr(data, "training_rows"):
                raise InputError(
                    f"{type(self).__name__} trains on the rows of a SplitDataModule (datamodule=), but was given "
                    f"{'no data module' if data is None else type(data).__name__}"
                )
            self.to(self.trainer.strategy.root_device)
            self.prepare(*data.training_rows())

    def training_step(self, batch: Batch, batch_idx: int) -> Float[Tensor, ""]:
        """Compute the mean objective over the rows of a batch."""
        losses = self.losses(batch)
        check_rows(self, "losses", losses, len(batch.s))
        check_learns(self, losses)
        self._train_loss.add(losses)
        loss = losses.mean()
        return loss if batch.weight == 1 else loss * batch.weight if len(losses) else losses.sum()

    def on_train_epoch_start(self) -> None:
        """Begin the mean loss of the epoch."""
        self._train_loss = MeanLoss()

    def on_train_epoch_end(self) -> None:
        """Log the mean loss of the epoch as `train_loss`: to log it at each step would take a quarter of a step."""
        loss = self.epoch_loss()
        self.log("train_loss", loss, sync_dist=True)
        self.compare_with_best(float(loss))

    def compare_with_best(self, loss: float) -> None:
        """Keep a copy of the weights if the mean loss of the epoch is the lowest so far; a method may not need that."""
        if self.keep_best and (self._best is None or loss < self._best[0]):
            self._best = loss, {name: value.detach().clone() for name, value in self.state_dict().items()}

    @contextmanager
    def best_weights(self) -> Iterator[None]:
        """Have the weights with which training would end now, while the body runs."""
        last = self.state_dict()
        if self._best is not None:
            last = {name: value.clone() for name, value in last.items()}
            self.load_state_dict(self._best[1])
        try:
            yield
        finally:
            if self._best is not None:
                self.load_state_dict(last)

    def on_train_start(self) -> None:
        """Begin without weights that are kept, but for those of a checkpoint that training goes on from."""
        if self.trainer.current_epoch == 0:
            self._best = None

    def on_train_end(self) -> None:
        """Take the weights that are kept."""
        if self._best is not None:
            self.load_state_dict(self._best[1])
            self._best = None

    def epoch_loss(self) -> Float[Tensor, ""]:
        """Compute the mean objective over the rows of this epoch, each as it was when its batch had its turn.

        Rows count equally, whichever process they were in.
        """
        both: Tensor = self.trainer.strategy.reduce(self._train_loss.both(self.device), reduce_op="sum")
        return both[0] / both[1]

    def on_validation_epoch_start(self) -> None:
        """Begin the metrics of the held-out rows."""
        self._begin_evaluation()

    def validation_step(self, batch: EvaluationBatch, batch_idx: int) -> None:
        """Score rows that are held out of training, and compute their objective."""
        self._evaluate(batch)
        rows = batch.truth == 0 if self.unsupervised else torch.ones_like(batch.truth, dtype=torch.bool)
        self._val_loss.add(self.losses(self.make_batch(batch.x[rows], batch.truth[rows].to(batch.x.dtype))))

    def on_validation_epoch_end(self) -> None:
        """Log `val_loss`, and where labelled rows are held out `val_auc` and `val_ap`."""
        total, count = self._val_loss.both(self.device)
        self.log("val_loss", total / count, sync_dist=True)
        if any(bool(part.any()) for part in self._metrics["auc"].target):  # type: ignore[union-attr]
            self._log_metrics("val")

    def on_test_epoch_start(self) -> None:
        """Begin the metrics of the test rows."""
        self._begin_evaluation()

    def test_step(self, batch: EvaluationBatch, batch_idx: int) -> None:
        """Score test rows."""
        self._evaluate(batch)

    def on_test_epoch_end(self) -> None:
        """Log `test_auc` and `test_ap`."""
        self._log_metrics("test")

    def predict_step(self, batch: EvaluationBatch, batch_idx: int) -> Float[Tensor, " b"]:
        """Score rows."""
        return self.scores(batch.x)

    def configure_optimizers(self) -> Any:  # noqa: ANN401
        """Build the optimiser, and a scheduler of its rate by `lr_factor`."""
        optimizer = self.build_optimizer(parameter for parameter in self.parameters() if parameter.requires_grad)
        return {"optimizer": optimizer, "lr_scheduler": LambdaLR(optimizer, lambda epoch: self.lr_factor(epoch))}

    def build_optimizer(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """Build the optimiser of some parameters, in its fused form where it has one and was not told otherwise."""
        optimizer = self.optimizer(parameters)
        for group in optimizer.param_groups:
            if group.get("fused", False) is None:
                group["fused"] = True
        return optimizer

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip as the `Trainer` was told, then each element at `clip_value`, then the norm at `clip_norm`."""
        self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
        if self.clip_value is not None:
            clip_elements(optimizer, self.clip_value)
        if self.clip_norm is not None:
            nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], self.clip_norm)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Name the phase in the checkpoint, and add the weights that are kept."""
        checkpoint["semiad_phase"] = [self.phase, type(self).__name__]
        if self._best is not None:
            checkpoint["semiad_best"] = self._best

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse the checkpoint of another phase, and take over the weights that were kept.

        Raises:
            InputError: it is of another phase.
        """
        own, found = [self.phase, type(self).__name__], checkpoint.get("semiad_phase")
        if found is not None and found != own:
            raise InputError(f"the checkpoint is of phase {found[0]} ({found[1]}), expected phase {own[0]} ({own[1]})")
        self._best = checkpoint.get("semiad_best")

    # What validation and test share

    def _begin_evaluation(self) -> None:
        # Scores may lie outside [0, 1], where torchmetrics would put them through a sigmoid, which ties large ones.
        kinds = {"auc": BinaryAUROC, "ap": BinaryAveragePrecision}
        self._metrics = {name: kind(normalization=None).to(self.device) for name, kind in kinds.items()}
        self._val_loss = MeanLoss()

    def _evaluate(self, batch: EvaluationBatch) -> None:
        scores = self.scores(batch.x)
        check_rows(self, "scores", scores, len(batch.x))
        for metric in self._metrics.values():
            metric.update(scores, batch.truth)

    def _log_metrics(self, stage: str) -> None:
        for name, metric in self._metrics.items():
            self.log(f"{stage}_{name}", metric.compute(), sync_dist=True)


def own_numbers(method: Method) -> dict[str, float]:
    """Give the numbers that a method keeps as attributes, but for those that stand in for one of its class."""
    return {k: v for k, v in vars(method).items() if isinstance(v, float) and not hasattr(type(method), k)}


def clip_elements(optimizer: Optimizer, bound: float) -> None:
    """Clip each element of the gradients that an optimiser is about to use."""
    for group in optimizer.param_groups:
        nn.utils.clip_grad_value_(group["params"], bound)


def set_lr_factor(optimizer: Optimizer, factor: float) -> None:
    """Set the learning rate of an optimiser to a multiple of the one that it was made with."""
    for group in optimizer.param_groups:
        group["lr"] = factor * group.setdefault("initial_lr", group["lr"])
