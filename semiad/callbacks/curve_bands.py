"""Bands of the curves of many runs: their mean, least and most at each epoch."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from semiad.engines.context import EpochPoint


class Band:
    """Collects mean, least and most of values, of those that are numbers."""

    def __init__(self) -> None:
        self.count, self.total, self.low, self.high = 0, 0.0, math.inf, -math.inf

    def add(self, value: float | None) -> None:
        """Add a value."""
        if value is not None and math.isfinite(value):
            self.count, self.total = self.count + 1, self.total + value
            self.low, self.high = min(self.low, value), max(self.high, value)

    def metrics(self, name: str) -> dict[str, float]:
        """Give them under a name, with how many runs they are of; nothing if there are none."""
        shown = {"mean": self.total / max(self.count, 1), "min": self.low, "max": self.high, "runs": float(self.count)}
        return {f"{name}/{kind}": value for kind, value in shown.items()} if self.count else {}


class CurveBands:
    """Collects the bands of a job: those of an epoch are ready once each run has done it or has ended before it.

    Args:
        runs: how many there are.
    """

    def __init__(self, runs: int) -> None:
        self.waiting, self.next = runs, 1
        self.done, self.ending = Counter[int](), Counter[int]()
        self.loss, self.auc = defaultdict[int, Band](Band), defaultdict[int, Band](Band)

    def add(self, points: Sequence[EpochPoint]) -> None:
        """Add epochs that runs have trained, each run's in order and each once."""
        for point in points:
            self.done[point.epoch] += 1
            self.loss[point.epoch].add(point.loss)
            self.auc[point.epoch].add(point.auc)

    def end(self, epoch: int) -> None:
        """Take note that a run trains no more after an epoch (0 for none)."""
        if epoch < self.next:
            self.waiting -= 1
        else:
            self.ending[epoch] += 1

    def ready(self) -> Iterator[tuple[int, dict[str, float]]]:
        """Yield the epochs that are ready, in order, each once."""
        while 0 < self.done[self.next] == self.waiting:
            loss, auc = self.loss.pop(self.next), self.auc.pop(self.next)
            yield self.next, loss.metrics("train_loss") | auc.metrics("test_auc")
            self.waiting -= self.ending[self.next]
            self.next += 1
