"""`method=auto` as a method of the ledger: a detector that compares methods on its training rows."""

import warnings
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from semiad.checks import check_number, check_whole
from semiad.detector.estimator import Detector
from semiad.extras import optional_import
from semiad.methods.classical import ClassicalMethod


class Auto(ClassicalMethod):
    """The detector that `semiad fit` makes without a named method, with one member of each method that it takes.

    A comparison on the training rows chooses the methods, see docs/detector.md; with fewer than five labelled anomalies
    it is AE-SAD. Score: that of the detector.

    Args:
        shape: of one row.
        folds: of the comparison.
        repeats: how often its folds are cut anew.
        best: number of methods that are taken; 1 for the simplest within one standard error of the best.
        calibration: share of the rows without an anomaly label that sets the threshold, which no metric depends on.

    Raises:
        InputError: a value out of range, or the package xgboost, one of the methods, is not installed.
    """

    unsupervised = False
    libraries = ("xgboost",)

    def __init__(self, shape: Sequence[int], folds: int, repeats: int, best: int, calibration: float) -> None:
        super().__init__(shape)
        with optional_import("xgboost", "trees"):
            import xgboost  # noqa: F401
        check_whole("method.folds", folds, 2)
        check_whole("method.repeats", repeats)
        check_whole("method.best", best)
        check_number("method.calibration", calibration, above=0, below=1)
        self.detector = Detector(
            ensemble=1, calibration=calibration, folds=folds, repeats=repeats, best=best, device="cpu"
        )

    def fit(self, x: Float[np.ndarray, "n d"], s: Float[np.ndarray, " n"], rng: np.random.RandomState) -> int:
        """Compare the methods, and fit those that are taken."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of few labels, and of few rows for a threshold
            self.detector.set_params(random_state=rng).fit(x, np.where(s == 1, 1.0, np.nan))
        if (made := self.detector.comparison_) is not None:
            worth = made.worth(self.detector.best)
            self.choice = {
                "chosen": [candidate.name for candidate in self.detector.candidates_],
                "ap_expected": worth.mean,
                "ap_expected_low": worth.low,
                "ap_expected_high": worth.high,
            }
        return int(self.detector.summary_["training_rows"])

    def scores(self, x: Float[np.ndarray, "b d"]) -> Float[np.ndarray, " b"]:
        """Compute the score of the detector."""
        return self.detector.decision_function(x)
