"""From images to what a method is trained on: pixels, or the features of a pretrained network."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from semiad.errors import InputError
from semiad.images.collection import CHUNK, Images
from semiad.tabular.scaling import Scaler, fit_scaler

if TYPE_CHECKING:
    import torch

    from semiad.images.backbone import Backbone

FORMAT = 1
"""Of a state; another one is refused."""
STATE_TYPE = "images"
"""What the state of such a preprocessor has as its `type`."""


class Description(msgspec.Struct, forbid_unknown_fields=True):
    """The part of a state that is no array, checked when it is read."""

    type: str
    format: int
    shape: list[int]
    resize: bool
    features: str | None = None
    weights_sha256: str | None = None
    margin: float | None = None


class ImagePreprocessor:
    """Takes the pixels of images as they are, or the features of a pretrained network, scaled as those of a table.

    Args:
        features: the name of a network of torchvision, which is kept frozen; None for pixels.
        weights: a file with its weights; None for those of torchvision, see `semiad.images.backbone.load_backbone`.

    Attributes:
        shape: channels, height and width of the images of training.
        resize: whether images of another size are brought to that.
        device: that features are computed on; None for the CPU.
        backbone: the network of the features.
        typical: the mean of training images (of `CHUNK` at most), with which explanations compare; float32 (channels,
            height, width).
    """

    def __init__(self, features: str | None = None, weights: str | Path | None = None) -> None:
        self.features, self.weights = features, weights
        self.shape: tuple[int, ...] = ()
        self.resize = False
        self.device: torch.device | None = None
        self.backbone: Backbone | None = None
        self.scaler: Scaler | None = None
        self.typical: np.ndarray | None = None

    def fit(self, images: Images) -> "ImagePreprocessor":
        """Learn from training images.

        Raises:
            InputError: there is no such network, its weights cannot be had, or an image cannot be read.
        """
        self.fit_transform(images, np.arange(len(images)))
        return self

    def fit_transform(self, images: Images, rows: np.ndarray) -> np.ndarray:
        """Learn from some images, and transform all: features are computed once.

        Raises:
            InputError: as for `fit`.
        """
        self.shape, self.resize = tuple(images.shape), images.resize
        if self.features is None:
            if self.weights is not None:
                raise InputError(f"weights is {self.weights}, but features names no network that they are of")
            pixels = images.x
            self.typical = pixels[spread(rows)].mean(axis=0)
            return pixels
        from semiad.images.backbone import load_backbone

        self.backbone = load_backbone(self.features, self.weights)
        values = self.backbone.features(images, self.device)
        self.scaler = fit_scaler(list(values[rows].T), "fences")
        self.typical = images[spread(rows)].x.mean(axis=0)
        return self.scaled(values)

    def transform(self, images: Images) -> np.ndarray:
        """Read the pixels of images, or compute their features.

        Returns:
            Float32 in [0, 1], (images, channels, height, width) or (images, features).

        Raises:
            InputError: they have another size than those of training, or one cannot be read.
        """
        images = self.checked(images)
        return images.x if self.backbone is None else self.scaled(self.backbone.features(images, self.device))

    def checked(self, images: Images) -> Images:
        """Give images with the shape of training.

        Raises:
            InputError: they have another size, and those of training were not resized.
        """
        if not self.shape:
            raise InputError("the preprocessor is not fitted yet: call fit first")
        return images.as_shape(self.shape, self.resize)

    def scaled(self, values: np.ndarray) -> np.ndarray:
        """Scale features to [0, 1]."""
        assert self.scaler is not None
        out = np.empty(values.shape, dtype=np.float32)
        self.scaler(list(values.T), out)
        return out

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Give all that was learnt, and the weights of the network: values for JSON, and arrays."""
        description = Description(STATE_TYPE, FORMAT, list(self.shape), self.resize)
        arrays: dict[str, np.ndarray] = {} if self.typical is None else {"typical": self.typical}
        if self.backbone is not None and self.scaler is not None:
            description.features, description.weights_sha256 = self.backbone.name, self.backbone.sha256
            description.margin = self.scaler.margin
            arrays |= {"low": self.scaler.low, "span": self.scaler.span}
            arrays |= {f"backbone.{name}": value.numpy() for name, value in self.backbone.state.items()}
        return msgspec.to_builtins(description), arrays

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> "ImagePreprocessor":
        """Make a fitted preprocessor of what `state` gave.

        Raises:
            InputError: a state of another version, or one that is damaged.
        """
        try:
            description = msgspec.convert(dict(config), Description)
        except msgspec.ValidationError as error:
            raise InputError(f"the preprocessing is damaged ({error})") from error
        if (description.type, description.format) != (STATE_TYPE, FORMAT):
            raise InputError(f"the preprocessing has format {description.format}, expected {FORMAT}")
        restored = cls(description.features)
        restored.shape, restored.resize = tuple(description.shape), description.resize
        if len(restored.shape) != 3:
            raise InputError(f"the preprocessing is damaged (its images have the shape {restored.shape})")
        restored.typical = arrays.get("typical")
        if description.features is not None:
            import torch

            from semiad.images.backbone import Backbone

            prefix = "backbone."
            weights = {k.removeprefix(prefix): torch.from_numpy(v) for k, v in arrays.items() if k.startswith(prefix)}
            restored.backbone = Backbone(description.features, weights, description.weights_sha256 or "")
            restored.scaler = Scaler(arrays["low"], arrays["span"], description.margin or 0.0)
        return restored


def spread(rows: np.ndarray) -> np.ndarray:
    """Choose at most `CHUNK` of many rows, evenly spread."""
    chosen: np.ndarray = rows[np.linspace(0, len(rows) - 1, min(len(rows), CHUNK)).astype(int)]
    return chosen
