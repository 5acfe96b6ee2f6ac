"""One-vs-many (AE-SAD Section 4.5, Tables 5 and 7)."""

from semiad.scenarios.counts import CountScenario
from semiad.types import Cell, Labels

GROUP = 3


class OneVsMany(CountScenario):
    """Each class in turn normal; the others, three consecutive ones a group, known anomalous: 3 m cells if m is 10."""

    def protocol(self, labels: Labels) -> list[Cell]:
        """See the class."""
        cells = []
        for normal in labels.classes:
            others = [c for c in labels.classes if c != normal]
            cells += [Cell((normal,), tuple(others[i : i + GROUP])) for i in range(0, len(others), GROUP)]
        return cells
