"""ESAD: Huang et al., "ESAD: End-to-end Deep Semi-supervised Anomaly Detection" (2020)."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from semiad import losses
from semiad.checks import check_number, check_whole
from semiad.errors import InputError
from semiad.methods.base import Method, Network, OptimizerFactory
from semiad.networks.autoencoder import parts
from semiad.types import Batch


class ESAD(Method):
    """Objective: Eq. 16, reconstruction (Eq. 9), norm (Eq. 14) and assistance (Eq. 15). Score: Eq. 17.

    Reconstruction takes the mean over the unlabelled rows of a batch and that over its outliers, if it has any.

    Args:
        shape: of one row.
        net: makes an autoencoder; the second encoder is that of another one.
        optimizer: makes the optimiser.
        clip: bound on each element of a gradient; the remedy for a rate of 0.1, at which the plain objective diverges.
        halving: epochs after which the learning rate is halved, each time.
        lam1: weight of the norm, in the objective and in the score.
        lam2: weight of the assistance.
        eps: see `losses.norm_semi`.
        reduction: of squared norms over features: the paper's `sum`, or `mean`.
        second: whether there is a second encoder; without one the norm is that of the first one's code, unassisted.
        transform: of outliers (x-tilde, Section 3.3), drawn once for each: `gaussian`, the standard deviation of its
            noise, and `permutation`, whether it permutes the features, or turns images by 90, 180 or 270 degrees.
        unsupervised: leave out the labelled outliers.

    Raises:
        InputError: turns of images that are not square.
    """

    batch_coupled = True
    sensitive = True
    lam1: Tensor
    lam2: Tensor
    eps: Tensor
    second: nn.Module | None

    def __init__(
        self,
        shape: Sequence[int],
        net: Network,
        optimizer: OptimizerFactory,
        clip: float | None,
        halving: int,
        lam1: float,
        lam2: float,
        eps: float,
        reduction: str,
        second: bool,
        transform: Mapping[str, Any],
        unsupervised: bool,
    ) -> None:
        super().__init__(optimizer)
        self.gaussian, self.permutation = float(transform["gaussian"]), bool(transform["permutation"])
        if self.permutation and len(shape) == 3 and shape[1] != shape[2]:
            raise InputError(
                f"method.transform.permutation turns images, which must be square, but a row has shape {shape}"
            )
        if reduction not in ("sum", "mean"):
            raise InputError(f"method.reduction is '{reduction}', expected sum or mean")
        check_number("method.clip", clip, above=0, null=True)
        check_whole("method.halving", halving, of="epochs")
        self.reduction, self.clip_value = reduction, clip
        first = parts(net(shape=shape))
        self.shape, self.halving, self.unsupervised = tuple(shape), halving, unsupervised
        self.encoder, self.decoder = first.encoder, first.decoder
        self.second = parts(net(shape=shape)).encoder if second else None
        for name, value in (("lam1", lam1), ("lam2", lam2), ("eps", eps)):
            self.register_buffer(name, torch.tensor(float(value)))

    def lr_factor(self, epoch: int) -> float:
        """Halve the learning rate every `halving` epochs."""
        return float(0.5 ** (epoch // self.halving))

    def targets(self, x: Float[Tensor, "m *shape"], source: torch.Generator) -> Float[Tensor, "m *shape"]:
        """Transform labelled outliers (x-tilde, Section 3.3): permute or turn each, then add noise."""
        noise = torch.randn(x.shape, generator=source).to(x.device)
        draws = torch.rand(len(x), prod(self.shape), generator=source).to(x.device)
        if self.permutation and len(self.shape) == 3:
            turn = (draws[:, :1] * 3).long().view(-1, 1, 1, 1)
            quarter, half, three_quarters = (torch.rot90(x, k, (2, 3)) for k in (1, 2, 3))
            x = torch.where(turn == 0, quarter, torch.where(turn == 1, half, three_quarters))
        elif self.permutation:
            x = x.gather(1, draws.argsort(1))
        return x + self.gaussian * noise

    def codes(
        self, x: Float[Tensor, "b *shape"]
    ) -> tuple[Float[Tensor, "b *d"], Float[Tensor, "b *shape"], Float[Tensor, "b *d"]]:
        """Compute code, reconstruction (Eq. 8) and its code (Eq. 13): the first code without a second encoder."""
        z = self.encoder(x)
        x_hat = self.decoder(z)
        return z, x_hat, z if self.second is None else self.second(x_hat)

    def losses(self, batch: Batch) -> Float[Tensor, " b"]:
        """Compute Eq. 16."""
        assert batch.target is not None
        z, x_hat, z_hat = self.codes(batch.x)
        reconstruction = losses.two_means(self.squared(batch.target, x_hat), batch.s)
        norm = losses.norm_semi(z_hat, batch.s, self.eps)
        return reconstruction + self.lam1 * norm + self.lam2 * self.squared(z, z_hat)

    def squared(self, a: Float[Tensor, "b *d"], b: Float[Tensor, "b *d"]) -> Float[Tensor, " b"]:
        """Compute squared norms of differences, or their means over features."""
        mean = losses.squared_error(a, b)
        return mean if self.reduction == "mean" else mean * a[0].numel()

    def scores(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, " b"]:
        """Compute Eq. 17."""
        _, x_hat, z_hat = self.codes(x)
        return self.squared(x, x_hat) + self.lam1 * losses.norm(z_hat)

    def views(self, x: Float[Tensor, "b *shape"]) -> Mapping[str, Float[Tensor, "b ..."]]:
        """Compute reconstruction and codes."""
        z, x_hat, z_hat = self.codes(x)
        return {"x_hat": x_hat, "z": z} | ({} if self.second is None else {"z_hat": z_hat})
