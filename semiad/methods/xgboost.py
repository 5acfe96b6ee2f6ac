"""XGBoost: Chen, Guestrin, "XGBoost: A Scalable Tree Boosting System" (2016), with unlabelled rows as normal."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from semiad.checks import check_number, check_whole
from semiad.extras import optional_import
from semiad.methods.classical import ClassicalMethod
from semiad.methods.contract import check_labelled


class XGBoost(ClassicalMethod):
    """Boosted trees by cross-entropy, 1 for a labelled anomaly and 0 for any other row. Score: the logit.

    Args:
        shape: of one row.
        trees: how many.
        depth: of a tree, at most.
        rate: by which the values of each tree are multiplied.
        subsample: share of the rows that is drawn for each tree.
        base_score: the probability that the first tree corrects.

    Raises:
        InputError: a value out of range, or the package xgboost is not installed.
    """

    unsupervised = False
    libraries = ("xgboost",)

    def __init__(
        self, shape: Sequence[int], trees: int, depth: int, rate: float, subsample: float, base_score: float
    ) -> None:
        super().__init__(shape)
        check_trees(trees, depth, rate)
        check_number("method.subsample", subsample, above=0, most=1)
        check_number("method.base_score", base_score, above=0, below=1)
        with optional_import("xgboost", "trees"):
            import xgboost  # noqa: F401
        self.trees, self.draws = trees, subsample < 1
        self.settings = {"max_depth": depth, "eta": rate, "subsample": subsample, "base_score": base_score}
        self.model = b""

    def fit(self, x: Float[np.ndarray, "n d"], s: Float[np.ndarray, " n"], rng: np.random.RandomState) -> int:
        """Grow the trees, in one thread; they are kept in XGBoost's own format.

        Raises:
            RunFailed: no row is labelled.
        """
        import xgboost

        check_labelled(self, s)
        settings = {**self.settings, "objective": "binary:logistic", "seed": rng.randint(2**31 - 1), "nthread": 1}
        model = xgboost.train(settings, xgboost.DMatrix(x, s, nthread=1), num_boost_round=self.trees)
        self.model = bytes(model.save_raw("ubj"))
        return len(x)

    def scores(self, x: Float[np.ndarray, "b d"]) -> Float[np.ndarray, " b"]:
        """Compute the logit."""
        import xgboost

        model = xgboost.Booster({"nthread": 1}, model_file=bytearray(self.model))
        logits: Float[np.ndarray, " b"] = model.predict(xgboost.DMatrix(x, nthread=1), output_margin=True)
        return logits


def check_trees(trees: int, depth: int, rate: float | None) -> None:
    """Check the settings that boosted trees share.

    Raises:
        InputError: a value out of range.
    """
    check_whole("method.trees", trees)
    check_whole("method.depth", depth)
    check_number("method.rate", rate, above=0, most=1, null=True)
