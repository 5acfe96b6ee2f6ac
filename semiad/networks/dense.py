"""Dense autoencoders."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod

from torch import nn

from semiad.errors import InputError
from semiad.networks.autoencoder import Autoencoder
from semiad.networks.init import glorot
from semiad.networks.layers import check_widths


class Dense(Autoencoder):
    """A symmetric dense autoencoder: d - hidden - latent - reversed hidden - d.

    `hidden: [128], latent: 32` is the network of the AE-SAD authors ("deep"); `hidden: []` their "shallow" one; without
    activations and biases it spans the principal components ("pca").

    Args:
        shape: of one row.
        hidden: widths of the encoder's hidden layers; the decoder mirrors them.
        latent: width of the code.
        linear: no ReLU after the hidden layers and the code, no sigmoid after the output.
        bias: whether layers have one.

    Raises:
        InputError: a width that is no whole number from 1 on, or a switch that is neither true nor false.
    """

    def __init__(self, shape: Sequence[int], hidden: Sequence[int], latent: int, linear: bool, bias: bool) -> None:
        for name, value in (("linear", linear), ("bias", bias)):
            if not isinstance(value, bool):
                raise InputError(f"network.{name} is {value}, expected true or false")
        check_widths(hidden, latent)
        d = prod(shape)
        widths = [d, *hidden, latent, *reversed(hidden), d]
        layers: list[nn.Module] = [nn.Flatten()]
        for i, (before, after) in enumerate(pairwise(widths), start=2):
            layers.append(nn.Linear(before, after, bias=bias))
            if not linear:
                layers.append(nn.Sigmoid() if i == len(widths) else nn.ReLU())
        middle = 1 + (len(layers) - 1) // 2
        super().__init__(
            nn.Sequential(*layers[:middle]), nn.Sequential(*layers[middle:], nn.Unflatten(1, tuple(shape)))
        )
        self.apply(glorot)
