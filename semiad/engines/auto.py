"""The engine that fits: packed for several runs that can be packed, else Lightning."""

from collections.abc import Iterator, Sequence
from typing import Any

from semiad.engines.base import Engine
from semiad.engines.context import OnEpochs, Outcome, TrainingContext
from semiad.engines.lightning import LightningEngine
from semiad.engines.packed.engine import PackedEngine
from semiad.errors import InputError
from semiad.runs import Run


class AutoEngine(Engine):
    """Takes the packed engine for jobs of more than one run of a method that can be packed, else Lightning.

    What a user gives of a `Trainer` or for validation asks for Lightning. The job's planned runs count, not those that
    are left, so that a job that goes on gives the metrics of one that was never stopped.

    Args:
        settings: those of `PackedEngine`.
    """

    name = "auto"

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401
        self.packed = PackedEngine(**settings)

    def choose(self, runs: Sequence[Run], context: TrainingContext) -> Engine:
        """Choose the engine of some runs.

        Raises:
            InputError: bf16, which is of packs, and an argument of a `Trainer` are both given.
        """
        trainer, packed = context.trainer, self.packed
        lightning = LightningEngine(packed.checkpoints, trainer.strategy, trainer.devices, packed.threads)
        if context.trainer.given or context.validation is not None:
            if self.packed.precision == "bf16":
                raise InputError("engine.precision=bf16 is of engine=packed: give trainer.precision=bf16-mixed instead")
            return lightning
        if self.packed.precision == "bf16":  # part of the key, and unknown to the other engine
            return self.packed
        packable = all(context.facts(run).packable for run in runs)
        return self.packed if packable and context.size > 1 else lightning

    def check(self, runs: Sequence[Run], context: TrainingContext) -> None:
        """Let the engine that is chosen check."""
        self.choose(runs, context).check(runs, context)

    def train(self, runs: Sequence[Run], context: TrainingContext, on_epochs: OnEpochs) -> Iterator[Outcome]:
        """Yield the outcome of each run as it ends."""
        return self.choose(runs, context).train(runs, context, on_epochs)
