"""Choice among candidates by their values on folds, and an estimate of what the choice is worth.

The rows of a fold are those on which no candidate was trained.
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


def estimate(values: Float[np.ndarray, " j"], test_share: float, anomalies: int | None = None) -> Estimate:
    """Estimate a mean over folds with an 80 % interval, which stays between 0 and 1.

    Args:
        values: of each fold.
        test_share: see `corrected_error`.
        anomalies: of an average precision, how many labelled anomalies it is the mean over; None for other metrics.
            Where all of them come first there is no spread to judge by: the interval then begins at the share of
            anomalies that come first at the least, by Clopper and Pearson.
    """
    mean = float(values.mean())
    if len(values) < 2:
        return Estimate(mean, 0.0, 1.0)
    half = float(t.ppf((1 + COVERAGE) / 2, len(values) - 1)) * corrected_error(values, test_share)
    low = max(mean - half, 0.0)
    if anomalies is not None and low == 1:
        low = ((1 - COVERAGE) / 2) ** (1 / anomalies)
    return Estimate(mean, low, min(mean + half, 1.0))


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


class Counts(NamedTuple):
    """How many rows of each fold score as high as each anomaly, or higher.

    Attributes:
        fold: that each anomaly is of.
        found: anomalies of each fold, itself among them.
        false: normal rows of each fold.
    """

    fold: Int64[np.ndarray, " p"]
    found: Int64[np.ndarray, "p k"]
    false: Int64[np.ndarray, "p k"]

    def average_precision(self, folds: Sequence[int]) -> float:
        """Compute the average precision of the rows of some folds together."""
        those = np.isin(self.fold, folds)
        found, false = (counts[those][:, folds].sum(axis=1) for counts in (self.found, self.false))
        return float((found / (found + false)).mean())

    def values(self, folds: Sequence[int]) -> Float[np.ndarray, " k"]:
        """Compute values of folds whose mean is their average precision, and whose spread is that of the jackknife.

        A fold's value is by how much the average precision falls where the fold is left out (Efron and Tibshirani, "An
        Introduction to the Bootstrap", 1993, pseudo-values; around the average precision itself).
        """
        whole = self.average_precision(folds)
        if len(folds) == 1:
            return np.array([whole])
        without = np.array([self.average_precision([one for one in folds if one != fold]) for fold in folds])
        values: Float[np.ndarray, " k"] = whole + (len(folds) - 1) * (without.mean() - without)
        return values


def count(folds: Sequence[Fold]) -> list[Counts]:
    """Count the rows that score as high as each anomaly, for each candidate.

    Average precision is the mean over the anomalies of the precision at their scores. A fold of one anomaly alone has
    one over its rank, whose mean is above the average precision of many; so the rows of all folds are ranked together,
    by standardised scores, since each fold has a model of its own.
    """
    of_fold = np.concatenate([np.full(int(fold.truth.sum()), k) for k, fold in enumerate(folds)])
    counted = []
    for candidate in range(len(folds[0].scores)):
        parts = [[np.sort(f.scores[candidate][f.truth == truth]) for f in folds] for truth in (1, 0)]
        at = np.concatenate([fold.scores[candidate][fold.truth == 1] for fold in folds])
        found, false = (
            np.stack([len(part) - np.searchsorted(part, at, side="left") for part in rows], axis=1) for rows in parts
        )
        counted.append(Counts(of_fold, found, false))
    return counted


def precisions(folds: Sequence[Fold]) -> Float[np.ndarray, "c k"]:
    """Compute the values of each candidate on the folds of a repeat, see `Counts.values`."""
    return np.stack([counts.values([*range(len(folds))]) for counts in count(folds)])


def over_repeats(repeats: Sequence[Sequence[Fold]]) -> Float[np.ndarray, "r k"]:
    """Compute the values of one candidate on the folds of each repeat."""
    return np.concatenate([precisions(folds) for folds in repeats])


def take_by_others(
    folds: Sequence[Fold], take: Callable[[Float[np.ndarray, "c j"]], Sequence[int]]
) -> list[Sequence[int]]:
    """Take candidates for each fold of a repeat, by the other folds.

    Args:
        folds: of a repeat, two or more.
        take: the rule: from the values of candidates to the candidates whose mean score is used.
    """
    counted, every = count(folds), range(len(folds))
    return [take(np.stack([counts.values([g for g in every if g != k]) for counts in counted])) for k in every]


def judge(
    repeats: Sequence[Sequence[Fold]], take: Callable[[Float[np.ndarray, "c j"]], Sequence[int]]
) -> list[list[Fold]]:
    """Give what a rule of choice says of each fold, for which it takes candidates by the other folds of its repeat.

    No candidate is taken by the fold that it is then judged on. What is taken may differ between folds: the mean is
    that of the procedure, and is as a rule a little below the value of what all folds together take.

    Args:
        repeats: the folds of each repeat, two or more.
        take: see `take_by_others`.

    Returns:
        For each fold the mean score of what was taken for it, as that of one candidate.
    """
    taken = [take_by_others(folds, take) for folds in repeats]
    return [[fold.of(some) for fold, some in zip(*pair, strict=True)] for pair in zip(repeats, taken, strict=True)]
