"""The timer that all measurements share, and tables of what it gave."""

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import isnan, nan
from pathlib import Path
from typing import NamedTuple

import torch
from rich.console import Console
from rich.table import Table

from semiad.engines.context import EpochPoint, OnEpochs

console = Console(width=130)


class Seconds(NamedTuple):
    """A duration.

    Attributes:
        wall: seconds that passed.
        cpu: processor seconds of all threads, which the load of a shared machine changes less.
    """

    wall: float
    cpu: float

    def __truediv__(self, count: float) -> "Seconds":
        """Divide both by a number, such as that of the steps taken."""
        return Seconds(self.wall / count, self.cpu / count)


def now() -> Seconds:
    """Read the clocks, once the GPU has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return Seconds(time.perf_counter(), time.process_time())


def since(start: Seconds) -> Seconds:
    """Give the time that passed since the clocks were read."""
    end = now()
    return Seconds(end.wall - start.wall, end.cpu - start.cpu)


def time_steps(step: Callable[[], object], steps: int) -> Seconds:
    """Call a function a number of times, and give the mean time of a call."""
    start = now()
    for _ in range(steps):
        step()
    return since(start) / steps


def time_epochs(train: Callable[[OnEpochs], object]) -> list[Seconds]:
    """Train, and give the time between the ends of epochs: of every epoch but the first."""
    ends: list[Seconds] = []

    def on_epochs(points: Sequence[EpochPoint]) -> None:
        ends.append(now())

    train(on_epochs)
    return [Seconds(end.wall - start.wall, end.cpu - start.cpu) for start, end in pairwise(ends)]


def time_command(words: Sequence[str], folder: Path, checkout: Path | None = None, **env: str) -> Seconds:
    """Run Python in a process of its own, and give its time, start of Python included.

    Args:
        words: after `python`.
        folder: to run in.
        checkout: the folder whose `semiad` is imported; None for that of this process.
        env: variables to set besides those of this process.
    """
    root = Path(__file__).parents[1] if checkout is None else checkout
    variables = {**os.environ, "PYTHONPATH": str(root.resolve()), **env}
    wall, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, *words], cwd=folder, env=variables, capture_output=True, text=True)
    after, passed = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - wall
    if done.returncode:
        sys.exit(f"python {' '.join(words)} failed:\n{done.stdout}{done.stderr}")
    return Seconds(passed, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


Way = Callable[[], Sequence[Seconds]]
"""Does the work to be timed once, and gives one or several times of one unit of it (a step, an epoch, a run)."""


def by_step(step: Callable[[], object], steps: int, runs: int = 1) -> Way:
    """Give a way that takes some steps; its unit is a step of one of the runs that are stepped together."""
    return lambda: [time_steps(step, steps) / runs]


def by_epoch(train: Callable[[OnEpochs], object], steps: int = 1) -> Way:
    """Give a way that trains; its unit is an epoch, or a step where `steps` is the number of steps in an epoch."""
    return lambda: [seconds / steps for seconds in time_epochs(train)]


def in_turn(ways: Mapping[str, Way], repeats: int) -> dict[str, list[Seconds]]:
    """Time several ways of doing something, one after the other and again, so that noise meets all alike."""
    times: dict[str, list[Seconds]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            times[name] += way()
    return times


def median(times: Sequence[Seconds]) -> Seconds:
    """Compute the median of wall and of processor time, each by itself."""
    return Seconds(statistics.median(t.wall for t in times), statistics.median(t.cpu for t in times))


def slowdowns(title: str, unit: str, times: Mapping[str, Sequence[Seconds]], reference: str) -> Table:
    """Make a table of times, and of how many times the reference's each is.

    Args:
        title: of the column of names.
        unit: of what one time is for, such as `epoch`.
        times: by name.
        reference: the name of what is compared with.
    """
    table = Table(title, f"s per {unit} (CPU)", "ratio (CPU)", "every repeat, s", box=None)
    base = median(times[reference])
    for name, values in times.items():
        value, every = median(values), " ".join(f"{seconds.wall:.2f}" for seconds in values)
        table.add_row(name, both(value), both(Seconds(value.wall / base.wall, value.cpu / base.cpu)), every)
    return table


def speedups(
    title: str,
    unit: str,
    times: Mapping[str, Sequence[Seconds]],
    references: Mapping[str, str],
    least: float | None = None,
) -> Table:
    """Make a table of times in milliseconds, and of how many times faster than its references each is.

    Args:
        title: of the column of names.
        unit: of what one time is for, such as `run and step`.
        times: by name; the references are among them. Names of packs end with `K = 32` and the like.
        references: by heading of a column, the name of what is compared with; `{width}` stands for that end.
        least: seconds of the matrix products of a unit, at the rate of a large one, for another column.
    """
    table = Table(title, f"ms per {unit} (CPU)", *(f"x {name} (CPU)" for name in references), box=None)
    if least is not None:
        table.add_column("of matrix rate")
    for name, values in times.items():
        value, width = median(values), name.rpartition("K = ")[2]
        cells = [name, both(value / 1e-3)]
        for reference in references.values():
            base = median(times.get(reference.format(width=width), [Seconds(nan, nan)]))
            cells.append("" if isnan(base.wall) else both(Seconds(base.wall / value.wall, base.cpu / value.cpu)))
        table.add_row(*cells, *([] if least is None else [f"{least / value.wall:.0%}"]))
    return table


def both(value: Seconds) -> str:
    """Format what was measured in wall time, and in brackets the same in processor time."""
    return f"{value.wall:.3f} ({value.cpu:.3f})"


def machine(device: str) -> Iterator[str]:
    """Say on what was measured."""
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    yield f"torch {torch.__version__}, {device}, {torch.get_num_threads()} threads, most memory {memory:.2f} GiB"
    yield f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; medians"
