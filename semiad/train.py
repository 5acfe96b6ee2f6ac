"""`python -m semiad.train`: plan runs, train those that are missing, record each as it ends."""

import json
import logging
import os
import shlex
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import lru_cache, partial
from importlib.util import find_spec
from itertools import product
from multiprocessing import parent_process
from pathlib import Path
from typing import Any, ClassVar

import hydra
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, InstantiationException
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console

from semiad import audit, records
from semiad.ending import FILE, Status, gathered
from semiad.engines.base import Engine, Job, device, exact
from semiad.engines.shallow import ShallowEngine
from semiad.engines.stopping import Stopped, held, orphan
from semiad.errors import InputError, WorkerLost
from semiad.follow import Follower, Keeper, follow
from semiad.live import SHOWN, live
from semiad.loggers.base import Title
from semiad.loggers.wandb import unsynced
from semiad.methods.shallow import is_shallow
from semiad.progress import Progress
from semiad.provenance import Recorder, of_run
from semiad.runs import Recipe, Run, canonical, costs, plan, shard
from semiad.scenarios.base import Scenario
from semiad.tracking import Maker, Tracker
from semiad.types import Split, Table

# No colours and no wrapping where the output goes to a file.
console = Console(width=None if sys.stdout.isatty() else 10_000, highlight=False)


# For launchers that place one job a GPU.
OmegaConf.register_new_resolver("semiad.gpu", lambda: min(torch.cuda.device_count(), 1), replace=True)

GOES_ON = "what has ended is recorded, and the same command goes on from there"


class Ending(Callback):
    """Hydra's, called in the process of the command: what its jobs came to."""

    came_to: ClassVar[list[Status]] = []
    stack = ExitStack()

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ANN401
        """Show the job."""
        self.stack.enter_context(live(console, Path(str(config.results)), str(outputs(config.hydra))))

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ANN401
        """Prepare the environment of the jobs, and forget what an earlier command left in the same folder."""
        if cores := config.hydra.launcher.get("cpus_per_task"):
            os.environ.setdefault("OMP_NUM_THREADS", str(cores))
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        for path in Path(config.hydra.sweep.dir).glob(f"*/{FILE}"):
            path.unlink()
        if "joblib" in config.hydra.launcher._target_:
            # Ctrl-C reaches the workers too, and they need a moment to save what they are at.
            self.stack.enter_context(held((signal.SIGINT,)))
        self.stack.enter_context(live(console, Path(str(config.results)), str(outputs(config.hydra))))

    def on_run_end(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ANN401
        """One job."""
        self.came_to[:] = [status]
        self.upload(Path(config.hydra.run.dir))

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ANN401
        """Several, perhaps in other processes."""
        folder = Path(config.hydra.sweep.dir)
        nothing = Status(
            errors=[f"no job wrote into {folder}: command and jobs must see it under one path"], told=False
        )
        self.came_to[:] = list(gathered(folder)) or [nothing]
        if "submitit" in config.hydra.launcher._target_:  # whose jobs write to files
            for came_to in self.came_to:
                came_to.told = False
        self.upload(folder)

    def upload(self, folder: Path) -> None:
        """Say how, if W&B has kept something in the folder of the command."""
        if how := unsynced(folder):
            console.print(f"W&B was offline; to upload: {how}", markup=False)


status = Status()
"""Of the job that this process is at."""


def task(cfg: DictConfig) -> None:
    """One Hydra job. Whatever goes wrong is said in a sentence, so that the other jobs go on."""
    status.planned, status.recorded, status.errors = None, 0, []
    folder = Path(HydraConfig.get().runtime.output_dir)
    os.chdir(HydraConfig.get().runtime.cwd)  # a Ray cluster has a folder of its own
    quiet()
    try:
        if not status.stopped:
            with held():
                job(cfg)
    except Stopped as stop:
        status.stopped = int(str(stop.code))
    except (InputError, WorkerLost) as error:
        fail(str(error))
    except (InstantiationException, OmegaConfBaseException) as error:
        cause = error.__cause__
        fail(str(cause) if isinstance(cause, InputError) else " ".join(str(error).split()))
    except Exception as error:
        log = folder / "traceback.txt"
        log.write_text(traceback.format_exc())
        fail(f"{type(error).__name__}: {' '.join(str(error).split())} (a fault of semiad's; traceback in {log})")
    status.write(folder)
    if orphan():
        os._exit(1)  # else this process would wait for work from one that is no more


def fail(sentence: str) -> None:
    """Say what is wrong, and remember it for the exit status."""
    status.errors.append(sentence)
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"error: {sentence}", markup=False)


