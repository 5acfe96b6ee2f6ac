"""Writes the progress file of a job, and says now and then how far it is."""

from collections.abc import Callable, Sequence
from pathlib import Path
from time import time

from semiad.engines.context import EpochPoint, Outcome
from semiad.ledger import record
from semiad.ledger.progress import RESULTS, Progress, summary


class ProgressCallback:
    """Counts epochs and runs, as a context that ends with the job.

    Args:
        progress: of the job.
        path: of the progress file.
        say: tells the user, or a log; None where a view shows it.
    """

    FILE_SECONDS = 1.0
    """Seconds between two states of the file."""
    LINE_SECONDS = 60.0
    """Seconds between two lines."""

    def __init__(self, progress: Progress, path: Path, say: Callable[[str], None] | None) -> None:
        self.progress, self.path, self.say = progress, path, say
        self.said = time()

    def __enter__(self) -> "ProgressCallback":
        """Write the first state."""
        self.progress.write(self.path)
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        """Write the last state."""
        self.progress.state = "ended" if kind is None else "stopped"
        self.progress.write(self.path)

    def on_epochs(self, points: Sequence[EpochPoint]) -> None:
        """Count epochs."""
        self.progress.epochs += len(points)
        self.progress.resumed += sum(point.past for point in points)
        now = time()
        if now - self.progress.updated >= self.FILE_SECONDS:
            self.progress.write(self.path)
        if self.say is not None and now - self.said >= self.LINE_SECONDS:
            self.said = now
            self.say(f"{self.progress.title}: {summary([self.progress], now)}")

    def on_run_end(self, outcome: Outcome) -> None:
        """Count the run, and keep it among the last results."""
        self.progress.done += 1
        self.progress.failed += outcome.reason is not None
        result = f"AUC {outcome.metrics['auc']:.4f}" if outcome.reason is None else f"failed: {outcome.reason}"
        line = f"{self.progress.title} {record.short(outcome.run.identity)}: {result}"
        self.progress.last = [*self.progress.last, line][-RESULTS:]
