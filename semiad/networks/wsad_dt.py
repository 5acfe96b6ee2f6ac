"""The network of WSAD-DT (Durani et al., 2025)."""

from collections.abc import Sequence
from math import prod

from torch import nn

from semiad.networks.autoencoder import Autoencoder
from semiad.networks.layers import check_widths, linear_layers


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
        check_widths(hidden, latent)
        down = [prod(shape), *hidden, latent]
        super().__init__(
            nn.Sequential(nn.Flatten(), *linear_layers(down, nn.SELU, bias=False)),
            nn.Sequential(*linear_layers(down[::-1], nn.SELU, bias=False), nn.Unflatten(1, tuple(shape))),
        )
