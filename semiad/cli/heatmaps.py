"""The pictures that `semiad score --heatmaps` writes of the alarms in a folder of images."""

import re
from pathlib import Path, PurePosixPath

import numpy as np
import polars as pl

from semiad.cli.messages import progress
from semiad.cli.tables import check_new
from semiad.detector.estimator import Detector
from semiad.detector.heatmaps import PART, explain_images
from semiad.errors import InputError
from semiad.images import Images
from semiad.ledger.atomic import atomic_folder

LONGEST = 100
"""Bytes of the name of a file that are kept in the name of its picture."""


def check_folder(folder: Path, out: str) -> None:
    """Check that a folder of pictures can be made.

    Raises:
        InputError: it exists, is the scored table, or cannot be written to.
    """
    check_new(folder)
    if Path(out).absolute() in (folder.absolute(), *folder.absolute().parents):
        raise InputError(f"--heatmaps {folder} is in the scored table {out}, expected a folder of another name")


def write_heatmaps(
    detector: Detector, images: Images, scores: np.ndarray, alarms: np.ndarray, folder: Path
) -> pl.Series:
    """Write a picture of each alarm, the largest score first, all of them or none.

    Returns:
        The name of the picture of each image; null where there is none.

    Raises:
        InputError: an image cannot be read, or the folder cannot be written to.
    """
    order = np.argsort(-scores, kind="stable")
    from semiad.images.drawing import draw_heatmap, to_picture

    order = order[alarms[order] == 1]
    digits = len(str(len(order)))
    names: list[str | None] = [None] * len(images)
    try:
        with atomic_folder(folder) as draft:
            for start in progress(range(0, len(order), PART), "explaining"):
                part = order[start : start + PART]
                shares = explain_images(detector, images[part]).shares
                for place, row in enumerate(part.tolist()):
                    name = f"{start + place + 1:0{digits}}-{picture_name(images.files[row])}"
                    draw_heatmap(to_picture(images.original(row)), shares[place]).save(draft / name)
                    names[row] = name
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"{folder} cannot be written to ({reason}); nothing was left there") from error
    return pl.Series(names, dtype=pl.String)


def picture_name(file: str) -> str:
    """Name the picture of a file, whatever characters its name has."""
    stem = re.sub(r"[\x00-\x1f\x7f]", "_", PurePosixPath(file).stem)
    return f"{stem.encode()[:LONGEST].decode(errors='ignore')}.png"
