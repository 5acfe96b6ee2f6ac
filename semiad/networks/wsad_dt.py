"""The network of WSAD-DT (Durani et al., 2025)."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod

from torch import nn

from semiad.errors import InputError
from semiad.networks.autoencoder import Autoencoder


class WSADDTNet(Autoencoder):
    """Linear layers without biases from d features to the code, SELU between them; the decoder mirrors the encoder.

    Args:
        shape: of one row.
        hidden: widths of the encoder's hidden layers.
        latent: width of the code.

    Raises:
        InputError: a width that is no whole number from 1 on.
    """

    def __init__(self, shape: Sequence[int], hidden: Sequence[int], latent: int) -> None:
        if not all(isinstance(width, int) and width >= 1 for width in (*hidden, latent)):
            raise InputError(f"network.hidden is {hidden} and latent {latent}, expected whole numbers from 1 on")
        down = [prod(shape), *hidden, latent]
        super().__init__(
            nn.Sequential(nn.Flatten(), *layers(down)),
            nn.Sequential(*layers(down[::-1]), nn.Unflatten(1, tuple(shape))),
        )


def layers(widths: Sequence[int]) -> Sequence[nn.Module]:
    """Linear layers from width to width, with SELU between them."""
    return [layer for pair in pairwise(widths) for layer in (nn.Linear(*pair, bias=False), nn.SELU())][:-1]
