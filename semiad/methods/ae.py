"""The plain autoencoder: the baseline of the AE-SAD paper (see `aesad`)."""

from collections.abc import Mapping, Sequence

from jaxtyping import Float
from torch import Tensor

from semiad import losses
from semiad.methods.base import Method, Network, OptimizerFactory
from semiad.networks.autoencoder import has_parts, parts
from semiad.types import Batch


class AE(Method):
    """Objective: squared reconstruction error (Eq. 1), on the rows that are not labelled. Score: the same.

    Args:
        shape: of one row.
        net: makes the autoencoder.
        optimizer: makes the optimiser.
    """

    unsupervised = True

    def __init__(self, shape: Sequence[int], net: Network, optimizer: OptimizerFactory) -> None:
        super().__init__(optimizer)
        self.net = net(shape=shape)

    def losses(self, batch: Batch) -> Float[Tensor, " b"]:
        """Compute Eq. 1."""
        return losses.squared_error(batch.x, self.net(batch.x))

    def scores(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, " b"]:
        """Compute Eq. 1."""
        return losses.squared_error(x, self.net(x))

    def score_parts(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, "b *shape"]:
        """Compute the part of each feature in Eq. 1."""
        parts: Tensor = (x - self.net(x)).square() / x[0].numel()
        return parts

    def views(self, x: Float[Tensor, "b *shape"]) -> Mapping[str, Float[Tensor, "b ..."]]:
        """Compute the reconstruction, and the code if the network has one."""
        code = {"z": parts(self.net).encoder(x)} if has_parts(self.net) else {}
        return {"x_hat": self.net(x), **code}
