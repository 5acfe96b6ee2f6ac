"""What follows the training of a job, besides its loggers: its progress, beside the ledger and in words."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from time import time
from typing import Protocol, runtime_checkable

from semiad import records
from semiad.engines.base import Engine, Job, Outcome, Point
from semiad.progress import RESULTS, Progress, summary
from semiad.provenance import of_run
from semiad.runs import Run


@runtime_checkable
class Follower(Protocol):
    """Whoever wants to know."""

    def points(self, points: Sequence[Point]) -> None:
        """Epochs that runs have done."""

    def end(self, outcome: Outcome) -> None:
        """A run that has ended."""


class Keeper:
    """Keeps a job's progress file, and says now and then how far it is.

    Args:
        progress: of the job.
        path: of the file.
        say: tells the user, or a log; None where a view shows it.
    """

    EVERY = 1.0
    """Seconds between two states of the file."""
    MINUTE = 60.0
    """Seconds between two lines."""

    def __init__(self, progress: Progress, path: Path, say: Callable[[str], None] | None) -> None:
        self.progress, self.path, self.say = progress, path, say
        self.told = time()
        progress.write(path)

    def points(self, points: Sequence[Point]) -> None:
        """Count them."""
        self.progress.epochs += len(points)
        self.progress.resumed += sum(point.past for point in points)
        now = time()
        if now - self.progress.updated >= self.EVERY:
            self.progress.write(self.path)
        if self.say is not None and now - self.told >= self.MINUTE:
            self.told = now
            self.say(f"{self.progress.title}: {summary([self.progress], now)}")

    def end(self, outcome: Outcome) -> None:
        """Count it, and keep it among the last results."""
        self.progress.done += 1
        self.progress.failed += outcome.reason is not None
        result = f"AUC {outcome.figures['auc']:.4f}" if outcome.reason is None else f"failed: {outcome.reason}"
        line = f"{self.progress.title} {records.short(of_run(outcome.run))}: {result}"
        self.progress.last = [*self.progress.last, line][-RESULTS:]

    def close(self, state: str) -> None:
        """The last state."""
        self.progress.state = state
        self.progress.write(self.path)


def follow(left: Sequence[Run], work: Job, engine: Engine, followers: Iterable[Follower]) -> None:
    """Train runs, and tell each follower of them in turn."""
    all_of_them = list(followers)

    def tick(points: Sequence[Point]) -> None:
        for follower in all_of_them:
            follower.points(points)

    for outcome in engine.train(left, work, tick):
        for follower in all_of_them:
            follower.end(outcome)
