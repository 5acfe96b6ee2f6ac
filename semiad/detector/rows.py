"""Which rows train, and which calibrate the threshold."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int64

from semiad.detector.calibration import rows_needed
from semiad.errors import InputError

CALIBRATION_SHARE, LARGEST_SHARE = 1 / 5, 1 / 3
"""The share of the rows without an anomaly label that calibrates, and the share up to which a small rate raises it."""


class RowUse(NamedTuple):
    """Row numbers by what they are used for.

    Attributes:
        train: training rows, in order, labelled anomalies included.
        calibration: held-out rows that are taken as normal, in order.
        checked: whether all of these are checked normal rows.
    """

    train: Int64[np.ndarray, " n"]
    calibration: Int64[np.ndarray, " m"]
    checked: bool


def divide_rows(
    y: Float[np.ndarray, " n"],
    share: float | None,
    fpr: float,
    rng: np.random.RandomState,
    noun: str = "row",
    asked: Bool[np.ndarray, " n"] | None = None,
) -> RowUse:
    """Draw the calibration rows; all others train.

    Checked normal rows calibrate first. Where they are enough for the rate, they do so alone, since an anomaly among
    unlabelled rows would raise the threshold; else unlabelled rows make up the number.

    Args:
        y: 1 for an anomaly, 0 for a checked normal row, NaN for an unlabelled one.
        share: of the rows that are not labelled anomalous; None for a fifth, and up to a third where the rate needs it.
        fpr: the false alarm rate of the threshold.
        rng: draws them.
        noun: names what the rows are, for messages.
        asked: rows that have a label since they were asked for, see `semiad.tabular.sample.TableSample`. Normal ones
            are drawn as unlabelled rows are: by these alone, the most anomalous of the normal rows, the threshold would
            be far too high, and without them too low.

    Raises:
        InputError: there are fewer than two rows that are not labelled anomalous, or the share leaves none on one side.
    """
    if asked is not None:
        y = np.where(asked & (y == 0), np.nan, y)
    checked, unlabelled = np.flatnonzero(y == 0), np.flatnonzero(np.isnan(y))
    total, needed = len(checked) + len(unlabelled), rows_needed(fpr)
    if total < 2:
        raise InputError(
            f"{total} of the {noun}s {'is' if total == 1 else 'are'} not labelled anomalous (n_samples={len(y)}, at "
            "least 2 needed): one trains, and one calibrates"
        )
    if share is not None and not (isinstance(share, int | float | np.floating) and 0 < share < 1):
        raise InputError(f"calibration is {share}, expected a share of the {noun}s above 0 and below 1, or None")
    if share is None:
        count = int(min(max(CALIBRATION_SHARE * total, needed), LARGEST_SHARE * total) + 0.5)
    else:
        count = int(share * total + 0.5)
    count = min(max(count, 1), total - 1)
    alone = min(count, len(checked)) >= needed
    first = rng.permutation(checked)[:count]
    rest = rng.permutation(unlabelled)[: 0 if alone else count - len(first)]
    calibration = np.sort(np.concatenate([first, rest]))
    train = np.setdiff1d(np.arange(len(y)), calibration)
    return RowUse(train, calibration, not len(rest))