def job(cfg: DictConfig) -> None:
    """Plan, compare with the ledger, train what is missing."""
    check(cfg)
    if cfg.shard is not None and cfg.shard >= cfg.shards:
        return  # -m counts shards once, for all jobs; this one has fewer
    table = load(json.dumps(resolved(cfg.dataset)), Path(cfg.data_root))
    made = recipes(cfg)
    whole = plan(made, table.labels, resolved(cfg.seeds))
    work = Job(
        table=table,
        epochs=cfg.epochs,
        batch_size=cfg.batch_size,
        eval_every=cfg.eval_every,
        folder=Path(HydraConfig.get().runtime.output_dir),
        device=device(cfg.device),
        size=len(whole),
        resumable=Path(cfg.results) / "resumable",
    )
    exact(cfg.engine.get("precision", "fp32"))
    engine: Engine = instantiate(cfg.engine)
    if is_shallow(made[0].method):  # whatever the engine: it says how networks are trained
        engine, work = ShallowEngine(), replace(work, epochs=1, eval_every=0, device=device("cpu"))
    lengths = rehearse(whole, work)
    runs = shard(whole, costs(whole, table.labels, lengths), cfg.shard, cfg.shards)
    splits = draw(runs, work)
    ledger = records.read(Path(cfg.results))
    for warning in ledger.warnings:
        console.print(f"warning: {warning}", markup=False)
    left = [run for run in runs if cfg.force or not ledger.done(run.key, cfg.retry_failed)]
    work = replace(work, size=len(runs), recorded=frozenset() if cfg.force else frozenset(ledger.records))
    choices = HydraConfig.get().runtime.choices
    swept = [key for key in HydraConfig.get().sweeper.params or {} if key != "shard"]
    if swept and HydraConfig.get().mode == RunMode.RUN:
        console.print(
            f"note: experiment={choices['experiment']} varies {', '.join(swept)} with -m; this is one job of it"
        )
    names = {"method": choices["method"], "dataset": table.labels.name, "scenario": choices["scenario"]}
    part = "" if cfg.shard is None or cfg.shards == 1 else f", part {cfg.shard + 1} of {cfg.shards}"
    title = f"{names['method']} on {names['dataset']}, {names['scenario']}{part}"
    status.planned, status.recorded = len(runs), len(runs) - len(left)
    if cfg.audit:
        found = audit.audits(runs, work)
        console.print(f"{title}: {len(found)} splits of {len(runs)} runs")
        console.print(audit.shown(found))
        for remark in audit.remarks(found):
            console.print(remark, markup=False)
        return
    if cfg.dry_run:
        rows = [sum(len(getattr(split, kind)) for split in splits) for kind in ("train", "test")]
        console.print(
            f"{title}: {len(runs)} runs of {work.epochs} epochs, {rows[0]} training rows, {rows[1]} test rows, "
            f"{len(runs) - len(left)} recorded already"
        )
        return
    writer = records.Writer(Path(cfg.results))
    own: dict[Recipe, list[dict[str, Any]]] = {run.recipe: [] for run in runs}
    for run in runs:
        own[run.recipe].append(of_run(run))
    for recipe, planned in own.items():
        writer.plan({**names, "config": recipe.config}, planned)
    hint = "; force=true trains again, for curves" if work.eval_every and len(left) < len(runs) else ""
    console.print(f"{title}: {len(runs)} runs, {len(runs) - len(left)} recorded already, {len(left)} to train{hint}")
    if left:
        total = sum(lengths[run.recipe] for run in left)
        progress = Progress(title, str(outputs(HydraConfig.get())), len(runs), len(runs) - len(left), total)
        keeper = Keeper(
            progress, writer.progress, None if console.is_terminal else partial(console.print, markup=False)
        )
        recorder = Recorder(work, writer, {**names, "forced": cfg.force})
        with tracker(cfg, title, names, left) as loggers:
            train(left, work, engine, [recorder, keeper, loggers], keeper)


