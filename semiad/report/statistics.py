"""Statistics over runs that are paired by cell and seed.

Libraries are imported where they are used, so that a report that needs no statistics starts fast.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from semiad.extras import optional_import
from semiad.report.result import Ours, Statement

LEVEL = 0.95
RESAMPLES = 2000
CELLS = 6
"""With fewer cells no test over cells can come out significant: none is made."""
COUNTED = 13
"""Up to so many differences, with ties or zeros among them, all their signs are counted for p."""

Floats = NDArray[np.float64]


def student(values: Floats) -> tuple[float, float]:
    """Compute Student's interval of the mean of two values or more."""
    from scipy.stats import t

    half = t.ppf((1 + LEVEL) / 2, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def bootstrap(cells: Sequence[Floats], resamples: int = RESAMPLES, alike: bool = False) -> tuple[float, float]:
    """Compute the percentile interval of the mean over cells and, within each, seeds; both are drawn with replacement.

    Drawing on both levels makes the interval wider rather than narrower than drawing cells alone.
    `scipy.stats.bootstrap` draws on one level only.

    Args:
        cells: the values of each cell, one a seed.
        resamples: how often to draw.
        alike: whether a cell of few seeds counts as much as one of many; else each seed does.
    """
    draws = np.random.default_rng(0)
    sizes = np.array([len(values) for values in cells])
    picks = [draws.integers(size, size=(resamples, size)) for size in sizes]
    means = np.stack([values[pick].mean(1) for values, pick in zip(cells, picks, strict=True)], axis=1)
    if len(cells) > 1:
        picked = draws.integers(len(cells), size=means.shape)
        # Each time a cell is drawn it brings another drawing of its seeds.
        drawn = means[draws.integers(resamples, size=means.shape), picked]
        weights = np.ones_like(sizes) if alike else sizes
        estimates = (drawn * weights[picked]).sum(1) / weights[picked].sum(1)
    else:
        estimates = means[:, 0]
    low, high = np.quantile(estimates, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def interval(cells: Sequence[Floats], alike: bool = False) -> tuple[float, float] | None:
    """Compute the interval of a mean: Student's for one cell, else drawn over cells and seeds; None for one run.

    Args:
        cells: the values of each cell, one a seed.
        alike: see `bootstrap`.
    """
    if sum(map(len, cells)) < 2:
        return None
    return student(cells[0]) if len(cells) == 1 else bootstrap(cells, alike=alike)


def summarize(cells: Sequence[Floats], wins: bool = False, alike: bool = False) -> Ours | None:
    """Summarize values by their mean, standard deviation and 95 % interval of the mean; None if there are none.

    Args:
        cells: the values of each cell, one a seed.
        wins: whether the values are wins, 0 or 1: no normal numbers, so that their interval is drawn in one cell too,
            and a deviation says nothing.
        alike: see `bootstrap`.
    """
    values = np.concatenate([*cells, np.empty(0)])
    if not len(values):
        return None
    drawn = bootstrap(cells, alike=alike) if wins and len(values) > 1 else interval(cells, alike)
    low, high = drawn or (None, None)
    mean = float(np.mean([cell.mean() for cell in cells]) if alike else values.mean())
    std = float(values.std(ddof=1)) if len(values) > 1 and not wins else None
    return Ours(mean, std, low, high, len(values))


def wilcoxon(differences: Floats, alternative: Literal["two-sided", "greater", "less"] = "two-sided") -> float:
    """Compute p of the signed-rank test; zeros are shared between the signs, as Demsar (2006) does."""
    from scipy.stats import permutation_test, rankdata
    from scipy.stats import wilcoxon as test

    if not differences.any():
        return 1.0
    sizes = np.abs(differences)
    if len(sizes) <= COUNTED and (len(np.unique(sizes)) < len(sizes) or not sizes.all()):
        # SciPy's test counts the signs too, but by a statistic of one after the other, for seconds.
        ranks = (np.sign(differences) * rankdata(sizes),)
        settings: Any = {"permutation_type": "samples", "n_resamples": np.inf, "alternative": alternative}
        return float(permutation_test(ranks, np.sum, vectorized=True, **settings).pvalue)
    return float(test(differences, zero_method="zsplit", alternative=alternative).pvalue)


def sign_test(lower: int, higher: int) -> float:
    """Compute the two-sided p of as many differences of each sign, where both are equally likely."""
    from scipy.stats import binomtest

    return float(binomtest(lower, lower + higher).pvalue) if lower + higher else 1.0


def holm(ps: Sequence[float]) -> list[float]:
    """Adjust the p of a family of tests by Holm's step-down rule."""
    with optional_import("statsmodels", "report", "tests of many hypotheses"):
        from statsmodels.stats.multitest import multipletests

    return [float(p) for p in multipletests(ps, method="holm")[1]] if ps else []


@dataclass(frozen=True)
class Ranking:
    """Mean ranks of methods, with Friedman's test.

    Attributes:
        ranks: mean rank of each method, 1 the highest value.
        statistic: chi-square, corrected for ties.
        p: of it.
        difference: Nemenyi's critical difference of mean ranks at the 5 % level.
    """

    ranks: Floats
    statistic: float
    p: float
    difference: float


def mean_ranks(values: Floats) -> Floats:
    """Compute the mean rank of each column, 1 the highest value of a row."""
    from scipy.stats import rankdata

    ranks: Floats = rankdata(-values, axis=1).mean(0)
    return ranks


def friedman(values: Floats) -> Ranking:
    """Rank methods over blocks.

    Args:
        values: a row a block, a column a method; three methods or more.
    """
    from scipy.stats import friedmanchisquare, studentized_range

    blocks, methods = values.shape
    ranks = mean_ranks(values)
    equal = (values == values[:, :1]).all()
    statistic, p = (0.0, 1.0) if equal else friedmanchisquare(*values.T)
    critical = studentized_range.ppf(LEVEL, methods, np.inf) / math.sqrt(2)
    return Ranking(ranks, float(statistic), float(p), critical * math.sqrt(methods * (methods + 1) / (6 * blocks)))


def statements(values: pl.DataFrame, methods: Sequence[str], subject: str, unit: str, digits: int) -> list[Statement]:
    """Compare the methods of a table by statistics.

    Args:
        values: columns `method`, `block` (the cell), `seed`, `setting` (what else must agree for runs to be compared;
            it is averaged over) and `value`.
        methods: in the order in which they are named.
        subject: the method that is held against each other one.
        unit: of the values.
        digits: of differences.
    """
    wide = values.drop_nulls("value").pivot(
        on="method", index=["block", "seed", "setting"], values="value", aggregate_function="mean"
    )
    methods = [name for name in methods if name in wide.columns]
    if subject not in methods or len(methods) < 2:
        return []
    rivals = {name: wide.drop_nulls([subject, name]) for name in methods if name != subject}
    made = [versus({name: frame for name, frame in rivals.items() if len(frame)}, subject, unit, digits)]
    by_setting = wide.drop("seed").group_by("block", "setting", maintain_order=True).mean().drop_nulls(methods)
    means = by_setting.drop("setting").group_by("block", maintain_order=True).mean()
    if len(methods) > 2 and len(means) >= CELLS:
        made.append(ranked(means.select(methods).to_numpy(), methods))
    return [statement for statement in made if statement.rows]


def versus(rivals: dict[str, pl.DataFrame], subject: str, unit: str, digits: int) -> Statement:
    """Compare the subject with each rival, over the runs that both have."""
    by_run: dict[str, float] = {}
    by_cell: dict[str, float] = {}
    rows = []
    for name, frame in rivals.items():
        frame = frame.group_by("block", "seed", maintain_order=True).agg(difference=(pl.col(subject) - name).mean())
        cells = [cell["difference"].to_numpy() for cell in frame.partition_by("block", maintain_order=True)]
        differences = np.concatenate(cells)
        by_run[name] = wilcoxon(differences)
        if len(cells) >= CELLS:
            by_cell[name] = wilcoxon(np.array([values.mean() for values in cells]))
        wins = np.mean(differences > 0)
        ends = interval(cells)
        between = f" [{ends[0]:+.{digits}f}, {ends[1]:+.{digits}f}]" if ends else ""
        rows.append((name, f"{len(differences)}", f"{wins:.2f}", f"{differences.mean():+.{digits}f}{between}"))
    ps = [dict(zip(p, holm([*p.values()]), strict=True)) for p in (by_run, by_cell)]
    return Statement(
        f"{subject} against each of the others, Wilcoxon signed-rank with Holm's correction",
        ("against", "pairs", "wins", f"mean difference, {unit} [95 %]", "p, by run", "p, by cell"),
        tuple((*row, *(probability(p[row[0]]) if row[0] in p else "-" for p in ps)) for row in rows),
        "Pairs are runs of one cell and seed, each with its mean over the classes and settings of the table. Wins: the "
        "share of pairs in which the AUC is strictly greater. The interval is drawn over cells and seeds; of one cell "
        "it is Student's. Runs of one cell are not independent, so p by run is optimistic; by cell each cell counts "
        "once, with its mean over seeds. Cells may share a normal class (90 one-vs-one cells have 10), so p by cell is "
        "optimistic there too.",
    )


def ranked(values: Floats, methods: Sequence[str]) -> Statement:
    """Compute Friedman's test and mean ranks."""
    ranking = friedman(values)
    order = np.argsort(ranking.ranks, kind="stable")
    return Statement(
        "Friedman, mean ranks",
        ("method", "mean rank"),
        tuple((methods[i], f"{ranking.ranks[i]:.2f}") for i in order),
        f"Over {len(values)} cells (means over seeds and settings): chi-square {ranking.statistic:.2f}, "
        f"p {probability(ranking.p)}. Nemenyi's critical difference at the 5 % level is {ranking.difference:.2f}: "
        "methods whose mean ranks lie closer are not told apart.",
    )


def probability(p: float) -> str:
    """Print a p."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
