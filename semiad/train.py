"""`python -m semiad.train`: plan runs, train those that are missing, record each as it ends."""

import json
import logging
import subprocess
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache, lru_cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from semiad import records
from semiad.engines.base import Engine, Job, Outcome, device
from semiad.errors import InputError
from semiad.runs import Run, plan, shard
from semiad.scenarios.base import Scenario
from semiad.types import Table

# No colours and no wrapping where the output goes to a file.
console = Console(width=None if sys.stdout.isatty() else 10_000, highlight=False)


@dataclass
class Total:
    """What the jobs of this command have come to."""

    jobs: int = 0
    runs: int = 0
    recorded: int = 0
    errors: int = 0


total = Total()


@hydra.main(version_base="1.3", config_path="pkg://semiad.conf", config_name="train")
def task(cfg: DictConfig) -> None:
    """One Hydra job. Whatever goes wrong is said in a sentence, so that the other jobs go on."""
    try:
        job(cfg)
    except InputError as error:
        fail(str(error))
    except (InstantiationException, OmegaConfBaseException) as error:
        cause = error.__cause__
        fail(str(cause) if isinstance(cause, InputError) else " ".join(str(error).split()))
    except (KeyboardInterrupt, SystemExit):  # Lightning turns the first into the second
        console.print("stopped: what has ended is recorded; the same command goes on from there")
        raise SystemExit(130) from None
    except Exception as error:
        log = Path(HydraConfig.get().runtime.output_dir) / "traceback.txt"
        log.write_text(traceback.format_exc())
        fail(f"{type(error).__name__}: {' '.join(str(error).split())} (a fault of semiad's; traceback in {log})")


def fail(sentence: str) -> None:
    """Say what is wrong, and remember it for the exit status."""
    total.errors += 1
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"error: {sentence}", markup=False)


def job(cfg: DictConfig) -> None:
    """Plan, compare with the ledger, train what is missing."""
    for name, least in (("epochs", 1), ("batch_size", 1), ("eval_every", 0), ("shards", 1)):
        if not isinstance(cfg[name], int) or isinstance(cfg[name], bool) or cfg[name] < least:
            raise InputError(f"{name} is {cfg[name]}, expected a whole number from {least} on")
    where, choices, folder = device(cfg.device), HydraConfig.get().runtime.choices, Path(cfg.results)
    table = load(json.dumps(resolved(cfg.dataset)), Path(cfg.data_root))
    scenario: Scenario = instantiate(cfg.scenario, _convert_="all")
    seeds = resolved(cfg.seeds)
    if not isinstance(seeds, list):
        raise InputError(f"seeds is {seeds}, expected a list such as seeds=[0,1,2]")
    runs = shard(plan(identity(cfg, scenario), scenario, table.labels, seeds), cfg.shard, cfg.shards)
    ledger = records.read(folder)
    for warning in ledger.warnings:
        console.print(f"warning: {warning}", markup=False)
    left = [run for run in runs if cfg.force or not ledger.done(run.key, cfg.retry_failed)]
    names = {"method": choices["method"], "dataset": table.labels.name, "scenario": choices["scenario"]}
    part = "" if cfg.shard is None or cfg.shards == 1 else f", part {cfg.shard + 1} of {cfg.shards}"
    title = f"{names['method']} on {names['dataset']}, {names['scenario']}{part}"
    total.jobs, total.runs = total.jobs + 1, total.runs + len(runs)
    total.recorded += len(runs) - len(left)
    # Sizes of splits do not depend on the seed: one a cell shows what would fail, before anything is written.
    splits = {run.cell: scenario.split(run.cell, table.labels, run.seed) for run in runs}
    work = Job(
        table=replace(table, x=table.x.to(where)),
        scenario=scenario,
        method=instantiate(cfg.method, _convert_="all"),
        epochs=cfg.epochs,
        batch_size=cfg.batch_size,
        eval_every=cfg.eval_every,
        logger=instantiate(cfg.logger) if cfg.get("logger") else None,
        folder=Path(HydraConfig.get().runtime.output_dir),
    )
    for run in runs[:1]:
        work.build(run)
    if cfg.dry_run:
        rows = [sum(len(getattr(splits[run.cell], kind)) for run in runs) for kind in ("train", "test")]
        console.print(
            f"{title}: {len(runs)} runs of {cfg.epochs} epochs, {rows[0]} training rows, {rows[1]} test rows, "
            f"{len(runs) - len(left)} recorded already"
        )
        return
    writer = records.Writer(folder)
    if runs:
        writer.plan({**names, "config": runs[0].config}, [{"key": run.key, **cell_of(run)} for run in runs])
    console.print(f"{title}: {len(runs)} runs, {len(runs) - len(left)} recorded already, {len(left)} to train")
    constants = {**names, "device": device_name(where), "forced": cfg.force}
    train(left, work, instantiate(cfg.engine), title, partial(record, writer=writer, constants=constants))


