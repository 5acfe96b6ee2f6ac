"""Deep SVDD: Ruff et al., "Deep One-Class Classification" (2018)."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from semiad import losses
from semiad.checks import check_number
from semiad.errors import InputError, RunFailed
from semiad.methods.ae import AE
from semiad.methods.base import Method, Network, OptimizerFactory
from semiad.networks.autoencoder import parts
from semiad.types import Batch

CHUNK = 1024
"""Rows that are encoded at once for the centre."""
APART = 0.1
"""How far every coordinate of the centre is kept from zero, which a network without biases reaches trivially."""


class Pretraining(AE):
    """An autoencoder whose encoder goes on to another method.

    Args:
        shape: of one row.
        net: makes the autoencoder.
        optimizer: makes the optimiser.
        epochs: to train for.
        unsupervised: leave out the labelled anomalies.
    """

    def __init__(
        self, shape: Sequence[int], net: Network, optimizer: OptimizerFactory, epochs: int, unsupervised: bool
    ) -> None:
        super().__init__(shape, net, optimizer)
        self.epochs, self.unsupervised = epochs, unsupervised


class DeepSVDD(Method):
    """Objective: Eq. 4 (one-class), or Eq. 3 (soft boundary). Score: squared distance of the code from the centre.

    An autoencoder is trained first; the centre is the mean code of the training rows after that.

    Args:
        shape: of one row.
        net: makes an autoencoder; its encoder must have no biases, or it could map everything to the centre.
        optimizer: makes the optimiser.
        pretraining: its `epochs` (0 for none) and `optimizer`.
        milestones: epochs from which the learning rate is a tenth of what it was.
        nu: the share of rows outside of a soft boundary; None for no boundary.

    Raises:
        InputError: a network that does not fit, or nu out of range.
    """

    unsupervised = True
    centre: Tensor
    nu: Tensor

    def __init__(
        self,
        shape: Sequence[int],
        net: Network,
        optimizer: OptimizerFactory,
        pretraining: Mapping[str, Any],
        milestones: Sequence[int],
        nu: float | None,
    ) -> None:
        super().__init__(optimizer)
        encoder = parts(net(shape=shape)).encoder
        if any(name.endswith("bias") for name, _ in encoder.named_parameters()):
            raise InputError("this method needs a network with an encoder without biases, such as mlp or lenet")
        check_number("method.nu", nu, above=0, most=1, null=True)
        self.shape, self.net, self.encoder = tuple(shape), net, encoder
        self.pretraining, self.milestones, self.batch_coupled = pretraining, milestones, nu is not None
        self.register_buffer("nu", torch.tensor(1.0 if nu is None else nu))
        self.register_buffer("centre", torch.zeros(self.encode(torch.zeros(1, *shape)).shape[1:]))

    def earlier_phases(self) -> Sequence[Method]:
        """Build the autoencoder, unless it has no epochs."""
        epochs, optimizer = self.pretraining["epochs"], self.pretraining["optimizer"]
        return [Pretraining(self.shape, self.autoencoder, optimizer, epochs, self.unsupervised)] if epochs else []

    def autoencoder(self, shape: Sequence[int]) -> nn.Module:
        """Build an autoencoder around the encoder."""
        net = self.net(shape=shape)
        net.encoder = self.encoder
        return net

    @torch.no_grad()
    def encode(self, x: Float[Tensor, "n *shape"]) -> Float[Tensor, "n *d"]:
        """Compute the codes of rows, in evaluation mode."""
        return codes_of(self.encoder, x)

    def prepare(self, x: Float[Tensor, "n *shape"], s: Float[Tensor, " n"]) -> None:
        """Set the centre, its coordinates, but for zeros, no nearer to zero than `APART`.

        Raises:
            RunFailed: the codes are not finite, or all the same.
        """
        codes = self.encode(x)
        if not bool(codes.isfinite().all()) or bool((codes == codes[0]).all()):
            raise RunFailed(f"the encoder has collapsed: the codes of all {len(x)} rows are the same or not finite")
        centre = codes.mean(0)
        self.centre.copy_(torch.where(centre.abs() < APART, APART * centre.sign(), centre))

    def lr_factor(self, epoch: int) -> float:
        """Divide the rate by ten at each milestone; the authors' scheduler is an epoch early, and so is this."""
        return float(0.1 ** sum(milestone <= epoch + 1 for milestone in self.milestones))

    def losses(self, batch: Batch) -> Float[Tensor, " b"]:
        """Compute Eq. 4, or Eq. 3 with a soft boundary."""
        distances = losses.svdd(self.encoder(batch.x), self.centre)
        return losses.soft_boundary(distances, self.nu) if self.batch_coupled else distances

    def scores(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, " b"]:
        """Compute Eq. 5; the squared radius of a soft boundary, a constant, is not taken off."""
        return losses.svdd(self.encoder(x), self.centre)

    def views(self, x: Float[Tensor, "b *shape"]) -> Mapping[str, Float[Tensor, "b ..."]]:
        """Compute the code."""
        return {"z": self.encoder(x)}


@torch.no_grad()
def codes_of(encoder: nn.Module, x: Float[Tensor, "n *shape"]) -> Float[Tensor, "n *d"]:
    """Compute the codes of rows by an encoder, in evaluation mode."""
    training = encoder.training
    encoder.eval()
    codes = torch.cat([encoder(rows) for rows in torch.split(x, CHUNK)])
    encoder.train(training)
    return codes
