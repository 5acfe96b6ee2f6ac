"""XGBOD: Zhao, Hryniewicki, "XGBOD: Improving Supervised Outlier Detection with Unsupervised Learning" (2018)."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from semiad.checks import is_number, is_whole
from semiad.errors import InputError
from semiad.methods.contract import check_labelled
from semiad.methods.xgboost import XGBoost

BRUTE = {"algorithm": "brute"}
"""Without a search tree, which no file of a detector could hold."""


class XGBOD(XGBoost):
    """XGBoost on the features and on the scores of unsupervised detectors of all training rows. Score: the logit.

    Args:
        neighbours: numbers of neighbours, for each the distance of the last one and the local outlier factor.
        nus: of one-class SVMs.
        forests: numbers of trees of isolation forests.
        common: see `XGBoost`.

    Raises:
        InputError: a value out of range, or the package xgboost is not installed.
    """

    def __init__(self, neighbours: Sequence[int], nus: Sequence[float], forests: Sequence[int], **common: Any) -> None:  # noqa: ANN401
        super().__init__(**common)
        for name, values in (("neighbours", neighbours), ("forests", forests)):
            if not all(map(is_whole, values)):
                raise InputError(f"method.{name} is {[*values]}, expected whole numbers from 1 on")
        if not all(is_number(nu) and 0 < nu <= 1 for nu in nus):
            raise InputError(f"method.nus is {[*nus]}, expected shares above 0, up to 1")
        self.draws = self.draws or bool(forests)
        self.neighbours, self.nus, self.forests = [*neighbours], [*nus], [*forests]

    def fit(self, x: Float[np.ndarray, "n d"], s: Float[np.ndarray, " n"], rng: np.random.RandomState) -> int:
        """Fit the detectors, labelled rows among the others, then the trees.

        No row is a neighbour of itself here. Numbers of neighbours that are not below that of the rows are left out.

        Raises:
            RunFailed: no row is labelled.
        """
        check_labelled(self, s)
        self.scaler = StandardScaler().fit(x.astype(np.float64))
        z, self.near = self.scaler.transform(x.astype(np.float64)), [k for k in self.neighbours if k < len(x)]
        self.search = NearestNeighbors(n_neighbors=max(self.near, default=1), **BRUTE).fit(z)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of rows that are equal, whose factors are huge, or 1
            self.factors = [LocalOutlierFactor(n_neighbors=k, novelty=True, **BRUTE).fit(z) for k in self.near]
        self.machines = [OneClassSVM(nu=nu, gamma="auto").fit(z) for nu in self.nus]
        self.grown = [IsolationForest(n_estimators=trees, random_state=rng).fit(x) for trees in self.forests]
        known = [factor.negative_outlier_factor_ for factor in self.factors]
        return super().fit(self.extended(x, z, self.search.kneighbors()[0] if self.near else None, known), s, rng)

    def scores(self, x: Float[np.ndarray, "b d"]) -> Float[np.ndarray, " b"]:
        """Compute the logit."""
        z = self.scaler.transform(x.astype(np.float64))
        distances = self.search.kneighbors(z)[0] if self.near else None
        return super().scores(self.extended(x, z, distances, [factor.score_samples(z) for factor in self.factors]))

    def extended(
        self,
        x: Float[np.ndarray, "b d"],
        z: Float[np.ndarray, "b d"],
        distances: Float[np.ndarray, "b k"] | None,
        factors: Sequence[Float[np.ndarray, " b"]],
    ) -> Float[np.ndarray, "b more"]:
        """Put the scores of the detectors beside the features.

        Args:
            x: rows.
            z: rows, standardised.
            distances: of their neighbours, the nearest first.
            factors: their negative outlier factors, by number of neighbours.
        """
        added = [] if distances is None else [distances[:, k - 1] for k in self.near]
        added += [-values for values in factors]
        added += [-machine.decision_function(z) for machine in self.machines]
        added += [-forest.decision_function(x) for forest in self.grown]
        return np.column_stack([x, *added]).astype(np.float32)
