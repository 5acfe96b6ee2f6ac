"""A user's own folder of images."""

import warnings
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from semiad.console import console
from semiad.datasets.semi_labels import to_classes
from semiad.errors import InputError, named
from semiad.images import Images, read_images
from semiad.ledger.files import user_path
from semiad.types import Dataset, Labels


class Folder:
    """Loads images: classes 0 (checked normal), 1 (anomaly) and `UNLABELLED`, no official split.

    Without checked normal images, unlabelled ones stand for them.

    Args:
        path: of the folder, or of a manifest, see `semiad.images.read_images`.
        size: height and width to bring images to: 28, or 28x32; None if all have one.
        anomaly: value of a manifest's label that stands for an anomaly; None for 1.
        normal: value that stands for a checked normal image; None for 0.
        features: a network of torchvision whose features stand for the pixels, see `semiad.images.backbone`; None for
            pixels.
        weights: a file with its weights; None for those of torchvision.
    """

    located_by: ClassVar[tuple[str, ...]] = ("path", "weights")
    """Settings that only say where images and weights are: not they enter the key, but the content."""

    def __init__(
        self,
        path: object,
        size: object = None,
        anomaly: object = None,
        normal: object = None,
        features: str | None = None,
        weights: str | None = None,
    ) -> None:
        self.path, self.size, self.anomaly, self.normal = path, size, anomaly, normal
        self.features, self.weights = features, weights

    def __call__(self, root: Path) -> Dataset:
        """Read the images.

        Raises:
            InputError: the folder, a file or a label cannot be used, or there are no anomalies or no others.
        """
        if self.path is None or not str(self.path):
            raise InputError(f"dataset.path is {self.path}, expected a folder of images")
        path = user_path("dataset.path", str(self.path))
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            with named("dataset.path"):
                images = read_images(path, size=self.size, anomaly=self.anomaly, normal=self.normal)
                x = images.x if self.features is None else self.pretrained(images)
        for warning in told:
            console.print(f"warning: {warning.message}", markup=False)
        classes, y = to_classes(images.labels, str(path), "image")
        top = 1.0 if self.features is None else None
        return Dataset(Labels(name_of(path), classes, y, n_train=None), torch.from_numpy(x), top)

    def pretrained(self, images: Images) -> np.ndarray:
        """Compute the features of a pretrained network, float32 (images, features).

        Raises:
            InputError: there is no such network, its weights cannot be had, or an image cannot be read.
        """
        from semiad.images.backbone import load_backbone  # which needs torchvision

        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        backbone = load_backbone(str(self.features), self.weights)
        return backbone.features(images, device).astype(np.float32)


def name_of(path: Path) -> str:
    """Name a data set by its folder, also where the path is that of its manifest, or `.`."""
    place = path.absolute().resolve()
    return (place.parent if place.is_file() else place).name or "images"
