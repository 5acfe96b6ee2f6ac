"""Images of one shape: files that are read when their pixels are needed, or an array."""

import os
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from semiad.errors import InputError
from semiad.images.listing import Listing, counted, list_images, written

T = TypeVar("T")
THREADS = min(os.cpu_count() or 1, 8)
CHUNK = 256
"""Images whose pixels are in memory at once, where not all have to be."""
TOPS = {"uint8": 255, "uint16": 65535}
"""Types of whole numbers in arrays, and the value that stands for white."""
MAX_SIDE = 4096


@dataclass(frozen=True, eq=False)
class Images:
    """Images of one shape.

    Attributes:
        labels: 1 (anomaly), 0 (checked normal) or NaN (unlabelled), float64 (images,).
        shape: channels, height and width of each.
        resize: whether files of another size are brought to this one.
        folder: that the names of files are relative to; None for an array.
        files: names, sorted; none for an array.
        array: float32 in [0, 1], (images, channels, height, width); None for files.
        left_out: files of the folder that are no images by their suffix.
    """

    labels: np.ndarray
    shape: tuple[int, ...]
    resize: bool = False
    folder: Path | None = None
    files: tuple[str, ...] = ()
    array: np.ndarray | None = None
    left_out: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Count the images."""
        return len(self.labels)

    def __getitem__(self, rows: Any) -> "Images":  # noqa: ANN401 # a slice or an array of numbers or truths
        """Select images."""
        chosen = np.arange(len(self))[rows]
        files = tuple(self.files[row] for row in chosen) if self.files else ()
        array = None if self.array is None else self.array[rows]
        return replace(self, labels=self.labels[rows], files=files, array=array)

    @property
    def x(self) -> np.ndarray:
        """The pixels, float32 in [0, 1], (images, channels, height, width).

        Raises:
            InputError: a file cannot be read.
        """
        if self.array is not None:
            return self.array
        from semiad.images.pixels import read_pixels

        pixels = np.empty((len(self), *self.shape), dtype=np.float32)
        assert self.folder is not None and len(self.shape) == 3
        folder, shape = self.folder, self.shape

        def fill(row: int) -> None:
            pixels[row] = read_pixels(folder / self.files[row], shape, self.resize)

        in_threads(fill, range(len(self)))
        return pixels

    def original(self, row: int) -> np.ndarray:
        """Read an image at its own size, float32 in [0, 1], (1 or 3, height, width).

        Raises:
            InputError: it cannot be read.
        """
        if self.array is not None:
            return np.asarray(self.array[row])
        from semiad.images.pixels import read_original

        assert self.folder is not None
        return read_original(self.folder / self.files[row])

    def chunks(self) -> Iterator["Images"]:
        """Cut into parts whose pixels fit into memory."""
        for start in range(0, len(self), CHUNK):
            yield self[start : start + CHUNK]

    def as_shape(self, shape: tuple[int, ...], resize: bool) -> "Images":
        """Give the images with another shape: files are read anew, an array has to have it.

        Raises:
            InputError: they have another size and are not to be resized, or are an array of another shape.
        """
        if self.shape == tuple(shape):
            return self
        if self.array is not None or (self.shape[1:] != tuple(shape[1:]) and not (resize or self.resize)):
            raise InputError(
                f"{self.folder or 'X'} has images of {written(self.shape)}, but the detector was fitted to "
                f"{written(tuple(shape))} (channels x height x width)"
            )
        return replace(self, shape=tuple(shape), resize=self.resize or resize)


def read_images(
    path: str | os.PathLike[str],
    *,
    size: object = None,
    channels: int | None = None,
    anomaly: object = None,
    normal: object = None,
    labelled: bool = True,
) -> Images:
    """Find the images of a folder or a manifest, and their labels. Their pixels are read when they are needed.

    Args:
        path: a folder with the subfolders `normal` (checked), `anomalous` and `unlabelled` (some of them), or with
            images alone, which are unlabelled, or with a `manifest.csv`; or a file such as that, with the columns
            `file` and `label`.
        size: height and width to bring images to: a number for both, or a text such as `28x32`; None if all have one.
        channels: 1 (grey) or 3; None for one where all images are grey, else three.
        anomaly: the label of an anomaly in a manifest; None for 1.
        normal: that of a checked normal image; None for 0.
        labelled: whether the labels of a manifest are read.

    Raises:
        InputError: there are no images, one is no image that can be read, or they have several sizes and `size` is
            not given.
    """
    from semiad.images.pixels import read_header

    wanted = parse_size(size)
    listing = list_images(Path(path), anomaly, normal, labelled)
    headers = in_threads(lambda name: read_header(listing.folder / name), listing.files)
    warn_of_left_out(listing, [name for name, header in zip(listing.files, headers, strict=True) if header.animated])
    if wanted is None:
        first = headers[0].size
        for name, header in zip(listing.files, headers, strict=True):
            if header.size != first:
                raise InputError(
                    f"{path} has images of several sizes ({listing.files[0]} {written(first)}, {name} "
                    f"{written(header.size)}): choose one by size (--size, dataset.size), say 64 or 64x48 (height x "
                    "width)"
                )
        wanted, resize = first, False
    else:
        resize = True
    if channels is None:
        channels = 1 if all(header.grey for header in headers) else 3
    return Images(listing.labels, (channels, *wanted), resize, listing.folder, listing.files, left_out=listing.left_out)


def warn_of_left_out(listing: Listing, animated: Sequence[str]) -> None:
    """Warn of files that are not taken for images, and of frames that are not read."""
    if listing.left_out:
        warnings.warn(
            f"{listing.folder} has {counted(len(listing.left_out), 'file')} with a suffix that is of no image, left "
            f"out: {named(listing.left_out)}",
            stacklevel=3,
        )
    if animated:
        warnings.warn(
            f"{listing.folder} has {counted(len(animated), 'image')} with several frames, of which the first is "
            f"taken: {named(animated)}",
            stacklevel=3,
        )


def named(names: Sequence[str], shown: int = 3) -> str:
    """Name some of many files."""
    return ", ".join(names[:shown]) + (f" and {len(names) - shown:,} more" if len(names) > shown else "")


def parse_size(size: object) -> tuple[int, int] | None:
    """Read a height and a width.

    Raises:
        InputError: it is neither a number from 1 to 4096 nor two.
    """
    if size is None:
        return None
    if isinstance(size, tuple | list) and len(size) == 2:
        size = "x".join(map(str, size))
    match = re.fullmatch(r"(\d{1,5})(?:x(\d{1,5}))?", str(size).strip().lower())
    sides = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not all(1 <= side <= MAX_SIDE for side in sides):
        raise InputError(
            f"size is {size}, expected a number of pixels from 1 to {MAX_SIDE}, or HEIGHTxWIDTH, say 28 or 28x32"
        )
    return sides


def from_array(X: Any) -> Images:  # noqa: ANN401
    """Take an array or tensor of images, which are unlabelled.

    Args:
        X: (images, channels, height, width) or, of one channel, (images, height, width): floating point numbers from 0
            to 1, or bytes, or whole numbers of 16 bits without sign.

    Raises:
        InputError: another shape, type or range, or values that are not finite.
    """
    array = np.asarray(X.detach().cpu() if hasattr(X, "detach") else X)
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim != 4 or not array.size:
        raise InputError(f"X has the shape {array.shape}, expected (images, channels, height, width) and no side of 0")
    if array.shape[1] not in (1, 3) and array.shape[3] in (1, 3):
        raise InputError(
            f"X has the shape {array.shape}, expected channels first: np.moveaxis(X, -1, 1) puts them there"
        )
    top = TOPS.get(array.dtype.name, 1)
    if array.dtype.name not in TOPS and array.dtype.kind != "f":
        raise InputError(
            f"X has images of type {array.dtype}, expected floating point numbers from 0 to 1, uint8 or uint16"
        )
    low, high = float(array.min()), float(array.max())
    if not (0 <= low and high <= top):
        raise InputError(f"X has values from {low:g} to {high:g}, expected 0 to 1 (1 is white)")
    pixels = array.astype(np.float32)
    if top != 1:
        pixels /= np.float32(top)
    return Images(np.full(len(pixels), np.nan), pixels.shape[1:], array=pixels)


def in_threads(function: Callable[[Any], T], items: Sequence[Any]) -> list[T]:
    """Call a function for each item, in threads; what Pillow warns of (large images, odd metadata) is no news."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(function, items))
