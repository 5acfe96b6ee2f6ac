"""Split conformal calibration: p-values and thresholds from the scores of rows that no member was trained on."""

import warnings
from fractions import Fraction
from functools import cached_property
from math import ceil

import numpy as np
from jaxtyping import Float

from semiad.checks import check_share


def exact_rate(fpr: float) -> Fraction:
    """Give a false alarm rate as the fraction that a user wrote: 0.29 of 100 are 29, and not 28.999...

    Raises:
        InputError: it is no number above 0 and below 1.
    """
    check_share("fpr", fpr, "a false alarm rate")
    return Fraction(str(float(fpr)))


def rows_needed(fpr: float) -> int:
    """Compute the least number of calibration rows that allow a false alarm rate."""
    return ceil(1 / exact_rate(fpr)) - 1


class Calibration:
    """The scores of `n` held-out rows that are taken as normal.

    A fresh normal row is exchangeable with them, so its rank among them is uniform. The `k`-th largest score is passed
    with probability `k / (n + 1)`, for any method and any distribution of rows (split conformal prediction).

    Args:
        scores: of the held-out rows, in any order.
        noun: names what is scored, for messages: `row` or `image`.
    """

    def __init__(self, scores: Float[np.ndarray, " n"], noun: str = "row") -> None:
        self.scores: Float[np.ndarray, " n"] = np.sort(scores)
        self.noun = noun

    @cached_property
    def least_rate(self) -> float:
        """The smallest false alarm rate that the number of rows allows."""
        return 1 / (len(self.scores) + 1)

    def p_values(self, scores: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
        """Compute the share of rows, the row itself included, that score at least as high as each row."""
        n = len(self.scores)
        p: Float[np.ndarray, " m"] = (1 + n - np.searchsorted(self.scores, scores, side="left")) / (n + 1)
        return p

    def rate(self, fpr: float) -> float:
        """Compute the false alarm rate of `threshold(fpr)`: the largest up to `fpr` that the number of rows allows."""
        return max(self.passed(fpr), 1) / (len(self.scores) + 1)

    def passed(self, fpr: float) -> int:
        """Compute the largest `k` for which the `k`-th largest score is passed with probability `fpr` or less."""
        return int(exact_rate(fpr) * (len(self.scores) + 1))

    def threshold(self, fpr: float) -> float:
        """Compute the score above which a row is an alarm: there the p-value is at most `fpr`.

        With too few rows for the rate it is the largest score, the threshold of `least_rate`.

        Raises:
            InputError: `fpr` is no rate.
        """
        return float(self.scores[len(self.scores) - max(self.passed(fpr), 1)])

    def warn_of_few_rows(self, fpr: float) -> None:
        """Warn if there are too few rows for a rate that somebody has asked for."""
        if self.passed(fpr) < 1:
            warnings.warn(
                f"{len(self.scores)} calibration {self.noun}s allow no false alarm rate below {self.least_rate:.3g}, "
                f"which is taken in place of fpr={fpr}: {rows_needed(fpr)} {self.noun}s are needed for that",
                stacklevel=3,
            )
