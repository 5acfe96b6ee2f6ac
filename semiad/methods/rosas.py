"""RoSAS: Xu et al., "Deep Semi-Supervised Anomaly Detection with Contamination-Resilient Supervision" (2023)."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from semiad.checks import check_number
from semiad.draws import draw_triplets
from semiad.methods.base import Method, Network, OptimizerFactory
from semiad.methods.contract import check_labelled
from semiad.methods.devnet import check_sampling
from semiad.methods.supervised import code_width
from semiad.networks.autoencoder import parts
from semiad.types import Batch

NEVER = -1e9
"""In place of minus infinity, for which a softmax of two has no value."""


class RoSAS(Method):
    """Objective: triplets of codes, and scores of mixtures of rows that are to be mixtures of their targets.

    A triplet is two unlabelled rows and a labelled one, of which the code is to lie farther from the first than that of
    the second. Targets are -1 for an unlabelled row and 1 for a labelled one. The two parts are weighted by how large
    they are beside their means of the epoch before: the one that lags behind counts for more.

    Args:
        shape: of one row.
        net: makes an autoencoder, of which the encoder is taken; two layers, the first half as wide, score its code.
        optimizer: makes the optimiser.
        steps: batches in an epoch.
        margin: of the triplets.
        mixing: both parameters of the beta distribution of the shares of two rows in a mixture.
        temperature: of the weights; the higher, the more equal.
        norm_weight: the weight of the norm of the summed codes of a batch.

    Raises:
        InputError: a value out of range, or a network without an encoder.
    """

    batch_coupled = True
    margin: Tensor
    temperature: Tensor
    norm_weight: Tensor
    step: Tensor
    sums: Tensor
    means: Tensor

    def __init__(
        self,
        shape: Sequence[int],
        net: Network,
        optimizer: OptimizerFactory,
        steps: int,
        margin: float,
        mixing: float,
        temperature: float,
        norm_weight: float,
    ) -> None:
        super().__init__(optimizer)
        check_sampling(steps, None)
        for name, value in (("mixing", mixing), ("temperature", temperature)):
            check_number(f"method.{name}", value, above=0)
        self.steps, self.mixing = steps, float(mixing)
        self.encoder = parts(net(shape=shape)).encoder
        width = code_width(self.encoder, shape)
        self.hidden = nn.Linear(width, max(width // 2, 1), bias=False)
        self.output = nn.Linear(self.hidden.out_features, 1)
        for name, number in (("margin", margin), ("temperature", temperature), ("norm_weight", norm_weight)):
            self.register_buffer(name, torch.tensor(float(number)))
        # Of the two parts of the objective: sums over the steps of this epoch, and means of the epoch before.
        for name, start in (("step", torch.tensor(0.0)), ("sums", torch.zeros(2)), ("means", torch.ones(2))):
            self.register_buffer(name, start)

    def prepare(self, x: Float[Tensor, "n *shape"], s: Float[Tensor, " n"]) -> None:
        """Check that there is a labelled row.

        Raises:
            RunFailed: there is none.
        """
        check_labelled(self, s)

    def draw_rows(self, s: Float[Tensor, " n"], batch_size: int, source: torch.Generator) -> Int64[Tensor, "steps b 6"]:
        """Draw triplets, and for each of their rows the row of the same batch that it is mixed with."""
        triplets = draw_triplets(s, self.steps, batch_size, source)
        order = torch.rand(self.steps, 3 * batch_size, generator=source).argsort(1)
        return torch.cat([triplets, triplets.flatten(1).gather(1, order).view_as(triplets)], dim=2)

    def noise(self, rows: int, source: torch.Generator) -> Float[Tensor, "b 3"]:
        """Draw the shares of the rows of triplets in their mixtures."""
        draws = np.random.default_rng(int(torch.randint(2**62, (), generator=source)))
        return torch.from_numpy(draws.beta(self.mixing, self.mixing, (rows, 3))).to(torch.get_default_dtype())

    def score(self, z: Float[Tensor, "b *d"]) -> Float[Tensor, " b"]:
        """Compute the score of codes, before it is squeezed to between -1 and 1."""
        scores: Tensor = self.output(F.leaky_relu(self.hidden(z.flatten(1)))).squeeze(1)
        return scores

    def parts_of(self, batch: Batch) -> tuple[Float[Tensor, "2 b"], Float[Tensor, ""]]:
        """Compute the loss of codes and the mean loss of scores of each triplet, and the norm of all codes."""
        assert batch.noise is not None
        halves = [torch.split(values, 3, dim=1) for values in (batch.x, batch.s)]
        (x, partner), (s, partner_s) = ([rows.flatten(0, 1) for rows in half] for half in halves)
        share = batch.noise.flatten()
        z = self.encoder(x)
        anchor, positive, negative = z.view(len(batch.x), 3, -1).unbind(1)
        distances = [F.pairwise_distance(anchor, other) for other in (positive, negative)]
        triplet = (self.margin + distances[0] - distances[1]).clamp(min=0)
        shape = (-1, *[1] * (x.ndim - 1))
        mixture = share.view(shape) * x + (1 - share).view(shape) * partner
        score, own, other = (self.score(code).tanh() for code in (self.encoder(mixture), z, self.encoder(partner)))
        target = share * (2 * s - 1) + (1 - share) * (2 * partner_s - 1)
        errors = F.smooth_l1_loss(score, target, reduction="none")
        errors = errors + F.smooth_l1_loss(score, share * own + (1 - share) * other, reduction="none")
        return torch.stack([triplet, errors.view(-1, 3).mean(1)]), (anchor + positive + negative).norm()

    def losses(self, batch: Batch) -> Float[Tensor, " b"]:
        """Compute the weighted sum of both parts, and the penalty on the norm."""
        both, length = self.parts_of(batch)
        means, before = both.mean(1), self.means.clone()
        passed = before == 0  # a part that was 0 throughout an epoch has no weight
        lag = torch.where(passed, NEVER, means / torch.where(passed, 1, before) / self.temperature)
        if self.training:
            self.count(means.detach())
        return lag.softmax(0) @ both + self.norm_weight * length

    def count(self, means: Float[Tensor, "2"]) -> None:
        """Add the parts of a step to the sums of its epoch, and take the means when the epoch ends."""
        sums, step = self.sums + means, self.step + 1
        ended = step == self.steps
        self.means.copy_(torch.where(ended, sums / self.steps, self.means))
        self.sums.copy_(torch.where(ended, 0, sums))
        self.step.copy_(torch.where(ended, 0, step))

    def scores(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, " b"]:
        """Compute the score; it ranks as its hyperbolic tangent does, and does not saturate."""
        return self.score(self.encoder(x))

    def views(self, x: Float[Tensor, "b *shape"]) -> Mapping[str, Float[Tensor, "b ..."]]:
        """Compute the code."""
        return {"z": self.encoder(x)}
