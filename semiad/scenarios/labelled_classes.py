"""The number of known anomalous classes (ESAD Table 9; scenario (iii) of Deep SAD)."""

from typing import Any

import numpy as np

from semiad.checks import check_whole
from semiad.errors import InputError
from semiad.scenarios.base import one_against_rest
from semiad.scenarios.shares import ShareScenario
from semiad.types import Cell, Class, Labels


class LabelledClasses(ShareScenario):
    """Each class in turn normal; of the others, some that are drawn at random have labels: m cells.

    Draws are nested: with the same seed the two known classes are among the three.

    Args:
        classes: k_l, how many classes have labels; with 0 no row is labelled.
        common: see `ShareScenario`.

    Raises:
        InputError: no such number.
    """

    def __init__(self, classes: float, **common: Any) -> None:  # noqa: ANN401
        super().__init__(**common)
        check_whole("scenario.classes", classes, 0, of="classes")
        self.classes = classes

    def protocol(self, labels: Labels) -> list[Cell]:
        """See the class."""
        return one_against_rest(labels)

    def known(self, cell: Cell, rng: np.random.Generator) -> tuple[Class, ...]:
        """Classes drawn among the cell's."""
        if self.classes > len(cell.anomalous):
            raise InputError(
                f"scenario.classes is {self.classes}, but only {len(cell.anomalous)} anomalous classes are available"
            )
        return tuple(cell.anomalous[i] for i in rng.permutation(len(cell.anomalous))[: self.classes])
