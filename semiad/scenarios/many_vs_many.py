"""Many-vs-many (AE-SAD Section 4.6, Table 8, after A3)."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from semiad.errors import InputError
from semiad.scenarios.counts import CountScenario
from semiad.types import Cell, Class, Labels


class ManyVsMany(CountScenario):
    """Listed sets of classes: several normal ones, known anomalous ones, and the anomalous ones that are tested.

    Args:
        sets: for each data set by name its cells, each with `normal`, `anomalous` and `tested` (null for every class
            that is not normal).
        common: see `CountScenario`.
    """

    narrows: ClassVar[tuple[str, ...]] = (*CountScenario.narrows, "sets")

    def __init__(self, sets: Mapping[str, Sequence[Mapping[str, Sequence[Class] | None]]], **common: Any) -> None:  # noqa: ANN401
        super().__init__(**common)
        self.sets = sets

    def protocol(self, labels: Labels) -> list[Cell]:
        """See the class.

        Raises:
            InputError: the data set is not listed, or lacks a class of its list.
        """
        if labels.name not in self.sets:
            raise InputError(f"scenario.sets lists {', '.join(self.sets)}, but not the data set {labels.name}")
        cells = []
        for group in self.sets[labels.name]:
            normal, anomalous = (tuple(group[key] or ()) for key in ("normal", "anomalous"))
            tested = group["tested"]
            cells.append(Cell(normal, anomalous, None if tested is None else tuple(tested)))
        for cell in cells:
            if missing := {*cell.normal, *cell.anomalous, *(cell.tested or ())} - set(labels.classes):
                raise InputError(f"scenario.sets.{labels.name}: the data set has no class {min(missing, key=str)}")
        return cells
