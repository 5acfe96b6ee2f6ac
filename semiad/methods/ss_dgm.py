"""SS-DGM: Kingma et al., "Semi-supervised Learning with Deep Generative Models" (2014), as in Deep SAD's code."""

from collections.abc import Mapping, Sequence
from math import log
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from semiad import losses
from semiad.checks import check_number, check_whole
from semiad.errors import InputError, RunFailed
from semiad.methods.base import Method, Network, OptimizerFactory
from semiad.methods.contract import check_labelled
from semiad.networks.dgm import CLASSES, DGM, VAE
from semiad.types import Batch


class VAEPretraining(Method):
    """The training of M1. Objective: the negative evidence lower bound. Score: its reconstruction term.

    It trains on labelled anomalies as well.

    Args:
        net: the autoencoder.
        optimizer: makes the optimiser.
        epochs: to train for.
    """

    def __init__(self, net: VAE, optimizer: OptimizerFactory, epochs: int) -> None:
        super().__init__(optimizer)
        self.net, self.epochs = net, epochs

    def noise(self, rows: int, source: torch.Generator) -> Float[Tensor, "b z"]:
        """Draw the standard normal numbers of the codes."""
        return torch.randn(rows, self.net.latent, generator=source)

    def losses(self, batch: Batch) -> Float[Tensor, " b"]:
        """Compute the negative evidence lower bound (Eq. 5)."""
        assert batch.noise is not None
        mean, log_variance = self.net.encoder(batch.x.flatten(1))
        z = losses.gaussian_sample(mean, log_variance, batch.noise)
        return losses.bernoulli(batch.x, self.net.decoder(z)) + losses.gaussian_kl(mean, log_variance)

    def scores(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, " b"]:
        """Compute the negative log-likelihood of a row given its mean code."""
        return losses.bernoulli(x, self.net.decoder(self.net.encoder(x.flatten(1))[0]))


class SSDGM(Method):
    """Objective: M2's evidence lower bounds, and the cross-entropy of labelled rows. Score: the logit of q(y | x).

    An unlabelled row may be normal or anomalous, a labelled one is anomalous. The mean over unlabelled rows of a batch
    and that over labelled ones are added, as in Deep SAD's code. If the network is stacked, M1 is trained first, stays
    as it is, and gives the codes that M2 models.

    Args:
        shape: of one row.
        net: makes a `DGM`.
        optimizer: makes the optimiser.
        pretraining: `epochs` and `optimizer` of M1.
        alpha: the weight of the cross-entropy, times the number of unlabelled rows for each labelled one.
        min_labelled: labelled rows of a batch with fewer of them count for nothing.

    Raises:
        InputError: a value out of range, or another network.
    """

    batch_coupled = True
    weight: Tensor
    min_labelled: Tensor

    def __init__(
        self,
        shape: Sequence[int],
        net: Network,
        optimizer: OptimizerFactory,
        pretraining: Mapping[str, Any],
        alpha: float,
        min_labelled: int,
    ) -> None:
        super().__init__(optimizer)
        check_number("method.alpha", alpha, least=0)
        check_whole("method.min_labelled", min_labelled)
        made = net(shape=shape)
        if not isinstance(made, DGM):
            raise InputError(f"method ss_dgm needs network=dgm, but network is {type(made).__name__}")
        self.net, self.pretraining, self.alpha = made, pretraining, float(alpha)
        self.register_buffer("weight", torch.tensor(float(alpha)))
        self.register_buffer("min_labelled", torch.tensor(float(min_labelled)))

    def earlier_phases(self) -> Sequence[Method]:
        """Build M1, if the network has one."""
        return [] if self.net.m1 is None else [VAEPretraining(self.net.m1, **self.pretraining)]

    def prepare(self, x: Float[Tensor, "n *shape"], s: Float[Tensor, " n"]) -> None:
        """Set the weight of the cross-entropy, and freeze M1.

        Raises:
            RunFailed: fewer rows are labelled than the objective needs in a batch.
        """
        if self.net.m1 is not None:
            self.net.m1.requires_grad_(False)
        check_labelled(self, s)
        if (labelled := int((s == 1).sum())) < self.min_labelled:
            raise RunFailed(
                f"{labelled} of the {len(s)} training rows is a labelled anomaly, and method.min_labelled is "
                f"{int(self.min_labelled)}: no labelled row would count"
            )
        self.weight.copy_(self.alpha * (s == 0).sum() / (s == 1).sum())

    def noise(self, rows: int, source: torch.Generator) -> Float[Tensor, "b 2 z"]:
        """Draw the standard normal numbers of the codes of M2, then of M1, for each class."""
        width = self.net.latent * (1 if self.net.m1 is None else 2)
        return torch.randn(rows, CLASSES, width, generator=source)

    def bound(self, x: Float[Tensor, "b *shape"], label: int, noise: Float[Tensor, "b z"]) -> Float[Tensor, " b"]:
        """Compute the negative evidence lower bound of rows of a class, L(x, y) (Eq. 6)."""
        seen = x.flatten(1)
        y = one_hot(label, x)
        if self.net.m1 is not None:
            mean, log_variance = self.net.m1.encoder(seen)
            seen = losses.gaussian_sample(mean, log_variance, noise[:, self.net.latent :])
        mean, log_variance = self.net.encoder(torch.cat([seen, y], dim=1))
        z = losses.gaussian_sample(mean, log_variance, noise[:, : self.net.latent])
        logits = self.net.decoder(torch.cat([z, y], dim=1))
        return losses.bernoulli(x, logits) + log(CLASSES) + losses.gaussian_kl(mean, log_variance)

    def losses(self, batch: Batch) -> Float[Tensor, " b"]:
        """Compute L(x, y) with the cross-entropy of labelled rows, U(x) (Eq. 7) of unlabelled ones (Eq. 9)."""
        assert batch.noise is not None
        bounds = torch.stack([self.bound(batch.x, y, batch.noise[:, y]) for y in range(CLASSES)], dim=1)
        log_q = self.net.logits(batch.x).log_softmax(1)
        unlabelled = (log_q.exp() * (bounds + log_q)).sum(1)
        labelled = bounds[:, 1] - self.weight * log_q[:, 1]
        enough = batch.s.sum() >= self.min_labelled
        return losses.two_means(torch.where(batch.s == 1, torch.where(enough, labelled, 0), unlabelled), batch.s)

    def scores(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, " b"]:
        """Compute the logit of the anomalous class, which ranks as its probability does."""
        normal, anomalous = self.net.logits(x).unbind(1)
        return anomalous - normal

    def views(self, x: Float[Tensor, "b *shape"]) -> Mapping[str, Float[Tensor, "b ..."]]:
        """Compute the mean code of rows as normal ones, and what it is decoded to."""
        seen = x.flatten(1) if self.net.m1 is None else self.net.m1.encoder(x.flatten(1))[0]
        normal = one_hot(0, x)
        z = self.net.encoder(torch.cat([seen, normal], dim=1))[0]
        return {"x_hat": self.net.decoder(torch.cat([z, normal], dim=1)).sigmoid().view_as(x), "z": z}


def one_hot(label: int, x: Float[Tensor, "b *shape"]) -> Float[Tensor, "b 2"]:
    """Encode a class as an indicator vector, once for each row of `x`."""
    return torch.eye(CLASSES, dtype=x.dtype, device=x.device)[label].expand(len(x), -1)
