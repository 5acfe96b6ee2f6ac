"""Estimates how long runs will take: a few of them are trained for a few short epochs."""

from collections.abc import Sequence
from dataclasses import replace
from json import dumps
from time import perf_counter
from typing import NamedTuple

import numpy as np

from semiad.engines.base import Engine
from semiad.engines.context import TrainingContext
from semiad.engines.hybrid import HybridEngine
from semiad.runs import Run
from semiad.scenarios.base import Scenario
from semiad.types import Cell, Labels, Split

TRIAL_RUNS, QUICK_TRIAL_RUNS, QUICK = 8, 32, 0.2
"""Runs that are tried, at most; the second number where an epoch of the first takes fewer seconds than the third."""
CLASSICAL_TRIAL_RUNS = 2
"""Runs of a classical method that are tried."""
TRIAL_BATCHES = 8
"""Training batches in an epoch of a trial."""
MIN_SECONDS, SHARE = 1.0, 0.02
"""Seconds that the epochs of a trial must take, for the estimate to mean something; this share of what is estimated is
enough."""
SLOW = 3
"""An epoch of so many times the median holds the start or a pause of the machine, and counts as a median one."""
MAX_EPOCHS = 5000
"""Epochs of a trial, at most."""

seconds_of: dict[str, tuple[float, float]] = {}
"""Seconds of a run besides its steps, and of a step, by configuration: the shards of a sweep are alike."""


class SubsampledData(Scenario):
    """A scenario with fewer training rows, evenly drawn.

    Args:
        scenario: that is subsampled.
        rows: training rows, at most.
    """

    def __init__(self, scenario: Scenario, rows: int) -> None:
        self.scenario, self.rows = scenario, rows

    def cells(self, labels: Labels) -> list[Cell]:
        """List the cells of the scenario."""
        return self.scenario.cells(labels)

    def split(self, cell: Cell, labels: Labels, seed: int) -> Split:
        """Draw a split of the scenario, and keep some of its training rows."""
        split = self.scenario.split(cell, labels, seed)
        kept = np.unique(np.linspace(0, len(split.train) - 1, self.rows).astype(np.int64))
        return replace(split, train=split.train[kept], s=split.s[kept])


def estimate(runs: Sequence[Run], context: TrainingContext, engine: Engine) -> float:
    """Estimate the seconds of runs, one pack after the other, in this process."""
    about = dumps([runs[0].recipe.config, str(context.device)], sort_keys=True)
    if isinstance(engine, HybridEngine) and context.max_epochs is None:
        encoders = engine.missing(runs, context)
        before = estimate(encoders, context.of_encoders(runs[0]), engine.networks) if encoders else 0
        return before + estimate(runs, replace(context, max_epochs=1, encoders=None, resumable=None), engine)
    if runs[0].recipe.engine is not None:
        if about not in seconds_of:
            few = runs[:CLASSICAL_TRIAL_RUNS]
            seconds_of[about] = timed(few, context, engine)[0] / len(few), 0
        return seconds_of[about][0] * len(runs)
    steps = {recipe: context.steps(run) for recipe, run in {run.recipe: run for run in runs}.items()}
    total = sum(steps[run.recipe] for run in runs)
    if about not in seconds_of:
        seconds_of[about] = measure_pace(runs, context, engine, total)
    fixed, step = seconds_of[about]
    tests = 1 + (context.epochs // context.eval_every if context.eval_every else 0)
    return tests * fixed * len(runs) + step * total


def measure_pace(runs: Sequence[Run], context: TrainingContext, engine: Engine, total: int) -> tuple[float, float]:
    """Measure the seconds of a run besides its steps (its test above all), and of a step.

    Args:
        runs: of which some are tried.
        context: what they share.
        engine: that trains them.
        total: steps of all runs that the estimate is for: the fewer, the shorter a trial is enough.
    """
    context = replace(context, eval_every=0, resumable=None, samples=None, recorded=frozenset())
    context = replace(context, trainer=context.trainer.without_observers())
    few = subsampled(runs[:TRIAL_RUNS], TRIAL_BATCHES * context.batch_size)
    first = trial(few, replace(context, max_epochs=2), engine)
    if first.epoch >= MIN_SECONDS:  # else the first of a process is no measure
        return first.fixed, first.step
    if first.epoch < QUICK:  # packs are wide, and the wider, the faster is a run
        few = subsampled(runs[:QUICK_TRIAL_RUNS], TRIAL_BATCHES * context.batch_size)
    epochs = 5
    while True:
        made = trial(few, replace(context, max_epochs=epochs), engine)
        if made.trained >= min(MIN_SECONDS, SHARE * made.step * total) or epochs == MAX_EPOCHS:
            return made.fixed, made.step
        epochs = min(4 * epochs + 1, MAX_EPOCHS)


class Trial(NamedTuple):
    """What a trial took, in seconds.

    Attributes:
        trained: by its epochs, without its start.
        epoch: by the last of them.
        step: by a step of a run.
        fixed: by a run besides its steps.
    """

    trained: float
    epoch: float
    step: float
    fixed: float


def trial(runs: Sequence[Run], context: TrainingContext, engine: Engine) -> Trial:
    """Train runs, forget what came of them, and give the seconds that it took."""
    seconds, ends = timed(runs, context, engine)
    spans = np.diff(ends or [0.0], prepend=0)
    usual = np.median(spans)
    trained = float(np.where(spans > SLOW * usual, usual, spans).sum())
    steps = sum(context.steps(run) for run in runs)
    return Trial(trained, float(spans[-1]), trained / max(steps, 1), max(seconds - trained, 0) / len(runs))


def subsampled(runs: Sequence[Run], rows: int) -> list[Run]:
    """Give the runs with fewer training rows."""
    recipes = {run.recipe: replace(run.recipe, scenario=SubsampledData(run.recipe.scenario, rows)) for run in runs}
    return [replace(run, recipe=recipes[run.recipe]) for run in runs]


def timed(runs: Sequence[Run], context: TrainingContext, engine: Engine) -> tuple[float, list[float]]:
    """Train runs, forget what came of them, and give the seconds that it took, and those after which epochs ended."""
    start = perf_counter()
    ends: list[float] = []
    for _ in engine.train(runs, context, lambda points: ends.append(perf_counter() - start)):
        pass
    return perf_counter() - start, ends
