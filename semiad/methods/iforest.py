"""Isolation forest: Liu, Ting, Zhou, "Isolation Forest", as the papers' rival."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from sklearn.ensemble import IsolationForest

from semiad.checks import check_whole
from semiad.methods.classical import ClassicalMethod


class IForest(ClassicalMethod):
    """Trees of random cuts. Score: how few cuts isolate a row (the paper's, but for a constant).

    Args:
        shape: of one row.
        trees: how many.
        samples: training rows drawn for a tree; all if there are fewer.

    Raises:
        InputError: a value out of range.
    """

    def __init__(self, shape: Sequence[int], trees: int, samples: int) -> None:
        super().__init__(shape)
        check_whole("method.trees", trees)
        check_whole("method.samples", samples)
        self.trees, self.samples = trees, samples

    def fit(self, x: Float[np.ndarray, "n d"], s: Float[np.ndarray, " n"], rng: np.random.RandomState) -> int:
        """Grow the trees."""
        samples = min(self.samples, len(x))
        self.forest = IsolationForest(n_estimators=self.trees, max_samples=samples, random_state=rng).fit(x)
        return len(x)

    def scores(self, x: Float[np.ndarray, "b d"]) -> Float[np.ndarray, " b"]:
        """How easily a row is isolated."""
        isolated: Float[np.ndarray, " b"] = -self.forest.decision_function(x)
        return isolated
