"""Compares methods by repeated folds over labelled anomalies: each candidate's folds are runs of one pack."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from semiad.callbacks.base import RunCallback, train_with_callbacks
from semiad.callbacks.recorder import Recorder
from semiad.command.estimate import estimate as estimate_seconds
from semiad.detector.candidates import Candidate
from semiad.detector.choosing import (
    Estimate,
    Fold,
    best,
    choose,
    estimate,
    judge,
    over_repeats,
    precisions,
    standardised,
)
from semiad.detector.composition import Composition, compose_method, method_factory
from semiad.detector.training import choose_engine, is_drawn, limited, make_context, silence_libraries
from semiad.engines.base import Engine
from semiad.engines.context import TrainingContext
from semiad.errors import InputError, described
from semiad.ledger.record import Record
from semiad.ledger.records import read_records
from semiad.ledger.writer import LedgerWriter
from semiad.runs import Recipe, Run, canonical, plan
from semiad.scenarios.kfold import KFold
from semiad.scenarios.leave_kind_out import LeaveKindOut
from semiad.scenarios.tables import name as scenario_name
from semiad.types import Dataset, Labels

FEWEST = 5
"""Labelled anomalies below which no method is chosen."""
STEPS = {10_000: 2_000}
"""Steps of a model in a comparison, at most, by the number of rows up to which that is so; above them `MOST_STEPS`."""
MOST_STEPS = 20_000
METRICS = ("auc", "recall_at_1_fpr")
"""Of the records of the runs; average precision is computed from the scores of all folds."""
SCORES = "scores"
"""The folder for scores of tested rows, beside the ledger."""


@dataclass(frozen=True)
class Compared:
    """A candidate on the folds.

    Attributes:
        candidate: which.
        values: by metric, its value on each fold of each repeat; of average precision see `choosing.precisions`.
        seconds: of all its runs.
        reason: why it is out of the choice; None if it is not.
    """

    candidate: Candidate
    values: dict[str, Float[np.ndarray, "r k"]]
    seconds: float
    reason: str | None = None

    def estimate(self, metric: str = "ap") -> Estimate:
        """Estimate a metric."""
        values = self.values[metric]
        return estimate(values.ravel(), 1 / (values.shape[1] - 1))


@dataclass(frozen=True)
class Comparison:
    """Candidates, and the choice among them.

    Attributes:
        compared: all candidates, from the simplest.
        tested: the folds of each repeat, with the scores of usable candidates.
        anomalies: labelled ones.
        others: rows without an anomaly label.
    """

    compared: tuple[Compared, ...]
    tested: tuple[tuple[Fold, ...], ...]
    anomalies: int
    others: int
    _judged: dict[int, list[list[Fold]]] = field(default_factory=dict, repr=False)

    @property
    def repeats(self) -> int:
        """Give how often the rows are cut anew."""
        return len(self.tested)

    @property
    def folds(self) -> int:
        """Give the number of folds in each repeat."""
        return len(self.tested[0])

    @property
    def test_share(self) -> float:
        """Give the tested rows for each training row, see `corrected_error`."""
        return 1 / (self.folds - 1)

    @cached_property
    def usable(self) -> list[Compared]:
        """List the candidates that have a value on every fold."""
        return [one for one in self.compared if one.reason is None]

    @cached_property
    def stacked(self) -> Float[np.ndarray, "c r k"]:
        """Give the average precision of usable candidates."""
        return np.stack([one.values["ap"] for one in self.usable])

    def take(self, values: Float[np.ndarray, "c j"], count: int) -> list[int]:
        """Take candidates by values: of one the simplest within one standard error of the best, else the best ones."""
        return [choose(values, self.test_share)] if count == 1 else best(values, count)

    def taken(self, count: int) -> list[Compared]:
        """Take candidates by average precision on all folds."""
        values = self.stacked
        return [self.usable[one] for one in self.take(values.reshape(len(values), -1), count)]

    @cached_property
    def chosen(self) -> Compared:
        """Choose by average precision: the simplest candidate within one standard error of the best."""
        return self.taken(1)[0]

    def on_folds(self, count: int) -> list[float]:
        """Give the average precision on each fold alone, the mean over repeats, of what the other folds take."""
        alone = [[precisions([fold])[0, 0] for fold in folds] for folds in self.judged(count)]
        return [float(value) for value in np.mean(alone, axis=0)]

    def worth(self, count: int) -> Estimate:
        """Estimate the average precision of what is taken, by folds that it was not taken by."""
        return estimate(over_repeats(self.judged(count)).ravel(), self.test_share)

    def judged(self, count: int) -> list[list[Fold]]:
        """Give what the candidates that are taken by other folds say of each fold."""
        if count not in self._judged:
            self._judged[count] = judge(self.tested, lambda values: self.take(values, count))
        return self._judged[count]

    def summary(self, count: int) -> dict[str, Any]:
        """Give what is kept with a detector: what was compared, and what the choice is worth."""
        worth = self.worth(count)
        return {
            "candidates": [one.candidate.name for one in self.compared],
            "folds": self.folds,
            "repeats": self.repeats,
            "average_precision": round(worth.mean, 4),
            "interval_80": [round(worth.low, 4), round(worth.high, 4)],
        }


@dataclass(frozen=True)
class Job:
    """The runs of a candidate.

    Attributes:
        candidate: which.
        runs: a run for each fold of each repeat.
        context: what they share.
        engine: that trains them.
    """

    candidate: Candidate
    runs: Sequence[Run]
    context: TrainingContext
    engine: Engine


def too_few(anomalies: int) -> str:
    """Say that there are too few labels to compare by."""
    subject = f"{anomalies} row{'s are' if anomalies != 1 else ' is'}"
    return f"{subject} labelled anomalous, and methods are compared from {FEWEST} on"


def check_labels(anomalies: int, others: int, folds: int) -> int:
    """Give the number of folds: at most one for each labelled anomaly.

    Raises:
        InputError: there are too few labels to compare by, or a number of folds that cannot be had.
    """
    if isinstance(folds, bool) or not isinstance(folds, int) or folds < 2:
        raise InputError(f"folds is {folds}, expected a whole number from 2 on")
    if anomalies < FEWEST:
        raise InputError(f"{too_few(anomalies)}: with fewer, chance decides")
    if others < folds:
        raise InputError(f"{others} rows are not labelled anomalous, expected one for each of {folds} folds")
    return min(folds, anomalies)


def make_jobs(
    x: Float[np.ndarray, "n d"],
    anomalous: np.ndarray,
    candidates: Sequence[Candidate],
    scenario: KFold | LeaveKindOut,
    repeats: int,
    seed: int,
    device: torch.device,
    folder: Path,
    results: Path | None = None,
) -> list[Job]:
    """Plan the runs of each candidate. Nothing is trained.

    Args:
        x: rows as numbers, not scaled: each fold scales by the rows that it trains on.
        anomalous: whether each row is labelled anomalous; all others are taken for normal, to train and to test.
        candidates: from the simplest.
        scenario: cuts the rows into folds.
        repeats: how often rows are cut anew.
        seed: of the first repeat.
        device: to train on.
        folder: for what a run leaves besides its record.
        results: the ledger, where a stopped comparison goes on; None for none.

    Raises:
        InputError: a candidate cannot be composed, or is none for a table.
    """
    dataset = Dataset(Labels("rows", (0, 1), anomalous.astype(np.int64), None), torch.from_numpy(x), None, checked=True)
    jobs = []
    for candidate in candidates:
        composition = compose_method(candidate.method, None, None, None, candidate.overrides)
        recipe = make_recipe(composition, scenario, dataset)
        runs = plan([recipe], dataset.labels, [seed + repeat for repeat in range(repeats)])
        context = make_context(dataset, runs, composition, folder, device)
        context = replace(context, resumable=results and results / "resumable", scores=(results or folder) / SCORES)
        if composition.is_classical:
            is_drawn(runs[0], context)  # which refuses what looks at test rows
        context = limited(context, runs[0], len(x), step_budget(len(x)))
        jobs.append(Job(candidate, runs, context, choose_engine(composition.engine, runs, context)))
    return jobs


def step_budget(rows: int) -> int:
    """Give the number of steps of a model, at most."""
    return next((steps for most, steps in STEPS.items() if rows <= most), MOST_STEPS)


def make_recipe(composition: Composition, scenario: KFold | LeaveKindOut, dataset: Dataset) -> Recipe:
    """Make the recipe of a candidate; its configuration has all that decides the metrics of a run."""
    config: dict[str, Any] = canonical(
        {
            "method": composition.method,
            "dataset": {"content": dataset.digest},
            "scenario": {
                "_target_": f"{type(scenario).__module__}.{type(scenario).__name__}",
                "folds": scenario.folds,
                "labelled": scenario.labelled,
                **({"kinds": hash_kinds(scenario)} if isinstance(scenario, LeaveKindOut) else {}),
            },
            "steps": step_budget(len(dataset.x)),
            **(
                {} if composition.is_classical else {"epochs": composition.epochs, "batch_size": composition.batch_size}
            ),
        }
    )
    return Recipe(config, scenario, method_factory(composition.method))


def hash_kinds(scenario: LeaveKindOut) -> str:
    """Give a text that is equal where the kinds of all rows are."""
    return sha256(scenario.kinds.astype("<i8").tobytes()).hexdigest()[:16]


def unrecorded(jobs: Sequence[Job], results: Path) -> list[Job]:
    """List the jobs with those of their runs that have no record."""
    status_of = read_records(results).statuses
    return [replace(job, runs=[run for run in job.runs if not is_done(job, run, status_of)]) for job in jobs]


def is_done(job: Job, run: Run, status_of: Mapping[str, str]) -> bool:
    """Whether a run need not be trained: it has failed, or has a record and its scores."""
    file, status = job.context.scores_file(run), status_of.get(run.key)
    return status == "failed" or (status is not None and file is not None and file.exists())


def epochs_of(jobs: Sequence[Job]) -> int:
    """Count the epochs of all runs."""
    return sum(len(job.runs) * sum(job.context.facts(job.runs[0]).epochs) for job in jobs if job.runs)


def seconds_of(jobs: Sequence[Job]) -> float:
    """Estimate how long runs take, by a short trial of each candidate."""
    return sum(estimate_seconds(job.runs, replace(job.context, resumable=None), job.engine) for job in jobs if job.runs)


def train_jobs(jobs: Sequence[Job], results: Path, callback: Callable[[Job], RunCallback]) -> None:
    """Train what has no record yet.

    Args:
        jobs: of `make_jobs`.
        results: the ledger.
        callback: makes, for a job, what is told of its epochs and runs.

    Raises:
        InputError: the ledger cannot be written to.
    """
    silence_libraries()
    writer = LedgerWriter(results)
    for job, left in zip(jobs, unrecorded(jobs, results), strict=True):
        recipe = job.runs[0].recipe
        names = {
            "method": job.candidate.method,
            "dataset": job.context.dataset.labels.name,
            "scenario": scenario_name(recipe.scenario),
        }
        writer.plan({**names, "experiment": "compare", "config": recipe.config}, [run.identity for run in job.runs])
        if left.runs:
            recorder = Recorder(job.context, writer, {**names, "forced": False})
            train_with_callbacks(left.runs, job.context, job.engine, [recorder, callback(job)])


def compare(jobs: Sequence[Job], callback: Callable[[Job], RunCallback]) -> Comparison:
    """Train candidates on all folds; nothing is left on disk.

    Raises:
        InputError: no candidate could be trained.
    """
    with TemporaryDirectory() as results:
        train_jobs(jobs, Path(results), callback)
        made = compared_so_far(jobs, Path(results))
    assert made is not None
    return made


def compared_so_far(jobs: Sequence[Job], results: Path) -> Comparison | None:
    """Give the candidates whose runs are all recorded, with their values; None if there are none.

    Raises:
        InputError: all of them failed, or scores that a run has left cannot be used.
    """
    ledger = read_records(results)
    of_key = {record.key: record for record in ledger.records}
    ended = [job for job in jobs if all(is_done(job, run, ledger.statuses) for run in job.runs)]
    if not ended:
        return None
    collected = [collect(job, of_key) for job in ended]
    compared = tuple(one for one, _ in collected)
    if all(one.reason for one in compared):
        raise InputError(f"no candidate could be trained: {compared[0].candidate.name}: {compared[0].reason}")
    tested = [repeats for _, repeats in collected if repeats]
    together = tuple(tuple(map(merge, zip(*folds, strict=True))) for folds in zip(*tested, strict=True))
    y = jobs[0].context.dataset.labels.y
    return Comparison(compared, together, int(y.sum()), int((y == 0).sum()))


def collect(job: Job, of_key: Mapping[str, Record]) -> tuple[Compared, list[list[Fold]]]:
    """Collect the values of a candidate, and its scores of the folds of each repeat; none if it failed."""
    order = sorted(job.runs, key=lambda run: (run.seed, run.cell.fold or 0))
    folds = len(order) // len({run.seed for run in order})
    repeats = [order[start : start + folds] for start in range(0, len(order), folds)]
    records = [of_key[run.key] for run in order]
    seconds = sum(record.seconds or 0 for record in records)
    if (failed := next((record.reason for record in records if record.status != "ok"), None)) is not None:
        return Compared(job.candidate, {}, seconds, failed), []
    tested = [[read_fold(job.context, run) for run in runs] for runs in repeats]
    values = {
        metric: np.array([getattr(record, metric) for record in records], dtype=np.float64).reshape(-1, folds)
        for metric in METRICS
    }
    values["ap"] = over_repeats(tested)
    return Compared(job.candidate, values, seconds), tested


def read_fold(context: TrainingContext, run: Run) -> Fold:
    """Read the scores of the rows that a run tested.

    Raises:
        InputError: the file cannot be read, or does not hold a score for each row.
    """
    file, truth = context.scores_file(run), context.split(run).truth
    assert file is not None
    try:
        with file.open("rb") as stream:
            scores = np.lib.format.read_array(stream, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{file} cannot be read ({described(error)}): remove it, and the run is trained anew"
        ) from error
    if scores.shape != truth.shape or scores.dtype.kind != "f" or not np.isfinite(scores).all():
        raise InputError(
            f"{file} does not hold {len(truth)} finite numbers, a score for each tested row: remove it, and the run is "
            "trained anew"
        )
    return Fold(standardised(scores, truth)[None].astype(np.float32), truth)


def merge(folds: Sequence[Fold]) -> Fold:
    """Put the scores of candidates on one fold together."""
    return Fold(np.concatenate([fold.scores for fold in folds]), folds[0].truth)
