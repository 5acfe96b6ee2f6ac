"""A margin autoencoder: it reconstructs unlabelled rows well, and labelled anomalies no better than a margin."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from semiad import losses
from semiad.methods.ae import AE
from semiad.methods.base import Network, OptimizerFactory
from semiad.types import Batch


class MarginAE(AE):
    """Objective: the reconstruction error, for labelled anomalies what it lacks to a margin. Score: the error.

    Args:
        shape: of one row.
        net: builds the autoencoder.
        optimizer: builds the optimiser.
        margin: reconstruction error (mean over features) that a labelled anomaly is to have.
    """

    unsupervised = False
    margin: Tensor

    def __init__(self, shape: Sequence[int], net: Network, optimizer: OptimizerFactory, margin: float) -> None:
        super().__init__(shape, net, optimizer)
        self.register_buffer("margin", torch.tensor(float(margin)))  # a buffer, so that runs of a pack may differ in it

    def losses(self, batch: Batch) -> Float[Tensor, " b"]:
        """Compute the error, or what it lacks to the margin."""
        error = losses.squared_error(batch.x, self.net(batch.x))
        return torch.where(batch.s == 1, (self.margin - error).clamp(min=0), error)
