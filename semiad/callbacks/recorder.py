"""Records each run as it ends."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from semiad.engines.context import EpochPoint, Outcome, TrainingContext
from semiad.ledger.provenance import commit, distributions, sources, versions
from semiad.ledger.record import CHOICE, METRICS, SCHEMA, Record
from semiad.ledger.writer import LedgerWriter


class Recorder:
    """Writes the record of each run as it ends, and its curve beside the ledger.

    Args:
        context: what all runs of the job share.
        writer: the writer of the ledger.
        constants: the fields of `Record` that all records of the job share: `method`, `dataset`, `scenario`, `forced`.
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
        self.writer.append(self.record(outcome))

    def record(self, outcome: Outcome) -> Record:
        """Build the record of a run; its curve is written to the file that the record names."""
        run, split, curve = outcome.run, outcome.split, outcome.curve
        metrics: dict[str, Any] = {name: outcome.metrics.get(name) for name in (*METRICS, *CHOICE)}
        return Record(
            schema=SCHEMA,
            status="ok" if outcome.reason is None else "failed",
            reason=outcome.reason,
            **run.identity,
            **self.constants,
            split=split.digest,
            n_train=len(split.train),
            n_validation=split.n_validation or None,
            n_fit=outcome.n_fit,
            n_labelled=int(split.s.sum()),
            n_polluted=split.n_polluted,
            n_test=len(split.test),
            **metrics,
            curve=self.writer.curve(run.key, curve) if curve else None,
            auc_at_min_loss=min(curve, key=lambda point: point[1])[2] if curve else None,
            samples=self.samples(outcome),
            epochs=self.context.epochs,
            steps=outcome.steps,
            seconds=round(outcome.seconds, 4),
            engine=outcome.engine,
            pack_width=outcome.pack_width,
            threads=outcome.threads,
            sensitive=self.context.facts(run).sensitive or None,
            device=self.context.device.type,
            versions=versions(),
            distributions=distributions(run.recipe.config) or None,
            sources=sources(run.recipe.config) or None,
            commit=commit(),
            config=dict(run.recipe.config),
            finished=datetime.now(UTC).isoformat(),
        )

    def samples(self, outcome: Outcome) -> str | None:
        """Name the file beside the ledger with the samples of a run; None if it has none."""
        path = self.context.samples and self.context.samples / f"{outcome.run.key}.npz"
        return f"{path.parent.name}/{path.name}" if path and outcome.reason is None and path.exists() else None
