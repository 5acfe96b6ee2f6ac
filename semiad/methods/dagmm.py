"""DAGMM: Zong et al., "Deep Autoencoding Gaussian Mixture Model for Unsupervised Anomaly Detection" (2018)."""

from collections.abc import Mapping, Sequence
from math import log, pi
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from semiad.checks import check_number, check_whole
from semiad.methods.base import Method, Network, OptimizerFactory
from semiad.methods.deep_svdd import CHUNK
from semiad.methods.supervised import code_width
from semiad.networks.autoencoder import parts
from semiad.networks.init import glorot_normal
from semiad.types import Batch

DECAY = 0.99
"""How much of the running sums stays at a step."""
EPS = 1e-6
"""Added to the variances of a component."""
TINY = 1e-10
"""The least norm that is divided by."""


class Sums(NamedTuple):
    """What a mixture is computed from: sums over rows, weighted by their memberships of each component.

    Attributes:
        weight: of the memberships.
        first: of the features.
        second: of their products.
    """

    weight: Float[Tensor, " k"]
    first: Float[Tensor, "k d"]
    second: Float[Tensor, "k d d"]


class DAGMM(Method):
    """Objective: the squared reconstruction error, and the energy of code and error in a Gaussian mixture of the batch.

    A second network, with dropout, gives the membership of a row in each component, from which shares, means and
    covariances of a batch follow. Score: the energy in the mixture of the training rows, whose sums are running ones:
    at each step those of the batch are added and the others decay.

    Args:
        shape: of one row.
        net: makes the autoencoder.
        optimizer: makes the optimiser.
        components: of the mixture.
        hidden: width of the hidden layer of the second network.
        dropout: share of its hidden units that are set to zero in training, from 0 on and below 1.
        energy_weight: the paper's lambda 1.
        covariance_weight: the paper's lambda 2, of the inverse variances.

    Raises:
        InputError: a value out of range, or a network without encoder and decoder.
    """

    unsupervised = True
    batch_coupled = True
    dropout: Tensor
    energy_weight: Tensor
    covariance_weight: Tensor
    weight: Tensor
    first: Tensor
    second: Tensor

    def __init__(
        self,
        shape: Sequence[int],
        net: Network,
        optimizer: OptimizerFactory,
        components: int,
        hidden: int,
        dropout: float,
        energy_weight: float,
        covariance_weight: float,
    ) -> None:
        super().__init__(optimizer)
        check_whole("method.components", components)
        check_whole("method.hidden", hidden)
        check_number("method.dropout", dropout, least=0, below=1)
        check_number("method.energy_weight", energy_weight, least=0)
        check_number("method.covariance_weight", covariance_weight, least=0)
        numbers = {"dropout": dropout, "energy_weight": energy_weight, "covariance_weight": covariance_weight}
        for name, number in numbers.items():
            self.register_buffer(name, torch.tensor(float(number)))
        self.net = net(shape=shape)
        width = code_width(parts(self.net).encoder, shape) + 2
        self.hidden, self.output = nn.Linear(width, hidden), nn.Linear(hidden, components)
        for layer in (self.hidden, self.output):
            layer.apply(glorot_normal)
        for name, size in (("weight", ()), ("first", (width,)), ("second", (width, width))):
            self.register_buffer(name, torch.zeros(components, *size, dtype=torch.float64))

    @torch.no_grad()
    def prepare(self, x: Float[Tensor, "n *shape"], s: Float[Tensor, " n"]) -> None:
        """Start the running sums with those of all training rows."""
        rows = [self.features(part) for part in torch.split(x, CHUNK)]
        z = torch.cat([features for features, _ in rows])
        for buffer, value in zip((self.weight, self.first, self.second), sums(z, self.memberships(z)), strict=True):
            buffer.copy_(value / len(x))

    def noise(self, rows: int, source: torch.Generator) -> Float[Tensor, "b h"]:
        """Draw the numbers that decide which hidden units are set to zero."""
        return torch.rand(rows, self.hidden.out_features, generator=source)

    def features(self, x: Float[Tensor, "b *shape"]) -> tuple[Float[Tensor, "b d"], Float[Tensor, " b"]]:
        """Compute what the mixture is of, code, relative error and cosine (Section 3.2), and the squared error."""
        code = parts(self.net).encoder(x).flatten(1)
        row, x_hat = x.flatten(1), parts(self.net).decoder(code).flatten(1)
        error = row - x_hat
        relative = error.norm(dim=1) / row.norm(dim=1).clamp(min=TINY)
        cosine = F.cosine_similarity(row, x_hat, dim=1)
        return torch.cat([code, relative[:, None], cosine[:, None]], dim=1), error.square().sum(1)

    def memberships(self, z: Float[Tensor, "b d"], noise: Float[Tensor, "b h"] | None = None) -> Float[Tensor, "b k"]:
        """Compute the memberships of rows, with dropout by `noise` if there is any."""
        hidden = self.hidden(z).tanh()
        if noise is not None:
            hidden = hidden * (noise >= self.dropout) / (1 - self.dropout)
        shares: Tensor = self.output(hidden).softmax(1)
        return shares

    def losses(self, batch: Batch) -> Float[Tensor, " b"]:
        """Compute Eq. 7."""
        z, error = self.features(batch.x)
        of_batch = sums(z, self.memberships(z, batch.noise))
        energies, variances = energy(z, of_batch)
        if self.training:
            self.add(sums(z.detach(), self.memberships(z.detach())), len(z))
        penalty = (1 / (variances + EPS)).sum().to(error.dtype)
        return error + self.energy_weight * energies + self.covariance_weight * penalty

    @torch.no_grad()
    def add(self, of_batch: Sums, rows: int) -> None:
        """Add the sums of a batch to the running ones, without dropout."""
        for buffer, value in zip((self.weight, self.first, self.second), of_batch, strict=True):
            buffer.copy_(DECAY * buffer + (1 - DECAY) * value / rows)

    def scores(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, " b"]:
        """Compute the energy (Eq. 6) in the mixture of the training rows."""
        return energy(self.features(x)[0], Sums(self.weight, self.first, self.second))[0]

    def views(self, x: Float[Tensor, "b *shape"]) -> Mapping[str, Float[Tensor, "b ..."]]:
        """Compute reconstruction and code."""
        return {"x_hat": self.net(x), "z": parts(self.net).encoder(x)}


