"""What the scenarios on tables share."""

import numpy as np

from semiad.errors import InputError
from semiad.scenarios.base import RowIndex, Scenario, beside, check_share, half_up, take
from semiad.types import UNLABELLED, Cell, Labels, Split


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
            others = "unlabelled rows: use scenario=holdout or kfold" if UNLABELLED in labels.classes else "others"
            raise InputError(
                f"scenario {name(self)} needs a table with classes 0 and 1, but {labels.name} has {others}"
            )
        return [Cell(normal=(0,), anomalous=(1,))]


class LabelledTableScenario(Scenario):
    """Protocols on a table of which some rows may be unlabelled: these train, and are never tested.

    Classes are 0 (normal), 1 (anomaly) and, if there are such rows, `UNLABELLED`. Of the anomalies of the training part
    some are labelled, and the others are left out, so that draws with more or fewer labels differ in nothing else.

    Args:
        labelled: `all`, a number of anomalies, or below 1 the share of the training rows that are labelled anomalies:
            it rounds half up, and is at least one row if it is not 0.

    Raises:
        InputError: it is none of these.
    """

    def __init__(self, labelled: object) -> None:
        if labelled != "all":
            if not isinstance(labelled, int | float):
                raise InputError(f"scenario.labelled is {labelled}, expected all, a whole number of rows, or a share")
            check_share("labelled", labelled)
        self.labelled = labelled

    def table_cell(self, labels: Labels) -> Cell:
        """Give the classes of a table, of which those without a label train as normal ones do.

        Raises:
            InputError: the data set has other classes.
        """
        if labels.classes not in ((0, 1), (0, 1, UNLABELLED)):
            raise InputError(f"scenario {name(self)} needs a table with classes 0 and 1, but {labels.name} has others")
        return Cell(normal=tuple(c for c in labels.classes if c != 1), anomalous=(1,))

    def generator(self, cell: Cell, seed: int) -> np.random.Generator:
        """Make the source of a draw."""
        return np.random.default_rng(cell.entropy(seed))

    def with_labels(
        self, labels: Labels, normal: RowIndex, anomalies: RowIndex, tested: RowIndex, tested_anomalies: RowIndex
    ) -> Split:
        """Make a split of a training and a test part, each in random order; unlabelled rows are added.

        Raises:
            InputError: there are fewer anomalies than are to be labelled.
        """
        normal = np.concatenate([normal, np.flatnonzero(labels.y > 1)])
        count = len(anomalies)
        if isinstance(self.labelled, int):
            count = self.labelled
        elif isinstance(self.labelled, float):
            count = max(half_up(float(beside(self.labelled, len(normal)))), 1) if self.labelled else 0
        labelled = take(anomalies, labels.y[anomalies], {1: 1}, count, False, "labelled training")
        return parted(labels, normal, labelled, np.concatenate([tested, tested_anomalies]))


def name(scenario: Scenario) -> str:
    """Give the name of a scenario, for messages."""
    return type(scenario).__module__.rpartition(".")[2]


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
