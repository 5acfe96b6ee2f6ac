"""The compression network of DAGMM (Zong et al., 2018)."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import prod

from torch import nn

from semiad.errors import InputError
from semiad.networks.autoencoder import Autoencoder
from semiad.networks.init import glorot_normal


class DAGMMNet(Autoencoder):
    """Linear layers with tanh between them, neither after the code nor after the reconstruction.

    Args:
        shape: of one row.
        widths: of the encoder's layers, the last that of the code; by the number of features, with a `default`.

    Raises:
        InputError: no such widths, or one that is no whole number from 1 on.
    """

    def __init__(self, shape: Sequence[int], widths: Mapping[int | str, Sequence[int]]) -> None:
        d = prod(shape)
        chosen = widths.get(d, widths.get("default"))
        if not chosen or not all(isinstance(width, int) and width >= 1 for width in chosen):
            raise InputError(f"network.widths for {d} features is {chosen}, expected whole numbers from 1 on")
        down = [d, *chosen]
        super().__init__(
            nn.Sequential(nn.Flatten(), *layers(down)),
            nn.Sequential(*layers(down[::-1]), nn.Unflatten(1, tuple(shape))),
        )
        self.apply(glorot_normal)


def layers(widths: Sequence[int]) -> Sequence[nn.Module]:
    """Linear layers from width to width, with tanh between them."""
    return [layer for pair in pairwise(widths) for layer in (nn.Linear(*pair), nn.Tanh())][:-1]
