"""The ratio of labelled anomalies (ESAD Table 1; scenario (i) of Deep SAD)."""

import numpy as np

from semiad.scenarios.base import one_against_one
from semiad.scenarios.shares import ShareScenario
from semiad.types import Cell, Class, Labels


class LabelledRatio(ShareScenario):
    """Each class in turn normal, each other class in turn the one with labels: m (m - 1) cells."""

    def protocol(self, labels: Labels) -> list[Cell]:
        """See the class."""
        return one_against_one(labels)

    def known(self, cell: Cell, rng: np.random.Generator) -> tuple[Class, ...]:
        """All of the cell's."""
        return cell.anomalous
