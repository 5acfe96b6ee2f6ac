"""Steps of packs with one thread, with all, and with the number that is chosen; quiet, and beside a busy process."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from rich.table import Table

from benchmarks.settings import Settings
from benchmarks.setup import compose_context
from benchmarks.timing import Seconds, console, median
from semiad.engines.context import TrainingContext
from semiad.engines.packed.pack import BLOCK, Pack
from semiad.engines.threads import threads_set
from semiad.runs import Recipe, Run

TABLE = ("method=aesad", "dataset=odds", "scenario=table_stratified")
CASES = {
    "aesad, wine": ((*TABLE, "dataset.name=wine"), [1, 10, 90]),
    "aesad, cardio": ((*TABLE, "dataset.name=cardio"), [1, 10, 90]),
    "esad, cardio": (("method=esad", *TABLE[1:], "dataset.name=cardio"), [1, 10, 90]),
    "aesad, Fashion-MNIST": (("method=aesad", "dataset=fmnist", "scenario=one_vs_one"), [1, 10, 90]),
    "deep_sad, lenet, MNIST": (
        ("method=deep_sad", "method.pretraining.epochs=0", "network=lenet", "dataset=mnist", "scenario=labelled_ratio"),
        [1],
    ),
}
SECONDS = 6.0
"""How long each way steps at a time."""
WARM_UP = 3
"""Steps that are not timed: the first is traced."""


def measure(settings: Settings) -> None:
    """Measure each case: every way anew from a fresh pack, trials included, the ways in turn."""
    every = torch.get_num_threads()
    ways = {"one thread": 1, f"{every} threads": every, "chosen": None}
    table = Table("pack", "load", *(f"{name}, ms" for name in ways), "chosen / best", "threads", box=None)
    for title, (overrides, widths) in CASES.items():
        context, recipe = compose_context(settings, *overrides, "epochs=100000")
        for width in settings.widths(widths):
            for load, beside in (("quiet", quiet), ("busy", busy_process)):
                times: dict[str, list[Seconds]] = {name: [] for name in ways}
                with beside():
                    for _ in range(settings.repeats):
                        for name, count in ways.items():
                            seconds, used = time_pack(recipe, context, width, count, every)
                            times[name].append(seconds)
                *fixed, chosen = (median(values).wall for values in times.values())
                cells = (f"{value * 1e3:.2f}" for value in (*fixed, chosen))
                table.add_row(f"{title}, K = {width}", load, *cells, f"{chosen / min(fixed):.2f}", str(used))
    console.print(table)


def time_pack(
    recipe: Recipe, context: TrainingContext, width: int, count: int | None, every: int
) -> tuple[Seconds, int]:
    """Step a fresh pack for a while.

    Returns:
        The time of a step, and the number of threads of most steps.
    """
    cell = recipe.scenario.cells(context.dataset.labels)[0]
    runs = [Run(recipe, cell, seed) for seed in range(width)]
    with threads_set(every if count is None else count):
        pack = Pack(
            runs, [context.phases(run)[-1] for run in runs], True, context, "fp32", choose_threads=count is None
        )
        steps = partial(pack.threads.take, pack.take_step)
        for _ in steps(pack.data.batches(WARM_UP)):
            pass
        start, taken = time.perf_counter(), 0
        while (passed := time.perf_counter() - start) < SECONDS:
            for _ in steps(pack.data.batches(BLOCK)):
                taken += 1
                if time.perf_counter() - start > SECONDS:
                    break
        return Seconds(passed, passed) / taken, pack.threads.main_count


@contextmanager
def quiet() -> Iterator[None]:
    """Run nothing beside the body."""
    yield


@contextmanager
def busy_process() -> Iterator[None]:
    """Run a process beside the body that needs a whole core."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()
