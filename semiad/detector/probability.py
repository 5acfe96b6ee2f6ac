"""Probabilities of anomalies from scores, by labelled anomalies that were held out (Platt, 1999)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from semiad.checks import check_share
from semiad.detector.choosing import Fold, standardised

FEWEST = 10
"""Labelled anomalies from which on there are probabilities."""
WEAKEST = 1e6
"""Inverse strength of a penalty that leaves the two numbers of the regression as they are."""


@dataclass(frozen=True)
class Probability:
    """The log odds of an anomaly: `intercept + slope arcsinh((score - centre) / spread)`.

    The inverse hyperbolic sine is a straight line near normal rows, and a logarithm far away from them; on tables of
    ODDS it told probabilities better than a straight line or an isotonic regression (docs/few_labels.md).

    Attributes:
        intercept: at `rate`.
        slope: from 0 on.
        rate: share of anomalies among the rows that it was fitted to.
        centre: mean of the detector's scores of normal rows that were held out.
        spread: their standard deviation.
    """

    intercept: float
    slope: float
    rate: float
    centre: float
    spread: float

    def of(self, scores: Float[np.ndarray, " n"], rate: float | None = None) -> Float[np.ndarray, " n"]:
        """Compute the probability that each row is an anomaly.

        Args:
            scores: of the detector.
            rate: share of anomalies among rows such as these, by which the odds are shifted (Bayes); None for `rate`.

        Raises:
            InputError: a share that is not above 0 and below 1.
        """
        if rate is None:
            rate = self.rate
        check_share("rate", rate, "a share of anomalies")
        shift = logit(rate) - logit(self.rate)
        far: Float[np.ndarray, " n"] = np.arcsinh((scores - self.centre) / self.spread)
        told: Float[np.ndarray, " n"] = expit(self.intercept + shift + self.slope * far)
        return told


def fit_probability(repeats: Sequence[Sequence[Fold]], calibration: Float[np.ndarray, " m"]) -> Probability | None:
    """Fit log odds to the scores of rows that were held out; None with fewer labelled anomalies than `FEWEST`.

    Args:
        repeats: the folds of each repeat, with the scores of one candidate: of all rows, in each repeat anew.
        calibration: the detector's scores of rows that were held out and are taken as normal.
    """
    folds = [fold for folds in repeats for fold in folds]
    truth = np.concatenate([fold.truth for fold in folds])
    anomalies, normals = (int((truth == kind).sum()) // len(repeats) for kind in (1, 0))
    if anomalies < FEWEST:
        return None
    scores = np.arcsinh(np.concatenate([standardised(fold.scores[0], fold.truth) for fold in folds]))
    # Platt's targets, which keep the slope finite where scores part anomalies from normal rows.
    target = np.where(truth == 1, (anomalies + 1) / (anomalies + 2), 1 / (normals + 2))
    regression = LogisticRegression(C=WEAKEST).fit(
        np.tile(scores, 2)[:, None], np.repeat([1, 0], len(scores)), np.concatenate([target, 1 - target])
    )
    slope, intercept, rate = float(regression.coef_[0, 0]), float(regression.intercept_[0]), float(truth.mean())
    if slope <= 0:  # scores that say nothing
        slope, intercept = 0.0, float(logit(rate))
    return Probability(intercept, slope, rate, float(calibration.mean()), float(calibration.std()) or 1.0)
