"""One Hydra job, from its configuration to its records."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from semiad import audit, ledger, records
from semiad.ending import Status
from semiad.engines.base import Engine, Job, device, exact
from semiad.engines.resumable import saved_keys
from semiad.engines.shallow import ShallowEngine
from semiad.errors import InputError
from semiad.follow import Keeper, follow
from semiad.loggers.base import Title
from semiad.methods.shallow import is_shallow
from semiad.probe import estimate
from semiad.progress import Progress, clock
from semiad.provenance import Recorder, of_run
from semiad.published import published
from semiad.runs import Recipe, Run, canonical, costs, plan, shard
from semiad.scenarios.base import Scenario
from semiad.tracking import Maker, Tracker
from semiad.types import Split, Table

# No colours and no wrapping where the output goes to a file.
console = Console(width=None if sys.stdout.isatty() else 10_000, highlight=False)


@dataclass(frozen=True)
class Task:
    """What a job is to do.

    Attributes:
        names: of its method, data set and scenario.
        published: of which table or figure its runs are.
        title: those, what else tells it from the other jobs of its experiment, and which part of its plan it is.
        work: what all its runs share.
        engine: that trains them.
        runs: all of them.
        left: those without a record.
        lengths: the epochs of all phases of a run, by recipe.
        splits: of the size of each run's.
    """

    names: dict[str, str]
    published: dict[str, Any]
    title: str
    work: Job
    engine: Engine
    runs: Sequence[Run]
    left: Sequence[Run]
    lengths: dict[Recipe, int]
    splits: Sequence[Split]


def run(cfg: DictConfig, status: Status) -> None:
    """Plan, compare with the ledger, train what is missing.

    Args:
        cfg: the configuration.
        status: told how many runs there are.

    Raises:
        InputError: the configuration cannot be used.
    """
    check(cfg)
    if cfg.shard is not None and cfg.shard >= cfg.shards:
        return  # -m counts shards once, for all jobs; this one has fewer
    task = prepare(cfg)
    status.planned, status.recorded = len(task.runs), len(task.runs) - len(task.left)
    if cfg.audit:
        say_audit(task)
    elif cfg.dry_run:
        say_estimate(task, status)
    else:
        status.trains = True
        train(cfg, task)


def prepare(cfg: DictConfig) -> Task:
    """What a job is to do; nothing is written yet.

    Raises:
        InputError: the configuration cannot be used.
    """
    table = load(json.dumps(resolved(cfg.dataset)), Path(cfg.data_root))
    made = recipes(cfg)
    whole = plan(made, table.labels, resolved(cfg.seeds))
    work = Job(
        table=table,
        epochs=cfg.epochs,
        batch_size=cfg.batch_size,
        eval_every=cfg.eval_every,
        folder=Path(HydraConfig.get().runtime.output_dir),
        device=device("cpu" if is_shallow(made[0].method) else cfg.device),
        size=len(whole),
        resumable=Path(cfg.results) / "resumable",
        samples=Path(cfg.results) / "samples" if cfg.samples else None,
    )
    exact(cfg.engine.get("precision", "fp32"))
    engine: Engine = instantiate(cfg.engine, **({"checkpoints": False} if cfg.dry_run else {}))
    if is_shallow(made[0].method):  # whatever the engine: it says how networks are trained
        engine, work = ShallowEngine(), replace(work, epochs=1, eval_every=0)
    lengths = rehearse(whole, work)
    runs = shard(whole, costs(whole, table.labels, lengths), cfg.shard, cfg.shards)
    splits = draw(runs, work)
    there = ledger.read(Path(cfg.results))
    for warning in there.warnings:
        console.print(f"warning: {warning}", markup=False)
    left = [run for run in runs if cfg.force or not there.done(run.key, cfg.retry_failed)]
    work = replace(work, size=len(runs), recorded=frozenset() if cfg.force else frozenset(there.recorded))
    choices = HydraConfig.get().runtime.choices
    varied = [key for key in HydraConfig.get().sweeper.params or {} if key != "shard"]
    if varied and HydraConfig.get().mode == RunMode.RUN:
        console.print(
            f"note: experiment={choices['experiment']} varies {', '.join(varied)} with -m; this is one job of it"
        )
    names = {"method": choices["method"], "dataset": table.labels.name, "scenario": choices["scenario"]}
    part = "" if cfg.shard is None or cfg.shards == 1 else f", part {cfg.shard + 1} of {cfg.shards}"
    of = published(cfg)
    own = (of["job"] or {}).items()
    other = "".join(f", {name}={value}" for name, value in own if name.split(".")[0] not in names)
    title = f"{names['method']} on {names['dataset']}, {names['scenario']}{other}{part}"
    return Task(names, of, title, work, engine, runs, left, lengths, splits)


def say_audit(task: Task) -> None:
    """Print what each split holds."""
    found = audit.audits(task.runs, task.work)
    console.print(f"{task.title}: {len(found)} splits of {len(task.runs)} runs")
    console.print(audit.shown(found))
    for remark in audit.remarks(found):
        console.print(remark, markup=False)


def say_estimate(task: Task, status: Status) -> None:
    """Print how many rows there are, and how long the runs will take."""
    rows = [sum(len(getattr(split, kind)) for split in task.splits) for kind in ("train", "test")]
    status.seconds = estimate(task.left, task.work, task.engine) if task.left else 0
    console.print(
        f"{task.title}: {len(task.runs)} runs of {task.work.epochs} epochs, {rows[0]} training rows, {rows[1]} test "
        f"rows, {len(task.runs) - len(task.left)} recorded already, about {clock(status.seconds)} for the others"
    )


def train(cfg: DictConfig, task: Task) -> None:
    """Leave the plan, and train the runs that are left; each is recorded as it ends, before anyone else is told of it.

    Raises:
        InputError: a logger is not installed, or the ledger cannot be written to.
    """
    writer, left, count = records.Writer(Path(cfg.results)), task.left, len(task.runs)
    done = count - len(left)
    shared = {**task.names, **task.published}
    for recipe in task.lengths:
        if planned := [of_run(run) for run in task.runs if run.recipe == recipe]:
            writer.plan({**shared, "config": recipe.config}, planned)
    wanted = [what for what, asked in (("curves", task.work.eval_every), ("samples", task.work.samples)) if asked]
    hint = f"; force=true trains again, for {' and '.join(wanted)}" if wanted and done else ""
    begun = frozenset().union(*saved_keys(task.work)) & {run.key for run in left}
    goes_on = f", {len(begun)} of them from where they were stopped" if begun else ""
    console.print(f"{task.title}: {count} runs, {done} recorded already, {len(left)} to train{goes_on}{hint}")
    if not left:
        return
    total = sum(task.lengths[run.recipe] for run in left)
    progress = Progress(task.title, str(outputs(HydraConfig.get())), count, done, total)
    keeper = Keeper(progress, writer.progress, None if console.is_terminal else partial(console.print, markup=False))
    recorder = Recorder(task.work, writer, {**task.names, "forced": cfg.force})
    state = "stopped"
    with tracker(cfg, task) as loggers:
        try:
            follow(left, task.work, task.engine, [recorder, keeper, loggers])
            state = "ended"
        finally:
            keeper.close(state)
        if progress.failed:
            console.print(f"{task.title}: {progress.failed} of {len(left)} runs failed; the report says why")


def check(cfg: DictConfig) -> None:
    """Refuse values of the wrong kind.

    Raises:
        InputError: there are some.
    """
    choices = HydraConfig.get().runtime.choices
    if choices["budget"] != "full" and not choices["experiment"]:
        raise InputError(f"budget={choices['budget']} is of an experiment: add experiment=NAME")
    for name, least in (("epochs", 1), ("batch_size", 1), ("eval_every", 0), ("shards", 1), ("shard", 0)):
        value = cfg[name]
        if value is None and name == "shard":
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise InputError(f"{name} is {value}, expected a whole number from {least} on")
    for name in ("force", "retry_failed", "dry_run", "audit", "samples", "logger.per_run"):
        value = OmegaConf.select(cfg, name)
        if not isinstance(value, bool):
            raise InputError(f"{name} is {value}, expected true or false")
    for name in ("results", "data_root"):
        if not isinstance(cfg[name], str) or not cfg[name]:
            raise InputError(f"{name} is {cfg[name]}, expected a folder")
    if not OmegaConf.is_list(cfg.seeds):
        raise InputError(f"seeds is {cfg.seeds}, expected a list such as seeds=[0,1,2]")


def recipes(cfg: DictConfig) -> list[Recipe]:
    """The recipes of a job: one, or one for each combination of the values that `grid` lists.

    Raises:
        InputError: `grid` names something else than settings of the method, its network or the scenario.
    """
    grid = dict(records.leaves(resolved(cfg.grid))) if cfg.grid else {}
    for path, values in grid.items():
        there = OmegaConf.select(cfg, path, default=grid) is not grid  # what is null is there
        if path.split(".")[0] not in ("method", "design", "network", "scenario") or not there:
            raise InputError(f"grid.{path} is no setting of method, network or scenario")
        if not isinstance(values, list) or not values:
            raise InputError(f"grid.{path} is {values}, expected a list of values")
    made = []
    for values in product(*grid.values()):
        for path, value in zip(grid, values, strict=True):
            OmegaConf.update(cfg, path, value)
        scenario: Scenario = instantiate(cfg.scenario, _convert_="all")
        method = instantiate(cfg.method, _convert_="all")
        made.append(Recipe(identity(cfg, scenario, is_shallow(method)), scenario, method))
    return made


def draw(runs: Sequence[Run], work: Job) -> list[Split]:
    """Draw a split for each run, before anything is written.

    Returns:
        A split of the size of each run's: sizes do not depend on the seed, so one a cell and scenario is drawn.

    Raises:
        InputError: a class has too few rows.
    """
    drawn: dict[str, Split] = {}
    splits = []
    for run in runs:
        at = repr((run.cell, run.recipe.config["scenario"]))
        if at not in drawn:
            drawn[at] = work.split(run)
        splits.append(drawn[at])
    return splits


def rehearse(runs: Sequence[Run], work: Job) -> dict[Recipe, int]:
    """Build a method for each recipe, before anything is written.

    Returns:
        The epochs of all phases of a recipe's runs; a shallow method has no phases, and counts as one epoch.

    Raises:
        InputError: a method cannot be built with its settings.
    """
    lengths = {}
    for run in {run.recipe: run for run in reversed(runs)}.values():
        try:
            phases = work.phases(run)
            lengths[run.recipe] = sum(map(work.length, phases)) or 1
            for phase in phases:
                phase.configure_optimizers()
                phase.rate(work.length(phase))
                if phase.full_batches and work.batch_size < 2:
                    raise InputError(f"batch_size is 1, but {type(phase).__name__} needs batches of two rows or more")
        except InputError:
            raise
        except Exception as error:  # whatever torch raises at sizes and rates that make no sense
            sentence = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise InputError(f"the method cannot be built with its settings ({sentence})") from error
    return lengths


def tracker(cfg: DictConfig, task: Task) -> Tracker:
    """What follows a job: its loggers, under the name of the experiment or else of the command's folder.

    Raises:
        InputError: a logger is not installed.
    """
    for optional in ("tensorboard", "mlflow"):
        if optional in cfg.logger and find_spec(optional) is None:
            raise InputError(f"logger={optional} needs a package: pip install 'semiad[tracking]'")
    made = {key: instantiate(node, _convert_="all") for key, node in cfg.logger.items() if OmegaConf.is_dict(node)}
    makers: dict[str, Maker] = made
    context = HydraConfig.get()
    group = context.runtime.choices["experiment"] or outputs(context).name
    title = Title(Path(context.runtime.output_dir), "", task.title, group, task.names)
    say = partial(console.print, markup=False)
    return Tracker(makers, title, resolved(cfg), [run.key for run in task.left], cfg.logger.per_run, say)


def identity(cfg: DictConfig, scenario: Scenario, shallow: bool) -> dict[str, Any]:
    """All that decides the figures of a run besides its cell and seed: for a shallow method no epochs and the like."""
    kept = {key: value for key, value in resolved(cfg.scenario).items() if key not in scenario.narrows}
    whole = {"method": resolved(cfg.method), "dataset": resolved(cfg.dataset), "scenario": kept}
    precision = cfg.engine.get("precision", "fp32")
    rest = {} if precision == "fp32" else {"precision": precision}
    training = {} if shallow else {"epochs": cfg.epochs, "batch_size": cfg.batch_size, **rest}
    same: dict[str, Any] = canonical({**whole, **training})
    return same


def outputs(hydra: Any) -> Path:  # noqa: ANN401
    """The folder of a command's outputs, given Hydra's own configuration."""
    return Path(hydra.sweep.dir if hydra.mode == RunMode.MULTIRUN else hydra.run.dir)


def resolved(node: Any) -> Any:  # noqa: ANN401
    """A part of the configuration as plain data."""
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


@lru_cache(maxsize=4)
def load(dataset: str, root: Path) -> Table:
    """The table of a data set's configuration, read once a process."""
    loader: Callable[[Path], Table] = instantiate(json.loads(dataset))
    return loader(root)
