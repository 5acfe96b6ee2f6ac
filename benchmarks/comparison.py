"""A comparison of 600 models on a table of 50,000 rows and 30 columns, 30 labelled; and what packs make of it.

Six methods with four settings each, five folds, five times. The ledger, its records and the scores of tested rows are
part of the time. For each method one model is then trained by engine=lightning for a few epochs: its time a step,
evaluation left out, beside that of the same model in its pack.
"""

import resource
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from rich.table import Table

from benchmarks.detector import COLUMNS, LABELLED, ROWS
from benchmarks.settings import Settings
from benchmarks.setup import LIGHTNING
from benchmarks.timing import Seconds, console, now, since, time_epochs
from semiad.detector.candidates import Candidate
from semiad.detector.comparison import compared_so_far
from semiad.detector.comparison_jobs import Job, make_jobs, train_jobs, trained_together
from semiad.detector.training import Bar
from semiad.engines.device import resolve_device
from semiad.scenarios.kfold import KFold

FOLDS = REPEATS = 5
ALPHAS = tuple(f"method.lam.alpha={value}" for value in (0.1, 0.3, 1, 3))
ETAS = tuple(f"method.eta={value}" for value in (1, 3, 10, 30))
RATES = tuple(f"method.optimizer.lr={value}" for value in (0.0003, 0.001, 0.003, 0.01))
SETTINGS = {
    "ae": RATES,
    "aesad": ALPHAS,
    "supervised": RATES,
    "devnet": RATES,
    "deep_sad": ETAS,
    "prenet": RATES,
}
EPOCHS = 3
"""Of a model that is trained alone, the first of which is not timed."""


class Part(NamedTuple):
    """The models of a method.

    Attributes:
        method: its name.
        models: how many.
        seconds: of all of them, in packs.
        steps: of one of them.
        alone: seconds of a step by `engine=lightning`.
    """

    method: str
    models: int
    seconds: Seconds
    steps: int
    alone: Seconds

    @property
    def packed(self) -> Seconds:
        """Give the seconds of a step of one model in its pack, evaluation and records included."""
        return self.seconds / (self.models * self.steps)


def measure(settings: Settings) -> None:
    """Measure each method's models together, and one of them alone."""
    x, anomalous = draw_table(settings.rows or ROWS)
    device = resolve_device(settings.device)
    chosen = [Candidate(method, (word,)) for method, words in SETTINGS.items() for word in words]
    with TemporaryDirectory() as folder:
        results = Path(folder) / "results"
        jobs = make_jobs(x, anomalous, chosen, KFold(FOLDS, "all"), REPEATS, 0, device, Path(folder), results)
        parts = []
        for group in trained_together(jobs):
            parts.append(part := measure_part(group, results))
            console.print(f"{part.method}: {part.models} models in {part.seconds.wall:.0f} s")
        made = compared_so_far(jobs, results)
    assert made is not None
    console.print(table_of(parts))
    models, seconds = sum(part.models for part in parts), sum(part.seconds.wall for part in parts)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    console.print(
        f"{models} models in {seconds / 60:.1f} minutes, {memory:.2f} GiB at most; chosen: {made.chosen.candidate.name}"
    )


def draw_table(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw rows near a curved surface of eight dimensions, in [0, 1], and which of them are labelled: off it."""
    draws = np.random.default_rng(0)
    x = np.tanh(draws.normal(size=(rows, 8)) @ draws.normal(size=(8, COLUMNS))) + 0.1 * draws.normal(
        size=(rows, COLUMNS)
    )
    x[:LABELLED] += (draws.random((LABELLED, COLUMNS)) < 0.2) * draws.normal(size=(LABELLED, COLUMNS))
    x = (x - x.min(axis=0)) / (x.max(axis=0) - x.min(axis=0))
    return x.astype(np.float32), np.arange(rows) < LABELLED


def measure_part(group: list[Job], results: Path) -> Part:
    """Train the models of a method in packs, and one of them alone for a few epochs."""
    job = group[0]
    with Bar(False, "") as bar:
        start = now()
        train_jobs(group, results, lambda job: bar)
        seconds = since(start)
    run, context = job.runs[0], replace(job.context, resumable=None, scores=None)
    steps, few = context.steps(run), replace(context, max_epochs=EPOCHS)
    of_epoch = few.steps(run) / sum(few.facts(run).epochs)
    epochs = time_epochs(lambda on_epochs: LIGHTNING.train_run(run, few, on_epochs))
    alone = Seconds(*(float(np.median(values)) for values in zip(*epochs, strict=True))) / of_epoch
    return Part(job.candidate.method, sum(len(one.runs) for one in group), seconds, steps, alone)


def table_of(parts: list[Part]) -> Table:
    """Make the table of the methods."""
    table = Table(box=None)
    for head in ("", "models", "s", "steps", "ms a step, packed", "ms a step, engine=lightning", "times faster"):
        table.add_column(head, justify="left" if not head else "right")
    for part in parts:
        table.add_row(
            part.method,
            str(part.models),
            f"{part.seconds.wall:.0f}",
            f"{part.steps:,}",
            f"{1000 * part.packed.wall:.3f}",
            f"{1000 * part.alone.wall:.3f}",
            f"{part.alone.wall / part.packed.wall:.1f} ({part.alone.cpu / part.packed.cpu:.1f} by processor time)",
        )
    return table
