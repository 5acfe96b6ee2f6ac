"""The metrics of a job's runs, of which their mean is the value of the job."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from semiad.engines.context import EpochPoint, Outcome
from semiad.errors import InputError
from semiad.ledger.records import ChosenRecords, unpack
from semiad.runs import Run


class RunMetrics:
    """The metrics of a job's runs, of those recorded before and of those that end while it trains, as a callback.

    Args:
        runs: the runs of the job.
        ledger: the records at the start; a run that is trained again replaces its record.

    Attributes:
        values: for each run that ended well, by key, `auc`, `ap` and, where a curve was kept, `loss`: that of the last
            point of the curve.
        reasons: why each other run failed, by key.
    """

    def __init__(self, runs: Sequence[Run], ledger: ChosenRecords) -> None:
        self.keys = [run.key for run in runs]
        mine = set(self.keys)
        self.values: dict[str, Mapping[str, Any]] = {
            record.key: {"key": record.key, "auc": record.auc, "ap": record.ap, "curve": record.curve}
            for record in ledger.records
            if record.key in mine and record.status == "ok"
        }
        self.reasons = {
            record.key: record.reason for record in ledger.records if record.key in mine and record.status == "failed"
        }

    def on_epochs(self, points: Sequence[EpochPoint]) -> None:
        """Take nothing: a run is measured at its end."""

    def on_run_end(self, outcome: Outcome) -> None:
        """Take the metrics of a run."""
        self.values.pop(outcome.run.key, None)
        self.reasons.pop(outcome.run.key, None)
        if outcome.reason is None:
            loss = {"loss": outcome.curve[-1][1]} if outcome.curve else {}
            self.values[outcome.run.key] = {**outcome.metrics, **loss}
        else:
            self.reasons[outcome.run.key] = outcome.reason

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
        rows = csv.DictReader(unpack(Path(run["curve"])).decode().splitlines())
        points = [(int(row["epoch"]), float(row["loss"])) for row in rows if row["key"] == run["key"]]
    except (OSError, ValueError, KeyError, TypeError):  # gone or damaged
        return None
    return max(points)[1] if points else None
