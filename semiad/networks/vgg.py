"""The VGG-like autoencoder of ESAD (Huang et al., Table 6 of the supplement)."""

from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from semiad.errors import InputError
from semiad.networks.autoencoder import Autoencoder
from semiad.networks.conv import image

ENCODER, DECODER = (64, 128, 256, 512, 512), (256, 128, 64, 64)
"""Channels of the blocks, of two convolutions each."""


def convolution(before: int, after: int) -> list[nn.Module]:
    """A 3x3 convolution with BatchNorm and ReLU."""
    return [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]


def block(before: int, after: int) -> list[nn.Module]:
    """Two convolutions."""
    return [*convolution(before, after), *convolution(after, after)]


class Widening(nn.Module):
    """Doubles maps to given sizes, bilinearly, with a block after each, then a 3x3 convolution and a sigmoid.

    Args:
        channels: of the code, of each block, and of the image.
        sizes: height and width after each doubling.
    """

    def __init__(self, channels: Sequence[int], sizes: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        self.sizes = sizes
        self.blocks = nn.ModuleList(nn.Sequential(*block(a, b)) for a, b in pairwise(channels[:-1]))
        self.output = nn.Conv2d(channels[-2], channels[-1], 3, padding=1)

    def forward(self, z: Float[Tensor, "b d i j"]) -> Float[Tensor, "b c h w"]:
        """Decode images."""
        for convolutions, size in zip(self.blocks, self.sizes, strict=True):
            z = convolutions(F.interpolate(z, size=size, mode="bilinear", align_corners=False))
        return F.sigmoid(self.output(z))


class VGG(Autoencoder):
    """Encoder: blocks of 64, 128, 256, 512, 512 channels with max-pooling between them. Decoder: 256, 128, 64, 64.

    Each convolution has BatchNorm and ReLU but those that give the code and the image.
    Sizes that do not halve are pooled down to the next smaller one, and doubled back to what they were.

    Args:
        shape: channels, height, width, of at least 16 pixels to give a code, for instance 28x28, 32x32, 64x64.
        width: factor on all channels, 1 for the paper's.

    Raises:
        InputError: a smaller image, or a factor out of range.
    """

    def __init__(self, shape: Sequence[int], width: float) -> None:
        channels, *size = image(shape, "vgg")
        if min(size) < 16:
            raise InputError(f"network vgg needs images of 16x16 or more, but a row has shape {tuple(shape)}")
        if not isinstance(width, int | float) or isinstance(width, bool) or not 0 < width <= 8:
            raise InputError(f"network.width is {width}, expected a factor above 0 (1 for the paper's channels)")
        down, up = ([max(round(width * count), 1) for count in counts] for counts in (ENCODER, DECODER))
        sizes = [(size[0] // 2**i, size[1] // 2**i) for i in range(len(up))]
        encoder = block(channels, down[0])
        for before, after in pairwise(down[:-1]):
            encoder += [nn.MaxPool2d(2), *block(before, after)]
        encoder += [nn.MaxPool2d(2), *convolution(*down[-2:]), nn.Conv2d(down[-1], down[-1], 3, padding=1)]
        super().__init__(nn.Sequential(*encoder), Widening([down[-1], *up, channels], sizes[::-1]))
