"""Files of data: fetched into a scratch folder, checked, and only then put in place."""

import gzip
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import shorten

import numpy as np
import torch
from jaxtyping import Int, UInt8

from semiad.errors import InputError
from semiad.types import Class, Dataset, Labels

Part = tuple[UInt8[np.ndarray, "_ ..."], Int[np.ndarray, " _"]]
"""Images and the position of each one's class."""

AGAIN = "replace it, or delete it so that it is downloaded again"


def fetch(wanted: Sequence[Path], download: Callable[[Path], Path]) -> None:
    """Get files or folders that are not there yet.

    Args:
        wanted: where they belong, all in one folder.
        download: puts them into the empty folder that it is given, or somewhere below it, and says where.

    Raises:
        InputError: they cannot be had or put there.
    """
    missing = [path for path in wanted if not path.exists()]
    if not missing:
        return
    folder = missing[0].parent
    made = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder, prefix=".download-") as scratch:
            source = download(Path(scratch))
            for path in missing:
                if not path.exists():  # another process may have been quicker
                    (source / path.name).replace(path)
    # torchvision and pooch raise RuntimeError, ValueError or OSError (which URLError and request errors are).
    except (OSError, RuntimeError, ValueError) as error:
        for parent in made:
            with suppress(OSError):  # a typo in data_root leaves nothing behind
                parent.rmdir()
        reason = shorten(str(error), 200, placeholder=" ...")
        raise InputError(
            f"{missing[0]} is not there and cannot be downloaded ({reason}): "
            "put it there by hand (see docs/data.md), or set data_root to a folder that has it"
        ) from error


def read_idx(path: Path, digest: str | None) -> UInt8[np.ndarray, "..."]:
    """Read a file of the MNIST format, gzipped or not.

    Args:
        path: without `.gz`; the file with `.gz` is taken where this one is absent.
        digest: the sha256 of the unpacked bytes, if known.

    Raises:
        InputError: truncated, not of the format, or not the bytes that it should be.
    """
    if not path.exists():
        path = path.with_name(path.name + ".gz")
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, OSError, zlib.error) as error:
        raise InputError(f"{path} cannot be unpacked ({error}): {AGAIN}") from error
    axes = raw[3] if len(raw) > 3 else 0
    shape = tuple(np.frombuffer(raw[4 : 4 + 4 * axes], dtype=">i4").tolist()) if len(raw) >= 4 + 4 * axes else ()
    if raw[:3] != b"\0\0\x08" or not shape or len(raw) != 4 + 4 * axes + int(np.prod(shape)):
        raise InputError(f"{path} is not a complete file of the MNIST format (found {len(raw)} bytes): {AGAIN}")
    if digest is not None and (found := sha256(raw).hexdigest()) != digest:
        raise InputError(
            f"{path} has the wrong content (sha256 of the unpacked bytes {found}, expected {digest}): {AGAIN}"
        )
    return np.frombuffer(raw, dtype=np.uint8, offset=4 + 4 * axes).reshape(shape)


def read_images(folder: Path, prefix: str, digests: Mapping[str, str | None]) -> Part:
    """Read `PREFIX-images-idx3-ubyte` and `PREFIX-labels-idx1-ubyte`, as (n, 1, 28, 28) and (n,).

    Raises:
        InputError: as `read_idx`, or the two do not fit together.
    """
    image_file, label_file = f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"
    images = read_idx(folder / image_file, digests.get(image_file))
    labels = read_idx(folder / label_file, digests.get(label_file))
    if images.shape[1:] != (28, 28) or labels.ndim != 1:
        raise InputError(
            f"{folder / image_file} holds {images.shape}, expected (n, 28, 28), with labels {labels.shape}"
        )
    if len(images) != len(labels):
        raise InputError(f"{folder / image_file} has {len(images)} images, but {label_file} {len(labels)} labels")
    return images[:, None], labels.astype(np.int64)


def official(name: str, classes: tuple[Class, ...], train: Part, test: Part, top: int = 255) -> Dataset:
    """A table of images with an official split.

    Args:
        name: of the data set.
        classes: in order.
        train: images and positions of their classes.
        test: likewise.
        top: the value of a white pixel.

    Raises:
        InputError: a class has no rows, or a row has no class.
    """
    for part, (_, y) in (("training", train), ("test", test)):
        found = set(np.unique(y).tolist())
        if missing := [classes[i] for i in range(len(classes)) if i not in found]:
            raise InputError(f"data set {name}: class {missing[0]} has no {part} rows")
        if unknown := found - set(range(len(classes))):
            raise InputError(f"data set {name}: {part} label {min(unknown)} is none of the {len(classes)} classes")
    y = np.concatenate([train[1], test[1]]).astype(np.int64)
    x = torch.from_numpy(np.concatenate([train[0], test[0]]))
    return Dataset(labels=Labels(name=name, classes=classes, y=y, n_train=len(train[1])), x=x, top=float(top))
