"""Kernel density estimation: its density by hand, how its width is chosen, and settings that make no sense."""

import numpy as np
import pytest
from scipy.special import logsumexp
from sklearn.model_selection import KFold

from semiad.errors import InputError, RunFailed
from semiad.methods.kde import KDE

RNG = np.random.RandomState(0)
WIDTHS = [0.03125, 0.25, 1, 2]


def method(**settings: object) -> KDE:
    return KDE(shape=(20,), **{"bandwidths": WIDTHS, "folds": 5, "subsample": None, **settings})


def log_density(x: np.ndarray, rows: np.ndarray, width: float) -> np.ndarray:
    """By hand: the mean of Gaussians at the rows."""
    square = ((x[:, None].astype(np.float64) - rows[None]) ** 2).sum(-1)
    n, d = rows.shape
    return logsumexp(-square / (2 * width**2), axis=1) - np.log(n) - d / 2 * np.log(2 * np.pi * width**2)


@pytest.mark.parametrize("width", WIDTHS)
def test_scores_are_the_density_by_hand(width: float) -> None:
    """Also where the density is low, where the tree of scikit-learn loses all digits."""
    draws = np.random.default_rng(0)
    rows, x = draws.random((200, 20)).astype(np.float32), draws.random((50, 20)).astype(np.float32)
    fitted = method(bandwidths=[width])
    assert fitted.fit(rows, np.zeros(200), RNG) == 200
    np.testing.assert_allclose(fitted.scores(x), -log_density(x, rows, width), rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(fitted.scores(x)[7:9], fitted.scores(x[7:9]))


def test_the_width_has_the_largest_likelihood_of_rows_that_are_held_out() -> None:
    rows = np.random.default_rng(1).random((103, 20))
    likelihoods = [
        np.mean([log_density(rows[out], rows[kept], width).sum() for kept, out in KFold(5).split(rows)])
        for width in WIDTHS
    ]
    fitted = method()
    fitted.fit(rows, np.zeros(103), RNG)
    assert fitted.bandwidth == WIDTHS[int(np.argmax(likelihoods))] == 0.25


def test_few_rows() -> None:
    assert method().fit(np.random.default_rng(0).random((3, 20)), np.zeros(3), RNG) == 3
    assert method(subsample=30).fit(np.random.default_rng(0).random((60, 20)), np.zeros(60), RNG) == 30
    with pytest.raises(RunFailed, match="there is one training row, and the width is chosen by rows"):
        method().fit(np.zeros((1, 20)), np.zeros(1), RNG)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"bandwidths": []}, "method.bandwidths is an empty list, expected a number at least"),
        ({"bandwidths": [1, 0]}, r"method.bandwidths is \[1, 0\], expected a list of numbers above 0"),
        ({"folds": 1}, "method.folds is 1, expected a whole number from 2 on"),
        ({"subsample": 0}, "method.subsample is 0, expected null or a whole number from 1 on"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        method(**settings)
