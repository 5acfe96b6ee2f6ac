"""Checks and converts what the loader of a data set returns: the one place that knows what a data set must be."""

from collections.abc import Sequence
from math import isfinite
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from semiad.errors import InputError, described
from semiad.types import Class, Dataset, Labels

SHOWN = 5
"""Number of values that a sentence shows."""
UNSUPPORTED = {
    torch.bool: torch.uint8,
    torch.uint16: torch.int32,
    torch.uint32: torch.int64,
    torch.uint64: torch.float64,
}
"""Types in which torch finds no minimum, and those that hold the same numbers."""


def checked_dataset(loaded: Any, source: str) -> Dataset:  # noqa: ANN401
    """Check a data set, and convert what stands for the same in another type.

    Features of any type of number become floats of torch's default type. Images become bytes where they are whole
    numbers from 0 to 255, and floats otherwise. Labels of any type of number, as arrays, tensors or lists, become an
    array of int64 if they are whole; classes become a tuple of int and str.

    Args:
        loaded: what the loader returned.
        source: name of the loader, for messages.

    Returns:
        A data set that is marked as checked; the same one if it was.

    Raises:
        InputError: it is no data set, or a part of it cannot be what it should be.
    """
    if not isinstance(loaded, Dataset) or not isinstance(loaded.labels, Labels):
        part = (
            "labels of type " + type(loaded.labels).__name__ if isinstance(loaded, Dataset) else type(loaded).__name__
        )
        raise InputError(f"the loader {source} gave {part}, expected a semiad.types.Dataset with semiad.types.Labels")
    if loaded.checked:
        return loaded
    labels = loaded.labels
    if not isinstance(labels.name, str) or not labels.name or not is_text(labels.name):
        raise InputError(f"the loader {source} gave {labels.name!r} as the name of its data set, expected a text")
    try:
        top = check_top(loaded.top)
        x = convert_rows(loaded.x, top)
        classes = check_classes(labels.classes)
        y = convert_labels(labels.y, classes, len(x))
        n_train = check_n_train(labels.n_train, len(x))
    except InputError as error:
        raise InputError(f"data set {labels.name}: {error}") from error
    except (TypeError, ValueError, RuntimeError, NotImplementedError) as error:
        # Ragged lists, sparse, nested and quantised tensors, and whatever else NumPy and torch do not convert.
        given = f"x is of type {type(loaded.x).__name__}, labels.y of type {type(labels.y).__name__}"
        raise InputError(
            f"data set {labels.name}: {given}, expected a dense tensor or array of numbers and a list of labels "
            f"({described(error)})"
        ) from error
    return Dataset(Labels(labels.name, classes, y, n_train), x, top, checked=True)


