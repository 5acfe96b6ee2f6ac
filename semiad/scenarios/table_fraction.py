"""The split of the ODDS tables in AE-SAD (Section 4.3, Table 2)."""

from collections.abc import Mapping
from fractions import Fraction
from typing import ClassVar

import numpy as np

from semiad.checks import is_whole
from semiad.errors import InputError
from semiad.scenarios.base import half_up
from semiad.scenarios.tables import TableScenario, parted, shuffled
from semiad.types import Cell, Labels, Split


class TableFraction(TableScenario):
    """A random share of the normal rows trains, with labelled anomalies as a share of the training rows.

    All other rows are tested. The paper's share of anomalies cannot be had where there are few of them, so at most half
    of all anomalies are labelled, and at least one. Counts round half up, but for that half, which rounds down.

    Args:
        train: share of the normal rows that trains.
        labelled: share of the training rows that are labelled anomalies; from 1 on, a number of rows.
        max_labelled: share of all anomalies that may be labelled; the others are tested.

    Raises:
        InputError: a share out of range.
    """

    later: ClassVar[Mapping[str, object]] = {"max_labelled": 0.5}

    def __init__(self, train: float, labelled: float, max_labelled: float = 0.5) -> None:
        super().__init__(train, labelled)
        if not isinstance(max_labelled, float) or not 0 < max_labelled < 1:
            raise InputError(f"scenario.max_labelled is {max_labelled}, expected a share above 0 and below 1")
        self.max_labelled = max_labelled

    def split(self, cell: Cell, labels: Labels, seed: int) -> Split:
        """See the class.

        Raises:
            InputError: more anomalies are to be labelled, by number, than may be.
        """
        normal, anomalies = shuffled(labels, np.random.default_rng(cell.entropy(seed)))
        n = min(max(half_up(self.train * len(normal)), 1), len(normal) - 1)
        most = int(Fraction(str(self.max_labelled)) * len(anomalies))
        if is_whole(self.labelled) and self.labelled > most:
            raise InputError(
                f"scenario.labelled is {self.labelled}, but of the {len(anomalies)} anomalies of {labels.name} at most "
                f"{most} may be labelled (scenario.max_labelled={self.max_labelled}): the others are tested"
            )
        share = self.labelled if is_whole(self.labelled) else half_up(self.labelled / (1 - self.labelled) * n)
        s = min(max(int(share), 1), most) if self.labelled else 0
        return parted(labels, normal[:n], anomalies[:s], np.concatenate([normal[n:], anomalies[s:]]))
