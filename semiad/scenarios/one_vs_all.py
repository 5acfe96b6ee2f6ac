"""One-vs-all (AE-SAD Section 4.5, Table 6)."""

from semiad.scenarios.base import ClassScenario
from semiad.types import Cell, Labels


class OneVsAll(ClassScenario):
    """Each class in turn normal, all the others known anomalous: m cells."""

    def protocol(self, labels: Labels) -> list[Cell]:
        """See the class."""
        return [Cell((normal,), tuple(c for c in labels.classes if c != normal)) for normal in labels.classes]
