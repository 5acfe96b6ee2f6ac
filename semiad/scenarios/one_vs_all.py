"""One-vs-all (AE-SAD Section 4.5, Table 6)."""

from semiad.scenarios.base import one_against_rest
from semiad.scenarios.counts import CountScenario
from semiad.types import Cell, Labels


class OneVsAll(CountScenario):
    """Each class in turn normal, all the others known anomalous: m cells."""

    def protocol(self, labels: Labels) -> list[Cell]:
        """See the class."""
        return one_against_rest(labels)
