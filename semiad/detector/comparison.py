"""Compares methods by repeated folds over labelled anomalies, and chooses among them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

from semiad.detector.candidates import Candidate
from semiad.detector.choosing import (
    Estimate,
    Fold,
    best,
    choose,
    estimate,
    judge,
    over_repeats,
    precisions,
    standardised,
)
from semiad.detector.comparison_jobs import Job, is_done
from semiad.engines.context import TrainingContext
from semiad.errors import InputError, described
from semiad.ledger.record import Record
from semiad.ledger.records import read_records
from semiad.runs import Run

METRICS = ("auc", "recall_at_1_fpr")
"""Of the records of the runs; average precision is computed from the scores of all folds."""
SCORERS = {"ap": "average_precision", "auc": "roc_auc", "recall_at_1_fpr": "recall_at_1_fpr"}
"""Names of metrics in `Comparison.results`: those of scikit-learn, where it has one."""


@dataclass(frozen=True)
class Compared:
    """A candidate on the folds.

    Attributes:
        candidate: which.
        values: by metric, its value on each fold of each repeat; of average precision see `choosing.precisions`.
        seconds: of all its runs.
        anomalies: labelled ones, of all folds together.
        reason: why it is out of the choice; None if it is not.
    """

    candidate: Candidate
    values: dict[str, Float[np.ndarray, "r k"]]
    seconds: float
    anomalies: int
    reason: str | None = None

    def estimate(self, metric: str = "ap") -> Estimate:
        """Estimate a metric."""
        values = self.values[metric]
        return estimate(values.ravel(), 1 / (values.shape[1] - 1), self.anomalies if metric == "ap" else None)


@dataclass(frozen=True)
class Comparison:
    """Candidates, and the choice among them.

    Attributes:
        compared: all candidates, from the simplest.
        tested: the folds of each repeat, with the scores of usable candidates.
        anomalies: labelled ones.
        others: rows without an anomaly label.
    """

    compared: tuple[Compared, ...]
    tested: tuple[tuple[Fold, ...], ...]
    anomalies: int
    others: int
    _judged: dict[int, list[list[Fold]]] = field(default_factory=dict, repr=False)

    @property
    def repeats(self) -> int:
        """Give how often the rows are cut anew."""
        return len(self.tested)

    @property
    def folds(self) -> int:
        """Give the number of folds in each repeat."""
        return len(self.tested[0])

    @property
    def test_share(self) -> float:
        """Give the tested rows for each training row, see `corrected_error`."""
        return 1 / (self.folds - 1)

    @cached_property
    def usable(self) -> list[Compared]:
        """List the candidates that have a value on every fold."""
        return [one for one in self.compared if one.reason is None]

    @cached_property
    def stacked(self) -> Float[np.ndarray, "c r k"]:
        """Give the average precision of usable candidates."""
        return np.stack([one.values["ap"] for one in self.usable])

    def take(self, values: Float[np.ndarray, "c j"], count: int) -> list[int]:
        """Take candidates by values: of one the simplest within one standard error of the best, else the best ones."""
        return [choose(values, self.test_share)] if count == 1 else best(values, count)

    def taken(self, count: int) -> list[Compared]:
        """Take candidates by average precision on all folds."""
        values = self.stacked
        return [self.usable[one] for one in self.take(values.reshape(len(values), -1), count)]

    @cached_property
    def chosen(self) -> Compared:
        """Choose by average precision: the simplest candidate within one standard error of the best."""
        return self.taken(1)[0]

    def on_folds(self, count: int) -> list[float]:
        """Give the average precision on each fold alone, the mean over repeats, of what the other folds take."""
        alone = [[precisions([fold])[0, 0] for fold in folds] for folds in self.judged(count)]
        return [float(value) for value in np.mean(alone, axis=0)]

    def worth(self, count: int) -> Estimate:
        """Estimate the average precision of what is taken, by folds that it was not taken by."""
        return estimate(over_repeats(self.judged(count)).ravel(), self.test_share, self.anomalies)

    def judged(self, count: int) -> list[list[Fold]]:
        """Give what the candidates that are taken by other folds say of each fold."""
        if count not in self._judged:
            self._judged[count] = judge(self.tested, lambda values: self.take(values, count))
        return self._judged[count]

    def results(self) -> dict[str, np.ndarray]:
        """Give the figures of all candidates as searches of scikit-learn give them: arrays with a value for each.

        `params` has their settings; `mean_test_METRIC` and `std_test_METRIC` are over the folds (of average precision
        see `choosing.Counts.values`), NaN for candidates that failed, and `rank_test_METRIC` is 1 for the largest mean;
        `mean_fit_time` is of one fold, in seconds.
        """
        none = np.full((self.repeats, self.folds), np.nan)
        made = {
            "params": np.array([asdict(one.candidate) for one in self.compared]),
            "mean_fit_time": np.array([one.seconds for one in self.compared]) / none.size,
        }
        for metric, name in SCORERS.items():
            values = np.stack([one.values.get(metric, none).ravel() for one in self.compared])
            mean = made[f"mean_test_{name}"] = values.mean(axis=1)
            made[f"std_test_{name}"] = values.std(axis=1)
            made[f"rank_test_{name}"] = rankdata(np.nan_to_num(-mean, nan=np.inf), "min").astype(np.int64)
        return made

    def summary(self, count: int) -> dict[str, Any]:
        """Give what is kept with a detector: what was compared, and what the choice is worth."""
        worth = self.worth(count)
        return {
            "candidates": [one.candidate.name for one in self.compared],
            "folds": self.folds,
            "repeats": self.repeats,
            "average_precision": round(worth.mean, 4),
            "interval_80": [round(worth.low, 4), round(worth.high, 4)],
        }


def compared_so_far(jobs: Sequence[Job], results: Path) -> Comparison | None:
    """Give the candidates whose runs are all recorded, with their values; None as long as there are no values.

    Raises:
        InputError: all of them failed, or scores that a run has left cannot be used.
    """
    ledger = read_records(results)
    of_key = {record.key: record for record in ledger.records}
    ended = [job for job in jobs if all(is_done(job, run, ledger.statuses) for run in job.runs)]
    if not ended:
        return None
    collected = [collect(job, of_key) for job in ended]
    compared = tuple(one for one, _ in collected)
    if all(one.reason for one in compared):
        if len(ended) < len(jobs):
            return None
        raise InputError(f"no candidate could be trained: {compared[0].candidate.name}: {compared[0].reason}")
    tested = [repeats for _, repeats in collected if repeats]
    together = tuple(tuple(map(merge, zip(*folds, strict=True))) for folds in zip(*tested, strict=True))
    y = jobs[0].context.dataset.labels.y
    return Comparison(compared, together, int(y.sum()), int((y == 0).sum()))


def collect(job: Job, of_key: Mapping[str, Record]) -> tuple[Compared, list[list[Fold]]]:
    """Collect the values of a candidate, and its scores of the folds of each repeat; none if it failed."""
    order = sorted(job.runs, key=lambda run: (run.seed, run.cell.fold or 0))
    folds = len(order) // len({run.seed for run in order})
    repeats = [order[start : start + folds] for start in range(0, len(order), folds)]
    records = [of_key[run.key] for run in order]
    seconds = sum(record.seconds or 0 for record in records)
    anomalies = int(job.context.dataset.labels.y.sum())
    if (failed := next((record.reason for record in records if record.status != "ok"), None)) is not None:
        return Compared(job.candidate, {}, seconds, anomalies, failed), []
    tested = [[read_fold(job.context, run) for run in runs] for runs in repeats]
    values = {
        metric: np.array([getattr(record, metric) for record in records], dtype=np.float64).reshape(-1, folds)
        for metric in METRICS
    }
    values["ap"] = over_repeats(tested)
    return Compared(job.candidate, values, seconds, anomalies), tested


def read_fold(context: TrainingContext, run: Run) -> Fold:
    """Read the scores of the rows that a run tested.

    Raises:
        InputError: the file cannot be read, or does not hold a score for each row.
    """
    file, truth = context.scores_file(run), context.split(run).truth
    assert file is not None
    try:
        with file.open("rb") as stream:
            scores = np.lib.format.read_array(stream, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{file} cannot be read ({described(error)}): remove it, and the run is trained anew"
        ) from error
    if scores.shape != truth.shape or scores.dtype.kind != "f" or not np.isfinite(scores).all():
        raise InputError(
            f"{file} does not hold {len(truth)} finite numbers, a score for each tested row: remove it, and the run is "
            "trained anew"
        )
    return Fold(standardised(scores, truth)[None].astype(np.float32), truth)


def merge(folds: Sequence[Fold]) -> Fold:
    """Put the scores of candidates on one fold together."""
    return Fold(np.concatenate([fold.scores for fold in folds]), folds[0].truth)
