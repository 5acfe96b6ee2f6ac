"""The studies of the number of labelled anomalies: which method is best with how many."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from semiad.ledger.reader import Ledger
from semiad.report.coordinates import BLOCK, config_value
from semiad.report.result import Ours
from semiad.report.statistics import CELLS, Ranking, friedman, holm, mean_ranks, summarize, wilcoxon

SEEN = ("labels",)
UNSEEN = ("labels_unseen", "labels_unseen_tables")
"""Experiments whose test rows have the kinds of anomaly that are labelled, and others as well."""
METRICS = {
    "ap": "AP",
    "auc": "AUC",
    "recall_at_1_fpr": "recall at 1 %",
    "auc_seen": "AUC seen",
    "auc_unseen": "AUC unseen",
}
LEVEL = 0.05


@dataclass(frozen=True)
class Row:
    """A method at a number of labels.

    Attributes:
        method: its name.
        rank: its mean rank over cells, 1 the best.
        values: mean with 95 % interval over cells and seeds, by metric; None where no run has the metric.
        seconds: of a run, the median over cells.
        first: in how many cells it has the highest mean.
        p: of the signed-rank test over cells against the method of the lowest mean rank, after Holm's correction;
            None for that one.
    """

    method: str
    rank: float
    values: dict[str, Ours | None]
    seconds: float
    first: int
    p: float | None


@dataclass(frozen=True)
class Count:
    """All methods at a number of labels.

    Attributes:
        labels: how many.
        cells: over which they are compared, by data set.
        draws: the fewest and the most in a cell.
        runs: of these draws.
        ranking: Friedman's test; None for fewer than three methods or too few cells.
        rows: the methods, from the lowest mean rank.
        left_out: methods that lack some of the cells.
    """

    labels: int
    cells: dict[str, int]
    draws: tuple[int, int]
    runs: int
    ranking: Ranking | None
    rows: tuple[Row, ...]
    left_out: tuple[str, ...]

    @property
    def decidable(self) -> bool:
        """Whether the test could find a method worse: with few cells its least p is above the level after Holm."""
        return 2 * 0.5 ** sum(self.cells.values()) * (len(self.rows) - 1) < LEVEL

    @property
    def best(self) -> Row:
        """Give the method of the lowest mean rank."""
        return self.rows[0]

    @property
    def beaten(self) -> list[str]:
        """List the methods that the test finds worse than the best one."""
        return [row.method for row in self.rows if row.p is not None and row.p < LEVEL]

    @property
    def open(self) -> list[Row]:
        """List the others, which the test does not tell apart from it."""
        return [row for row in self.rows if row.p is not None and row.p >= LEVEL]


@dataclass(frozen=True)
class Study:
    """What some experiments say, number by number.

    Attributes:
        experiments: which.
        metric: by which methods are ranked.
        counts: from the lowest number of labels.
        runs: columns `method`, `labels`, `cell`, `dataset`, `seed`, `seconds` and metrics.
        trained: number of runs that were trained.
        seconds: that these took.
    """

    experiments: tuple[str, ...]
    metric: str
    counts: tuple[Count, ...]
    runs: pl.DataFrame
    trained: int
    seconds: float


def study(ledger: Ledger, experiments: Sequence[str], metric: str, budget: str | None = None) -> Study | None:
    """Compare methods at each number of labels; None if nothing is recorded.

    Args:
        ledger: of all runs.
        experiments: whose plans count, those that change nothing of the experiment.
        metric: by which methods are ranked.
        budget: which one; None for `full` where it is planned, else `quick`.
    """
    planned = of_plans(ledger, experiments, budget)
    trained, runs = planned.filter(status="ok"), spread(planned)
    numbers = sorted(runs["labels"].unique())
    counts = [made for labels in numbers if (made := count(runs.filter(labels=labels), labels, metric))]
    if not counts:
        return None
    seconds = float(trained["seconds"].sum())
    return Study(tuple(experiments), metric, tuple(counts), runs, len(trained), seconds)


def of_plans(ledger: Ledger, experiments: Sequence[str], budget: str | None) -> pl.DataFrame:
    """Collect the runs that experiments plan, with their number of labels and their cell."""
    plans = ledger.plans.filter(pl.col("experiment").is_in(experiments), pl.col("changes").is_null())
    full = plans.filter(budget=budget or "full")
    keys = (full if len(full) or budget else plans)["key"].unique()
    return ledger.runs.filter(pl.col("key").is_in(keys.implode())).select(
        "key",
        "status",
        "method",
        "dataset",
        "seed",
        "seconds",
        *METRICS,
        cell=BLOCK,
        labels=config_value("scenario.labelled").cast(pl.Int64),
    )


def spread(planned: pl.DataFrame) -> pl.DataFrame:
    """Give the trained runs; those of methods that leave labelled rows out of training at every number of their cell.

    Such methods are planned without labels only: test rows and training rows are the same with any number.
    """
    alone = planned.group_by("method").agg(pl.col("labels").max()).filter(labels=0)["method"].implode()
    runs = planned.filter(status="ok")
    fixed = runs.filter(pl.col("method").is_in(alone))
    numbers = runs.select("cell", "labels").unique()
    more = fixed.drop("labels").join(numbers, on="cell").select(runs.columns)
    return pl.concat([runs.filter(~pl.col("method").is_in(alone)), more]).sort("method", "labels", "cell", "seed")


def count(runs: pl.DataFrame, labels: int, metric: str) -> Count | None:
    """Compare the methods that have a run in every cell of a number of labels; None without such methods.

    In each cell those draws count that all of these methods have.
    """
    runs = runs.drop_nulls(metric)
    every = sorted(runs["method"].unique())
    of_method = runs.group_by("method").agg(pl.col("cell").n_unique())
    methods = sorted(of_method.filter(cell=runs["cell"].n_unique())["method"])
    runs = runs.filter(pl.col("method").is_in(methods))
    runs = runs.filter(pl.col("method").n_unique().over("cell", "seed") == len(methods))
    if not methods or runs.is_empty():
        return None
    means = runs.group_by("cell", "method").agg(pl.col(metric).mean()).sort("cell", "method")
    values = means.pivot("method", index="cell", values=metric).select(methods).to_numpy()
    ranking = friedman(values) if len(methods) > 2 and len(values) >= CELLS else None
    ranks = mean_ranks(values) if ranking is None else ranking.ranks
    order = np.argsort(ranks, kind="stable")
    best = values[:, order[0]]
    ps = holm([wilcoxon((best - values[:, i]).round(9)) for i in order[1:]])
    rows = tuple(
        Row(
            method=methods[i],
            rank=float(ranks[i]),
            values=summaries(of_method),
            seconds=float(of_method.group_by("cell").agg(pl.col("seconds").median())["seconds"].median()),  # type: ignore[arg-type]
            first=int((values[:, i] == values.max(1)).sum()),
            p=None if place == 0 else ps[place - 1],
        )
        for place, i in enumerate(order)
        for of_method in [runs.filter(method=methods[i])]
    )
    cells = runs.group_by("dataset").agg(pl.col("cell").n_unique()).sort("dataset")
    seeds = runs.group_by("cell").agg(pl.col("seed").n_unique())["seed"]
    draws = int(seeds.min()), int(seeds.max())  # type: ignore[arg-type]
    left_out = tuple(name for name in every if name not in methods)
    return Count(labels, dict(cells.iter_rows()), draws, len(runs), ranking, rows, left_out)


def summaries(runs: pl.DataFrame) -> dict[str, Ours | None]:
    """Give the mean of each metric over cells, each of which counts alike, with its interval over cells and seeds."""
    made = {}
    for metric in METRICS:
        cells = runs.drop_nulls(metric).partition_by("cell", maintain_order=True)
        made[metric] = summarize([cell[metric].to_numpy() for cell in cells], alike=True)
    return made
