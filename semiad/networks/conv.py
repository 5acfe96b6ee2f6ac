"""Convolutional autoencoders."""

from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from semiad.errors import InputError
from semiad.networks.init import glorot

KERNEL = 3


def same(size: int) -> tuple[int, int]:
    """Zeros before and after an axis so that a kernel of 3 with stride 2 gives ceil(size / 2), as TensorFlow pads."""
    total = max((-(-size // 2) - 1) * 2 + KERNEL - size, 0)
    return total // 2, total - total // 2


class Conv(nn.Module):
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
        super().__init__()
        if len(shape) != 3:
            raise InputError(f"network conv needs images (channels, height, width), but a row has shape {tuple(shape)}")
        if not filters or not all(isinstance(count, int) and count >= 1 for count in filters):
            raise InputError(f"network.filters is {filters}, expected whole numbers from 1 on")
        channels, *size = shape
        self.sizes = [tuple(size)]
        for _ in filters:
            self.sizes.append((-(-self.sizes[-1][0] // 2), -(-self.sizes[-1][1] // 2)))
        down = [channels, *filters]
        up = [filters[-1], *reversed(filters)]
        self.encoder = nn.ModuleList(nn.Conv2d(a, b, KERNEL, stride=2) for a, b in pairwise(down))
        self.decoder = nn.ModuleList(nn.ConvTranspose2d(a, b, KERNEL, stride=2) for a, b in pairwise(up))
        self.output = nn.Conv2d(filters[0], channels, KERNEL, padding=1)
        self.apply(glorot)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Reconstruct images."""
        for layer, (height, width) in zip(self.encoder, self.sizes, strict=False):
            x = F.relu(layer(F.pad(x, (*same(width), *same(height)))))
        for layer, (height, width) in zip(self.decoder, reversed(self.sizes[:-1]), strict=True):
            top, left = same(height)[0], same(width)[0]
            x = F.relu(layer(x)[:, :, top : top + height, left : left + width])
        return F.sigmoid(self.output(x))
