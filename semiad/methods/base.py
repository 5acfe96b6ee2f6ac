"""What every method is."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import ClassVar

import pytorch_lightning as pl
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from semiad.types import Batch

Network = Callable[..., nn.Module]
"""Builds a network from the shape of one row (`shape=`)."""
OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]


class Method(pl.LightningModule, ABC):
    """A way to learn an anomaly score from normal rows and a few labelled anomalies.

    `losses` and `scores` read parameters, buffers and arguments only, and what may differ between two runs (a weight, a
    centre) is a buffer: so many runs can be trained as one.

    Args:
        optimizer: makes the optimiser from the parameters.
    """

    unsupervised: bool = False
    """Whether the rows labelled anomalous are left out of training."""
    packable: ClassVar[bool] = True
    """Whether many runs can be trained as one; not if a step of one run is no elementwise function of its gradient."""
    whole: bool = False
    """Whether the objective of a row depends on the others of its batch."""

    clip: float | None = None
    """Bound on each element of a gradient (a norm would mix the runs of a pack); None for none."""
    epochs: int | None = None
    """Epochs to train for; None for the job's, as the last phase has."""

    def __init__(self, optimizer: OptimizerFactory) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.optimizer = optimizer

    @property
    def full_batches(self) -> bool:
        """Whether every batch must be full: see `data.order`."""
        return self.whole or any(isinstance(module, _BatchNorm) for module in self.modules())

    # Plain methods, no hooks of Lightning's: engines call them.
    def phases(self) -> Sequence["Method"]:
        """What is trained one after the other, itself last; the phases before it train modules that it shares.

        Called once for a run, before training.
        """
        return [self]

    def prepare(self, x: Float[Tensor, "n *shape"], s: Float[Tensor, " n"]) -> None:
        """Set buffers from the training rows and their semi-labels, before the first step.

        Raises:
            RunFailed: nothing can be learnt from there.
        """

    def noise(self, rows: int, source: torch.Generator) -> Float[Tensor, "b ..."] | None:
        """Random numbers for the objective of so many rows, drawn from the run's own source; None if it needs none."""
        return None

    def rate(self, epoch: int) -> float:
        """The learning rate of an epoch (from 0), as a multiple of the optimiser's."""
        return 1.0

    @abstractmethod
    def losses(self, batch: Batch) -> Float[Tensor, " b"]:
        """The objective of each row; the loss of a batch is their mean."""

    @abstractmethod
    def scores(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, " b"]:
        """The anomaly score of each row, larger for more anomalous."""

    def views(self, x: Float[Tensor, "b *shape"]) -> Mapping[str, Float[Tensor, "b ..."]]:
        """What the method makes of rows, to be looked at: reconstructions `x_hat`, codes `z` and `z_hat`, if any."""
        return {}

    def training_step(self, batch: Iterable[Batch], batch_idx: int) -> Float[Tensor, ""]:
        """Lightning's, given a whole epoch at once: its hooks around each step would cost half as much as the step.

        The loss of a batch is averaged by count (not by weight). Of several processes each takes its part of every
        batch, and the optimiser steps by the mean of their gradients, which is that of the batch.

        Returns:
            The mean of the objective over all rows, each as it was when its batch had its turn.
        """
        optimizer = self.optimizers(use_pl_optimizer=False)
        assert isinstance(optimizer, Optimizer)
        set_rate(optimizer, self.rate(self.current_epoch))
        total, count = torch.zeros((), device=self.device), 0
        rank, ranks = self.trainer.global_rank, self.trainer.world_size
        for rows in batch:
            size = len(rows.s)
            losses = self.losses(rows if ranks == 1 else rows.part(rank, ranks))
            optimizer.zero_grad()
            self.manual_backward(losses.sum() / (size / ranks))
            optimizer.step()
            total += losses.detach().sum()
            count += size
        whole: Tensor = self.trainer.strategy.reduce(total, reduce_op="sum")
        return whole / count

    def configure_optimizers(self) -> Optimizer:
        """Lightning's."""
        return self.optimizer_for(parameter for parameter in self.parameters() if parameter.requires_grad)

    def optimizer_for(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """The optimiser of some parameters, in its fused form where it has one and was not told otherwise."""
        optimizer = self.optimizer(parameters)
        for group in optimizer.param_groups:
            if group.get("fused", False) is None:
                group["fused"] = True
        if self.clip is not None:
            optimizer.register_step_pre_hook(partial(clip_gradients, bound=self.clip))
        return optimizer


def clip_gradients(optimizer: Optimizer, args: object, kwargs: object, bound: float) -> None:
    """Clip each element of the gradients that an optimiser is about to use."""
    for group in optimizer.param_groups:
        nn.utils.clip_grad_value_(group["params"], bound)


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Set the learning rate of an optimiser to a multiple of the one that it was made with."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.setdefault("initial_lr", group["lr"])
