"""The convolutional target network of A3 (Sperl et al., 2020)."""

from collections.abc import Sequence

from torch import nn

from semiad.errors import InputError
from semiad.networks.autoencoder import Autoencoder
from semiad.networks.conv import image
from semiad.networks.init import glorot


class A3Conv(Autoencoder):
    """3x3 convolutions of 16, 8 and 8 filters, each pooled, and their mirror, for images of 28x28.

    Args:
        shape: channels, height, width.

    Raises:
        InputError: an image of another size.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        channels, *size = image(shape, "a3_conv")
        if size != [28, 28]:
            raise InputError(f"network a3_conv needs images of 28x28, but a row has shape {tuple(shape)}")
        down: list[nn.Module] = []
        for before, after in ((channels, 16), (16, 8), (8, 8)):
            down += [nn.Conv2d(before, after, 3, padding=1), nn.MaxPool2d(2, ceil_mode=True), nn.ReLU()]
        up: list[nn.Module] = []
        for before, after, padding in ((8, 8, 1), (8, 8, 1), (8, 16, 0)):
            up += [nn.Conv2d(before, after, 3, padding=padding), nn.ReLU(), nn.Upsample(scale_factor=2)]
        up += [nn.Conv2d(16, channels, 3, padding=1), nn.Sigmoid()]
        super().__init__(nn.Sequential(*down), nn.Sequential(*up))
        self.apply(glorot)
