"""The split of the ODDS tables in AE-SAD (Section 4.3, Table 2)."""

import numpy as np

from semiad.errors import InputError
from semiad.scenarios.base import Scenario, half_up
from semiad.types import Cell, Labels, Split


class TableFraction(Scenario):
    """A random share of the normal rows trains, with labelled anomalies as a share of the training rows.

    All other rows are tested. The paper's share of anomalies cannot be had where there are few of them, so at most half
    of all anomalies are labelled, and at least one. Counts round half up, but for that half, which rounds down.

    Args:
        train: share of the normal rows that trains.
        labelled: share of the training rows that are labelled anomalies.

    Raises:
        InputError: a share out of range.
    """

    def __init__(self, train: float, labelled: float) -> None:
        if not isinstance(train, int | float) or not 0 < train < 1:
            raise InputError(f"scenario.train is {train}, expected a share above 0 and below 1")
        if not isinstance(labelled, int | float) or isinstance(labelled, bool) or not 0 <= labelled < 1:
            raise InputError(f"scenario.labelled is {labelled}, expected a share of at least 0 and below 1")
        self.train, self.labelled = train, labelled

    def cells(self, labels: Labels) -> list[Cell]:
        """The one cell of a table.

        Raises:
            InputError: the data set has other classes than 0 and 1.
        """
        if labels.classes != (0, 1):
            raise InputError(
                f"scenario table_fraction needs a table with classes 0 and 1, but {labels.name} has others"
            )
        return [Cell(normal=(0,), anomalous=(1,))]

    def split(self, cell: Cell, labels: Labels, seed: int) -> Split:
        """See the class."""
        rng = np.random.default_rng(cell.entropy(seed))
        normal, anomalies = (rng.permutation(np.flatnonzero(labels.y == c)) for c in (0, 1))
        if min(len(normal), len(anomalies)) < 2:
            raise InputError(
                f"{labels.name}: {len(normal)} normal and {len(anomalies)} anomalous rows, expected two each"
            )
        n = min(max(half_up(self.train * len(normal)), 1), len(normal) - 1)
        wanted = max(half_up(self.labelled / (1 - self.labelled) * n), 1) if self.labelled else 0
        s = min(wanted, len(anomalies) // 2)
        test = np.sort(np.concatenate([normal[n:], anomalies[s:]]))
        return Split(
            train=np.concatenate([np.sort(normal[:n]), np.sort(anomalies[:s])]),
            s=np.repeat(np.array([0, 1], dtype=np.int64), [n, s]),
            n_polluted=0,
            test=test,
            truth=labels.y[test],
            seen=None,
        )
