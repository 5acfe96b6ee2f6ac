"""What measurements train: a context and a recipe from overrides of the configuration, runs, and steps of packs."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from hydra.utils import instantiate
from torch import Tensor

from benchmarks.settings import Settings
from semiad.command.compose import composed
from semiad.console import silence_libraries
from semiad.engines.context import OnEpochs, TrainingContext
from semiad.engines.device import resolve_device, set_precision
from semiad.engines.lightning import LightningEngine
from semiad.engines.packed.engine import PackedEngine
from semiad.engines.packed.pack import BLOCK, Pack
from semiad.methods.base import Method
from semiad.methods.classical import ClassicalMethod
from semiad.runs import Recipe, Run
from semiad.types import Cell

# Lines of Lightning's and torch's own would stand between the tables.
silence_libraries()
warnings.filterwarnings("ignore", module="pytorch_lightning")

LIGHTNING = LightningEngine(checkpoints=False, strategy="auto", devices=1)
PACKED = PackedEngine(
    width="auto", devices=1, precision="fp32", compile="auto", checkpoint_minutes=10, checkpoints=False
)


@dataclass(frozen=True)
class KeepingContext(TrainingContext):
    """A context that keeps the method that it built last, so that the weights of two trainings can be compared."""

    built: list[Method] = field(default_factory=list, repr=False)

    def build(self, run: Run) -> Method | ClassicalMethod:
        """Build a method, and keep it."""
        method = super().build(run)
        if isinstance(method, Method):
            self.built[:] = [method]
        return method


def compose_context(settings: Settings, *overrides: str) -> tuple[KeepingContext, Recipe]:
    """Make a context, its data set on the device, and a recipe, as `semiad.train` would from these overrides."""
    device = resolve_device(settings.device)
    set_precision("fp32")
    with composed(overrides) as cfg:
        recipe = Recipe({}, instantiate(cfg.scenario, _convert_="all"), instantiate(cfg.method, _convert_="all"))
        dataset = instantiate(cfg.dataset)(settings.data_root)
    context = KeepingContext(
        dataset.to(device),
        cfg.epochs,
        cfg.batch_size,
        eval_every=0,
        folder=Path(),
        device=device,
        size=2,
        resumable=None,
    )
    return context, recipe


def one_vs_one(recipe: Recipe, seeds: int) -> list[Run]:
    """List the runs of all ordered pairs of ten classes, for a number of seeds."""
    classes = range(10)
    return [Run(recipe, Cell((n,), (a,)), k) for k in range(seeds) for n in classes for a in classes if n != a]


def build(context: TrainingContext, run: Run) -> Method:
    """Build the method of a run, which is trained by gradient descent."""
    method = context.build(run)
    assert isinstance(method, Method)
    return method


def steps_per_epoch(context: TrainingContext, run: Run) -> int:
    """Count the batches in an epoch of a run."""
    return context.data(run, build(context, run)).steps


def train_alone(run: Run, context: TrainingContext) -> Callable[[OnEpochs], object]:
    """Give a function that trains a run with `engine=lightning`."""
    return partial(LIGHTNING.train_run, run, context)


def make_pack(runs: Sequence[Run], context: TrainingContext, compiled: bool = False) -> Pack:
    """Make a pack of runs in the last phase of their training."""
    pack = Pack(runs, [context.phases(run)[-1] for run in runs], True, context, "fp32")
    pack.step.compile = compiled
    return pack


def pack_step(pack: Pack) -> Callable[[], None]:
    """Give a function that takes the next step of a pack, batches included."""

    def batches() -> Iterator[Sequence[Tensor]]:
        while True:
            yield from pack.data.batches(BLOCK)

    endless = batches()
    return lambda: pack.take_step(next(endless))
