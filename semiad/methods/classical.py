"""The base class of classical methods, which learn from all rows at once, without network, epochs and GPU."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Int64


class ClassicalMethod(ABC):
    """Learns an anomaly score from all training rows at once, as the estimators of scikit-learn do.

    Rows are scaled as every method gets them, and flattened. The run's own randomness is handed in.

    Args:
        shape: of one row, before it is flattened.
    """

    engine: ClassVar[str] = "classical"
    """The engine that fits this method, whichever the user chose: that one is about networks."""
    unsupervised: bool = True
    """Whether the rows labelled anomalous are left out of training."""
    libraries: ClassVar[tuple[str, ...]] = ()
    """Distributions that the scores depend on besides those that semiad needs: records name their versions."""
    draws: bool = True
    """Whether `fit` draws random numbers; if not, every seed gives the same."""
    choice: Mapping[str, Any] = MappingProxyType({})
    """Once it is fitted: fields of its record that tell what it chose, see `semiad.ledger.record.CHOICE`."""
    looks_at_test: bool = False
    """Whether `choose` is to be called: the figures are then better than an honest user would get."""

    def __init__(self, shape: Sequence[int]) -> None:
        self.shape = tuple(shape)

    @abstractmethod
    def fit(self, x: Float[np.ndarray, "n d"], s: Float[np.ndarray, " n"], rng: np.random.RandomState) -> int:
        """Learn from the training rows and their semi-labels.

        Returns:
            From how many of the rows.

        Raises:
            RunFailed: nothing can be learnt from there.
        """

    def choose(self, x: Float[np.ndarray, "m d"], truth: Int64[np.ndarray, " m"], rng: np.random.RandomState) -> None:  # noqa: B027
        """Settle by the test rows and their truth what `fit` has left open; called if the method `looks_at_test`."""

    @abstractmethod
    def scores(self, x: Float[np.ndarray, "b d"]) -> Float[np.ndarray, " b"]:
        """The anomaly score of each row, larger for more anomalous."""

    def state(self) -> dict[str, Any]:
        """Give what the method has learnt, as objects that skops writes into a file."""
        return dict(vars(self))

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over what another one has learnt."""
        vars(self).update(state)
