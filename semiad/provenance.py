"""From the outcome of a run to its record: figures, and all that they came from."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from semiad import records
from semiad.engines.base import Job, Outcome, Point
from semiad.runs import Run


def of_run(run: Run) -> dict[str, Any]:
    """The part of a record and of a plan that says which run it is."""
    cell = asdict(run.cell)
    return {"key": run.key, **{name: cell[name] and list(cell[name]) for name in cell}, "seed": run.seed}


class Recorder:
    """Writes the record of each run as it ends, and its curve beside the ledger.

    Args:
        job: of the runs.
        writer: to the ledger.
        constants: what the records of the job share.
    """

    def __init__(self, job: Job, writer: records.Writer, constants: Mapping[str, Any]) -> None:
        self.job, self.writer, self.constants = job, writer, constants

    def points(self, points: Sequence[Point]) -> None:
        """Epochs are not recorded."""

    def end(self, outcome: Outcome) -> None:
        """Record a run.

        Raises:
            InputError: the ledger cannot be written to.
        """
        run, split, figures = outcome.run, outcome.split, outcome.figures
        curve: dict[str, Any] = {"curve": None, "auc_at_min_loss": None}
        if outcome.curve:
            name = self.writer.curve(run.key, outcome.curve)
            curve = {"curve": name, "auc_at_min_loss": min(outcome.curve, key=lambda point: point[1])[2]}
        self.writer.append(
            {
                "schema": records.SCHEMA,
                "status": "ok" if outcome.reason is None else "failed",
                "reason": outcome.reason,
                **of_run(run),
                **self.constants,
                "split": split.digest,
                "n_train": len(split.train),
                "n_fit": outcome.n_fit,
                "n_labelled": int(split.s.sum()),
                "n_polluted": split.n_polluted,
                "n_test": len(split.test),
                **{name: figures.get(name) for name in (*records.FIGURES, "auc_by_class")},
                **curve,
                "samples": self.samples(outcome),
                "epochs": self.job.epochs,
                "steps": outcome.steps,
                "seconds": round(outcome.seconds, 4),
                "engine": outcome.engine,
                "pack_width": outcome.pack_width,
                "device": self.job.device.type,
                "versions": versions(),
                "commit": commit(),
                "config": run.recipe.config,
            }
        )

    def samples(self, outcome: Outcome) -> str | None:
        """The file beside the ledger with what was kept of a run to be looked at."""
        path = self.job.samples and self.job.samples / f"{outcome.run.key}.npz"
        return f"{path.parent.name}/{path.name}" if path and outcome.reason is None and path.exists() else None


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
