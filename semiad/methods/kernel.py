"""What classical methods with the kernel exp(-gamma |x - x'|^2) share: how its width is chosen."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int64
from sklearn.metrics import roc_auc_score

from semiad.checks import check_whole, is_number
from semiad.errors import InputError
from semiad.methods.classical import ClassicalMethod

VARIANTS = ("clean", "published")
GAMMAS = tuple(2.0**power for power in range(-7, 3))


class KernelMethod(ClassicalMethod):
    """A method with a Gaussian kernel: `fit` makes a machine for each gamma, of which one is kept.

    Args:
        shape: of one row.
        gamma: of the kernel, for `clean`: a number, `scale` (1 / (features * variance of the rows)) or `auto`
            (1 / features).
        variant: `clean`, or `published` for what Deep SAD's code and ESAD do: the gamma of `GAMMAS` with the best AUC
            on a random tenth of the test set.
        subsample: how many training rows to draw at random, at most; None for all.

    Note:
        `published` looks at the truth of test rows that it is then tested on: it is there to compare with printed
        figures, and flatters the method. The tenth has normal and anomalous rows in proportion, and at least one each.

    Raises:
        InputError: a value out of range.
    """

    def __init__(self, shape: Sequence[int], gamma: float | str, variant: str, subsample: int | None) -> None:
        super().__init__(shape)
        if gamma not in ("scale", "auto") and not (is_number(gamma) and gamma > 0):
            raise InputError(f"method.gamma is {gamma}, expected scale, auto or a number above 0")
        if variant not in VARIANTS:
            raise InputError(f"method.variant is '{variant}', expected one of {', '.join(VARIANTS)}")
        check_whole("method.subsample", subsample, null=True)
        self.looks_at_test, self.draws = variant == "published", subsample is not None
        self.gammas, self.subsample = GAMMAS if self.looks_at_test else (gamma,), subsample
        self.machines: list[Any] = []

    @abstractmethod
    def outside(self, machine: Any, x: Float[np.ndarray, "b d"]) -> Float[np.ndarray, " b"]:  # noqa: ANN401
        """Compute how far outside of what a machine has learnt each row lies."""

    def choose(self, x: Float[np.ndarray, "m d"], truth: Int64[np.ndarray, " m"], rng: np.random.RandomState) -> None:
        """Keep the machine with the best AUC on a tenth of the test rows; of equal ones that of the smallest gamma."""
        kinds = [rng.permutation(np.flatnonzero(truth == kind)) for kind in (0, 1)]
        tenth = np.concatenate([rows[: max(len(rows) // 10, 1)] for rows in kinds])
        aucs = [roc_auc_score(truth[tenth], self.outside(machine, x[tenth])) for machine in self.machines]
        self.machines = [self.machines[int(np.argmax(aucs))]]

    def scores(self, x: Float[np.ndarray, "b d"]) -> Float[np.ndarray, " b"]:
        """How far outside a row lies."""
        (machine,) = self.machines
        return self.outside(machine, x)
