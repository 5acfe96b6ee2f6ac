"""Kernel density estimation with a Gaussian kernel, as a rival in the paper of Deep SAD."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KernelDensity

from semiad.checks import check_whole, is_number
from semiad.errors import InputError, RunFailed
from semiad.methods.classical import ClassicalMethod


class KDE(ClassicalMethod):
    """A Gaussian at each training row. Score: the negative logarithm of the density.

    The width of the Gaussians is the one with the largest likelihood in cross-validation.

    Args:
        shape: of one row.
        bandwidths: widths to choose from.
        folds: of the cross-validation, contiguous parts of the rows; at most one a row.
        subsample: how many training rows to draw at random; None for all.

    Raises:
        InputError: a value out of range.
    """

    def __init__(self, shape: Sequence[int], bandwidths: Sequence[float], folds: int, subsample: int | None) -> None:
        super().__init__(shape)
        if not isinstance(bandwidths, Sequence) or not all(is_number(b) and b > 0 for b in bandwidths):
            raise InputError(f"method.bandwidths is {bandwidths}, expected a list of numbers above 0")
        if not bandwidths:
            raise InputError("method.bandwidths is an empty list, expected a number at least")
        check_whole("method.folds", folds, 2)
        check_whole("method.subsample", subsample, null=True)
        self.bandwidths, self.folds, self.subsample = list(bandwidths), folds, subsample
        self.draws = subsample is not None

    def fit(self, x: Float[np.ndarray, "n d"], s: Float[np.ndarray, " n"], rng: np.random.RandomState) -> int:
        """Choose the width.

        Raises:
            RunFailed: there is one row only, so that nothing can be held out.
        """
        if self.subsample is not None:
            x = x[rng.permutation(len(x))[: self.subsample]]
        if len(x) < 2:
            raise RunFailed("there is one training row, and the width is chosen by rows that are held out")
        grid = {"bandwidth": self.bandwidths}
        search = GridSearchCV(exact_density(len(x)), grid, cv=min(self.folds, len(x)), refit=False).fit(x)
        self.rows, self.bandwidth = x, float(search.best_params_["bandwidth"])
        return len(x)

    def scores(self, x: Float[np.ndarray, "b d"]) -> Float[np.ndarray, " b"]:
        """Compute the negative logarithm of the density."""
        density = exact_density(len(self.rows), bandwidth=self.bandwidth).fit(self.rows)
        unlikely: Float[np.ndarray, " b"] = -density.score_samples(x)
        return unlikely


def exact_density(rows: int, **settings: float) -> KernelDensity:
    """Make a Gaussian density of so many rows, at most, whose tree is one leaf.

    Sums over several leaves lose all digits where the density is low (scikit-learn 1.9, issues 7492 and 25799).
    """
    return KernelDensity(kernel="gaussian", leaf_size=rows, **settings)
