"""One-vs-one (AE-SAD Section 4.1)."""

from semiad.scenarios.base import one_against_one
from semiad.scenarios.counts import CountScenario
from semiad.types import Cell, Labels


class OneVsOne(CountScenario):
    """Each class in turn normal, each other class in turn known anomalous: m (m - 1) cells."""

    def protocol(self, labels: Labels) -> list[Cell]:
        """See the class."""
        return one_against_one(labels)