def is_text(name: str) -> bool:
    """Whether a text can be written as UTF-8: half a character cannot."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def unmasked(values: Any, name: str) -> Any:  # noqa: ANN401
    """Give the values of a masked array of which nothing is masked; anything else as it is.

    Raises:
        InputError: something is masked.
    """
    if not isinstance(values, np.ma.MaskedArray):
        return values
    if masked := int(np.ma.getmaskarray(values).sum()):
        raise InputError(f"{name} has {masked} masked values: fill in or leave out such rows")
    return values.data


def check_top(top: Any) -> float | None:  # noqa: ANN401
    """Check the value that stands for 1 in images."""
    if top is None:
        return None
    if not isinstance(top, Real) or isinstance(top, bool) or not isfinite(top) or top <= 0:
        raise InputError(f"top is {top!r}, expected a number above 0 for images, or None for features")
    return float(top)


def convert_rows(given: Any, top: float | None) -> Tensor:  # noqa: ANN401
    """Convert rows to float features, or to images of bytes or floats."""
    x = unmasked(given, "x")
    if isinstance(x, np.ndarray) and x.dtype.kind in "biuf":
        x = torch.from_numpy(np.ascontiguousarray(x.astype(x.dtype.newbyteorder("="), copy=False)))
    if not isinstance(x, Tensor) or x.is_complex():
        kind = getattr(given, "dtype", type(given).__name__)
        raise InputError(f"x is of type {kind}, expected a tensor or array of numbers")
    if x.ndim < 2 or not x.numel():
        raise InputError(f"x has shape {tuple(x.shape)}, expected (rows, features) or (rows, channels, height, width)")
    x = x.detach().cpu()
    if x.dtype in UNSUPPORTED:
        x = x.to(UNSUPPORTED[x.dtype])
    if top is not None and bool(x.isfinite().all()):
        low, high = float(x.min()), float(x.max())
        if not 0 <= low <= high <= top:
            raise InputError(f"x has values from {low:g} to {high:g}, expected 0 to {top:g} (top stands for 1)")
        if not x.is_floating_point() and high <= 255:
            images: Tensor = x.to(torch.uint8).contiguous()
            return images
    converted: Tensor = x.to(torch.get_default_dtype()).contiguous()
    finite = converted.isfinite()
    if not bool(finite.all()):
        place = (~finite).nonzero()[0].tolist()
        more, kind = int((~finite).sum()) - 1, str(converted.dtype).removeprefix("torch.")
        raise InputError(
            f"x is {float(x[tuple(place)]):g} at row {place[0]}, column {', '.join(map(str, place[1:]))} (and {more} "
            f"values more are not finite as {kind}): fill in or leave out such rows"
        )
    return converted


def check_classes(classes: Any) -> tuple[Class, ...]:  # noqa: ANN401
    """Check the names of the classes."""
    if isinstance(classes, str) or not isinstance(classes, Sequence | np.ndarray):
        raise InputError(f"labels.classes is {classes!r}, expected a tuple of classes")
    made: list[Class] = []
    for name in classes:
        if isinstance(name, bool | np.bool_) or not isinstance(name, Integral | str):
            raise InputError(f"labels.classes has {name!r}, expected whole numbers or texts")
        if isinstance(name, str) and not is_text(name):
            raise InputError(f"labels.classes has {name!r}, expected a text that can be written as UTF-8")
        made.append(str(name) if isinstance(name, str) else int(name))
    if len(made) < 2 or len({str(name) for name in made}) < len(made):
        raise InputError(f"labels.classes is {tuple(made)}, expected two different classes or more")
    return tuple(made)


def convert_labels(y: Any, classes: Sequence[Class], rows: int) -> Int64[np.ndarray, " n"]:  # noqa: ANN401
    """Convert the labels to positions in the tuple of classes, and check that each class has rows."""
    made = y.detach().cpu().numpy() if isinstance(y, Tensor) else np.asarray(unmasked(y, "labels.y"))
    if made.ndim != 1 or len(made) != rows:
        raise InputError(f"labels.y has shape {made.shape}, but x has {rows} rows: expected a label for each row")
    if made.dtype.kind not in "biuf" or (made.dtype.kind == "f" and (made != np.floor(made)).any()):
        kinds = made.dtype.name if made.dtype.kind in "fc" else type(made.flat[0]).__name__
        raise InputError(f"labels.y is of type {kinds}, expected whole numbers: positions in labels.classes")
    values = np.unique(made)
    known = f"positions in labels.classes, here 0 to {len(classes) - 1}"
    if values[0] < 0 or values[-1] >= len(classes):
        more = " ..." if len(values) > SHOWN else ""
        shown = ", ".join(f"{value:g}" for value in values[:SHOWN].astype(float))
        raise InputError(f"labels.y has the values {shown}{more}, expected {known}")
    missing = sorted(set(range(len(classes))) - set(values.astype(int).tolist()))
    if missing:
        raise InputError(f"class {classes[missing[0]]} has no rows: labels.y never is {missing[0]}, expected {known}")
    return made.astype(np.int64)


def check_n_train(n_train: Any, rows: int) -> int | None:  # noqa: ANN401
    """Check the number of official training rows."""
    if n_train is None:
        return None
    if not isinstance(n_train, Integral) or isinstance(n_train, bool) or not 0 < int(n_train) < rows:
        raise InputError(f"labels.n_train is {n_train!r}, expected None or a whole number from 1 to {rows - 1}")
    return int(n_train)
