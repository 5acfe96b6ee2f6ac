"""The runs of a comparison: a job for each candidate, whose folds are runs of one pack."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from semiad.callbacks.base import RunCallback, train_with_callbacks
from semiad.callbacks.recorder import Recorder
from semiad.checks import check_whole
from semiad.command.estimate import estimate as estimate_seconds
from semiad.console import silence_libraries
from semiad.detector.candidates import Candidate
from semiad.detector.composition import Composition, compose_method, method_factory
from semiad.detector.training import STEPS, choose_engine, is_drawn, limited, make_context
from semiad.engines.base import Engine
from semiad.engines.context import TrainingContext
from semiad.engines.packed.engine import PackedEngine
from semiad.errors import InputError
from semiad.ledger.records import read_records
from semiad.ledger.writer import LedgerWriter
from semiad.runs import Recipe, Run, canonical, plan
from semiad.scenarios.kfold import KFold
from semiad.scenarios.leave_kind_out import LeaveKindOut
from semiad.scenarios.tables import name as scenario_name
from semiad.types import Dataset, Labels

FEWEST = 5
"""Labelled anomalies below which no method is chosen."""
FEW_ROWS, FEW_STEPS = 10_000, 2_000
"""A number of rows, and the steps of a model in a comparison, at most, with so many rows; with more, `STEPS`."""
SCORES = "scores"
"""The folder for scores of tested rows, beside the ledger."""


@dataclass(frozen=True)
class Job:
    """The runs of a candidate.

    Attributes:
        candidate: which.
        recipe: of its runs.
        runs: a run for each fold of each repeat.
        context: what they share.
        engine: that trains them.
    """

    candidate: Candidate
    recipe: Recipe
    runs: Sequence[Run]
    context: TrainingContext
    engine: Engine


def too_few(anomalies: int) -> str:
    """Say that there are too few labels to compare by."""
    subject = f"{anomalies} row{'s are' if anomalies != 1 else ' is'}"
    return f"{subject} labelled anomalous, and methods are compared from {FEWEST} on"


def check_labels(anomalies: int, others: int, folds: int) -> int:
    """Give the number of folds: at most one for each labelled anomaly, and for each other row.

    Raises:
        InputError: there are too few labels to compare by, or a number of folds that cannot be had.
    """
    check_whole("folds", folds, 2)
    if anomalies < FEWEST:
        raise InputError(f"{too_few(anomalies)}: with fewer, chance decides")
    if others < 2:
        raise InputError(f"{others or 'no'} training row is not labelled anomalous, expected two for two folds")
    return min(folds, anomalies, others)


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
        x: rows as a detector prepares them, in [0, 1]; labels have no part in that.
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
    labels = Labels("rows", (0, 1), anomalous.astype(np.int64), None)
    dataset = Dataset(labels, torch.from_numpy(x), top=1.0, checked=True)
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
        jobs.append(Job(candidate, recipe, runs, context, choose_engine(composition.engine, runs, context)))
    return jobs


def step_budget(rows: int) -> int:
    """Give the number of steps of a model, at most."""
    return FEW_STEPS if rows <= FEW_ROWS else STEPS


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
    """Estimate how long runs take, by a short trial of each method; its settings hardly change that."""
    of_run: dict[str, float] = {}
    for job in jobs:
        if job.runs and job.candidate.method not in of_run:
            seconds = estimate_seconds(job.runs, replace(job.context, resumable=None), job.engine)
            of_run[job.candidate.method] = seconds / len(job.runs)
    return sum(of_run[job.candidate.method] * len(job.runs) for job in jobs if job.runs)


def train_jobs(jobs: Sequence[Job], results: Path, callback: Callable[[Job], RunCallback]) -> None:
    """Train what has no record yet; runs that can be stepped as one are trained as one pack.

    Args:
        jobs: of `make_jobs`.
        results: the ledger.
        callback: makes, for the first of some jobs that are trained together, what is told of their epochs and runs.

    Raises:
        InputError: the ledger cannot be written to.
    """
    silence_libraries()
    writer = LedgerWriter(results)
    left = {run.key for job in unrecorded(jobs, results) for run in job.runs}
    for group in trained_together(jobs):
        first = group[0]
        names = {
            "method": first.candidate.method,
            "dataset": first.context.dataset.labels.name,
            "scenario": scenario_name(first.recipe.scenario),
        }
        for job in group:
            writer.plan(
                {**names, "experiment": "compare", "config": job.recipe.config}, [run.identity for run in job.runs]
            )
        if runs := [run for job in group for run in job.runs if run.key in left]:
            recorder = Recorder(first.context, writer, {**names, "forced": False})
            train_with_callbacks(runs, first.context, first.engine, [recorder, callback(first)])


def trained_together(jobs: Sequence[Job]) -> list[list[Job]]:
    """Group jobs whose runs may share a pack: those of a method that differ by its own settings or by their folds."""
    groups: dict[object, list[Job]] = {}
    for number, job in enumerate(jobs):
        others = tuple(word for word in job.candidate.overrides if not word.startswith("method."))
        packed = isinstance(job.engine, PackedEngine)
        alike = job.candidate.method, others, job.context.max_epochs
        groups.setdefault(alike if packed else number, []).append(job)
    return [*groups.values()]
