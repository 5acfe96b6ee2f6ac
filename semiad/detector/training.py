"""Trains the members of a detector: runs that differ in their seed only, as `semiad.train` trains runs."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from rich.console import Console
from rich.progress import Progress, TimeRemainingColumn

from semiad.console import silence_libraries
from semiad.detector.composition import Composition, method_factory
from semiad.engines.auto import AutoEngine
from semiad.engines.base import Engine
from semiad.engines.classical import ClassicalEngine
from semiad.engines.context import EpochPoint, Outcome, TrainingContext
from semiad.engines.device import set_precision
from semiad.engines.hybrid import HybridEngine
from semiad.errors import InputError, RunFailed
from semiad.methods.base import Method
from semiad.methods.classical import ClassicalMethod
from semiad.runs import Recipe, Run
from semiad.scenarios.fixed import FixedSplit
from semiad.types import Cell, Dataset, Labels, Split

STEPS = 20_000
"""Steps of a member, at most, in each of its phases; at least one epoch."""


class Trained(NamedTuple):
    """What came of a training.

    Attributes:
        methods: the trained members, in the order of their seeds.
        steps: that each of them took.
    """

    methods: list[Method | ClassicalMethod]
    steps: int


def train_members(
    x: Float[np.ndarray, "n *shape"],
    s: Int64[np.ndarray, " n"],
    composition: Composition,
    seeds: Sequence[int],
    device: torch.device,
    max_epochs: int | None,
    verbose: bool,
    name: str,
) -> Trained:
    """Train a member for each seed, together where the method can be packed.

    Args:
        x: training rows, in [0, 1].
        s: their semi-labels, 1 for a labelled anomaly.
        composition: of the method.
        seeds: of initial weights and of the order of rows.
        device: to train on.
        max_epochs: of each phase; None for what `STEPS` allows.
        verbose: whether progress is shown.
        name: of what is trained, for a person.

    Raises:
        RunFailed: a member could not be trained.
        InputError: the method cannot be built with its settings.
    """
    silence_libraries()
    empty: Int64[np.ndarray, " 0"] = np.zeros(0, dtype=np.int64)
    split = Split(np.arange(len(x)), s, 0, empty, empty, None)
    recipe = Recipe({"method": composition.method}, FixedSplit(split), method_factory(composition.method))
    runs = [Run(recipe, Cell((0,), (1,)), seed) for seed in seeds]
    # The rows are of the preprocessing, which leaves nothing to check or to scale.
    dataset = Dataset(Labels("rows", (0, 1), s, None), torch.from_numpy(x), top=1.0, checked=True)
    with TemporaryDirectory() as folder, Bar(verbose, f"training {name}") as bar:
        context = make_context(dataset, runs, composition, Path(folder), device)
        context = replace(context, max_epochs=max_epochs, keep_methods=True)
        if recipe.engine is not None and not is_drawn(runs[0], context):
            runs = runs[:1]
        if max_epochs is None:
            context = limited(context, runs[0], len(x), STEPS)
        engine = choose_engine(composition.engine, runs, context)
        engine.check(runs, context)
        bar.begin(len(runs) * sum(context.facts(runs[0]).epochs))
        outcomes = {outcome.run.seed: outcome for outcome in engine.train(runs, context, bar.on_epochs)}
    methods = []
    for number, run in enumerate(runs, start=1):
        outcome = outcomes[run.seed]
        if outcome.method is None:
            raise RunFailed(f"member {number} of {len(runs)} of {name} could not be trained: {outcome.reason}")
        methods.append(outcome.method)
    return Trained(methods, outcomes[seeds[0]].steps)


def make_context(
    dataset: Dataset, runs: Sequence[Run], composition: Composition, folder: Path, device: torch.device
) -> TrainingContext:
    """Make what runs of one method share: a method without a network has one epoch, and stays on the CPU."""
    recipe = runs[0].recipe
    return TrainingContext(
        dataset=dataset,
        epochs=composition.epochs if recipe.engine is None else 1,
        batch_size=composition.batch_size,
        eval_every=0,
        folder=folder,
        device=device if recipe.has_network else torch.device("cpu"),
        size=len(runs),
        resumable=None,
    )


def steps_per_epoch(rows: int, batch_size: int) -> int:
    """Count the steps of an epoch in which every row comes once."""
    return -(-rows // batch_size)


def budget_epochs(steps: int, budget: int) -> int:
    """Compute how many epochs of so many steps a budget of steps allows, at least one."""
    return max(budget // steps, 1)


def limited(context: TrainingContext, run: Run, rows: int, budget: int) -> TrainingContext:
    """Bound the epochs of each phase of a run's method by a budget of steps."""
    return replace(context, max_epochs=budget_epochs(max(context.batches(run, rows)), budget))


def is_drawn(run: Run, context: TrainingContext) -> bool:
    """Whether members of a classical method differ by their seed.

    Raises:
        InputError: the method settles something by test rows, of which a detector has none.
    """
    method = context.build(run)
    assert isinstance(method, ClassicalMethod)
    if method.looks_at_test:
        raise InputError(f"{run.recipe.method_name} with these settings looks at test rows, which a detector has not")
    return method.draws


def choose_engine(engine: Engine, runs: Sequence[Run], context: TrainingContext) -> Engine:
    """Choose the engine: that of the method, or packs, also of one member, wherever the method can be packed."""
    if runs[0].recipe.encoder is not None:
        networks = [run.encoder for run in runs]
        return HybridEngine(choose_engine(engine, networks, context.of_encoders(runs[0])), processes=1)
    facts = context.facts(runs[0])
    if facts.engine is not None:
        return ClassicalEngine(processes=1)  # to start another takes longer than most fits
    set_precision(getattr(engine, "precision", "fp32"))
    if not isinstance(engine, AutoEngine):
        return engine
    set_precision(engine.packed.precision)
    return engine.packed if facts.packable else engine.choose(runs, context)


class Bar:
    """A progress bar over epochs with the time left, for trainings that take longer than a moment.

    Args:
        verbose: whether it is shown, on a terminal or in a notebook.
        title: what is counted.
        console: to show it on; None for standard output.
    """

    def __init__(self, verbose: bool, title: str, console: Console | None = None) -> None:
        columns = (*Progress.get_default_columns()[:-1], TimeRemainingColumn())
        console = console or Console()
        shown = verbose and (console.is_terminal or console.is_jupyter)
        self.progress = Progress(*columns, console=console, disable=not shown)
        self.task = self.progress.add_task(title, total=None)

    def __enter__(self) -> "Bar":
        """Show it."""
        self.progress.start()
        return self

    def __exit__(self, *error: Any) -> None:  # noqa: ANN401
        """Leave it as it stands."""
        self.progress.stop()

    def begin(self, epochs: int) -> None:
        """Set the number of epochs of all members."""
        self.progress.update(self.task, total=epochs)

    def named(self, title: str) -> "Bar":
        """Say what is counted from now on."""
        self.progress.update(self.task, description=title)
        return self

    def on_epochs(self, points: Sequence[EpochPoint]) -> None:
        """Count epochs."""
        self.progress.advance(self.task, len(points))

    def on_run_end(self, outcome: Outcome) -> None:
        """Count nothing: a run is counted by its epochs."""
