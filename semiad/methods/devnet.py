"""DevNet: Pang, Shen, van den Hengel, "Deep Anomaly Detection with Deviation Networks" (2019)."""

from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from semiad import losses
from semiad.checks import check_number, check_whole
from semiad.draws import draw_balanced
from semiad.methods.supervised import Supervised
from semiad.networks.init import glorot
from semiad.types import Batch

REFERENCES = 5000
"""Draws of the prior, from N(0, 1)."""


class DevNet(Supervised):
    """Objective: Eq. 7, the deviation loss, of batches with as many labelled as unlabelled rows. Score: the network's.

    Training ends with the weights of the epoch of the lowest mean objective.

    Args:
        steps: batches in an epoch.
        margin: how many standard deviations a labelled anomaly is to lie above the mean of the prior, at least.
        weight_penalty: the weight of the squared weights of the encoder, biases left out, in the objective.
        clip_norm: bound on the norm of the gradient; None for none.
        common: see `Supervised`.

    Raises:
        InputError: a value out of range.
    """

    keep_best = True
    mean: Tensor
    std: Tensor
    margin: Tensor
    weight_penalty: Tensor

    def __init__(
        self,
        steps: int,
        margin: float,
        weight_penalty: float,
        clip_norm: float | None,
        **common: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(**common)
        check_sampling(steps, clip_norm)
        self.steps, self.clip_norm = steps, clip_norm
        self.output.apply(glorot)
        prior = torch.randn(REFERENCES)  # once, not anew for each batch
        for name, value in (("mean", prior.mean()), ("std", prior.std(correction=0))):
            self.register_buffer(name, value)
        for name, number in (("margin", margin), ("weight_penalty", weight_penalty)):
            self.register_buffer(name, torch.tensor(float(number)))

    def draw_rows(self, s: Float[Tensor, " n"], batch_size: int, source: torch.Generator) -> Int64[Tensor, "steps b"]:
        """Draw batches of which a half is labelled."""
        return draw_balanced(s, self.steps, batch_size, source)

    def losses(self, batch: Batch) -> Float[Tensor, " b"]:
        """Compute Eq. 7, and the penalty."""
        deviations = (self.scores(batch.x) - self.mean) / self.std
        return losses.deviation(deviations, batch.s, self.margin) + self.weight_penalty * squared_weights(self.encoder)


def check_sampling(steps: int, clip_norm: float | None) -> None:
    """Check the settings of methods that draw their batches.

    Raises:
        InputError: a value out of range.
    """
    check_whole("method.steps", steps, of="batches")
    check_number("method.clip_norm", clip_norm, above=0, null=True)


def squared_weights(module: nn.Module) -> Float[Tensor, ""]:
    """Compute the sum of all squared weights, biases left out."""
    squares = [value.square().sum() for value in module.parameters() if value.ndim > 1]
    return torch.stack(squares).sum()
