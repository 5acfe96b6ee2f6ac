"""Estimates how long runs will take: a few of them are trained for a few short epochs."""

from collections.abc import Sequence
from dataclasses import replace
from json import dumps
from time import perf_counter

import numpy as np

from semiad.engines.base import Engine
from semiad.engines.context import TrainingContext
from semiad.engines.hybrid import HybridEngine
from semiad.runs import Recipe, Run
from semiad.scenarios.base import Scenario
from semiad.types import Cell, Labels, Split

TRIAL_RUNS = 8
"""Runs that are tried, at most."""
CLASSICAL_TRIAL_RUNS = 2
"""Runs of a classical method that are tried."""
TRIAL_BATCHES = 8
"""Training batches in an epoch of a trial."""
MIN_SECONDS = 1.0
"""Seconds that the epochs of a trial must take beside its start, for the estimate to mean something."""
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
            seconds_of[about] = timed(few, context, engine) / len(few), 0
        return seconds_of[about][0] * len(runs)
    if about not in seconds_of:
        seconds_of[about] = measure_pace(runs[:TRIAL_RUNS], context, engine)
    fixed, step = seconds_of[about]
    steps = {recipe: count_steps(run, context) for recipe, run in {run.recipe: run for run in runs}.items()}
    tests = 1 + (context.epochs // context.eval_every if context.eval_every else 0)
    return sum(tests * fixed + step * steps[run.recipe] for run in runs)


def measure_pace(runs: Sequence[Run], context: TrainingContext, engine: Engine) -> tuple[float, float]:
    """Measure the seconds of a run besides its steps (its test above all), and of a step."""
    rows = TRIAL_BATCHES * context.batch_size
    subsampled: dict[Recipe, Recipe] = {}
    few = []
    for run in runs:
        scenario = SubsampledData(run.recipe.scenario, rows)
        few.append(replace(run, recipe=subsampled.setdefault(run.recipe, replace(run.recipe, scenario=scenario))))
    context = replace(context, eval_every=0, resumable=None, samples=None, recorded=frozenset())
    context = replace(context, trainer=context.trainer.without_observers())
    once = replace(context, max_epochs=1)
    timed(few, once, engine)  # the first of a process is no measure
    start, epochs = timed(few, once, engine), 1
    while True:
        epochs = min(4 * epochs + 1, MAX_EPOCHS)
        longer = replace(context, max_epochs=epochs)
        seconds = timed(few, longer, engine) - start
        if seconds >= MIN_SECONDS:  # a pause of the machine is no measure: both of two must be long
            seconds = min(seconds, timed(few, longer, engine) - start)
        if seconds >= MIN_SECONDS or epochs == MAX_EPOCHS:
            break
    one, more = (sum(count_steps(run, bounded) for run in few) for bounded in (once, longer))
    step = max(seconds, 0) / max(more - one, 1)
    return max(start - step * one, 0) / len(few), step


def count_steps(run: Run, context: TrainingContext) -> int:
    """Count the training steps of a run, over all phases."""
    return context.facts(run).steps(len(context.split(run).train), context.batch_size)


def timed(runs: Sequence[Run], context: TrainingContext, engine: Engine) -> float:
    """Train runs, forget what came of them, and give the seconds that it took."""
    start = perf_counter()
    for _ in engine.train(runs, context, lambda points: None):
        pass
    return perf_counter() - start