def check(cfg: DictConfig) -> None:
    """Refuse values of the wrong kind.

    Raises:
        InputError: there are some.
    """
    for name, least in (("epochs", 1), ("batch_size", 1), ("eval_every", 0), ("shards", 1), ("shard", 0)):
        value = cfg[name]
        if value is None and name == "shard":
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise InputError(f"{name} is {value}, expected a whole number from {least} on")
    for name in ("force", "retry_failed", "dry_run", "audit", "logger.per_run"):
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
        if path.split(".")[0] not in ("method", "design", "network", "scenario") or OmegaConf.select(cfg, path) is None:
            raise InputError(f"grid.{path} is no setting of method, network or scenario that has a value")
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


def tracker(cfg: DictConfig, name: str, tags: dict[str, str], left: Sequence[Run]) -> Tracker:
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
    title = Title(Path(context.runtime.output_dir), "", name, group, tags)
    say = partial(console.print, markup=False)
    return Tracker(makers, title, resolved(cfg), [run.key for run in left], cfg.logger.per_run, say)


def train(runs: Sequence[Run], work: Job, engine: Engine, followers: Sequence[Follower], keeper: Keeper) -> None:
    """Train runs; each is recorded as it ends, before anyone else is told of it."""
    state, progress = "stopped", keeper.progress
    try:
        follow(runs, work, engine, followers)
        state = "ended"
    finally:
        keeper.close(state)
    if progress.failed:
        console.print(f"{progress.title}: {progress.failed} of {len(runs)} runs failed; the report says why")


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


def quiet() -> None:
    """Silence what libraries have to say that is no news to a user, and what would be printed over a view."""
    console.quiet = bool(parent_process() and os.environ.get(SHOWN))
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    # Looks for CUDA when a step is compiled for a CPU.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    # Lightning 2.6 walks pytrees in a way that torch 2.15 calls old.
    warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated")
    # A machine may have Slurm, and semiad be used beside it.
    warnings.filterwarnings("ignore", message="The `srun` command is available")
    # Whoever says device=cpu on a machine with a GPU means it.
    warnings.filterwarnings("ignore", message="GPU available but not used")


def main() -> None:
    """The command."""
    refusal = refused(sys.argv[1:])
    if refusal:
        fail(refusal)
        sys.exit(1)
    Ending.came_to.clear()
    status.stopped = 0
    os.environ["HYDRA_FULL_ERROR"] = "1"  # what goes wrong comes here
    try:
        with Ending.stack:
            # Not as a decorator: launchers hand the function itself, by its name, to other processes.
            hydra.main(version_base="1.3", config_path="pkg://semiad.conf", config_name="train")(task)()
    except KeyboardInterrupt:
        status.stopped = 130
    except (HydraException, OmegaConfBaseException) as error:
        fail(str(error))
        sys.exit(1)
    except Exception as error:  # a launcher's: there are as many kinds as launchers
        fail(f"{type(error).__name__}: {' '.join(str(error).split())}: a job was ended from outside; {GOES_ON}")
        sys.exit(1)
    stopped = max([status.stopped, *(came_to.stopped for came_to in Ending.came_to)])
    if stopped:
        console.print(f"stopped; {GOES_ON}: python -m semiad.train {shlex.join(sys.argv[1:])}", markup=False)
        sys.exit(stopped)
    planned = [came_to for came_to in Ending.came_to if came_to.planned is not None]
    if len(planned) > 1:
        runs, recorded = (sum(getattr(came_to, name) for came_to in planned) for name in ("planned", "recorded"))
        console.print(f"{len(planned)} jobs, {runs} runs, {recorded} of them recorded before")
    for came_to in Ending.came_to:
        for sentence in came_to.errors if not came_to.told else ():
            fail(sentence)
    if any(came_to.errors for came_to in Ending.came_to):
        sys.exit(1)


def refused(words: list[str]) -> str | None:
    """What Hydra would take wrong or answer with a traceback: a sentence, or None."""
    if any(word.startswith("experiment=") and "," in word for word in words):
        return "experiment takes one name: what experiments sweep over cannot be combined, so run one after the other"
    if not any(word.startswith(("--", "hydra.run.dir=", "hydra.sweep.dir=")) for word in words):
        try:
            Path("outputs").mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory(dir="outputs"):
                pass
        except OSError as error:
            return (
                f"this folder cannot be written to ({error.strerror}), and outputs/runs goes here: change to another "
                "folder, or set hydra.run.dir=DIR (with -m hydra.sweep.dir=DIR)"
            )
    return None


if __name__ == "__main__":
    # By its own name, not `__main__`, so that launchers can hand the task to other processes.
    from semiad.train import main as command

    command()
