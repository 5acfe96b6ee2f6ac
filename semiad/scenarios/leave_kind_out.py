"""Cross-validation over kinds of anomaly, each unseen in turn."""

import numpy as np
from jaxtyping import Int64

from semiad.errors import InputError
from semiad.scenarios.tables import LabelledTableScenario, shuffled
from semiad.types import Cell, Labels, Split


class LeaveKindOut(LabelledTableScenario):
    """Each fold tests the anomalies of one kind, and trains with those of the other kinds.

    The normal rows are cut into as many folds, anew for each seed.

    Args:
        kinds: the number of the kind of each row of the table, from 0; of no meaning for rows that are no anomalies.

    Raises:
        InputError: there are fewer than two kinds.
    """

    def __init__(self, kinds: Int64[np.ndarray, " n"]) -> None:
        super().__init__("all")
        self.kinds, self.folds = kinds, int(kinds.max()) + 1
        if self.folds < 2:
            raise InputError("there is one kind of anomaly, expected two or more to leave one out")

    def cells(self, labels: Labels) -> list[Cell]:
        """Give a cell for each kind."""
        cell = self.table_cell(labels)
        return [Cell(cell.normal, cell.anomalous, fold=fold) for fold in range(self.folds)]

    def split(self, cell: Cell, labels: Labels, seed: int) -> Split:
        """Take the rows of a fold out of the order of a seed."""
        normal, anomalies = shuffled(labels, self.generator(cell, seed))
        held, unseen = np.arange(len(normal)) % self.folds == cell.fold, self.kinds[anomalies] == cell.fold
        return self.with_labels(labels, normal[~held], anomalies[~unseen], normal[held], anomalies[unseen])
