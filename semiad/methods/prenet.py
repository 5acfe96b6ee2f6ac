"""PReNet: Pang et al., "Deep Weakly-supervised Anomaly Detection" (2023)."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from semiad.checks import check_whole
from semiad.draws import both_kinds, draw_of, draw_pairs
from semiad.methods.base import Method, Network, OptimizerFactory
from semiad.methods.contract import check_labelled
from semiad.methods.devnet import check_sampling, squared_weights
from semiad.methods.supervised import code_width
from semiad.networks.autoencoder import parts
from semiad.networks.init import glorot
from semiad.types import Batch


class PReNet(Method):
    """Objective: the absolute error of a pair's score, to be 0, 4 or 8 by how many of its two rows are labelled.

    Score: the mean of the scores of the row beside unlabelled partners and beside labelled ones. Training ends with the
    weights of the epoch of the lowest mean objective.

    Args:
        shape: of one row.
        net: makes an autoencoder, of which the encoder is taken; a linear layer scores the two codes of a pair.
        optimizer: makes the optimiser.
        steps: batches in an epoch.
        step: what a labelled row adds to the score that a pair is to have.
        weight_penalty: the weight of the squared weights of the encoder, biases left out, in the objective.
        clip_norm: bound on the norm of the gradient; None for none.
        partners: of each kind, for the score: drawn once from the training rows.

    Raises:
        InputError: a value out of range, or a network without an encoder.
    """

    keep_best = True
    step: Tensor
    weight_penalty: Tensor
    unlabelled: Tensor
    labelled: Tensor

    def __init__(
        self,
        shape: Sequence[int],
        net: Network,
        optimizer: OptimizerFactory,
        steps: int,
        step: float,
        weight_penalty: float,
        clip_norm: float | None,
        partners: int,
    ) -> None:
        super().__init__(optimizer)
        check_sampling(steps, clip_norm)
        check_whole("method.partners", partners)
        self.steps, self.clip_norm, self.partners = steps, clip_norm, partners
        self.encoder = parts(net(shape=shape)).encoder
        self.output = nn.Linear(2 * code_width(self.encoder, shape), 1).apply(glorot)
        for name, number in (("step", step), ("weight_penalty", weight_penalty)):
            self.register_buffer(name, torch.tensor(float(number)))
        for name in ("unlabelled", "labelled"):
            self.register_buffer(name, torch.zeros(partners, *shape))

    def prepare(self, x: Float[Tensor, "n *shape"], s: Float[Tensor, " n"]) -> None:
        """Draw the partners.

        Raises:
            RunFailed: no row is labelled.
        """
        check_labelled(self, s)
        source = torch.Generator().manual_seed(self._seed)
        for buffer, rows in zip((self.unlabelled, self.labelled), both_kinds(s.cpu()), strict=True):
            buffer.copy_(x[draw_of(rows, 1, self.partners, source)[0].to(x.device)])

    def draw_rows(self, s: Float[Tensor, " n"], batch_size: int, source: torch.Generator) -> Int64[Tensor, "steps b 2"]:
        """Draw batches of pairs."""
        return draw_pairs(s, self.steps, batch_size, source)

    def code(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, "b d"]:
        """Compute the codes of rows."""
        z: Tensor = self.encoder(x)
        return z.flatten(1)

    def relation(self, first: Float[Tensor, "*b d"], second: Float[Tensor, "*b d"]) -> Float[Tensor, "*b"]:
        """Compute the score of pairs from their codes."""
        scores: Tensor = self.output(torch.cat([first, second], dim=-1)).squeeze(-1)
        return scores

    def losses(self, batch: Batch) -> Float[Tensor, " b"]:
        """Compute the absolute errors, and the penalty."""
        first, second = self.code(batch.x.flatten(0, 1)).view(len(batch.x), 2, -1).unbind(1)
        errors = (self.step * batch.s.sum(1) - self.relation(first, second)).abs()
        return errors + self.weight_penalty * squared_weights(self.encoder)

    def scores(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, " b"]:
        """Compute the mean over partners; as the output is linear, that is the score beside their mean code."""
        z = self.code(x)
        unlabelled, labelled = (self.code(rows).mean(0).expand_as(z) for rows in (self.unlabelled, self.labelled))
        return (self.relation(unlabelled, z) + self.relation(z, labelled)) / 2

    def views(self, x: Float[Tensor, "b *shape"]) -> Mapping[str, Float[Tensor, "b ..."]]:
        """Compute the code."""
        return {"z": self.encoder(x)}
