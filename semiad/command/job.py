"""One Hydra job: it plans runs, compares them with the ledger, and trains those that are missing."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from semiad.callbacks.base import train_with_callbacks
from semiad.callbacks.logging import LoggerFactory, LoggingCallback, left_out
from semiad.callbacks.progress import ProgressCallback
from semiad.callbacks.recorder import Recorder
from semiad.callbacks.run_metrics import RunMetrics
from semiad.command import audit
from semiad.command.changed_code import changed_code
from semiad.command.estimate import estimate
from semiad.command.experiment_tags import experiment_tags
from semiad.command.job_status import JobStatus, output_folder
from semiad.command.names import recorded_names
from semiad.command.notes import notes
from semiad.command.recipes import engine, load_dataset, own_content, recipes, resolved, trainer
from semiad.command.search_path import command_line_paths
from semiad.command.splits import check_splits, first_of_size, split_size_key
from semiad.command.validate import validate
from semiad.console import console
from semiad.engines.base import Engine
from semiad.engines.context import TrainingContext
from semiad.engines.device import resolve_device, set_precision
from semiad.engines.packed.resumable import saved_keys
from semiad.errors import InputError, root_cause
from semiad.extras import missing_package
from semiad.ledger.files import user_path
from semiad.ledger.progress import Progress, clock
from semiad.ledger.records import ChosenRecords, read_records
from semiad.ledger.writer import LedgerWriter
from semiad.loggers.base import Title
from semiad.runs import Recipe, Run, costs, plan, shard

LOGGER_EXTRAS = {"wandb": "wandb", "tensorboard": "tracking", "mlflow": "tracking"}
"""Packages of loggers, which have the name of their logger, and the extras that install them."""


@dataclass(frozen=True)
class JobPlan:
    """What a job is to do.

    Attributes:
        names: of its method, data set and scenario.
        tags: of which experiment its runs are, see `experiment_tags`.
        title: the names, what else tells it from the other jobs of its experiment, and which part of its plan it is.
        context: what all its runs share.
        engine: that trains them.
        runs: all of them.
        remaining: those without a record.
        ledger: the records at the start.
    """

    names: dict[str, str]
    tags: dict[str, Any]
    title: str
    context: TrainingContext
    engine: Engine
    runs: Sequence[Run]
    remaining: Sequence[Run]
    ledger: ChosenRecords

    def epochs(self, runs: Sequence[Run]) -> int:
        """Count the epochs of some runs, all phases together."""
        return sum(sum(self.context.facts(run).epochs) for run in runs)


def run_job(cfg: DictConfig, status: JobStatus) -> float | None:
    """Plan, compare with the ledger, train what is missing.

    Args:
        cfg: the configuration.
        status: is told how many runs there are.

    Returns:
        The value of the job's `objective`; None if there is none.

    Raises:
        InputError: the configuration cannot be used, or the objective has no value.
    """
    validate(cfg)
    if cfg.shard is not None and cfg.shard >= cfg.shards:
        if HydraConfig.get().mode == RunMode.RUN:
            raise InputError(f"shard is {cfg.shard}, expected 0 to {cfg.shards - 1} with shards={cfg.shards}")
        return None  # -m counts shards once, for all jobs; this one has fewer
    job = plan_job(cfg)
    status.planned, status.recorded = len(job.runs), len(job.runs) - len(job.remaining)
    if cfg.audit:
        print_audit(job)
    elif cfg.dry_run:
        print_estimate(job, status)
    elif partial_run := job.context.trainer.partial:
        try_out(job, partial_run)
    else:
        status.trains = True
        metrics = train(cfg, job)
        return None if cfg.objective is None else metrics.mean(cfg.objective)
    return None


def plan_job(cfg: DictConfig) -> JobPlan:
    """Work out what a job is to do; nothing is written yet.

    Raises:
        InputError: the configuration cannot be used.
    """
    dataset = load_dataset(json.dumps(resolved(cfg.dataset)), user_path("data_root", cfg.data_root))
    results = user_path("results", cfg.results)
    made = recipes(cfg, own_content(cfg, dataset))
    every = plan(made, dataset.labels, resolved(cfg.seeds))
    alone, networks = made[0].engine is None, made[0].has_network
    context = TrainingContext(
        dataset=dataset,
        epochs=cfg.epochs if networks else 1,
        batch_size=cfg.batch_size,
        eval_every=cfg.eval_every if alone else 0,
        folder=Path(HydraConfig.get().runtime.output_dir),
        device=resolve_device(cfg.device if networks else "cpu"),
        size=len(every),
        resumable=None if cfg.force else results / "resumable",
        samples=results / "samples" if cfg.samples and alone else None,
        validation=cfg.validation,
        trainer=trainer(cfg),
        encoders=None if cfg.force else results / "encoders",
    )
    set_precision(cfg.engine.get("precision", "fp32"))
    chosen = engine(cfg, made[0])
    epochs = {run.recipe: sum(context.facts(run).epochs) for run in every}
    runs = shard(every, costs(every, dataset.labels, epochs), cfg.shard, cfg.shards)
    for warning in check_splits(runs, context):
        if not cfg.audit:  # which counts these rows itself
            console.print(f"warning: {warning}", markup=False)
    ledger = read_records(results)
    remaining = [run for run in runs if cfg.force or not ledger.done(run.key, cfg.retry_failed)]
    left = set(remaining)
    for warning in (*ledger.warnings, *changed_code([run for run in runs if run not in left], ledger)):
        console.print(f"warning: {warning}", markup=False)
    recorded = frozenset() if cfg.force else frozenset(ledger.statuses)
    context = replace(context, size=len(runs), recorded=recorded)
    if remaining:
        chosen.check(remaining, context)
    choices = HydraConfig.get().runtime.choices
    varied = [key for key in HydraConfig.get().sweeper.params or {} if key != "shard"]
    if varied and HydraConfig.get().mode == RunMode.RUN:
        console.print(
            f"note: experiment={choices['experiment']} varies {', '.join(varied)} with -m; this is one job of it"
        )
    names = recorded_names(dataset.labels.name, resolved(cfg.grid))
    tags = {**experiment_tags(cfg), **command_line_paths()}
    title = job_title(cfg, names, tags)
    return JobPlan(names, tags, title, context, chosen, runs, remaining, ledger)


def job_title(cfg: DictConfig, names: dict[str, str], tags: dict[str, Any]) -> str:
    """Name a job: by its names, what else tells it from other jobs of its experiment, and its part of the plan."""
    part = "" if cfg.shard is None or cfg.shards == 1 else f", part {cfg.shard + 1} of {cfg.shards}"
    others = "".join(f", {k}={v}" for k, v in (tags["job"] or {}).items() if k.split(".")[0] not in names)
    return f"{names['method']} on {names['dataset']}, {names['scenario']}{others}{part}"


def print_audit(job: JobPlan) -> None:
    """Print what each split holds."""
    audits = audit.audits(job.runs, job.context)
    console.print(f"{job.title}: {len(audits)} splits of {len(job.runs)} runs")
    console.print(audit.as_table(audits))
    for remark in audit.remarks(audits):
        console.print(remark, markup=False)


def print_estimate(job: JobPlan, status: JobStatus) -> None:
    """Print how many rows there are, and how long the runs will take."""
    splits = {key: job.context.split(run) for key, run in first_of_size(job.runs).items()}
    every = [splits[split_size_key(run)] for run in job.runs]
    train, test = (sum(len(getattr(split, kind)) for split in every) for kind in ("train", "test"))
    status.seconds = estimate(job.remaining, job.context, job.engine) if job.remaining else 0
    console.print(
        f"{job.title}: {len(job.runs)} runs of {job.context.epochs} epochs, {train} training rows, {test} test "
        f"rows, {len(job.runs) - len(job.remaining)} recorded already, about {clock(status.seconds)} for the others"
    )


def try_out(job: JobPlan, arguments: Sequence[str]) -> None:
    """Train runs as trials, of which nothing is recorded."""
    context = replace(job.context, samples=None, resumable=None, encoders=None)
    for outcome in job.engine.train(job.remaining, context, lambda points: None):
        said = f"AUC {outcome.metrics['auc']:.4f}" if outcome.reason is None else f"failed: {outcome.reason}"
        console.print(f"{job.title}, trial: {said}", markup=False)
    names = ", ".join(f"trainer.{name}" for name in arguments)
    console.print(f"{job.title}: {len(job.remaining)} trials; nothing is recorded with {names}", markup=False)


def train(cfg: DictConfig, job: JobPlan) -> RunMetrics:
    """Leave the plan, and train the remaining runs; each is recorded as it ends, before any other callback is told.

    Returns:
        The metrics of all runs of the job.

    Raises:
        InputError: a logger is not installed, the ledger cannot be written to, or every run has failed.
    """
    writer, remaining, count = LedgerWriter(job.ledger.folder), job.remaining, len(job.runs)
    metrics = RunMetrics(job.runs, job.ledger)
    done = count - len(remaining)
    by_recipe: dict[Recipe, list[Run]] = {}
    for run in job.runs:
        by_recipe.setdefault(run.recipe, []).append(run)
    for recipe, runs in by_recipe.items():
        writer.plan({**job.names, **job.tags, "config": recipe.config}, [run.identity for run in runs])
    begun = frozenset().union(*saved_keys(job.context)) & {run.key for run in remaining}
    goes_on = f", {len(begun)} of them from where they were stopped" if begun else ""
    by = f", engine={job.engine.choose(remaining, job.context).name}" if remaining else ""
    console.print(f"{job.title}: {count} runs, {done} recorded already, {len(remaining)} to train{goes_on}{by}")
    for note in notes(cfg, job.runs, remaining, job.ledger):
        console.print(f"note: {note}", markup=False)
    if remaining:
        train_remaining(cfg, job, writer, metrics)
    if job.runs:
        console.print(f"{job.title}: {metrics.summary()}", markup=False)
    if job.runs and len(metrics.reasons) == len(job.runs):
        reason, *_ = metrics.reasons.values()
        failed = "the run" if count == 1 else f"each of the {count} runs"
        raise InputError(f"{job.title}: {failed} failed: {reason}; retry_failed=true tries again")
    return metrics


def train_remaining(cfg: DictConfig, job: JobPlan, writer: LedgerWriter, metrics: RunMetrics) -> None:
    """Train the remaining runs of a job.

    Raises:
        InputError: a logger is not installed, or the ledger cannot be written to.
    """
    remaining, count = job.remaining, len(job.runs)
    outputs = str(output_folder(HydraConfig.get()))
    progress = Progress(job.title, outputs, count, count - len(remaining), job.epochs(remaining))
    say = None if console.is_terminal else partial(console.print, markup=False)
    with logging_callback(cfg, job) as loggers, ProgressCallback(progress, writer.progress, say) as progress_callback:
        recorder = Recorder(job.context, writer, {**job.names, "forced": cfg.force})
        train_with_callbacks(remaining, job.context, job.engine, [recorder, metrics, progress_callback, loggers])
    if progress.failed:
        console.print(f"{job.title}: {progress.failed} of {len(remaining)} runs failed; the report says why")


def logging_callback(cfg: DictConfig, job: JobPlan) -> LoggingCallback:
    """Make the callback of a job's loggers, under the name of the experiment or else of the command's folder.

    Raises:
        InputError: a logger is not installed.
    """
    for package, extra in LOGGER_EXTRAS.items():
        if package in cfg.logger and find_spec(package) is None:
            raise missing_package(package, extra, f"logger={package}")
    factories: dict[str, LoggerFactory] = {}
    say = partial(console.print, markup=False)
    for name, node in cfg.logger.items():
        try:
            if OmegaConf.is_dict(node):
                factories[name] = instantiate(node, _convert_="all")
        except Exception as error:
            say(left_out(name, root_cause(error)))
    hydra = HydraConfig.get()
    group = hydra.runtime.choices["experiment"] or output_folder(hydra).name
    title = Title(Path(hydra.runtime.output_dir), "", job.title, group, job.names)
    keys = [run.key for run in job.remaining]
    return LoggingCallback(factories, title, resolved(cfg), keys, cfg.logger.per_run, say)
