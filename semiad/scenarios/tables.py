"""What the scenarios on tables share."""

import numpy as np

from semiad.errors import InputError
from semiad.scenarios.base import RowIndex, Scenario, check_share
from semiad.types import Cell, Labels, Split


class TableScenario(Scenario):
    """Protocols on a table with classes 0 (normal) and 1 (anomaly), without an official split.

    Args:
        train: share of rows that trains.
        labelled: share of the training rows that are labelled anomalies; from 1 on, a number of rows.

    Raises:
        InputError: a share out of range.
    """

    def __init__(self, train: float, labelled: float) -> None:
        if not isinstance(train, int | float) or not 0 < train < 1:
            raise InputError(f"scenario.train is {train}, expected a share above 0 and below 1")
        check_share("labelled", labelled)
        self.train, self.labelled = train, labelled

    def cells(self, labels: Labels) -> list[Cell]:
        """The one cell of a table.

        Raises:
            InputError: the data set has other classes than 0 and 1.
        """
        if labels.classes != (0, 1):
            stem = type(self).__module__.rpartition(".")[2]
            raise InputError(f"scenario {stem} needs a table with classes 0 and 1, but {labels.name} has others")
        return [Cell(normal=(0,), anomalous=(1,))]


def shuffled(labels: Labels, rng: np.random.Generator) -> tuple[RowIndex, RowIndex]:
    """The normal and the anomalous rows of a table, each in random order.

    Raises:
        InputError: there are fewer than two of a kind.
    """
    normal, anomalies = (rng.permutation(np.flatnonzero(labels.y == c)) for c in (0, 1))
    if min(len(normal), len(anomalies)) < 2:
        raise InputError(f"{labels.name}: {len(normal)} normal and {len(anomalies)} anomalous rows, expected two each")
    return normal, anomalies


def parted(
    labels: Labels, normal: RowIndex, labelled: RowIndex, test: RowIndex, scaling: RowIndex | None = None
) -> Split:
    """The split of a table into normal training rows, labelled ones and test rows, each in order of number.

    Args:
        labels: of the table.
        normal: rows that train.
        labelled: anomalies that train.
        test: rows that are tested.
        scaling: see `Split`.
    """
    return Split(
        train=np.concatenate([np.sort(normal), np.sort(labelled)]),
        s=np.repeat(np.array([0, 1], dtype=np.int64), [len(normal), len(labelled)]),
        n_polluted=0,
        test=np.sort(test),
        truth=labels.y[np.sort(test)],
        seen=None,
        scaling=None if scaling is None else np.sort(scaling),
    )