def train(left: list[Run], work: Job, engine: Engine, title: str, keep: Callable[[Outcome, str, Job], None]) -> None:
    """Run the engine under one progress bar, and keep each outcome as it comes."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("runs"),
        MofNCompleteColumn(),
        TextColumn("epoch {task.fields[epoch]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not (console.is_terminal and left),
    )
    failed = 0
    with bar:
        shown = bar.add_task(title, total=len(left), epoch=0)
        epochs = 0

        def tick() -> None:
            nonlocal epochs
            epochs += 1
            bar.update(shown, completed=epochs // work.epochs, epoch=epochs % work.epochs or work.epochs)

        for done, outcome in enumerate(engine.train(left, work, tick), start=1):
            keep(outcome, engine.name, work)
            failed += outcome.reason is not None
            epochs = done * work.epochs
            bar.update(shown, completed=done)
    if failed:
        console.print(f"{title}: {failed} of {len(left)} runs failed; the report says why")


def identity(cfg: DictConfig, scenario: Scenario) -> dict[str, Any]:
    """All that decides the figures of a run besides its cell and seed."""
    kept = {key: value for key, value in resolved(cfg.scenario).items() if key not in scenario.narrows}
    whole = {"method": resolved(cfg.method), "dataset": resolved(cfg.dataset), "scenario": kept}
    return {**whole, "epochs": cfg.epochs, "batch_size": cfg.batch_size}


def resolved(node: Any) -> Any:  # noqa: ANN401
    """A part of the configuration as plain data."""
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


@lru_cache(maxsize=4)
def load(dataset: str, root: Path) -> Table:
    """The table of a data set's configuration, read once a process."""
    loader: Callable[[Path], Table] = instantiate(json.loads(dataset))
    return loader(root)


def cell_of(run: Run) -> dict[str, Any]:
    """The part of a record and of a plan that says which run it is."""
    return {"normal": list(run.cell.normal), "anomalous": list(run.cell.anomalous), "seed": run.seed}


def record(outcome: Outcome, engine: str, work: Job, writer: records.Writer, constants: Mapping[str, Any]) -> None:
    """Write the record of a run, and its curve beside the ledger."""
    run, split, figures = outcome.run, outcome.split, outcome.figures
    curve: dict[str, Any] = {"curve": None, "auc_at_min_loss": None}
    if outcome.curve:
        name = writer.curve(run.key, outcome.curve)
        curve = {"curve": name, "auc_at_min_loss": min(outcome.curve, key=lambda point: point[1])[2]}
    writer.append(
        {
            "schema": records.SCHEMA,
            "key": run.key,
            "status": "ok" if outcome.reason is None else "failed",
            "reason": outcome.reason,
            **constants,
            **cell_of(run),
            "split": split.digest,
            "n_train": len(split.train),
            "n_fit": outcome.n_fit,
            "n_labelled": int(split.s.sum()),
            "n_polluted": split.n_polluted,
            "n_test": len(split.test),
            **{name: figures.get(name) for name in ("auc", "ap", "auc_seen", "auc_unseen", "auc_by_class")},
            **curve,
            "epochs": work.epochs,
            "steps": outcome.steps,
            "seconds": round(outcome.seconds, 3),
            "engine": engine,
            "versions": versions(),
            "commit": commit(),
            "cell": asdict(run.cell),
            "config": run.config,
        }
    )


def device_name(where: Any) -> str:  # noqa: ANN401
    """A device as a record names it."""
    return str(where.type)


@cache
def versions() -> dict[str, str]:
    """The versions that matter to figures."""
    names = ("semiad", "torch", "pytorch-lightning", "numpy", "scikit-learn")
    return {"python": sys.version.split()[0], **{name: version(name) for name in names}}


@cache
def commit() -> str | None:
    """The commit of the checkout that semiad runs from, with a "+" if files differ from it; None if it is installed."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=10).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", Path(__file__).name)
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def main() -> None:
    """The command."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    # Lightning 2.6 walks pytrees in a way that torch 2.15 calls old.
    warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated")
    task()
    if total.jobs > 1:
        console.print(f"{total.jobs} jobs, {total.runs} runs, {total.recorded} of them recorded before")
    if total.errors:
        sys.exit(1)


if __name__ == "__main__":
    main()
