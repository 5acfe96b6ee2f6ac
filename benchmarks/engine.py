"""engine=lightning beside a hand-written loop on the same run, dense and VGG; the weights of both must agree."""

from collections.abc import Callable
from functools import partial

from benchmarks.loops import train_by_hand
from benchmarks.settings import Settings
from benchmarks.setup import LIGHTNING, KeepingContext, compose_context
from benchmarks.timing import Seconds, console, in_turn, slowdowns, time_epochs
from semiad.engines.context import OnEpochs
from semiad.runs import Run
from semiad.types import Cell

CASES = {
    "AE-SAD, dense, Fashion-MNIST, batch 32": ("method=aesad", "dataset=fmnist", "epochs=4"),
    "AE-SAD, vgg of width 1/8, MNIST, batch 32": (
        *("method=aesad", "network=vgg", "network.width=0.125"),
        *("dataset=mnist", "epochs=2"),
    ),
}
Train = Callable[[Run, KeepingContext, OnEpochs], object]


def measure(settings: Settings) -> None:
    """Measure each case."""
    ways: dict[str, Train] = {"engine=lightning": LIGHTNING.train_run, "hand-written loop": train_by_hand}
    for title, overrides in CASES.items():
        context, recipe = compose_context(settings, *overrides)
        run, weights = Run(recipe, Cell((0,), (1,)), 0), {}

        def timed(name: str, train: Train) -> list[Seconds]:
            seconds = time_epochs(partial(train, run, context))  # noqa: B023
            weights[name] = [*context.built[0].state_dict().values()]  # noqa: B023
            return seconds

        times = in_turn({name: partial(timed, name, train) for name, train in ways.items()}, settings.repeats)
        console.print(slowdowns(title, "epoch", times, "hand-written loop"))
        pairs = zip(*weights.values(), strict=True)
        console.print(f"largest difference of a weight {max(float((a - b).abs().max()) for a, b in pairs):.1e}")
