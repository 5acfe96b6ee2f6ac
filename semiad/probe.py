"""How long runs will take, from a probe: a few runs for a few short epochs."""

from collections.abc import Sequence
from dataclasses import replace
from json import dumps
from time import perf_counter

import numpy as np

from semiad.engines.base import Engine, Job
from semiad.engines.shallow import ShallowEngine
from semiad.runs import Recipe, Run
from semiad.scenarios.base import Scenario
from semiad.types import Cell, Labels, Split

RUNS = 8
"""Runs in a probe, at most."""
FEW = 2
"""Runs of a shallow method in one."""
BATCHES = 8
"""Training batches in an epoch of a probe."""
LONG = 1.0
"""Seconds that the epochs of a probe must take beside its start, for the figure to mean something."""
MOST = 5000
"""Epochs of a probe, at most."""


class Cut(Scenario):
    """A scenario with fewer rows, evenly drawn.

    Args:
        scenario: the whole one.
        rows: training rows, at most.
    """

    def __init__(self, scenario: Scenario, rows: int) -> None:
        self.scenario, self.rows = scenario, rows

    def cells(self, labels: Labels) -> list[Cell]:
        """Those of the whole one."""
        return self.scenario.cells(labels)

    def split(self, cell: Cell, labels: Labels, seed: int) -> Split:
        """See the class; the test rows stay."""
        split = self.scenario.split(cell, labels, seed)
        kept = np.unique(np.linspace(0, len(split.train) - 1, self.rows).astype(np.int64))
        return replace(split, train=split.train[kept], s=split.s[kept])


def estimate(left: Sequence[Run], job: Job, engine: Engine) -> float:
    """Seconds for runs, one pack after the other, in this process."""
    about, shallow = dumps([left[0].recipe.config, str(job.device)], sort_keys=True), isinstance(engine, ShallowEngine)
    if about not in known:
        few = left[: FEW if shallow else RUNS]
        known[about] = (timed(few, job, engine) / len(few), 0) if shallow else paces(few, job, engine)
    fixed, step = known[about]
    if shallow:
        return fixed * len(left)
    size = {recipe: steps(run, job) for recipe, run in {run.recipe: run for run in left}.items()}
    tests = 1 + (job.epochs // job.eval_every if job.eval_every else 0)
    return sum(tests * fixed + step * size[run.recipe] for run in left)


known: dict[str, tuple[float, float]] = {}
"""What probes of this process have found: the shards of a sweep are alike."""


def paces(runs: Sequence[Run], job: Job, engine: Engine) -> tuple[float, float]:
    """Seconds that a run takes besides its steps (its test above all), and for a step."""
    rows = BATCHES * job.batch_size
    cut: dict[Recipe, Recipe] = {}
    few = []
    for run in runs:
        recipe = cut.setdefault(run.recipe, replace(run.recipe, scenario=Cut(run.recipe.scenario, rows)))
        few.append(replace(run, recipe=recipe))
    job = replace(job, eval_every=0, resumable=None, samples=None, recorded=frozenset())
    timed(few, replace(job, most=1), engine)  # the first of a process is no measure
    start, epochs = timed(few, replace(job, most=1), engine), 1
    while True:
        epochs = min(4 * epochs + 1, MOST)
        seconds = timed(few, replace(job, most=epochs), engine) - start
        if seconds >= LONG or epochs == MOST:
            break
    one, more = (sum(steps(run, replace(job, most=most)) for run in few) for most in (1, epochs))
    step = max(seconds, 0) / max(more - one, 1)
    return max(start - step * one, 0) / len(few), step


def steps(run: Run, job: Job) -> int:
    """Training steps of a run, over all phases."""
    return -(-len(job.split(run).train) // job.batch_size) * sum(map(job.length, job.phases(run)))


def timed(runs: Sequence[Run], job: Job, engine: Engine) -> float:
    """Seconds of training runs and forgetting what came of them."""
    start = perf_counter()
    for _ in engine.train(runs, job, lambda points: None):
        pass
    return perf_counter() - start
