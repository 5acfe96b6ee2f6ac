"""The compression network of DAGMM (Zong et al., 2018)."""

from collections.abc import Mapping, Sequence
from math import prod

from torch import nn

from semiad.networks.autoencoder import Autoencoder
from semiad.networks.init import glorot_normal
from semiad.networks.layers import choose_widths, linear_layers


class DAGMMNet(Autoencoder):
    """Linear layers with tanh between them, neither after the code nor after the reconstruction.

    Args:
        shape: of one row.
        widths: of the encoder's layers, the last that of the code; by the number of features, with a `default`.

    Raises:
        InputError: no such widths, or one that is no whole number from 1 on.
    """

    def __init__(self, shape: Sequence[int], widths: Mapping[int | str, Sequence[int]]) -> None:
        down = choose_widths(prod(shape), widths)
        super().__init__(
            nn.Sequential(nn.Flatten(), *linear_layers(down, nn.Tanh)),
            nn.Sequential(*linear_layers(down[::-1], nn.Tanh), nn.Unflatten(1, tuple(shape))),
        )
        self.apply(glorot_normal)
