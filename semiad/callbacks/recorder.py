"""Records each run as it ends."""

from collections.abc import Mapping, Sequence
from typing import Any

from semiad.engines.context import EpochPoint, Outcome, TrainingContext
from semiad.ledger import record
from semiad.ledger.provenance import commit, versions
from semiad.ledger.writer import LedgerWriter


class Recorder:
    """Writes the record of each run as it ends, and its curve beside the ledger.

    Args:
        context: of the runs.
        writer: to the ledger.
        constants: what the records of the job share.
    """

    def __init__(self, context: TrainingContext, writer: LedgerWriter, constants: Mapping[str, Any]) -> None:
        self.context, self.writer, self.constants = context, writer, constants

    def on_epochs(self, points: Sequence[EpochPoint]) -> None:
        """Record nothing: epochs are in the curve of the outcome."""

    def on_run_end(self, outcome: Outcome) -> None:
        """Record a run.

        Raises:
            InputError: the ledger cannot be written to.
        """
        run, split, metrics = outcome.run, outcome.split, outcome.metrics
        curve: dict[str, Any] = {"curve": None, "auc_at_min_loss": None}
        if outcome.curve:
            name = self.writer.curve(run.key, outcome.curve)
            curve = {"curve": name, "auc_at_min_loss": min(outcome.curve, key=lambda point: point[1])[2]}
        self.writer.append(
            {
                "schema": record.SCHEMA,
                "status": "ok" if outcome.reason is None else "failed",
                "reason": outcome.reason,
                **run.identity,
                **self.constants,
                "split": split.digest,
                "n_train": len(split.train),
                "n_fit": outcome.n_fit,
                "n_labelled": int(split.s.sum()),
                "n_polluted": split.n_polluted,
                "n_test": len(split.test),
                **{name: metrics.get(name) for name in (*record.METRICS, "auc_by_class")},
                **curve,
                "samples": self.samples(outcome),
                "epochs": self.context.epochs,
                "steps": outcome.steps,
                "seconds": round(outcome.seconds, 4),
                "engine": outcome.engine,
                "pack_width": outcome.pack_width,
                "device": self.context.device.type,
                "versions": versions(),
                "commit": commit(),
                "config": run.recipe.config,
            }
        )

    def samples(self, outcome: Outcome) -> str | None:
        """Name the file beside the ledger with the samples of a run; None if it has none."""
        path = self.context.samples and self.context.samples / f"{outcome.run.key}.npz"
        return f"{path.parent.name}/{path.name}" if path and outcome.reason is None and path.exists() else None
