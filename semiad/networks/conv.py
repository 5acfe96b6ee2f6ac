"""Convolutional autoencoders."""

from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from semiad.checks import is_whole
from semiad.errors import InputError
from semiad.networks.autoencoder import Autoencoder
from semiad.networks.init import glorot

KERNEL = 3


def same(size: int) -> tuple[int, int]:
    """Zeros before and after an axis so that a kernel of 3 with stride 2 gives ceil(size / 2), as TensorFlow pads."""
    total = max((-(-size // 2) - 1) * 2 + KERNEL - size, 0)
    return total // 2, total - total // 2


class Down(nn.Module):
    """3x3 convolutions with stride 2 and ReLU.

    Args:
        channels: of the input and of each layer.
        sizes: height and width of what each layer is given.
    """

    def __init__(self, channels: Sequence[int], sizes: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        self.sizes = sizes
        self.layers = nn.ModuleList(nn.Conv2d(a, b, KERNEL, stride=2) for a, b in pairwise(channels))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d i j"]:
        """Encode images."""
        for layer, (height, width) in zip(self.layers, self.sizes, strict=True):
            x = F.relu(layer(F.pad(x, (*same(width), *same(height)))))
        return x


class Up(nn.Module):
    """3x3 transposed convolutions with stride 2 and ReLU, then a 3x3 convolution and a sigmoid.

    Args:
        channels: of the code, of each layer, and of the image.
        sizes: height and width to which each layer is cropped.
    """

    def __init__(self, channels: Sequence[int], sizes: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        self.sizes = sizes
        layers = pairwise(channels[:-1])
        self.layers = nn.ModuleList(nn.ConvTranspose2d(a, b, KERNEL, stride=2) for a, b in layers)
        self.output = nn.Conv2d(channels[-2], channels[-1], KERNEL, padding=1)

    def forward(self, x: Float[Tensor, "b d i j"]) -> Float[Tensor, "b c h w"]:
        """Decode images."""
        for layer, (height, width) in zip(self.layers, self.sizes, strict=True):
            top, left = same(height)[0], same(width)[0]
            x = F.relu(layer(x)[:, :, top : top + height, left : left + width])
        return F.sigmoid(self.output(x))


class Conv(Autoencoder):
    """The convolutional autoencoder of the AE-SAD authors, for images of any size and number of channels.

    Encoder: 3x3 convolutions with stride 2 and ReLU, one for each entry of `filters`. Decoder: as many transposed ones
    in reverse order, then a 3x3 convolution to the channels of the image, with a sigmoid. Padding is TensorFlow's
    "same" (on even sizes it pads at the right and the bottom only), and each transposed convolution is cropped to the
    size that its twin in the encoder was given.

    Args:
        shape: channels, height, width.
        filters: of the encoder's layers, 16 and 8 in the authors' code.

    Raises:
        InputError: a row is not an image, or a filter count is no whole number from 1 on.
    """

    def __init__(self, shape: Sequence[int], filters: Sequence[int]) -> None:
        channels, height, width = image(shape, "conv")
        if not filters or not all(map(is_whole, filters)):
            raise InputError(f"network.filters is {filters}, expected whole numbers from 1 on")
        sizes = [(-(-height // 2**i), -(-width // 2**i)) for i in range(len(filters))]
        super().__init__(
            Down([channels, *filters], sizes), Up([filters[-1], *reversed(filters), channels], sizes[::-1])
        )
        self.apply(glorot)


def image(shape: Sequence[int], network: str) -> tuple[int, int, int]:
    """Channels, height and width of an image.

    Raises:
        InputError: it is none.
    """
    if len(shape) != 3:
        raise InputError(
            f"network {network} needs images (channels, height, width), but a row has shape {tuple(shape)}"
        )
    channels, height, width = shape
    return channels, height, width
