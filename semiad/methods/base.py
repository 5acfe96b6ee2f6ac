"""What every method is."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import ClassVar

import pytorch_lightning as pl
from jaxtyping import Float
from torch import Tensor, nn
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

    unsupervised: ClassVar[bool] = False
    """Whether the rows labelled anomalous are left out of training."""

    def __init__(self, optimizer: OptimizerFactory) -> None:
        super().__init__()
        self.optimizer = optimizer

    # A plain method, no hook of Lightning's: engines call it before they train.
    def prepare(self, x: Float[Tensor, "n *shape"], s: Float[Tensor, " n"]) -> None:
        """Set buffers from the training rows and their semi-labels, before the first step."""

    @abstractmethod
    def losses(self, batch: Batch) -> Float[Tensor, " b"]:
        """The objective of each row; the loss of a batch is their mean."""

    @abstractmethod
    def scores(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, " b"]:
        """The anomaly score of each row, larger for more anomalous."""

    def training_step(self, batch: Batch, batch_idx: int) -> Float[Tensor, ""]:
        """Lightning's: the loss of a batch, averaged by count (not by weight)."""
        return self.losses(batch).mean()

    def configure_optimizers(self) -> Optimizer:
        """Lightning's."""
        return self.optimizer(self.parameters())
