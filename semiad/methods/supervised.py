"""The supervised classifier, to which unlabelled rows are normal: a rival in the papers of Deep SAD and ESAD."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from semiad import losses
from semiad.methods.base import Method, Network, OptimizerFactory
from semiad.methods.contract import check_labelled
from semiad.networks.autoencoder import parts
from semiad.types import Batch


class Supervised(Method):
    """Objective: binary cross-entropy, 1 for a labelled anomaly, 0 for an unlabelled row. Score: the logit.

    Args:
        shape: of one row.
        net: makes an autoencoder, of which the encoder is taken; a linear layer makes its code the logit.
        optimizer: makes the optimiser.
        milestones: epochs from which on the rate is a tenth of what it was before.

    Raises:
        InputError: a network without an encoder.
    """

    def __init__(
        self, shape: Sequence[int], net: Network, optimizer: OptimizerFactory, milestones: Sequence[int] = ()
    ) -> None:
        super().__init__(optimizer)
        self.encoder, self.milestones = parts(net(shape=shape)).encoder, tuple(milestones)
        self.output = nn.Linear(code_width(self.encoder, shape), 1)

    def prepare(self, x: Float[Tensor, "n *shape"], s: Float[Tensor, " n"]) -> None:
        """Check that there is a labelled row.

        Raises:
            RunFailed: there is none.
        """
        check_labelled(self, s)

    def lr_factor(self, epoch: int) -> float:
        """Divide the rate by ten at each milestone."""
        return float(0.1 ** sum(milestone <= epoch for milestone in self.milestones))

    def losses(self, batch: Batch) -> Float[Tensor, " b"]:
        """Compute the cross-entropy."""
        return losses.cross_entropy(self.scores(batch.x), batch.s)

    def scores(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, " b"]:
        """Compute the logit."""
        logits: Tensor = self.output(self.encoder(x).flatten(1)).squeeze(1)
        return logits

    def views(self, x: Float[Tensor, "b *shape"]) -> Mapping[str, Float[Tensor, "b ..."]]:
        """Compute the code."""
        return {"z": self.encoder(x)}


@torch.no_grad()
def code_width(encoder: nn.Module, shape: Sequence[int]) -> int:
    """Compute how many features a code has."""
    width = encoder.eval()(torch.zeros(1, *shape)).flatten(1).shape[1]
    encoder.train()
    return int(width)
