"""Whether `predict_proba` tells probabilities: on ODDS tables with 10 and 20 labels.

Each case (a table, a number of labels, a draw) is a line of `out/probabilities.jsonl`: what `method=auto` tells of the
rows that are held out, at their share of anomalies, beside what they are. The same command goes on with what is left.
"""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from sklearn.metrics import log_loss

from benchmarks.cases import Case, measure_cases
from benchmarks.choice import fit, planned_splits
from benchmarks.choice_page import TOLD, probability_lines
from benchmarks.settings import Settings
from semiad.detector.probability import FEWEST
from semiad.types import Dataset, Split


def measure(settings: Settings) -> None:
    """Measure `repeats` draws of each table, and print what all cases in `out` say.

    Raises:
        InputError: `out` is not given.
    """
    if cases := measure_cases(settings, "probabilities", planned_cases(settings)):
        print("\n".join(probability_lines(cases)))


def planned_cases(settings: Settings) -> Iterator[tuple[Case, Callable[[], Case]]]:
    """Yield the cases: each number of labels of a table from which on there are probabilities."""
    for named, dataset, split in planned_splits(settings):
        if named["labels"] >= FEWEST:
            yield named, partial(measure_case, dataset, split, named["draw"], settings)


def measure_case(dataset: Dataset, split: Split, draw: int, settings: Settings) -> Case:
    """Tell probabilities of the rows that are held out, and count what they are."""
    detector = fit("auto", (), dataset, split, draw, settings.device)
    rate = float(split.truth.mean())
    told = detector.predict_proba(dataset.x[split.test].numpy(), rate=rate)[:, 1]
    place = np.digitize(told, TOLD)
    return {
        "rate": round(rate, 5),
        "anomalies": int(split.truth.sum()),
        "expected": round(float(told.sum()), 3),
        "log_loss": round(float(log_loss(split.truth, told)), 5),
        "log_loss_of_rate": round(float(log_loss(split.truth, np.full(len(told), rate))), 5),
        "bins": [
            [int((place == k).sum()), round(float(told[place == k].sum()), 3), int(split.truth[place == k].sum())]
            for k in range(len(TOLD) + 1)
        ],
    }
