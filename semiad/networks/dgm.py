"""The networks of semi-supervised deep generative models (Kingma et al., 2014), with the layers of Deep SAD's code."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from math import prod

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from semiad.errors import InputError
from semiad.networks.autoencoder import parts
from semiad.networks.init import glorot_normal
from semiad.networks.layers import choose_widths

CLASSES = 2
"""Normal and anomalous."""


class GaussianEncoder(nn.Module):
    """Linear layers with ReLUs, then two linear layers: mean and logarithm of the variance of a code.

    Args:
        widths: of input, hidden layers and code.
        softplus: whether the logarithm goes through a softplus, so that no variance is below 1.
    """

    def __init__(self, widths: Sequence[int], softplus: bool) -> None:
        super().__init__()
        self.hidden, self.softplus = nn.Sequential(*relu_layers(widths[:-1])), softplus
        self.mean, self.log_variance = (nn.Linear(widths[-2], widths[-1]) for _ in range(2))

    def forward(self, x: Float[Tensor, "b d"]) -> tuple[Float[Tensor, "b z"], Float[Tensor, "b z"]]:
        """Compute mean and logarithm of the variance."""
        hidden = self.hidden(x)
        log_variance = self.log_variance(hidden)
        return self.mean(hidden), F.softplus(log_variance) if self.softplus else log_variance


class VAE(nn.Module):
    """The model M1, a variational autoencoder.

    Args:
        widths: of rows, hidden layers and code.
        softplus: see `GaussianEncoder`.
    """

    def __init__(self, widths: Sequence[int], softplus: bool) -> None:
        super().__init__()
        self.latent, self.encoder, self.decoder = widths[-1], GaussianEncoder(widths, softplus), decoder(widths[::-1])


class DGM(nn.Module):
    """The model M2: q(z | x, y), p(x | z, y) and q(y | x), of rows or of the codes of a variational autoencoder, M1.

    Args:
        shape: of one row.
        widths: of the hidden layers, and of the code; by the number of features, with a `default`.
        classifier: makes a network whose encoder, with a linear layer, is q(y | x) of rows; None for one hidden layer
            as wide as the first, with a ReLU.
        stacked: whether M2 models the codes of M1, whose widths are the same. It still reconstructs rows.
        softplus: see `GaussianEncoder`.

    Raises:
        InputError: no such widths, one that is no whole number from 1 on, or a classifier of rows for codes.
    """

    def __init__(
        self,
        shape: Sequence[int],
        widths: Mapping[int | str, Sequence[int]],
        classifier: Callable[..., nn.Module] | None,
        stacked: bool,
        softplus: bool,
    ) -> None:
        super().__init__()
        for name, switch in (("stacked", stacked), ("softplus", softplus)):
            if not isinstance(switch, bool):
                raise InputError(f"network.{name} is {switch}, expected true or false")
        d, *chosen = choose_widths(prod(shape), widths)
        if len(chosen) < 2:
            raise InputError(f"network.widths for {d} features is {chosen}, expected two or more widths")
        if stacked and classifier is not None:
            raise InputError("network.classifier is a network of rows, expected null with network.stacked=true")
        *hidden, latent = chosen
        seen = latent if stacked else d
        self.latent = latent
        self.m1 = VAE([d, *hidden, latent], softplus) if stacked else None
        self.encoder = GaussianEncoder([seen + CLASSES, *hidden, latent], softplus)
        self.decoder = decoder([latent + CLASSES, *hidden[::-1], d])
        if classifier is None:
            self.classifier = nn.Sequential(nn.Flatten(), *relu_layers([seen, hidden[0]]))
        else:
            self.classifier = nn.Sequential(parts(classifier(shape=shape)).encoder, nn.Flatten())
        with torch.no_grad():
            width = self.classifier.eval()(torch.zeros(1, *([seen] if stacked else shape))).shape[1]
        self.output = nn.Linear(width, CLASSES)
        self.apply(glorot_normal).train()

    def logits(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, "b 2"]:
        """Compute the logits of q(y | x), of the mean code of M1 if there is one."""
        seen = x if self.m1 is None else self.m1.encoder(x.flatten(1))[0]
        logits: Tensor = self.output(self.classifier(seen))
        return logits


def relu_layers(widths: Sequence[int]) -> list[nn.Module]:
    """Linear layers from width to width, each followed by a ReLU."""
    return [layer for pair in pairwise(widths) for layer in (nn.Linear(*pair), nn.ReLU())]


def decoder(widths: Sequence[int]) -> nn.Sequential:
    """Linear layers with ReLUs between them: from a code to the logits of the features."""
    return nn.Sequential(*relu_layers(widths[:-1]), nn.Linear(widths[-2], widths[-1]))
