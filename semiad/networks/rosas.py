"""The network of RoSAS (Xu et al., 2023)."""

from collections.abc import Sequence
from math import prod

from torch import nn

from semiad.checks import check_whole
from semiad.networks.autoencoder import Autoencoder


class RoSASNet(Autoencoder):
    """Linear layers without biases from d features to the code, halfway between in width, leaky ReLU after the first.

    Args:
        shape: of one row.
        latent: width of the code.

    Raises:
        InputError: a width that is no whole number from 1 on.
    """

    def __init__(self, shape: Sequence[int], latent: int) -> None:
        check_whole("network.latent", latent)
        d = prod(shape)
        middle = d + int((latent - d) / 2)
        encoder, decoder = (
            nn.Sequential(nn.Linear(a, middle, bias=False), nn.LeakyReLU(), nn.Linear(middle, b, bias=False))
            for a, b in ((d, latent), (latent, d))
        )
        super().__init__(nn.Sequential(nn.Flatten(), encoder), nn.Sequential(decoder, nn.Unflatten(1, tuple(shape))))
