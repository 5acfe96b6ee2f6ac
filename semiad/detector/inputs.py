"""The rows that a detector takes, tables and images, and what prepares each of them."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import torch

from semiad.errors import InputError
from semiad.images import Images
from semiad.images.collection import from_array
from semiad.images.preprocessor import STATE_TYPE, ImagePreprocessor
from semiad.tabular.columns import plain
from semiad.tabular.frames import as_frame
from semiad.tabular.preprocessor import TablePreprocessor

Rows = pl.DataFrame | Images
Preprocessor = TablePreprocessor | ImagePreprocessor
NAMES = {True: "images", False: "the rows of a table"}


def as_rows(X: Any) -> Rows:  # noqa: ANN401
    """Convert what a user gives: arrays and tensors of three or four dimensions are images, all else is a table.

    Raises:
        InputError: it is neither.
    """
    if isinstance(X, Images):
        return X
    if isinstance(X, np.ndarray | torch.Tensor) and X.ndim in (3, 4):
        return from_array(X)
    return as_frame(X)


def count_empty(rows: Rows) -> int:
    """Count the rows of a table in which every value is missing."""
    if isinstance(rows, Images):
        return 0
    empty = pl.repeat(True, len(rows), eager=True)
    for column in rows:
        empty &= plain(column).is_null()
        if not empty.any():  # as a rule after the first column
            return 0
    return int(empty.sum())


def choose_preprocessor(given: Preprocessor | None, rows: Rows, device: torch.device) -> Preprocessor:
    """Give a preprocessor to fit: a copy of the one that was given, or the one for such rows.

    Raises:
        InputError: it is for other rows.
    """
    if not isinstance(given, Preprocessor | None):
        raise InputError(
            f"preprocessor is of type {type(given).__name__}, expected a TablePreprocessor or an ImagePreprocessor: "
            "put another transformer before the detector, in a Pipeline"
        )
    default = ImagePreprocessor if isinstance(rows, Images) else TablePreprocessor
    chosen = default() if given is None else copy.deepcopy(given)
    if not isinstance(chosen, default):
        raise InputError(
            f"preprocessor is of type {type(chosen).__name__}, but X has {NAMES[isinstance(rows, Images)]}: "
            f"expected a {default.__name__}"
        )
    return placed(chosen, device)


def placed(preprocessor: Preprocessor, device: torch.device) -> Preprocessor:
    """Let a preprocessor compute on a device, if it has a network."""
    if isinstance(preprocessor, ImagePreprocessor):
        preprocessor.device = device
    return preprocessor


def kind_of(preprocessor: Preprocessor) -> str:
    """Tell what comes out, for the settings of methods: `image` or `table`."""
    return "image" if isinstance(preprocessor, ImagePreprocessor) and preprocessor.features is None else "table"


def fit_transform(preprocessor: Preprocessor, rows: Rows, train: np.ndarray) -> np.ndarray:
    """Learn from some rows, and prepare all, see `choose_preprocessor`."""
    if isinstance(preprocessor, ImagePreprocessor):
        return preprocessor.fit_transform(images_of(rows), train)
    frame = frame_of(rows)
    return preprocessor.fit(frame, train).transform(frame)


def transform(preprocessor: Preprocessor, rows: Rows) -> np.ndarray:
    """Prepare rows.

    Raises:
        InputError: they are of another kind, or unlike those of training.
    """
    if isinstance(preprocessor, ImagePreprocessor):
        return preprocessor.transform(images_of(rows))
    return preprocessor.transform(frame_of(rows))


def images_of(rows: Rows) -> Images:
    """Give rows that have to be images.

    Raises:
        InputError: they are of a table.
    """
    if not isinstance(rows, Images):
        raise InputError("X has the rows of a table, but the detector was fitted to images")
    return rows


def frame_of(rows: Rows) -> pl.DataFrame:
    """Give rows that have to be of a table.

    Raises:
        InputError: they are images.
    """
    if isinstance(rows, Images):
        raise InputError("X has images, but the detector was fitted to the rows of a table")
    return rows


def table_preprocessor(
    preprocessor: Preprocessor, reason: str = "which a table cannot stand for: name a folder of images"
) -> TablePreprocessor:
    """Give a preprocessor that has to be that of a table.

    Args:
        preprocessor: of a detector.
        reason: ends the sentence of the error.

    Raises:
        InputError: it is of images.
    """
    if isinstance(preprocessor, ImagePreprocessor):
        raise InputError(f"the detector was fitted to images, {reason}")
    return preprocessor


def image_preprocessor(preprocessor: Preprocessor) -> ImagePreprocessor:
    """Give a preprocessor that has to be that of images.

    Raises:
        InputError: it is of a table.
    """
    if not isinstance(preprocessor, ImagePreprocessor):
        raise InputError("the detector was fitted to a table, which images cannot stand for")
    return preprocessor


def noun_of(preprocessor: Preprocessor) -> str:
    """Name what is scored, for messages: `image` or `row`."""
    return "image" if isinstance(preprocessor, ImagePreprocessor) else "row"


def restore_preprocessor(
    config: Mapping[str, Any], arrays: Mapping[str, np.ndarray], device: torch.device
) -> Preprocessor:
    """Make a fitted preprocessor of its state.

    Raises:
        InputError: the state is damaged.
    """
    made = ImagePreprocessor if config.get("type") == STATE_TYPE else TablePreprocessor
    return placed(made.from_state(config, arrays), device)
