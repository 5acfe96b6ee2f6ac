"""The split of the ODDS tables in AE-SAD (Section 4.3, Table 2)."""

import numpy as np

from semiad.scenarios.base import half_up
from semiad.scenarios.tables import TableScenario, parted, shuffled
from semiad.types import Cell, Labels, Split


class TableFraction(TableScenario):
    """A random share of the normal rows trains, with labelled anomalies as a share of the training rows.

    All other rows are tested. The paper's share of anomalies cannot be had where there are few of them, so at most half
    of all anomalies are labelled, and at least one. Counts round half up, but for that half, which rounds down.

    Args:
        train: share of the normal rows that trains.
        labelled: share of the training rows that are labelled anomalies.
    """

    def split(self, cell: Cell, labels: Labels, seed: int) -> Split:
        """See the class."""
        normal, anomalies = shuffled(labels, np.random.default_rng(cell.entropy(seed)))
        n = min(max(half_up(self.train * len(normal)), 1), len(normal) - 1)
        wanted = max(half_up(self.labelled / (1 - self.labelled) * n), 1) if self.labelled else 0
        s = min(wanted, len(anomalies) // 2)
        return parted(labels, normal[:n], anomalies[:s], np.concatenate([normal[n:], anomalies[s:]]))
