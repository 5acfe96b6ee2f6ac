"""`semiad score` of a Parquet file of 1,000,000 rows (`rows=N`) and 30 columns, against its networks from memory.

The command runs in a process of its own, whose peak memory is told; the time that it takes for a table of a single row,
nearly all of it imports, is taken off in the column "rows alone". The networks score float32 rows that are in memory
already, all five members, in two ways: with torch's threads in each operation, and with a thread for each core that
scores batches by itself. Nothing is read, prepared, combined or written there.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import polars as pl
import torch
from rich.table import Table

from benchmarks.settings import Settings
from benchmarks.timing import Seconds, console, median, now, since
from semiad.cli.tables import write_table
from semiad.data import CHUNK
from semiad.detector.estimator import Detector
from semiad.engines.threads import threads_set
from semiad.methods.base import Method

ROWS, COLUMNS, FITTED, IN_MEMORY = 1_000_000, 30, 3000, 1_000_000


class Scoring(NamedTuple):
    """What a run of the command took; `gib` is its peak memory."""

    seconds: Seconds
    gib: float


def measure(settings: Settings) -> None:
    """Measure the command and the networks in turn."""
    rows = ROWS if settings.rows is None else settings.rows
    with TemporaryDirectory() as folder:
        file, single, model = (Path(folder) / name for name in ("rows.parquet", "row.parquet", "model"))
        write_table(made_rows(rows), str(file))
        write_table(made_rows(1), str(single))
        train = next(made_rows(FITTED, seed=1))
        labels = np.where(np.arange(FITTED) < 30, 1, np.nan)
        Detector("aesad", epochs=2, random_state=0, device="cpu").fit(train, labels).save(model)
        detector = Detector.load(model, device="cpu")
        count = min(rows, IN_MEMORY)
        x = torch.rand(count, COLUMNS, generator=torch.Generator().manual_seed(0))
        starts, commands, together, apart = [], [], [], []
        for _ in range(settings.repeats):
            starts.append(score(model, single))
            commands.append(score(model, file))
            together.append(timed(partial(score_together, detector, x)))
            apart.append(timed(partial(score_apart, detector, x)))
    start, command = median([run.seconds for run in starts]), median([run.seconds for run in commands])
    alone = Seconds(command.wall - start.wall, command.cpu - start.cpu)
    ways = {"threads in each operation": median(together) / count, "a thread for each core": median(apart) / count}
    table = Table("", "rows/s", "us of processor a row", "ratio of speed, rows alone (CPU)", "with the start", box=None)
    for name, seconds in ways.items():
        ratios = f"{seconds.wall * rows / alone.wall:.2f} ({seconds.cpu * rows / alone.cpu:.2f})"
        with_start = f"{seconds.wall * rows / command.wall:.2f}"
        table.add_row(f"networks, {name}", f"{1 / seconds.wall:,.0f}", f"{1e6 * seconds.cpu:.2f}", ratios, with_start)
    for name, seconds in {"semiad score": command / rows, "semiad score, rows alone": alone / rows}.items():
        table.add_row(name, f"{1 / seconds.wall:,.0f}", f"{1e6 * seconds.cpu:.2f}", "", "")
    console.print(table)
    peak, least = max(run.gib for run in commands), max(run.gib for run in starts)
    console.print(f"{rows:,} rows: {peak:.2f} GiB at most; a single row: {least:.2f} GiB")


def made_rows(rows: int, seed: int = 0) -> Iterator[pl.DataFrame]:
    """Yield rows near a curved surface of 8 dimensions, as those of the measurement `detector`."""
    mixing, rng, step = np.random.default_rng(0).normal(size=(8, COLUMNS)), np.random.default_rng(seed), 1 << 17
    for first in range(0, rows, step):
        size = min(step, rows - first)
        x = np.tanh(rng.normal(size=(size, 8)) @ mixing) + 0.1 * rng.normal(size=(size, COLUMNS))
        yield pl.DataFrame({f"x{i}": column for i, column in enumerate(x.T)})


def score(model: Path, table: Path) -> Scoring:
    """Run the command in a process of its own."""
    out, code = table.with_name("scored.parquet"), "from semiad.cli.app import main; main()"
    words = (sys.executable, "-c", code, "score", str(model), str(table), "--out", str(out), "--device", "cpu")
    start = now()
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = Seconds(since(start).wall, usage.ru_utime + usage.ru_stime)
    if process.returncode:
        sys.exit(said)
    out.unlink()
    return Scoring(seconds, usage.ru_maxrss / 2**20)


def score_together(detector: Detector, x: torch.Tensor) -> None:
    """Score rows by each network, batch by batch."""
    with torch.no_grad():
        for method, batch in product(networks(detector), torch.split(x, CHUNK)):
            method.scores(batch)


def score_apart(detector: Detector, x: torch.Tensor) -> None:
    """Score rows by each network, a thread for each batch."""

    def one_batch(task: tuple[Method, torch.Tensor]) -> None:
        with torch.no_grad():
            task[0].scores(task[1])

    workers = torch.get_num_threads()
    with threads_set(1), ThreadPoolExecutor(workers) as pool:
        list(pool.map(one_batch, product(networks(detector), torch.split(x, CHUNK))))


def networks(detector: Detector) -> list[Method]:
    """Give the members that are networks: all."""
    return [method for method in detector.ensemble_.methods if isinstance(method, Method)]


def timed(work: partial[None]) -> Seconds:
    """Time a piece of work."""
    start = now()
    work()
    return since(start)
