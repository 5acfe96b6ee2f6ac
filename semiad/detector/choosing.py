"""Choice among candidates by their values on folds, and an estimate of what the choice is worth.

Numpy only: a fold is a row that no candidate was trained on.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import t

COVERAGE = 0.8
"""Of intervals."""


@dataclass(frozen=True)
class Estimate:
    """A mean over folds.

    Attributes:
        mean: over the folds.
        low: lower end of its 80 % interval.
        high: its upper end.
    """

    mean: float
    low: float
    high: float


def corrected_error(values: Float[np.ndarray, " j"], test_share: float) -> float:
    """Compute the standard error of a mean over folds that share training rows.

    The variance of the mean of `j` folds is taken as (1/j + tested/trained) times that of the folds, since the folds'
    values are not independent (Nadeau and Bengio, "Inference for the Generalization Error", 2003).

    Args:
        values: of each fold, from 0 to 1.
        test_share: tested rows for each training row: 1/(k - 1) for k folds.
    """
    if len(values) < 2:
        return float("inf")
    return float(np.sqrt((1 / len(values) + test_share) * values.var(ddof=1)))


def estimate(values: Float[np.ndarray, " j"], test_share: float) -> Estimate:
    """Estimate a mean over folds with an 80 % interval, which stays between 0 and 1."""
    mean = float(values.mean())
    if len(values) < 2:
        return Estimate(mean, 0.0, 1.0)
    half = float(t.ppf((1 + COVERAGE) / 2, len(values) - 1)) * corrected_error(values, test_share)
    return Estimate(mean, max(mean - half, 0.0), min(mean + half, 1.0))


def choose(values: Float[np.ndarray, "c j"], test_share: float) -> int:
    """Choose the simplest candidate that is within one standard error of the best.

    The error is that of the mean difference to the best candidate over the folds, which both have in common.

    Args:
        values: of each candidate (from the simplest) on each fold.
        test_share: see `corrected_error`.

    Returns:
        The row of the candidate.
    """
    best = int(values.mean(axis=1).argmax())
    for candidate in range(best):
        difference = values[best] - values[candidate]
        if difference.mean() <= corrected_error(difference, test_share):
            return candidate
    return best


def nested(values: Float[np.ndarray, "c r k"], test_share: float) -> Float[np.ndarray, " j"]:
    """Compute what choosing is worth: on each fold the value of what the other folds of its repeat choose.

    No candidate is chosen by the fold that it is then judged on. The candidate may differ between folds: the mean is
    that of the procedure, and is as a rule a little below the value of the candidate that all folds choose.

    Args:
        values: of each candidate on each fold of each repeat; two folds or more.
        test_share: see `corrected_error`.
    """
    _, repeats, folds = values.shape
    judged = [
        values[choose(np.delete(values[:, repeat], fold, axis=1), test_share), repeat, fold]
        for repeat in range(repeats)
        for fold in range(folds)
    ]
    return np.array(judged)
