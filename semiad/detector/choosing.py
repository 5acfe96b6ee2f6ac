"""Choice among candidates by their values on folds, and an estimate of what the choice is worth.

Numpy only: a fold is a row that no candidate was trained on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int64
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


def best(values: Float[np.ndarray, "c j"], count: int) -> list[int]:
    """List the candidates of the largest means, the best first."""
    order: list[int] = np.argsort(-values.mean(axis=1), kind="stable").tolist()
    return order[:count]


class Fold(NamedTuple):
    """What candidates say of the rows that a fold tests.

    Attributes:
        scores: of each candidate, standardised: see `standardised`.
        truth: 1 for an anomaly, else 0.
    """

    scores: Float[np.ndarray, "c m"]
    truth: Int64[np.ndarray, " m"]

    def of(self, candidates: Sequence[int]) -> "Fold":
        """Give the mean score of some candidates, as that of one."""
        return Fold(self.scores[candidates].mean(axis=0)[None], self.truth)


def standardised(scores: Float[np.ndarray, " m"], truth: Int64[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
    """Bring scores to the scale of the normal rows among them: mean 0, standard deviation 1."""
    normal = scores[truth == 0]
    scaled: Float[np.ndarray, " m"] = (scores - normal.mean()) / (normal.std() or 1.0)
    return scaled


def precisions(folds: Sequence[Fold]) -> Float[np.ndarray, "c k"]:
    """Compute the average precision of folds together, as the mean of a value of each fold.

    Average precision is the mean over the anomalies of the precision at their scores. A fold of one anomaly alone has
    one over its rank, whose mean is above the average precision of many; so the rows of all folds are ranked together,
    by standardised scores, since each fold has a model of its own.

    Returns:
        For each candidate the value of each fold, weighted by its number of anomalies.
    """
    scores, truth = np.concatenate([fold.scores for fold in folds], axis=1), np.concatenate([f.truth for f in folds])
    ends = np.cumsum([int(fold.truth.sum()) for fold in folds])[:-1]
    values = []
    for of_one in scores:
        anomalies, normal = of_one[truth == 1], np.sort(of_one[truth == 0])
        found = len(anomalies) - np.searchsorted(np.sort(anomalies), anomalies, side="left")
        false = len(normal) - np.searchsorted(normal, anomalies, side="left")
        parts = np.split(found / (found + false), ends)
        values.append([part.sum() * len(folds) / len(anomalies) for part in parts])
    return np.array(values)


def nested(
    repeats: Sequence[Sequence[Fold]], take: Callable[[Float[np.ndarray, "c j"]], Sequence[int]]
) -> Float[np.ndarray, "r k"]:
    """Compute what a rule of choice is worth: on each fold it takes candidates by the other folds of its repeat.

    No candidate is taken by the fold that it is then judged on. What is taken may differ between folds: the mean is
    that of the procedure, and is as a rule a little below the value of what all folds together take.

    Args:
        repeats: the folds of each repeat, two or more.
        take: the rule: from the values of candidates to the candidates whose mean score is used.
    """
    worth = []
    for folds in repeats:
        taken = [take(precisions([*folds[:k], *folds[k + 1 :]])) for k in range(len(folds))]
        worth.append(precisions([fold.of(candidates) for fold, candidates in zip(folds, taken, strict=True)])[0])
    return np.array(worth)
