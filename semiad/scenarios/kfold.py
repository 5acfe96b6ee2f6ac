"""Cross-validation on a table."""

from typing import ClassVar

import numpy as np

from semiad.checks import check_whole
from semiad.errors import InputError
from semiad.scenarios.tables import LabelledTableScenario, shuffled
from semiad.types import Cell, Labels, Split


class KFold(LabelledTableScenario):
    """The anomalies and the normal rows are cut into folds; each is tested once by the cell of its fold.

    Folds are stratified: they differ by at most one anomaly and one normal row. Each seed cuts anew.

    Args:
        folds: number of folds.
        labelled: see `LabelledTableScenario`.
        fold: narrows to one fold, from 0.

    Raises:
        InputError: a number out of range.
    """

    narrows: ClassVar[tuple[str, ...]] = ("fold",)

    def __init__(self, folds: object, labelled: object, fold: object = None) -> None:
        super().__init__(labelled)
        check_whole("scenario.folds", folds, 2)
        assert isinstance(folds, int)
        if fold is not None and (not isinstance(fold, int) or isinstance(fold, bool) or not 0 <= fold < folds):
            raise InputError(f"scenario.fold is {fold}, expected a whole number from 0 to {folds - 1}, or null for all")
        self.folds, self.fold = folds, fold

    def cells(self, labels: Labels) -> list[Cell]:
        """Give a cell for each fold.

        Raises:
            InputError: the data set is no table of normal and anomalous rows, or has fewer of a kind than folds.
        """
        cell = self.table_cell(labels)
        for position, kind in enumerate(("normal", "anomalous")):
            if (count := int((labels.y == position).sum())) < self.folds:
                raise InputError(
                    f"scenario.folds is {self.folds}, but {labels.name} has only {count} {kind} rows, and each fold "
                    "tests at least one"
                )
        folds = range(self.folds) if self.fold is None else [self.fold]
        return [Cell(cell.normal, cell.anomalous, fold=fold) for fold in folds]

    def split(self, cell: Cell, labels: Labels, seed: int) -> Split:
        """Take the rows of a fold out of the order of a seed.

        Raises:
            InputError: there are fewer anomalies to train on than are to be labelled.
        """
        kinds = shuffled(labels, self.generator(cell, seed))
        (normal, tested), (anomalies, tested_anomalies) = (
            (rows[~held], rows[held]) for rows in kinds for held in [np.arange(len(rows)) % self.folds == cell.fold]
        )
        return self.with_labels(labels, normal, anomalies, tested, tested_anomalies)
