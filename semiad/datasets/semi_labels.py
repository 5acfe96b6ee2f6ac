"""From the labels of a user's own rows to the classes of a data set."""

import numpy as np

from semiad.console import console
from semiad.errors import InputError
from semiad.types import UNLABELLED, Class


def to_classes(
    known: np.ndarray, source: str, noun: str = "row", prefix: str = ""
) -> tuple[tuple[Class, ...], np.ndarray]:
    """Convert labels to classes: 0 (normal), 1 (anomaly) and, if there are checked normal rows, `UNLABELLED`.

    Without checked normal rows, unlabelled ones stand for them, with a warning.

    Args:
        known: 1 (anomaly), 0 (checked normal) or NaN (unlabelled), (rows,).
        source: where they are from, for messages.
        noun: what a row is, for messages.
        prefix: begins errors: the setting that names the labels.

    Returns:
        The classes, and for each row the position of its class, int64 (rows,).

    Raises:
        InputError: all rows or none are anomalous.
    """
    anomalous, normal, unlabelled = (int(np.sum(rest)) for rest in (known == 1, known == 0, np.isnan(known)))
    if not anomalous:
        raise InputError(f"{prefix}no {noun} of {source} is labelled anomalous, so that nothing can be measured")
    if anomalous == len(known):
        raise InputError(f"{prefix}every {noun} of {source} is labelled anomalous")
    if not normal:
        console.print(
            f"warning: {source} has no {noun} that is labelled normal: the {unlabelled:,} unlabelled ones stand "
            f"for normal {noun}s in training and in testing, and anomalies among them make metrics look worse",
            markup=False,
        )
    y: np.ndarray = np.nan_to_num(known, nan=2 if normal else 0).astype(np.int64)
    return ((0, 1, UNLABELLED) if (y == 2).any() else (0, 1)), y
