"""OC-SVM: Schölkopf et al., "Estimating the Support of a High-Dimensional Distribution", as the papers' rival."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int64
from sklearn.metrics import roc_auc_score
from sklearn.svm import OneClassSVM

from semiad.errors import InputError
from semiad.methods.classical import ClassicalMethod

VARIANTS = ("clean", "published")
GAMMAS = tuple(2.0**power for power in range(-7, 3))


class OCSVM(ClassicalMethod):
    """A one-class SVM with the kernel exp(-gamma |x - x'|^2). Score: its decision function, negated.

    Args:
        shape: of one row.
        nu: share of the training rows that may lie outside, at most.
        gamma: of the kernel, for `clean`: a number, `scale` (1 / (features * variance of the rows)) or `auto`
            (1 / features).
        variant: `clean`, or `published` for what Deep SAD's code and ESAD do: the gamma of `GAMMAS` with the best AUC
            on a random tenth of the test set.
        subsample: how many training rows to draw at random; None for all.

    Note:
        `published` looks at the truth of test rows that it is then tested on: it is there to compare with printed
        figures, and flatters the method. The tenth has normal and anomalous rows in proportion, and at least one each.

    Raises:
        InputError: a value out of range.
    """

    def __init__(
        self, shape: Sequence[int], nu: float, gamma: float | str, variant: str, subsample: int | None
    ) -> None:
        super().__init__(shape)
        if not isinstance(nu, int | float) or not 0 < nu <= 1:
            raise InputError(f"method.nu is {nu}, expected a share above 0 and up to 1")
        if gamma not in ("scale", "auto") and not (isinstance(gamma, int | float) and gamma > 0):
            raise InputError(f"method.gamma is {gamma}, expected scale, auto or a number above 0")
        if variant not in VARIANTS:
            raise InputError(f"method.variant is '{variant}', expected one of {', '.join(VARIANTS)}")
        if subsample is not None and not (isinstance(subsample, int) and subsample >= 1):
            raise InputError(f"method.subsample is {subsample}, expected null or a whole number from 1 on")
        self.looks_at_test, self.draws = variant == "published", subsample is not None
        self.nu, self.gammas, self.subsample = nu, GAMMAS if self.looks_at_test else (gamma,), subsample

    def fit(self, x: Float[np.ndarray, "n d"], s: Float[np.ndarray, " n"], rng: np.random.RandomState) -> int:
        """A machine for each gamma."""
        if self.subsample is not None:
            x = x[rng.permutation(len(x))[: self.subsample]]
        self.machines = [OneClassSVM(nu=self.nu, gamma=gamma).fit(x) for gamma in self.gammas]
        return len(x)

    def choose(self, x: Float[np.ndarray, "m d"], truth: Int64[np.ndarray, " m"], rng: np.random.RandomState) -> None:
        """Keep the machine with the best AUC on a tenth of the test rows; of equal ones that of the smallest gamma."""
        kinds = [rng.permutation(np.flatnonzero(truth == kind)) for kind in (0, 1)]
        tenth = np.concatenate([rows[: max(len(rows) // 10, 1)] for rows in kinds])
        aucs = [roc_auc_score(truth[tenth], -machine.decision_function(x[tenth])) for machine in self.machines]
        self.machines = [self.machines[int(np.argmax(aucs))]]

    def scores(self, x: Float[np.ndarray, "b d"]) -> Float[np.ndarray, " b"]:
        """How far outside a row lies."""
        (machine,) = self.machines
        outside: Float[np.ndarray, " b"] = -machine.decision_function(x)
        return outside
