"""The engine that fits: packed for several runs that can be packed, else Lightning."""

from collections.abc import Iterator, Sequence
from typing import Any

from semiad.engines.base import Engine, Job, Outcome, Tick
from semiad.engines.lightning import LightningEngine
from semiad.engines.packed import PackedEngine
from semiad.runs import Run


class AutoEngine(Engine):
    """Packed for jobs of more than one run of a method that can be packed, else Lightning.

    The job's planned runs count, not those that are left, so that a job that goes on gives the figures of one that was
    never stopped.

    Args:
        settings: those of `PackedEngine`.
    """

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401
        self.packed = PackedEngine(**settings)
        self.lightning = LightningEngine(settings["checkpoints"], strategy="auto", devices=1)

    def train(self, runs: Sequence[Run], job: Job, tick: Tick) -> Iterator[Outcome]:
        """Yield each run's outcome as it ends."""
        first = {run.recipe: run for run in runs}.values()
        packable = all(phase.packable for run in first for phase in job.phases(run))
        # Lightning's engine knows no bf16, which is part of the key: a single run of it is a pack of one.
        several = job.size > 1 or self.packed.precision == "bf16"
        engine: Engine = self.packed if several and (packable or self.packed.precision == "bf16") else self.lightning
        return engine.train(runs, job, tick)
