"""What a scenario is, and what those on classes of images share."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import inf
from typing import ClassVar

import numpy as np
from jaxtyping import Int64

from semiad.errors import InputError
from semiad.types import Cell, Class, Labels, Split

Rows = Int64[np.ndarray, "..."]


def half_up(value: float) -> int:
    """Round to the nearest whole number, halves up (Python's own `round` sends them to the even one)."""
    return int(np.floor(value + 0.5))


class Scenario(ABC):
    """A protocol: which classes are normal and known, which rows a method gets to see. A pure function of labels."""

    narrows: ClassVar[tuple[str, ...]] = ()
    """Settings that only choose among the cells, and so are no part of what a run is."""

    @abstractmethod
    def cells(self, labels: Labels) -> list[Cell]:
        """The cells, in the order of the plan."""

    @abstractmethod
    def split(self, cell: Cell, labels: Labels, seed: int) -> Split:
        """The rows of a cell, drawn with a seed (0 is a seed).

        Raises:
            InputError: a class has too few rows.
        """


class ClassScenario(Scenario):
    """The protocols of AE-SAD's Section 4.1 on data with classes and an official split.

    Training rows are all training rows of the normal classes, plus labelled anomalies, plus polluting ones (anomalies
    without a label), both drawn from the training rows of the known anomalous classes, never the same row twice. Test
    rows are the whole official test set, or its normal rows and those of the classes that the cell tests.

    Args:
        labelled: number of labelled anomalies, in all or of each known anomalous class.
        per_class: whether `labelled` counts each class.
        pollution: below 1, the share of the number of normal rows that is added as polluting rows; from 1 on, how many
            of each known anomalous class are added.
        normal: narrows to cells whose normal class(es) are these.
        anomalous: takes these as the known anomalous class(es), in place of those of the protocol.

    Raises:
        InputError: a count or share out of range.
    """

    narrows: ClassVar[tuple[str, ...]] = ("normal", "anomalous")

    def __init__(
        self,
        labelled: float,
        per_class: bool,
        pollution: float,
        normal: Class | Sequence[Class] | None,
        anomalous: Class | Sequence[Class] | None,
    ) -> None:
        if not isinstance(per_class, bool):
            raise InputError(f"scenario.per_class is {per_class}, expected true or false")
        if not isinstance(labelled, int) or isinstance(labelled, bool) or labelled < 0:
            raise InputError(f"scenario.labelled is {labelled}, expected a whole number of rows from 0 on")
        number = isinstance(pollution, int | float) and not isinstance(pollution, bool)
        if not number or not 0 <= pollution < inf or (pollution > 1 and pollution != int(pollution)):
            raise InputError(
                f"scenario.pollution is {pollution}, expected a share below 1 or a whole number of rows per class"
            )
        self.labelled, self.per_class, self.pollution = labelled, per_class, pollution
        self.normal, self.anomalous = normal, anomalous

    @abstractmethod
    def protocol(self, labels: Labels) -> list[Cell]:
        """All cells of the protocol."""

    def cells(self, labels: Labels) -> list[Cell]:
        """The protocol's cells, narrowed.

        Raises:
            InputError: no official split, an unknown class, or no cell is left.
        """
        if labels.n_train is None:
            raise InputError(
                f"data set {labels.name} has no official split into training and test rows, which this scenario needs: "
                "use scenario=table_fraction"
            )
        cells = self.protocol(labels)
        if self.normal is not None:
            normal = named("scenario.normal", self.normal, labels)
            cells = [cell for cell in cells if set(cell.normal) == set(normal)]
        if self.anomalous is not None:
            anomalous = named("scenario.anomalous", self.anomalous, labels)
            cells = [Cell(c.normal, anomalous, c.tested) for c in cells if not set(anomalous) & set(c.normal)]
            cells = list(dict.fromkeys(cells))
        if not cells:
            raise InputError(
                f"no cell is left: scenario.normal={self.normal} and scenario.anomalous={self.anomalous} "
                "overlap, or the scenario has no such normal classes"
            )
        return cells

    def split(self, cell: Cell, labels: Labels, seed: int) -> Split:
        """See the class."""
        normal = labels.rows(cell.normal, train=True)
        pool = labels.rows(cell.anomalous, train=True)
        pool = pool[np.random.default_rng(cell.entropy(seed)).permutation(len(pool))]
        names = {position: labels.classes[position] for position in np.unique(labels.y[pool]).tolist()}
        labelled = take(pool, labels.y[pool], names, self.labelled, self.per_class, "labelled")
        # From the other end, so that the same rows stay labelled when pollution changes, and the other way round.
        rest = pool[~np.isin(pool, labelled)][::-1]
        per_class = self.pollution >= 1
        count = int(self.pollution) if per_class else half_up(self.pollution * len(normal))
        polluted = take(rest, labels.y[rest], names, count, per_class, "polluting")
        classes = labels.classes if cell.tested is None else (*cell.normal, *cell.tested)
        test = labels.rows(classes, train=False)
        positions = [[labels.classes.index(c) for c in group] for group in (cell.normal, cell.anomalous)]
        return Split(
            train=np.concatenate([normal, np.sort(polluted), np.sort(labelled)]),
            s=np.repeat(np.array([0, 1], dtype=np.int64), [len(normal) + len(polluted), len(labelled)]),
            n_polluted=len(polluted),
            test=test,
            truth=(~np.isin(labels.y[test], positions[0])).astype(np.int64),
            seen=np.isin(labels.y[test], positions[1]).astype(np.int64),
        )


def named(key: str, wanted: Class | Sequence[Class], labels: Labels) -> tuple[Class, ...]:
    """The classes of a data set that a setting names, in its order: a class or a list of them, as number or text."""
    by_text = {str(c): c for c in labels.classes}
    texts = [str(c) for c in (wanted if isinstance(wanted, list | tuple) else [wanted])]
    if unknown := [text for text in texts if text not in by_text]:
        raise InputError(f"{key}: data set {labels.name} has no class {unknown[0]}, only {', '.join(by_text)}")
    if not texts:
        raise InputError(f"{key} is an empty list, expected a class or several")
    return tuple(by_text[text] for text in by_text if text in texts)


def take(order: Rows, y: Rows, names: dict[int, Class], count: int, per_class: bool, what: str) -> Rows:
    """The first `count` rows of an order, or the first `count` of each class.

    Raises:
        InputError: there are too few.
    """
    groups = {f"class {name}": order[y == position] for position, name in names.items()} if per_class else {}
    groups = groups or {f"class{'es' if len(names) > 1 else ''} {', '.join(map(str, names.values()))}": order}
    for name, rows in groups.items():
        if len(rows) < count:
            raise InputError(f"{count} {what} rows asked for of {name}, but only {len(rows)} are available")
    return np.concatenate([rows[:count] for rows in groups.values()])
