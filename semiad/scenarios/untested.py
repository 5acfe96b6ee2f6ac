"""The splits of another scenario, without test rows."""

from dataclasses import replace

from semiad.scenarios.base import Scenario
from semiad.types import Cell, Labels, Split


class Untested(Scenario):
    """Splits with training rows only, for what is trained and not tested.

    Args:
        scenario: that draws the splits.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario

    def cells(self, labels: Labels) -> list[Cell]:
        """List the cells of the scenario."""
        return self.scenario.cells(labels)

    def split(self, cell: Cell, labels: Labels, seed: int) -> Split:
        """Draw a split of the scenario, and leave its test rows out."""
        split = self.scenario.split(cell, labels, seed)
        return replace(split, test=split.test[:0], truth=split.truth[:0], seen=None)
