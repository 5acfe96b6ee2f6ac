"""A share of a table is held out for testing."""

from semiad.errors import InputError
from semiad.scenarios.base import half_up
from semiad.scenarios.tables import LabelledTableScenario, shuffled
from semiad.types import Cell, Labels, Split


class Holdout(LabelledTableScenario):
    """A share of the anomalies and of the normal rows is tested, drawn anew with each seed; the others train.

    Args:
        test: share of the anomalies, and of the normal rows, that is tested; it rounds half up, and at least one of
            each kind is tested and trains.
        labelled: see `LabelledTableScenario`.

    Raises:
        InputError: a share out of range.
    """

    def __init__(self, test: object, labelled: object) -> None:
        super().__init__(labelled)
        if not isinstance(test, float) or not 0 < test < 1:
            raise InputError(f"scenario.test is {test}, expected a share above 0 and below 1")
        self.test = test

    def cells(self, labels: Labels) -> list[Cell]:
        """Give the one cell of a table.

        Raises:
            InputError: the data set is no table of normal and anomalous rows.
        """
        return [self.table_cell(labels)]

    def split(self, cell: Cell, labels: Labels, seed: int) -> Split:
        """Draw the rows of a seed.

        Raises:
            InputError: there are fewer than two rows of a kind, or fewer anomalies than are to be labelled.
        """
        kinds = shuffled(labels, self.generator(cell, seed))
        ends = [min(max(half_up(self.test * len(rows)), 1), len(rows) - 1) for rows in kinds]
        (normal, tested), (anomalies, tested_anomalies) = (
            (rows[end:], rows[:end]) for rows, end in zip(kinds, ends, strict=True)
        )
        return self.with_labels(labels, normal, anomalies, tested, tested_anomalies)
