"""One-vs-one (AE-SAD Section 4.1)."""

from itertools import permutations

from semiad.scenarios.base import ClassScenario
from semiad.types import Cell, Labels


class OneVsOne(ClassScenario):
    """Each class in turn normal, each other class in turn known anomalous: m (m - 1) cells."""

    def protocol(self, labels: Labels) -> list[Cell]:
        """See the class."""
        return [Cell((normal,), (anomalous,)) for normal, anomalous in permutations(labels.classes, 2)]
