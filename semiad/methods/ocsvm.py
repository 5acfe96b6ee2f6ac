"""OC-SVM: Schölkopf et al., "Estimating the Support of a High-Dimensional Distribution", as the papers' rival."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from sklearn.svm import OneClassSVM

from semiad.checks import check_number
from semiad.methods.kernel import KernelMethod


class OCSVM(KernelMethod):
    """A one-class SVM with the kernel exp(-gamma |x - x'|^2). Score: its decision function, negated.

    Args:
        shape: of one row.
        nu: share of the training rows that may lie outside, at most.
        gamma: see `KernelMethod`.
        variant: see `KernelMethod`; `published` looks at test rows.
        subsample: how many training rows to draw at random; None for all.

    Raises:
        InputError: a value out of range.
    """

    def __init__(
        self, shape: Sequence[int], nu: float, gamma: float | str, variant: str, subsample: int | None
    ) -> None:
        check_number("method.nu", nu, above=0, most=1)
        super().__init__(shape, gamma, variant, subsample)
        self.nu = nu

    def fit(self, x: Float[np.ndarray, "n d"], s: Float[np.ndarray, " n"], rng: np.random.RandomState) -> int:
        """A machine for each gamma."""
        if self.subsample is not None:
            x = x[rng.permutation(len(x))[: self.subsample]]
        self.machines = [OneClassSVM(nu=self.nu, gamma=gamma).fit(x) for gamma in self.gammas]
        return len(x)

    def outside(self, machine: OneClassSVM, x: Float[np.ndarray, "b d"]) -> Float[np.ndarray, " b"]:
        """Compute the decision function, negated."""
        outside: Float[np.ndarray, " b"] = -machine.decision_function(x)
        return outside
