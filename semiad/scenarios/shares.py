"""What the scenarios of Deep SAD on classes share, which ESAD follows: shares of the training rows."""

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from semiad.scenarios.base import ClassScenario, Drawn, beside, check_share, check_variant, take
from semiad.types import Cell, Class, Labels


class ShareScenario(ClassScenario):
    """The protocols of Deep SAD's Section 4.2, and of ESAD's Section D.

    Beside n normal rows stand p polluting ones, drawn from all anomalous classes, and m labelled ones, drawn from the
    known classes, so that p / (n + p) is `pollution` and m / (n + p + m) is `labelled`; p and m are truncated.

    Args:
        labelled: gamma_l, the share of labelled anomalies; from 1 on, a number of rows.
        pollution: gamma_p, the share of polluting rows among those without a label; from 1 on, a number of rows.
        variant: `clean`: no row twice. `published`, as in Deep SAD's code: labelled and polluting rows are drawn
            independently, and a row that is both stands twice in the training rows, labelled both times.
        normal: see `ClassScenario`.
        anomalous: see `ClassScenario`.

    Raises:
        InputError: a share out of range, an unknown variant.
    """

    def __init__(
        self,
        labelled: float,
        pollution: float,
        variant: str,
        normal: Class | Sequence[Class] | None,
        anomalous: Class | Sequence[Class] | None,
    ) -> None:
        super().__init__(normal, anomalous)
        check_share("labelled", labelled)
        check_share("pollution", pollution)
        check_variant(variant)
        self.labelled, self.pollution, self.variant = labelled, pollution, variant

    @abstractmethod
    def known(self, cell: Cell, rng: np.random.Generator) -> tuple[Class, ...]:
        """The classes of a cell that labelled rows come from.

        Raises:
            InputError: there are too few.
        """

    def draw(self, cell: Cell, labels: Labels, n: int, rng: np.random.Generator) -> Drawn:
        """See the class."""
        names = {i: c for i, c in enumerate(labels.classes) if c not in cell.normal}
        known = self.known(cell, rng)
        pool = rng.permutation(labels.rows(tuple(names.values()), train=True))
        polluting = beside(self.pollution, n)
        count = int(beside(self.labelled, n + polluting)) if known else 0
        own = {i: c for i, c in names.items() if c in known}
        candidates = pool[np.isin(labels.y[pool], list(own))]
        labelled = take(candidates, labels.y[candidates], own, count, False, "labelled")
        # Clean: from the other end, so that the same rows pollute when more are labelled, and the other way round.
        independent = self.variant == "published"
        rest = rng.permutation(pool) if independent else pool[~np.isin(pool, labelled)][::-1]
        return Drawn(known, labelled, take(rest, labels.y[rest], names, int(polluting), False, "polluting"))
