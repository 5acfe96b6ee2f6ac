"""The dense autoencoders of Deep SAD (Ruff et al., 2020)."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import prod

from torch import nn

from semiad.networks.autoencoder import Autoencoder
from semiad.networks.layers import choose_widths

EPS = 1e-4
"""Of batch normalisation, in the authors' code."""


class MLP(Autoencoder):
    """Linear layers, each but the last of encoder and decoder followed by BatchNorm and leaky ReLU.

    Args:
        shape: of one row.
        widths: of the encoder's layers, the last that of the code; by the number of features, with a `default`.
        affine: whether layers have biases and BatchNorm its own weights, as PyTorch makes them; Deep SAD's have none.

    Raises:
        InputError: no such widths, or one that is no whole number from 1 on.
    """

    def __init__(self, shape: Sequence[int], widths: Mapping[int | str, Sequence[int]], affine: bool = False) -> None:
        down = choose_widths(prod(shape), widths)
        super().__init__(
            nn.Sequential(nn.Flatten(), *layers(down, affine)),
            nn.Sequential(*layers(down[::-1], affine), nn.Sigmoid(), nn.Unflatten(1, tuple(shape))),
        )


def layers(widths: Sequence[int], affine: bool) -> list[nn.Module]:
    """Linear layers from width to width, with BatchNorm and leaky ReLU between them."""
    hidden = [layer for pair in pairwise(widths[:-1]) for layer in (*normed(*pair, affine), nn.LeakyReLU())]
    return [*hidden, nn.Linear(widths[-2], widths[-1], bias=affine)]


def normed(before: int, after: int, affine: bool = False) -> list[nn.Module]:
    """A linear layer and BatchNorm: as PyTorch makes them, or without biases and weights, as in Deep SAD."""
    norm = nn.BatchNorm1d(after) if affine else nn.BatchNorm1d(after, eps=EPS, affine=False)
    return [nn.Linear(before, after, bias=affine), norm]
