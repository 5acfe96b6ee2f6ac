"""FeaWAD: Zhou et al., "Feature Encoding with AutoEncoders for Weakly-supervised Anomaly Detection" (2021)."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import prod
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from semiad import losses
from semiad.checks import is_whole
from semiad.draws import draw_balanced, draw_of
from semiad.errors import InputError
from semiad.methods.base import Method, Network, OptimizerFactory
from semiad.methods.contract import check_labelled
from semiad.methods.deep_svdd import Pretraining
from semiad.methods.devnet import check_sampling
from semiad.methods.supervised import code_width
from semiad.networks.autoencoder import parts
from semiad.networks.init import glorot_normal
from semiad.types import Batch


class DrawnPretraining(Pretraining):
    """An autoencoder trained on batches of unlabelled rows that are drawn with replacement.

    Args:
        steps: batches in an epoch.
        common: see `Pretraining`.
    """

    keep_best = True

    def __init__(self, steps: int, **common: Any) -> None:  # noqa: ANN401
        super().__init__(unsupervised=True, **common)
        self.steps = steps

    def draw_rows(self, s: Float[Tensor, " n"], batch_size: int, source: torch.Generator) -> Int64[Tensor, "steps b"]:
        """Draw any rows: labelled ones are left out of training."""
        return draw_of(torch.arange(len(s)), self.steps, batch_size, source)


class FeaWAD(Method):
    """Objective: that the score be 0 for unlabelled rows and beyond a margin for labelled ones, and so the residual.

    The score is that of a network on the code of an autoencoder, and on the direction and the norm of its residual; the
    norm enters each layer. The autoencoder is trained first, on unlabelled rows, and goes on with the network. Both
    trainings end with the weights of the epoch of the lowest mean objective.

    Args:
        shape: of one row.
        net: makes the autoencoder.
        optimizer: makes the optimiser.
        pretraining: `epochs` and `optimizer` of the autoencoder.
        steps: batches in an epoch.
        margin: where the scores and residuals of labelled anomalies are to lie, at least.
        reconstruction_weight: of the norm of the residual in the objective; 0 for the gradients of the authors' code.
        hidden: widths of the layers between what is encoded and the score.

    Raises:
        InputError: a value out of range, or a network without encoder and decoder.
    """

    keep_best = True
    margin: Tensor
    reconstruction_weight: Tensor

    def __init__(
        self,
        shape: Sequence[int],
        net: Network,
        optimizer: OptimizerFactory,
        pretraining: Mapping[str, Any],
        steps: int,
        margin: float,
        reconstruction_weight: float,
        hidden: Sequence[int],
    ) -> None:
        super().__init__(optimizer)
        check_sampling(steps, None)
        if not all(map(is_whole, hidden)):
            raise InputError(f"method.hidden is {[*hidden]}, expected whole numbers from 1 on")
        self.shape, self.pretraining, self.steps = tuple(shape), pretraining, steps
        self.net = net(shape=shape)
        widths = [prod(shape) + code_width(parts(self.net).encoder, shape), *hidden, 1]
        self.layers = nn.ModuleList(nn.Linear(a + 1, b) for a, b in pairwise(widths)).apply(glorot_normal)
        for name, number in (("margin", margin), ("reconstruction_weight", reconstruction_weight)):
            self.register_buffer(name, torch.tensor(float(number)))

    def earlier_phases(self) -> Sequence[Method]:
        """Build the training of the autoencoder, unless it has no epochs."""
        if not self.pretraining["epochs"]:
            return []
        return [DrawnPretraining(self.steps, shape=self.shape, net=lambda shape: self.net, **self.pretraining)]

    def prepare(self, x: Float[Tensor, "n *shape"], s: Float[Tensor, " n"]) -> None:
        """Check that there is a labelled row.

        Raises:
            RunFailed: there is none.
        """
        check_labelled(self, s)

    def draw_rows(self, s: Float[Tensor, " n"], batch_size: int, source: torch.Generator) -> Int64[Tensor, "steps b"]:
        """Draw batches of which a half is labelled."""
        return draw_balanced(s, self.steps, batch_size, source)

    def encode(self, x: Float[Tensor, "b *shape"]) -> tuple[Float[Tensor, "b d"], Float[Tensor, " b"]]:
        """Compute direction of the residual and code, side by side, and the norm of the residual."""
        encoder, decoder = parts(self.net)
        z = encoder(x)
        residual = (x - decoder(z)).flatten(1)
        length = losses.norm(residual)
        direction = residual / torch.where(length == 0, 1, length)[:, None]
        return torch.cat([direction, z.flatten(1)], dim=1), length

    def score(self, encoded: Float[Tensor, "b d"], length: Float[Tensor, " b"]) -> Float[Tensor, " b"]:
        """Compute the score of what `encode` gives."""
        for i, layer in enumerate(self.layers):
            encoded = layer(torch.cat([encoded.relu() if i else encoded, length[:, None]], dim=1))
        return encoded.squeeze(1)

    def losses(self, batch: Batch) -> Float[Tensor, " b"]:
        """Compute both terms: each value itself for unlabelled rows, what it lacks to the margin for labelled ones."""
        encoded, length = self.encode(batch.x)
        terms = [losses.deviation(value, batch.s, self.margin) for value in (self.score(encoded, length), length)]
        return terms[0] + self.reconstruction_weight * terms[1]

    def scores(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, " b"]:
        """Compute the score."""
        return self.score(*self.encode(x))

    def views(self, x: Float[Tensor, "b *shape"]) -> Mapping[str, Float[Tensor, "b ..."]]:
        """Compute the reconstruction and the code."""
        return {"x_hat": self.net(x), "z": parts(self.net).encoder(x)}
