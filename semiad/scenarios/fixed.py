"""A split that is given, not drawn."""

from semiad.scenarios.base import Scenario
from semiad.types import Cell, Labels, Split


class FixedSplit(Scenario):
    """One split, whatever the cell and the seed.

    Args:
        split: to give.
    """

    def __init__(self, split: Split) -> None:
        self.only = split

    def cells(self, labels: Labels) -> list[Cell]:
        """Give one cell."""
        return [Cell((0,), (1,))]

    def split(self, cell: Cell, labels: Labels, seed: int) -> Split:
        """Give the split."""
        return self.only