def sums(z: Float[Tensor, "b d"], memberships: Float[Tensor, "b k"]) -> Sums:
    """Compute the weighted sums of rows, in double precision: a covariance is a difference of them."""
    z, shares = z.double(), memberships.double().T
    return Sums(shares.sum(1), shares @ z, (shares[:, None] * z.T) @ z)


def energy(z: Float[Tensor, "b d"], of_rows: Sums) -> tuple[Float[Tensor, " b"], Float[Tensor, "k d"]]:
    """Compute the energy of rows in a mixture (Eq. 5 and 6), and the variances of its components.

    Args:
        z: what the mixture is of.
        of_rows: the sums over the rows that the mixture is estimated from.
    """
    weight = of_rows.weight[:, None]
    mean = of_rows.first / weight
    covariance = of_rows.second / weight[..., None] - mean[:, :, None] * mean[:, None]
    identity = torch.eye(z.shape[1], dtype=covariance.dtype, device=z.device)
    factor, _ = torch.linalg.cholesky_ex(covariance + EPS * identity)
    away = (z.double() - mean[:, None]).transpose(1, 2)
    squares = torch.linalg.solve_triangular(factor, away, upper=False).square().sum(1)
    halves = factor.diagonal(dim1=1, dim2=2).log().sum(1, keepdim=True) + z.shape[1] / 2 * log(2 * pi)
    share = (weight / of_rows.weight.sum()).log()
    energies = -torch.logsumexp(share - squares / 2 - halves, dim=0)
    return energies.to(z.dtype), covariance.diagonal(dim1=1, dim2=2)
