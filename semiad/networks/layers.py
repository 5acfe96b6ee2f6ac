"""What dense networks share: their widths, and layers from width to width."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from torch import nn

from semiad.checks import is_whole
from semiad.errors import InputError


def check_widths(hidden: Sequence[int], latent: int) -> None:
    """Check the widths of hidden layers and of the code.

    Raises:
        InputError: one is no whole number from 1 on.
    """
    if not all(map(is_whole, (*hidden, latent))):
        raise InputError(f"network.hidden is {hidden} and latent {latent}, expected whole numbers from 1 on")


def choose_widths(d: int, widths: Mapping[int | str, Sequence[int]]) -> list[int]:
    """Choose the widths of an encoder's layers by the number of features, and give them after it.

    Args:
        d: number of features.
        widths: by the number of features, with a `default`.

    Raises:
        InputError: no such widths, or one that is no whole number from 1 on.
    """
    chosen = widths.get(d, widths.get("default"))
    if not chosen or not all(map(is_whole, chosen)):
        raise InputError(f"network.widths for {d} features is {chosen}, expected whole numbers from 1 on")
    return [d, *chosen]


def linear_layers(widths: Sequence[int], activation: type[nn.Module], bias: bool = True) -> list[nn.Module]:
    """Make linear layers from width to width, with an activation between them and none after the last."""
    return [layer for pair in pairwise(widths) for layer in (nn.Linear(*pair, bias=bias), activation())][:-1]
