"""The autoencoder of FeaWAD (Zhou et al., 2021)."""

from collections.abc import Sequence
from math import prod

from torch import nn

from semiad.networks.autoencoder import Autoencoder
from semiad.networks.init import glorot_normal


class FeaWADNet(Autoencoder):
    """Linear layers d - d - 128 - 64 - 128 - d, a ReLU after each, also after the last.

    Args:
        shape: of one row.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        d = prod(shape)
        encoder, decoder = (
            [layer for a, b in pairs for layer in (nn.Linear(a, b), nn.ReLU())]
            for pairs in (((d, d), (d, 128), (128, 64)), ((64, 128), (128, d)))
        )
        super().__init__(nn.Sequential(nn.Flatten(), *encoder), nn.Sequential(*decoder, nn.Unflatten(1, tuple(shape))))
        self.apply(glorot_normal)
