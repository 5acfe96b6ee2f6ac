"""The LeNets of Deep SAD (Ruff et al., 2020)."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from semiad.errors import InputError
from semiad.networks.autoencoder import Autoencoder
from semiad.networks.conv import image
from semiad.networks.mlp import EPS, normed

KERNEL = 5


class LeNet(Autoencoder):
    """5x5 convolutions with BatchNorm, leaky ReLU and max-pooling, then a linear code; the decoder mirrors them.

    No layer has a bias, no BatchNorm weights of its own. The decoder starts from maps of 4x4 and doubles them; for
    28x28 one of its layers crops.

    Args:
        shape: channels, height, width: 28x28 or 32x32.
        filters: of the encoder's convolutions: two for 28x28, three for 32x32.
        hidden: width of a linear layer with BatchNorm before the code, and after it; None for none.
        latent: width of the code.

    Raises:
        InputError: an image of another size, or widths that do not fit.
    """

    def __init__(self, shape: Sequence[int], filters: Sequence[int], hidden: int | None, latent: int) -> None:
        channels, *size = image(shape, "lenet")
        count = {28: 2, 32: 3}.get(size[0])
        if size[0] != size[1] or count is None:
            raise InputError(f"network lenet needs images of 28x28 or 32x32, but a row has shape {tuple(shape)}")
        if len(filters) != count:
            raise InputError(
                f"network.filters is {filters}, expected {count} numbers for images of {size[0]}x{size[0]}"
            )
        if (hidden or latent) % 16:
            raise InputError(
                f"network.hidden is {hidden} and latent {latent}: the one decoded must be a multiple of 16"
            )
        wide, flat = hidden or latent, filters[-1] * (size[0] // 2**count) ** 2
        super().__init__(
            nn.Sequential(
                *pooling([channels, *filters]),
                nn.Flatten(),
                *([*normed(flat, hidden), nn.LeakyReLU()] if hidden else []),
                nn.Linear(hidden or flat, latent, bias=False),
            ),
            nn.Sequential(
                *(normed(latent, hidden) if hidden else []),
                nn.Unflatten(1, (wide // 16, 4, 4)),
                nn.LeakyReLU(),
                *doubling([wide // 16, *reversed(filters), channels], crops=count == 2),
                nn.Sigmoid(),
            ),
        )
        for layer in self.decoder.modules() if count == 3 else ():
            if isinstance(layer, nn.ConvTranspose2d):
                nn.init.xavier_uniform_(layer.weight, gain=nn.init.calculate_gain("leaky_relu"))


def pooling(channels: Sequence[int]) -> list[nn.Module]:
    """Convolutions, each followed by BatchNorm, leaky ReLU and max-pooling."""
    made: list[nn.Module] = []
    for before, after in pairwise(channels):
        made += [
            nn.Conv2d(before, after, KERNEL, bias=False, padding=2),
            nn.BatchNorm2d(after, eps=EPS, affine=False),
            nn.LeakyReLU(),
            nn.MaxPool2d(2),
        ]
    return made


def doubling(channels: Sequence[int], crops: bool) -> list[nn.Module]:
    """Transposed convolutions, with BatchNorm, leaky ReLU and doubling between them.

    Args:
        channels: of the start, between layers, and of the image.
        crops: for 28x28: double before the first layer as well, and let the second take one pixel off each side.
    """
    made: list[nn.Module] = [nn.Upsample(scale_factor=2)] if crops else []
    for i, (before, after) in enumerate(pairwise(channels)):
        padding = 3 if crops and i == 1 else 2
        made.append(nn.ConvTranspose2d(before, after, KERNEL, bias=False, padding=padding))
        if i < len(channels) - 2:
            made += [nn.BatchNorm2d(after, eps=EPS, affine=False), nn.LeakyReLU(), nn.Upsample(scale_factor=2)]
    return made
