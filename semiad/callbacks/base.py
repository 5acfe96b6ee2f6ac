"""Callbacks of runs: what is told of a job while it trains."""

from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

from semiad.engines.base import Engine
from semiad.engines.context import EpochPoint, Outcome, TrainingContext
from semiad.runs import Run


@runtime_checkable
class RunCallback(Protocol):
    """Is told of the epochs and the ends of runs."""

    def on_epochs(self, points: Sequence[EpochPoint]) -> None:
        """Take epochs that runs have trained."""

    def on_run_end(self, outcome: Outcome) -> None:
        """Take a run that has ended."""


def train_with_callbacks(
    runs: Sequence[Run], context: TrainingContext, engine: Engine, callbacks: Iterable[RunCallback]
) -> None:
    """Train runs, and tell each callback of them in turn."""
    every = list(callbacks)

    def on_epochs(points: Sequence[EpochPoint]) -> None:
        for callback in every:
            callback.on_epochs(points)

    for outcome in engine.train(runs, context, on_epochs):
        for callback in every:
            callback.on_run_end(outcome)
