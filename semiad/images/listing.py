"""Which images a folder or a manifest names, and with which labels."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

from semiad.errors import InputError
from semiad.ledger.files import FileTree
from semiad.tabular.files import read_table
from semiad.tabular.labels import semi_labels

MANIFEST = "manifest.csv"
"""The file of a folder that says which images there are, and their labels."""
FILE, LABEL = "file", "label"
LABELS = {"normal": 0.0, "anomalous": 1.0, "unlabelled": np.nan}
"""What the images of a subfolder are."""
CLUTTER = ("thumbs.db", "desktop.ini")
"""Files that systems leave in folders of images, besides hidden ones."""
LAYOUT = "expected the subfolders normal, anomalous and unlabelled (some of them), images alone, or a manifest.csv"


@dataclass(frozen=True)
class Listing:
    """Files of images, sorted by name.

    Attributes:
        folder: that the names are relative to.
        files: names, with `/` between folders.
        labels: 1 (anomaly), 0 (checked normal) or NaN (unlabelled), float64 (files,).
        left_out: files that are no images by their suffix.
    """

    folder: Path
    files: tuple[str, ...]
    labels: np.ndarray
    left_out: tuple[str, ...] = ()


def list_images(path: Path, anomaly: object = None, normal: object = None, labelled: bool = True) -> Listing:
    """List the images of a folder, or of a manifest.

    Args:
        path: a folder with the subfolders `normal`, `anomalous` and `unlabelled` (some of them), or with images alone,
            which are unlabelled, or with a `manifest.csv`; or a file such as that.
        anomaly: the label of an anomaly in a manifest, see `semi_labels`.
        normal: that of a checked normal image.
        labelled: whether the labels of a manifest are read.

    Raises:
        InputError: there are no images, or it is not clear which labels they have.
    """
    if path.is_file():
        return of_manifest(path, anomaly, normal, labelled)
    if not path.exists():
        raise InputError(f"{path} does not exist")
    if not path.is_dir():
        raise InputError(f"{path} is neither a folder nor a file")
    if (path / MANIFEST).is_file():
        return of_manifest(path / MANIFEST, anomaly, normal, labelled)
    return of_folder(path)


def of_folder(path: Path) -> Listing:
    """List the images of a folder by its subfolders.

    Raises:
        InputError: there are none, a subfolder has another name, or images lie beside subfolders.
    """
    tree = FileTree(path)
    if tree.problems:
        raise InputError(tree.problems[0].removesuffix(": set aside"))
    names = [file.relative_to(path).as_posix() for file in tree.files]
    names = [name for name in names if not is_clutter(name)]
    images, left_out = divided(names)
    if not images:
        others = f"; it has {counted(len(left_out), 'other file')}, such as {left_out[0]}" if left_out else ""
        raise InputError(f"{path} has no images{others}")
    places = {name.partition("/")[0] if "/" in name else "" for name in images}
    if unknown := sorted(places - {*LABELS, ""}):
        raise InputError(f"{path} has images in the subfolder {unknown[0]}, {LAYOUT}")
    if "" in places and len(places) > 1:
        beside = next(name for name in images if "/" not in name)
        raise InputError(f"{path} has the image {beside} beside the subfolder {max(places)}, {LAYOUT}")
    labels = [np.nan if places == {""} else LABELS[name.partition("/")[0]] for name in images]
    return checked(Listing(path, tuple(images), np.array(labels), tuple(left_out)))


def of_manifest(path: Path, anomaly: object, normal: object, labelled: bool) -> Listing:
    """List the images of a file with the columns `file` (relative to its folder) and perhaps `label`.

    Raises:
        InputError: there is no column of files, a file comes twice, or a label is of another value.
    """
    frame = read_table(path)
    if FILE not in frame.columns:
        raise InputError(f"{path} has no column '{FILE}'; its columns are {', '.join(frame.columns)}")
    if frame[FILE].null_count():
        raise InputError(f"{path} has {frame[FILE].null_count():,} rows without a file")
    frame = frame.with_columns(pl.col(FILE).cast(pl.String)).sort(FILE)
    files = frame[FILE].to_list()
    if repeated := next((a for a, b in pairwise(files) if a == b), None):
        raise InputError(f"{path} names the file {repeated} twice")
    labels = np.full(len(files), np.nan)
    if labelled and LABEL in frame.columns:
        try:
            labels = semi_labels(frame[LABEL], anomaly=anomaly, normal=normal)
        except InputError as error:
            raise InputError(f"{path}, column '{LABEL}': {error}") from error
    if gone := next((name for name in files if not (path.parent / name).is_file()), None):
        raise InputError(f"{path} names the file {gone}, which does not exist in {path.parent}")
    return checked(Listing(path.parent, tuple(files), labels))


def checked(listing: Listing) -> Listing:
    """Check that names can be written.

    Raises:
        InputError: one cannot.
    """
    for name in listing.files:
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise InputError(f"{listing.folder} has the file {name!r}, whose name is no UTF-8: rename it") from error
    return listing


def is_clutter(name: str) -> bool:
    """Whether a file is hidden, or one that systems leave behind."""
    return any(part.startswith(".") for part in name.split("/")) or name.rpartition("/")[2].lower() in CLUTTER


def divided(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Divide names into those of images, by their suffix, and others; both sorted."""
    from semiad.images.pixels import image_suffixes

    images: list[str] = []
    others: list[str] = []
    for name in sorted(names):
        (images if Path(name).suffix.lower() in image_suffixes() else others).append(name)
    return images, others


def counted(number: int, noun: str) -> str:
    """Write a number with its noun."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def written(size: tuple[int, ...]) -> str:
    """Write height and width."""
    return "x".join(map(str, size))
