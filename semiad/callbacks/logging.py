"""Hands epochs and ends of runs to the loggers that the user chose.

They work in a thread of their own, so that none can make training wait, and one that raises is dropped: the records of
a job do not depend on them.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from queue import SimpleQueue
from statistics import fmean
from threading import Thread
from typing import Any

from semiad.callbacks.curve_bands import CurveBands
from semiad.engines.context import EpochPoint, Outcome
from semiad.errors import described
from semiad.ledger.record import listed
from semiad.loggers.base import JobLogger, Title
from semiad.runs import Run

PATIENCE = 120
"""Seconds that loggers have after the last run of a job."""
METRICS = ("auc", "auc_seen", "auc_unseen")

LoggerFactory = partial[JobLogger]
Row = dict[str, Any]
"""Of the table of runs."""


class LoggingCallback:
    """Opens loggers for a job, as a context.

    Args:
        factories: by name, what opens a logger.
        title: of the job.
        config: of the job.
        keys: of the runs that are trained.
        per_run: whether loggers are opened for each run, as it ends, instead of for the job.
        say: tells the user.
    """

    def __init__(
        self,
        factories: Mapping[str, LoggerFactory],
        title: Title,
        config: dict[str, Any],
        keys: Sequence[str],
        per_run: bool,
        say: Callable[[str], None],
    ) -> None:
        self.title, self.config, self.say = title, config, say
        # A class of loggers that take every run is never opened for one.
        classes = {name: getattr(factory, "func", factory) for name, factory in factories.items()}
        single = {name for name, made in classes.items() if per_run and not getattr(made, "every_run", False)}
        self.of_job = {name: factory for name, factory in factories.items() if name not in single}
        self.of_run = {name: factory for name, factory in factories.items() if name in single}
        self.open: dict[str, JobLogger] = {}
        self.reached, self.bands = dict.fromkeys(keys, 0), CurveBands(len(keys))
        self.curves: dict[str, list[EpochPoint]] = defaultdict(list)
        self.ended: list[Row] = []
        self.queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self.thread = Thread(target=self._work, name="loggers", daemon=True)

    def __enter__(self) -> "LoggingCallback":
        """Open the loggers."""
        if self.of_job or self.of_run:
            self.queue.put(self._begin)
            self.thread.start()
        return self

    def on_epochs(self, points: Sequence[EpochPoint]) -> None:
        """Take epochs that runs have trained."""
        if self.thread.is_alive():
            self.queue.put(partial(self._points, points))

    def on_run_end(self, outcome: Outcome) -> None:
        """Take a run that has ended."""
        if self.thread.is_alive():
            self.queue.put(partial(self._end, outcome.run, table_row(outcome)))

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        """Close the loggers, but do not wait for ever."""
        if self.thread.is_alive():
            self.queue.put(partial(self._close, "success" if kind is None else "failed"))
            self.queue.put(None)
            self.thread.join(PATIENCE)
            if self.thread.is_alive():
                self.say(f"warning: loggers are left, not done {PATIENCE} s after the last run; the records are kept")

    # In the thread

    def _work(self) -> None:
        while (call := self.queue.get()) is not None:
            call()

    def _begin(self) -> None:
        for name, factory in self.of_job.items():
            with self._dropping(name):
                self.open[name] = self._opened(factory, self.title, self.config)

    def _points(self, points: Sequence[EpochPoint]) -> None:
        # A pack may have begun again.
        fresh = [point for point in points if point.epoch > self.reached.get(point.key, point.epoch)]
        self.reached.update((point.key, point.epoch) for point in fresh)
        known = [point for point in fresh if math.isfinite(point.loss)]
        for point in known if self.of_run else ():
            self.curves[point.key].append(point)
        for name, logger in [*self.open.items()]:
            with self._dropping(name):
                logger.log_curves([point[:4] for point in known])
        self.bands.add(fresh)
        self._log_bands()

    def _end(self, run: Run, ended: Row) -> None:
        self.ended.append(ended)
        self.bands.end(self.reached.pop(run.key))
        self._log_bands()
        curve = self.curves.pop(run.key, [])
        for name, factory in [*self.of_run.items()]:
            with self._dropping(name):
                self._log_run(factory, run, ended, curve)

    def _close(self, status: str) -> None:
        for epoch in self.reached.values():  # where the job was stopped
            self.bands.end(epoch)
        self._log_bands()
        for name, logger in [*self.open.items()]:
            with self._dropping(name):
                finish(logger, self.ended, status)

    def _log_bands(self) -> None:
        for epoch, metrics in self.bands.ready():
            for name, logger in [*self.open.items()]:
                with self._dropping(name):
                    logger.log_metrics(metrics, step=epoch)

    def _log_run(self, factory: LoggerFactory, run: Run, ended: Row, curve: Sequence[EpochPoint]) -> None:
        name = f"{self.title.name}, {ended['normal']} vs {ended['anomalous']} seed {run.seed}"
        title = replace(self.title, key=run.key, name=name)
        own = {**run.recipe.config, "key": run.key, "seed": run.seed}
        logger = self._opened(factory, title, {**self.config, "run": own})
        for point in curve:
            auc = {} if point.auc is None else {"test_auc": point.auc}
            logger.log_metrics({"train_loss": point.loss, **auc}, step=point.epoch)
        finish(logger, [ended], "success" if ended["status"] == "ok" else "failed")

    def _opened(self, factory: LoggerFactory, title: Title, config: dict[str, Any]) -> JobLogger:
        logger = factory(title=title)
        if logger.remark:
            self.say(logger.remark)
        logger.log_hyperparams(config)
        return logger

    @contextmanager
    def _dropping(self, name: str) -> Iterator[None]:
        try:
            yield
        except (Exception, SystemExit) as error:
            for loggers in (self.open, self.of_run):
                loggers.pop(name, None)
            self.say(left_out(name, error))


def left_out(name: str, error: BaseException) -> str:
    """Warn that a logger is left out, whatever it has raised."""
    return f"warning: logger {name} has failed and is left out from here on ({described(error)}); records are kept"


def finish(logger: JobLogger, ended: Sequence[Row], status: str) -> None:
    """Log means and the table of runs that have ended, and close."""
    values = {name: [run[name] for run in ended if run[name] is not None] for name in METRICS}
    means = {f"final/{name}": fmean(known) for name, known in values.items() if known}
    failed = sum(run["status"] == "failed" for run in ended)
    logger.log_metrics({**means, "final/runs": len(ended), "final/failed": failed})
    if ended:
        logger.log_table("runs", [*ended[0]], [[*run.values()] for run in ended])
    logger.finalize(status)


def table_row(outcome: Outcome) -> Row:
    """Give what the table of runs says of one."""
    run = outcome.run
    return {
        "key": run.key,
        "normal": listed(run.cell.normal),
        "anomalous": listed(run.cell.anomalous),
        **({} if run.cell.fold is None else {"fold": run.cell.fold}),
        "seed": run.seed,
        "status": "ok" if outcome.reason is None else "failed",
        **{name: outcome.metrics.get(name) for name in METRICS},
        "seconds": round(outcome.seconds, 4),
    }
