"""A3: Sperl, Schulze, Böttinger, "Activation Anomaly Analysis" (2020), with the settings of the authors' code."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from semiad import losses
from semiad.errors import InputError
from semiad.methods.ae import AE
from semiad.methods.base import Method, Network, OptimizerFactory
from semiad.networks.init import glorot
from semiad.types import Batch


class Target(AE):
    """The target network: an autoencoder of unlabelled rows. Objective: binary cross-entropy of the reconstruction.

    Args:
        shape: of one row.
        net: makes the autoencoder.
        optimizer: makes the optimiser.
        epochs: to train for.
    """

    def __init__(self, shape: Sequence[int], net: Network, optimizer: OptimizerFactory, epochs: int) -> None:
        super().__init__(shape, net, optimizer)
        self.epochs = epochs

    def losses(self, batch: Batch) -> Float[Tensor, " b"]:
        """Compute binary cross-entropy, mean over features."""
        x_hat = self.net(batch.x)
        return F.binary_cross_entropy(x_hat, batch.x, reduction="none").flatten(1).mean(1)


class A3(Method):
    """Objective: the alarm network is to tell labelled anomalies, and noise, from unlabelled rows. Score: its logit.

    It sees the hidden activations of the target network, which is trained first and then stays as it is. The anomaly
    network is the authors' default, normal noise.

    Note: the authors' dropout (0.1 before the outputs) is left out; the logit ranks as the authors' sigmoid does.

    Args:
        shape: of one row.
        net: makes the target, a sequence of layers whose ReLUs are read.
        optimizer: makes the optimiser of the alarm network.
        target: `epochs` and `optimizer` of the target.
        hidden: widths of the alarm network.
        noise: `mean` and `std` of the anomaly network.

    Raises:
        InputError: a network whose activations cannot be read.
    """

    def __init__(
        self,
        shape: Sequence[int],
        net: Network,
        optimizer: OptimizerFactory,
        target: Mapping[str, Any],
        hidden: Sequence[int],
        noise: Mapping[str, float],
    ) -> None:
        super().__init__(optimizer)
        self.shape, self.settings = tuple(shape), target
        self.mean, self.std = float(noise["mean"]), float(noise["std"])
        self.target = net(shape=shape)
        if not any(isinstance(layer, nn.ReLU) for layer in self.layers()):
            raise InputError("method a3 needs a network of layers in sequence, with ReLUs, such as dense or a3_conv")
        with torch.no_grad():
            d = self.activations(torch.zeros(1, *shape)).shape[1]
        widths = [d, *hidden]
        dense = [layer for pair in pairwise(widths) for layer in (nn.Linear(*pair), nn.ReLU())]
        self.alarm = nn.Sequential(*dense, nn.Linear(widths[-1], 1)).apply(glorot)

    def layers(self) -> Iterable[nn.Module]:
        """Yield the layers of the target in order; none if it is not a sequence of layers."""
        for part in self.target.children():
            yield from part if isinstance(part, nn.Sequential) else ()

    def activations(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, "b d"]:
        """Compute the outputs of the target's ReLUs, side by side."""
        kept = []
        for layer in self.layers():
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                kept.append(x.flatten(1))
        return torch.cat(kept, dim=1)

    def earlier_phases(self) -> Sequence[Method]:
        """Build the target."""
        return [Target(self.shape, lambda shape: self.target, self.settings["optimizer"], self.settings["epochs"])]

    def prepare(self, x: Float[Tensor, "n *shape"], s: Float[Tensor, " n"]) -> None:
        """Freeze the target."""
        self.target.requires_grad_(False)

    def noise(self, rows: int, source: torch.Generator) -> Float[Tensor, "b d"]:
        """Draw rows of the anomaly network: normal noise."""
        return self.mean + self.std * torch.randn(rows, prod(self.shape), generator=source)

    def losses(self, batch: Batch) -> Float[Tensor, " b"]:
        """Compute binary cross-entropy on rows, and on noise, which is anomalous."""
        assert batch.noise is not None
        logits = self.scores(batch.x)
        alarmed = self.scores(batch.noise.view_as(batch.x))
        return losses.cross_entropy(logits, batch.s) + losses.cross_entropy(alarmed, torch.ones_like(batch.s))

    def scores(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, " b"]:
        """Compute the logit of the alarm."""
        logits: Tensor = self.alarm(self.activations(x)).squeeze(1)
        return logits
