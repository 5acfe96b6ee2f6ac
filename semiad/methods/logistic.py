"""Logistic regression: scikit-learn's, with unlabelled rows as normal."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from semiad.checks import check_number, check_whole
from semiad.errors import InputError
from semiad.methods.classical import ClassicalMethod
from semiad.methods.contract import check_labelled


class Logistic(ClassicalMethod):
    """Logistic regression of standardised features, 1 for a labelled anomaly and 0 for any other row. Score: the logit.

    Args:
        shape: of one row.
        C: the inverse of the weight of the squared coefficients, as scikit-learn calls it.
        class_weight: None for rows that count equally, or `balanced` for the two kinds to count equally.
        max_iter: steps of the solver, at most.

    Raises:
        InputError: a value out of range.
    """

    unsupervised = False
    draws = False

    def __init__(self, shape: Sequence[int], C: float, class_weight: str | None, max_iter: int) -> None:
        super().__init__(shape)
        check_number("method.C", C, above=0)
        if class_weight not in (None, "balanced"):
            raise InputError(f"method.class_weight is '{class_weight}', expected null or balanced")
        check_whole("method.max_iter", max_iter)
        regression = LogisticRegression(C=C, class_weight=class_weight, max_iter=max_iter)
        self.model = make_pipeline(StandardScaler(), regression)

    def fit(self, x: Float[np.ndarray, "n d"], s: Float[np.ndarray, " n"], rng: np.random.RandomState) -> int:
        """Fit the coefficients, in double precision.

        Raises:
            RunFailed: no row is labelled.
        """
        check_labelled(self, s)
        self.model.fit(x.astype(np.float64), s)
        return len(x)

    def scores(self, x: Float[np.ndarray, "b d"]) -> Float[np.ndarray, " b"]:
        """Compute the logit."""
        logits: Float[np.ndarray, " b"] = self.model.decision_function(x.astype(np.float64))
        return logits
