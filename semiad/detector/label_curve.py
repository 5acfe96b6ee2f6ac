"""What more labels would bring: average precision against the number of labels, and a curve fitted to it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import curve_fit

from semiad.detector.choosing import COVERAGE, Estimate

FACTORS = (2, 5, 10)
"""Numbers of labels that are forecast, by what there is."""
RESAMPLES = 200
STEEPEST = 3.0
"""Of the curve's power: it falls no faster."""


def numbers_of_labels(most: int) -> list[int]:
    """List the numbers of labels that are tried: powers of two, and the most that a fold can train on."""
    return [*(2**power for power in range(most.bit_length()) if 2**power < most), most]


def curve(labels: Float[np.ndarray, " p"], end: float, gain: float, power: float) -> Float[np.ndarray, " p"]:
    """Compute `end - gain labels^-power`, which rises to `end`."""
    return end - gain * labels**-power


@dataclass(frozen=True)
class LabelCurve:
    """Values at growing numbers of labels.

    Attributes:
        labels: the numbers, from the lowest.
        values: average precision for each number, on each fold of each repeat.
        known: labelled anomalies that there are in all.
    """

    labels: tuple[int, ...]
    values: Float[np.ndarray, "p r k"]
    known: int

    def fit(self, means: Float[np.ndarray, " p"]) -> tuple[float, float, float] | None:
        """Fit the curve to means by least squares; None where they do not say what it is.

        The curve ends between 0 and 1 and does not fall.
        """
        if len(self.labels) < 3:
            return None
        x = np.array(self.labels, dtype=np.float64)
        start = min(max(float(means.max()), 0.01), 0.99), max(float(means.max() - means.min()), 0.01), 0.5
        try:
            found, _ = curve_fit(curve, x, means, p0=start, bounds=([0, 0, 0.01], [1, 10, STEEPEST]), maxfev=2000)
        except RuntimeError:
            return None
        end, gain, power = found.tolist()
        return end, gain, power

    def forecast(self, labels: Sequence[int]) -> list[Estimate] | None:
        """Forecast the average precision with more labels; None with too few numbers to fit a curve to.

        Intervals (80 %) are percentiles over curves that are fitted to folds drawn with replacement, the same ones for
        all numbers of labels. So few are drawn that the variance of their mean is that of `corrected_error`: folds
        share training rows. The intervals know nothing of anomalies of another kind.
        """
        flat = self.values.reshape(len(self.labels), -1)
        best = self.fit(flat.mean(axis=1))
        if best is None:
            return None
        rng, x = np.random.default_rng(0), np.array(labels, dtype=np.float64)
        count, share = flat.shape[1], 1 / (self.values.shape[2] - 1)
        size = max(round(1 / (1 / count + share)), 1)
        drawn = [flat[:, rng.integers(count, size=size)].mean(axis=1) for _ in range(RESAMPLES)]
        fitted = [made for means in drawn if (made := self.fit(means)) is not None]
        curves = np.array([curve(x, *made) for made in [*fitted, best]]).clip(0, 1)
        low, high = np.quantile(curves, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2], axis=0)
        middle = curve(x, *best).clip(0, 1)
        return [Estimate(*values) for values in zip(middle.tolist(), low.tolist(), high.tolist(), strict=True)]
