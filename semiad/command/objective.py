"""The value of a job: the mean of a metric over its runs, for a person to read and for a sweeper to choose by."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import polars as pl
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from semiad.engines.context import EpochPoint, Outcome
from semiad.errors import InputError
from semiad.ledger.reader import Ledger
from semiad.runs import Run

DIRECTIONS = {"auc": "maximize", "ap": "maximize", "loss": "minimize"}
"""The direction in which each objective is better."""
TEST_ROWS = "objective={} is of test rows, which are no validation: measure what is chosen on other data"


class RunMetrics:
    """The metrics of a job's runs, of those recorded before and of those that end while it trains, as a callback.

    Args:
        runs: the runs of the job.
        ledger: the records at the start; a run that is trained again replaces its record.

    Attributes:
        values: for each run that ended well, by key, `auc`, `ap` and, where a curve was kept, `loss`: that of the last
            point of the curve.
    """

    def __init__(self, runs: Sequence[Run], ledger: Ledger) -> None:
        self.keys = [run.key for run in runs]
        recorded = ledger.runs.filter(pl.col("key").is_in(self.keys), pl.col("status") == "ok")
        rows = recorded.select("key", "auc", "ap", "curve").iter_rows(named=True)
        self.values: dict[str, Mapping[str, Any]] = {row["key"]: row for row in rows}

    def on_epochs(self, points: Sequence[EpochPoint]) -> None:
        """Take nothing: a run is measured at its end."""

    def on_run_end(self, outcome: Outcome) -> None:
        """Take the metrics of a run."""
        self.values.pop(outcome.run.key, None)
        if outcome.reason is None:
            loss = {"loss": outcome.curve[-1][1]} if outcome.curve else {}
            self.values[outcome.run.key] = {**outcome.metrics, **loss}

    def summary(self) -> str:
        """Summarize the AUC of the job in a few words."""
        aucs = self.of("auc")
        runs = f"{len(aucs)} runs" if len(aucs) == len(self.keys) else f"{len(aucs)} of {len(self.keys)} runs"
        return f"AUC {fmean(aucs):.3f} ({runs})" if aucs else f"no AUC ({runs})"

    def mean(self, name: str) -> float:
        """Give the mean of an objective over all runs of the job.

        Raises:
            InputError: a run has no such value.
        """
        values = self.of(name)
        if not values or len(values) < len(self.keys):
            why = "they failed" if name != "loss" else "they failed, or were recorded without a curve (force=true)"
            raise InputError(
                f"objective={name}: {len(self.keys) - len(values)} of {len(self.keys)} runs have no value: {why}"
            )
        return fmean(values)

    def of(self, name: str) -> list[float]:
        """Collect a metric of the runs that have it."""
        every = (last_loss(run) if name == "loss" else run.get(name) for run in self.values.values())
        return [float(value) for value in every if value is not None and math.isfinite(value)]


def last_loss(run: Mapping[str, Any]) -> float | None:
    """Give the training loss at the last point of a run's curve; None if there is no such file."""
    if "loss" in run or not run.get("curve"):
        return run.get("loss")
    try:
        curve = pl.read_csv(run["curve"]).filter(pl.col("key") == run["key"]).sort("epoch")
    except (OSError, pl.exceptions.PolarsError):
        return None
    return curve["loss"][-1] if len(curve) else None


def check_objective(cfg: DictConfig) -> None:
    """Refuse an unknown objective, and a sweeper that chooses by the value of a job without one or by its opposite.

    Raises:
        InputError: the objective cannot be used.
    """
    name = cfg.objective
    if name is not None and name not in DIRECTIONS:
        raise InputError(f"objective is {name}, expected {', '.join(DIRECTIONS)} or null")
    if name == "loss" and not cfg.eval_every:
        raise InputError("objective=loss is the last training loss of the curves: add eval_every=N")
    hydra: Any = HydraConfig.get()
    if not chooses(hydra):
        return
    if name is None:
        raise InputError(f"{sweeper(hydra)} chooses by the value of a job: add objective={', '.join(DIRECTIONS)}")
    if cfg.dry_run or cfg.audit:
        raise InputError(f"{sweeper(hydra)} chooses by the value of a job, but dry_run and audit train nothing")
    direction = hydra.sweeper.get("direction")
    if direction is not None and str(getattr(direction, "name", direction)) != DIRECTIONS[name]:
        raise InputError(f"objective={name} is to {DIRECTIONS[name]}: add hydra.sweeper.direction={DIRECTIONS[name]}")


def chooses(hydra: Any) -> bool:  # noqa: ANN401
    """Whether the sweeper of a command chooses its jobs by the values of others; Hydra's own one does not."""
    return hydra.mode == RunMode.MULTIRUN and not hydra.sweeper._target_.endswith("BasicSweeper")


def sweeper(hydra: Any) -> str:  # noqa: ANN401
    """Name the sweeper of a command."""
    return f"hydra/sweeper={hydra.runtime.choices['hydra/sweeper']}"
