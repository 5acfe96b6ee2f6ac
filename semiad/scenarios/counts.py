"""What the scenarios of AE-SAD on classes share: numbers of rows."""

from collections.abc import Sequence

import numpy as np

from semiad.checks import check_whole, is_number
from semiad.errors import InputError
from semiad.scenarios.base import ClassScenario, Drawn, half_up, take
from semiad.types import Cell, Class, Labels


class CountScenario(ClassScenario):
    """The protocols of AE-SAD's Section 4.1.

    Labelled and polluting rows are drawn from the training rows of the known anomalous classes, never the same row
    twice.

    Args:
        labelled: number of labelled anomalies, in all or of each known anomalous class.
        per_class: whether `labelled` counts each class.
        pollution: below 1, the share of the number of normal rows that is added as polluting rows; from 1 on, how many
            of each known anomalous class are added.
        normal: see `ClassScenario`.
        anomalous: see `ClassScenario`.

    Raises:
        InputError: a count or share out of range.
    """

    def __init__(
        self,
        labelled: float,
        per_class: bool,
        pollution: float,
        normal: Class | Sequence[Class] | None,
        anomalous: Class | Sequence[Class] | None,
    ) -> None:
        super().__init__(normal, anomalous)
        if not isinstance(per_class, bool):
            raise InputError(f"scenario.per_class is {per_class}, expected true or false")
        check_whole("scenario.labelled", labelled, 0, of="rows")
        if not is_number(pollution) or pollution < 0 or (pollution > 1 and pollution != int(pollution)):
            raise InputError(
                f"scenario.pollution is {pollution}, expected a share below 1 or a whole number of rows per class"
            )
        self.labelled, self.per_class, self.pollution = int(labelled), per_class, pollution

    def draw(self, cell: Cell, labels: Labels, n: int, rng: np.random.Generator) -> Drawn:
        """See the class."""
        pool = rng.permutation(labels.rows(cell.anomalous, train=True))
        names = {position: labels.classes[position] for position in np.unique(labels.y[pool]).tolist()}
        labelled = take(pool, labels.y[pool], names, self.labelled, self.per_class, "labelled")
        # From the other end, so that the same rows stay labelled when pollution changes, and the other way round.
        rest = pool[~np.isin(pool, labelled)][::-1]
        per_class = self.pollution >= 1
        count = int(self.pollution) if per_class else half_up(self.pollution * n)
        return Drawn(cell.anomalous, labelled, take(rest, labels.y[rest], names, count, per_class, "polluting"))
