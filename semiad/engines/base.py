"""The interface of an engine."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

from semiad.engines.context import OnEpochs, Outcome, TrainingContext
from semiad.runs import Run


class Engine(ABC):
    """Trains and tests the runs of a job."""

    name: ClassVar[str]
    """What records call the engine."""

    def choose(self, runs: Sequence[Run], context: TrainingContext) -> "Engine":
        """Choose the engine that trains some runs: itself, unless it only chooses among others."""
        return self

    def check(self, runs: Sequence[Run], context: TrainingContext) -> None:  # noqa: B027
        """Refuse what the engine cannot train; a job asks once, before anything is written.

        Raises:
            InputError: the engine cannot train these runs.
        """

    @abstractmethod
    def train(self, runs: Sequence[Run], context: TrainingContext, on_epochs: OnEpochs) -> Iterator[Outcome]:
        """Yield the outcome of each run as it ends, and call `on_epochs` with the epochs that end meanwhile."""
