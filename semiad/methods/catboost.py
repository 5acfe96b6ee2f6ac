"""CatBoost: Prokhorenkova et al., "CatBoost: unbiased boosting with categorical features" (2018)."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from jaxtyping import Float

from semiad.errors import RunFailed
from semiad.extras import optional_import
from semiad.methods.classical import ClassicalMethod
from semiad.methods.contract import check_labelled
from semiad.methods.xgboost import check_trees


class CatBoost(ClassicalMethod):
    """Boosted symmetric trees by cross-entropy, 1 for a labelled anomaly and 0 for any other row. Score: the logit.

    Args:
        shape: of one row.
        trees: how many.
        depth: of each tree.
        rate: by which the values of each tree are multiplied; None for CatBoost's choice by the number of rows.

    Raises:
        InputError: a value out of range, or the package catboost is not installed.
    """

    unsupervised = False
    libraries = ("catboost",)

    def __init__(self, shape: Sequence[int], trees: int, depth: int, rate: float | None) -> None:
        super().__init__(shape)
        check_trees(trees, depth, rate)
        with optional_import("catboost", "trees"):
            import catboost  # noqa: F401
        self.settings = {"iterations": trees, "depth": depth, "learning_rate": rate}
        self.model = b""

    def fit(self, x: Float[np.ndarray, "n d"], s: Float[np.ndarray, " n"], rng: np.random.RandomState) -> int:
        """Grow the trees, in one thread; they are kept in CatBoost's own format.

        Raises:
            RunFailed: no row is labelled, or no feature differs between rows.
        """
        import catboost

        check_labelled(self, s)
        if bool((x == x[0]).all()):
            raise RunFailed(f"all {len(x)} training rows are equal, and CatBoost cannot learn from these")
        quiet = {"verbose": False, "allow_writing_files": False, "thread_count": 1}
        model = catboost.CatBoostClassifier(**self.settings, **quiet, random_seed=rng.randint(2**31 - 1)).fit(x, s)
        with TemporaryDirectory() as folder:
            model.save_model(str(Path(folder) / "model.cbm"))
            self.model = (Path(folder) / "model.cbm").read_bytes()
        return len(x)

    def scores(self, x: Float[np.ndarray, "b d"]) -> Float[np.ndarray, " b"]:
        """Compute the logit."""
        import catboost

        model = catboost.CatBoostClassifier().load_model(blob=self.model)
        logits: Float[np.ndarray, " b"] = model.predict(x, prediction_type="RawFormulaVal", thread_count=1)
        return logits
