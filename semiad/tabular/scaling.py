"""The scaling of features into [0, 1] that a few huge values cannot spoil."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from semiad.errors import InputError

SCALINGS = ("fences", "minmax")
REACH = 3.0
"""Interquartile ranges beyond the quartiles at which a fence stands."""
MARGIN = 0.2
"""What is left of [0, 1] for values beyond each fence."""
FARTHEST = 1e6
"""Distance from the core, in its widths, beyond which no difference is seen."""
BLOCK = 1 << 11
"""Rows that are scaled at once; they fit into the cache."""


@dataclass(frozen=True)
class Scaler:
    """Sends the core of each feature to [margin, 1 - margin] by a line, and what lies beyond smoothly to the margins.

    Attributes:
        low: where the core begins, float64 (features,).
        span: its width, above 0.
        margin: below 1/2; with 0, values outside the core are clipped.
    """

    low: np.ndarray
    span: np.ndarray
    margin: float

    def __call__(self, features: Sequence[np.ndarray], out: np.ndarray) -> None:
        """Scale features, float64 (rows,) each, finite or infinite, into a float32 array (rows, features)."""
        low, span, margin, core = self.low[:, None], self.span[:, None], self.margin, 1 - 2 * self.margin
        with np.errstate(over="ignore"):
            for start in range(0, len(out), BLOCK):
                raw = np.stack([feature[start : start + BLOCK] for feature in features])
                raw -= low
                raw /= span
                place = raw.astype(np.float32)
                place.clip(-FARTHEST, FARTHEST, out=place)
                scaled = place.clip(0, 1)
                place -= scaled  # what lies beyond the core, with its sign
                scaled *= core
                scaled += margin
                if margin:
                    distance = np.abs(place)
                    distance += margin / core  # no knee at the fence
                    place /= distance
                    place *= margin
                    scaled += place
                out[start : start + BLOCK] = scaled.T


def fit_scaler(features: Sequence[np.ndarray], scaling: str) -> Scaler:
    """Fit a scaler.

    Args:
        features: of the training rows, float64 (rows,) each; infinite values do not count.
        scaling: `fences`: the core is the range of a feature, cut at 3 interquartile ranges beyond its quartiles;
            or `minmax`: the range, beyond which values are clipped.

    Raises:
        InputError: another scaling.
    """
    if scaling not in SCALINGS:
        raise InputError(f"scaling is '{scaling}', expected one of {', '.join(SCALINGS)}")
    bounds = np.array([core_of(feature[np.isfinite(feature)], scaling == "fences") for feature in features])
    low, high = bounds.reshape(-1, 2).T
    with np.errstate(over="ignore"):
        span = np.clip(high - low, None, np.finfo(np.float64).max)
    return Scaler(low.copy(), np.where(span > 0, span, 1.0), MARGIN if scaling == "fences" else 0.0)


def core_of(values: np.ndarray, fenced: bool) -> tuple[float, float]:
    """Find where the core of a feature begins and ends; (0, 0) without values."""
    if not len(values):
        return 0.0, 0.0
    low, high = float(values.min()), float(values.max())
    if not fenced or low == high:
        return low, high
    first, middle, third = np.quantile(values / 4, (0.25, 0.5, 0.75)) * 4  # differences stay finite
    if first == third:  # more than half of the values are the same: the others say how far is far
        others = np.quantile(values[values != middle] / 4, (0.25, 0.75)) * 4
        first, third = min(others[0], middle), max(others[1], middle)
    with np.errstate(over="ignore"):
        reach = REACH * (third - first)
        return max(low, float(first - reach)), min(high, float(third + reach))
