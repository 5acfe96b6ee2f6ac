"""Folders of images that a command reads."""

from dataclasses import dataclass, replace
from mimetypes import guess_type
from pathlib import Path
from typing import Any

from semiad.cli.tables import TableOptions
from semiad.detector.estimator import Detector
from semiad.errors import InputError
from semiad.images import Images, read_images
from semiad.images.listing import MANIFEST
from semiad.images.preprocessor import ImagePreprocessor
from semiad.tabular.files import parquet_files

PRETRAINED_SIZE = "224"
"""Size of images whose features are taken, without another one: that of ImageNet."""
OF_IMAGES = ("size", "features", "weights", "heatmaps")
OF_TABLES = {
    "label": "--label",
    "drop": "--drop",
    "kinds": "--as",
    "separator": "--separator",
    "decimal": "--decimal",
    "missing": "--missing",
    "max_unlabelled": "--max-unlabelled",
}
"""Options that folders of images do not have."""


@dataclass(frozen=True)
class ImageOptions:
    """A folder of images as it is named on the command line, and how it is to be read.

    Attributes:
        path: of the folder, or of its manifest.
        size: to bring images to; None if all have one.
        anomaly: the label of an anomaly in a manifest; None for 1.
        normal: that of a checked normal image; None for 0.
        features: the pretrained network whose features are learnt from; None for pixels.
        weights: a file with its weights.
    """

    path: Path
    size: str | None = None
    anomaly: str | None = None
    normal: str | None = None
    features: str | None = None
    weights: Path | None = None

    def read(self, detector: Detector | None = None, labelled: bool = True) -> Images:
        """Find the images; their pixels are read later.

        Args:
            detector: that is to score them, and says which size and how many channels they are to have.
            labelled: whether the labels of a manifest are read.

        Raises:
            InputError: the folder cannot be used.
        """
        meanings: dict[str, Any] = {"anomaly": self.anomaly, "normal": self.normal, "labelled": labelled}
        if detector is None:
            size = self.size or (PRETRAINED_SIZE if self.features else None)
            return read_images(self.path, size=size, **meanings)
        preprocessor = detector.preprocessor_
        if not isinstance(preprocessor, ImagePreprocessor):
            raise InputError(f"{self.path} is a folder of images, but the detector was fitted to a table")
        channels, *sides = preprocessor.shape
        images = read_images(self.path, size=sides, channels=channels, **meanings)
        return replace(images, resize=preprocessor.resize)


def is_of_images(path: Path) -> bool:
    """Tell whether a path is that of a folder of images, or of its manifest. A folder of Parquet files is a table."""
    return (path.is_dir() and not parquet_files(path)) or path.name == MANIFEST


def refuse_images(path: Path, command: str) -> None:
    """Refuse a folder of images.

    Args:
        path: of a table.
        command: that is for tables.

    Raises:
        InputError: it is a folder of images.
    """
    if is_of_images(path):
        raise InputError(f"{path} is a folder of images, and `semiad {command}` is for tables")


def are_images(options: TableOptions, **others: object) -> bool:
    """Tell whether what a command is given is a folder of images, and check its options.

    Args:
        options: of the command, as if it were a table.
        others: further options of the command.

    Raises:
        InputError: there is an option that has no meaning for it.
    """
    if (guess_type(options.path.name)[0] or "").startswith("image/") and not options.path.is_dir():
        raise InputError(f"{options.path} is one image: name the folder that it is in, or a {MANIFEST}")
    images = is_of_images(options.path)
    if images and others.get("explain"):
        raise InputError(
            f"{options.path} is a folder of images, and --explain is an option for tables: take --heatmaps FOLDER"
        )
    if images:
        named = [option for name, option in OF_TABLES.items() if getattr(options, name)]
        named += ["--keep"] if others.get("keep") else []
        what, kind = "a folder of images", "tables"
    else:
        named = [f"--{name}" for name in OF_IMAGES if others.get(name) is not None]
        what, kind = "no folder", "folders of images"
    if named:
        raise InputError(f"{options.path} is {what}, and {named[0]} is an option for {kind}")
    return images
