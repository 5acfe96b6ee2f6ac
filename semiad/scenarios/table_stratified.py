"""The split of the ODDS tables in ESAD (Table 4), after Deep SAD."""

from collections.abc import Mapping
from fractions import Fraction
from typing import ClassVar

import numpy as np

from semiad.scenarios.base import beside, check_variant, take
from semiad.scenarios.tables import TableScenario, parted, shuffled
from semiad.types import Cell, Labels, Split


class TableStratified(TableScenario):
    """Training and test part have the table's share of anomalies; of the training part's, a few are labelled.

    The labelled ones are a share of the training rows, at least one; the training part's other anomalies are left out.
    Counts are truncated.

    Args:
        train: share of the normal rows, and of the anomalies, in the training part.
        labelled: gamma_l, the share of the training rows that are labelled anomalies; from 1 on, a number of rows.
        variant: `clean`: the test part is all that is not in the training part. `published`, as in Deep SAD's code:
            the two parts come from two separate draws, so that most test rows are in the training part as well.
        scaling: `clean`: by the rows that train, and test values outside of their ranges are clipped. `published`, as
            in Deep SAD's code: by all rows of the training part, with the anomalies that are left out of training, and
            nothing is clipped. (The z-scores of that code, before, are undone by its ranges.)

    Raises:
        InputError: a share out of range, an unknown variant or scaling.

    Note:
        Deep SAD's code scales the test rows of its second draw by the training part of that draw; here they are scaled
        by the part that trains.
    """

    later: ClassVar[Mapping[str, object]] = {"scaling": "clean"}

    def __init__(self, train: float, labelled: float, variant: str, scaling: str = "clean") -> None:
        super().__init__(train, labelled)
        check_variant(variant)
        check_variant(scaling, "scaling")
        self.variant, self.scaling = variant, scaling

    def split(self, cell: Cell, labels: Labels, seed: int) -> Split:
        """See the class.

        Raises:
            InputError: the training part has too few anomalies.
        """
        rng = np.random.default_rng(cell.entropy(seed))
        normal, anomalies = shuffled(labels, rng)
        share = Fraction(str(self.train))
        n, a = max(int(share * len(normal)), 1), int(share * len(anomalies))
        count = max(int(beside(self.labelled, n)), 1) if self.labelled else 0
        labelled = take(anomalies[:a], labels.y[anomalies[:a]], {1: 1}, count, False, "labelled")
        tested = shuffled(labels, rng) if self.variant == "published" else (normal, anomalies)
        test = np.concatenate([tested[0][n:], tested[1][a:]])
        part = np.concatenate([normal[:n], anomalies[:a]]) if self.scaling == "published" else None
        return parted(labels, normal[:n], labelled, test, part)
