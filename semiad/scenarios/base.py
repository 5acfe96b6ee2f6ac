"""What a scenario is, and what those on classes of images share."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import permutations
from typing import Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Int64

from semiad.checks import is_number, is_whole
from semiad.errors import InputError
from semiad.types import Cell, Class, Labels, Split

RowIndex = Int64[np.ndarray, "..."]


def half_up(value: float) -> int:
    """Round to the nearest whole number, halves up (Python's own `round` sends them to the even one)."""
    return int(np.floor(value + 0.5))


def beside(share: float, rest: Fraction | int) -> Fraction:
    """Count the rows that make up a share of a set whose others are `rest`; a number of rows is given as it is.

    The count is exact: 1 % beside 9,900 are 100, not 99.9...
    """
    if is_whole(share):
        return Fraction(share)
    exact = Fraction(str(share))
    return exact * rest / (1 - exact)


def check_share(name: str, value: Any) -> None:  # noqa: ANN401
    """Refuse what is neither a share nor a number of rows.

    Raises:
        InputError: it is neither.
    """
    if not is_number(value) or not (0 <= value < 1 or is_whole(value)):
        raise InputError(
            f"scenario.{name} is {value}, expected a share of at least 0 and below 1, or a whole number of rows"
        )


def check_variant(value: object, name: str = "variant") -> None:
    """Refuse what is no variant of a protocol, or of a part of it.

    Raises:
        InputError: it is none.
    """
    if value not in ("clean", "published"):
        raise InputError(f"scenario.{name} is {value}, expected clean or published")


class Scenario(ABC):
    """A protocol: which classes are normal and known, which rows a method gets to see. A pure function of labels."""

    narrows: ClassVar[tuple[str, ...]] = ()
    """Settings that only choose among the cells, and so are no part of what a run is."""
    later: ClassVar[Mapping[str, object]] = {}
    """Settings that came later, each with the value that runs before had: with that value it is not in the key."""

    @abstractmethod
    def cells(self, labels: Labels) -> list[Cell]:
        """The cells, in the order of the plan."""

    @abstractmethod
    def split(self, cell: Cell, labels: Labels, seed: int) -> Split:
        """The rows of a cell, drawn with a seed (0 is a seed).

        Raises:
            InputError: a class has too few rows.
        """


class Drawn(NamedTuple):
    """The anomalies that a class scenario adds to the normal training rows.

    Attributes:
        known: the classes that the labelled ones come from.
        labelled: labelled rows.
        polluting: rows without a label. One that is labelled too stands twice in the training rows, labelled both
            times.
    """

    known: tuple[Class, ...]
    labelled: RowIndex
    polluting: RowIndex


class ClassScenario(Scenario):
    """Protocols on data with classes and an official split.

    Training rows are all training rows of the normal classes, plus labelled anomalies, plus polluting ones (anomalies
    without a label). Test rows are the whole official test set, or its normal rows and those of the classes that the
    cell tests.

    Args:
        normal: narrows to cells whose normal class(es) are these.
        anomalous: takes these as the known anomalous class(es), in place of those of the protocol.
    """

    narrows: ClassVar[tuple[str, ...]] = ("normal", "anomalous")

    def __init__(self, normal: Class | Sequence[Class] | None, anomalous: Class | Sequence[Class] | None) -> None:
        self.normal, self.anomalous = normal, anomalous

    @abstractmethod
    def protocol(self, labels: Labels) -> list[Cell]:
        """All cells of the protocol."""

    @abstractmethod
    def draw(self, cell: Cell, labels: Labels, n: int, rng: np.random.Generator) -> Drawn:
        """The anomalies beside the `n` normal training rows of a cell.

        Raises:
            InputError: a class has too few rows.
        """

    def cells(self, labels: Labels) -> list[Cell]:
        """The protocol's cells, narrowed.

        Raises:
            InputError: no official split, an unknown class, or no cell is left.
        """
        if labels.n_train is None:
            raise InputError(
                f"data set {labels.name} has no official split into training and test rows, which this scenario needs: "
                "use scenario=holdout, kfold, table_fraction or table_stratified"
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
        drawn = self.draw(cell, labels, len(normal), np.random.default_rng(cell.entropy(seed)))
        train = np.concatenate([normal, np.sort(drawn.polluting), np.sort(drawn.labelled)])
        classes = labels.classes if cell.tested is None else (*cell.normal, *cell.tested)
        test = labels.rows(classes, train=False)
        positions = [[labels.classes.index(c) for c in group] for group in (cell.normal, drawn.known)]
        return Split(
            train=train,
            s=np.isin(train, drawn.labelled).astype(np.int64),
            n_polluted=int((~np.isin(drawn.polluting, drawn.labelled)).sum()),
            test=test,
            truth=(~np.isin(labels.y[test], positions[0])).astype(np.int64),
            seen=np.isin(labels.y[test], positions[1]).astype(np.int64),
        )


def one_against_one(labels: Labels) -> list[Cell]:
    """Each class in turn normal, each other class in turn known anomalous: m (m - 1) cells."""
    return [Cell((normal,), (anomalous,)) for normal, anomalous in permutations(labels.classes, 2)]


def one_against_rest(labels: Labels) -> list[Cell]:
    """Each class in turn normal, all the others anomalous: m cells."""
    return [Cell((normal,), tuple(c for c in labels.classes if c != normal)) for normal in labels.classes]


def named(key: str, wanted: Class | Sequence[Class], labels: Labels) -> tuple[Class, ...]:
    """The classes of a data set that a setting names, in its order: a class or a list of them, as number or text."""
    by_text = {str(c): c for c in labels.classes}
    texts = [str(c) for c in (wanted if isinstance(wanted, list | tuple) else [wanted])]
    if unknown := [text for text in texts if text not in by_text]:
        raise InputError(f"{key}: data set {labels.name} has no class {unknown[0]}, only {', '.join(by_text)}")
    if not texts:
        raise InputError(f"{key} is an empty list, expected a class or several")
    return tuple(by_text[text] for text in by_text if text in texts)


def take(order: RowIndex, y: RowIndex, names: dict[int, Class], count: int, per_class: bool, what: str) -> RowIndex:
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
