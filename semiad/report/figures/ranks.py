"""Diagrams of mean ranks, with a bar over methods that Nemenyi's test does not tell apart at the 5 % level."""

from collections.abc import Iterator, Sequence

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from semiad.report.experiment import Experiment
from semiad.report.figures.style import in_order, method_looks, method_name
from semiad.report.figures.sweeps import CELL
from semiad.report.statistics import CELLS, friedman

WIDTH = 5.0
STEP = 0.24
"""Inches of a line of names, which is the unit of height."""
TOP = -2.6
"""The highest line; the axis of ranks is line 0."""
CROWD = 13
"""Methods from which on every other rank has its number."""
Ranked = tuple[str, float, str]
"""Name, mean rank and colour of a method."""


def diagram(experiment: Experiment, runs: pl.DataFrame) -> dict[str, Figure]:
    """Draw ranks over cells (over data sets, if each has one cell), for three methods and more.

    Only cells that all methods have count, and there must be as many as the table's own test asks for.
    """
    methods = in_order(runs["method"].to_list())
    wide = runs.group_by(*CELL, "method").agg(pl.col("auc").mean()).pivot("method", index=CELL, values="auc")
    blocks = wide.drop_nulls(methods).sort(CELL).select(methods)
    if len(methods) < 3 or len(blocks) < CELLS:
        return {}
    ranking = friedman(blocks.to_numpy())
    ranked = sorted(zip(ranking.ranks.tolist(), methods, strict=True), key=lambda pair: pair[0])
    looks = method_looks(methods)
    names = [(method_name(method, experiment), rank, looks[method].colour) for rank, method in ranked]
    line = lowest_line(names, ranking.difference)
    figure = Figure(figsize=(WIDTH, height(line)), layout="constrained")
    axis = figure.subplots()
    draw(axis, names, ranking.difference, line)
    axis.set_title(f"mean rank over {len(blocks)} {'data sets' if unit(runs) else 'cells'}")
    return {f"{experiment.name}_ranks": figure}


def height(line: float) -> float:
    """Compute how many inches a diagram down to a line takes, its title with it."""
    return STEP * (line - TOP) + 0.3


def lowest_line(methods: Sequence[Ranked], difference: float) -> float:
    """Compute the line below the last name of a diagram."""
    bars = len([*alike([rank for _, rank, _ in methods], difference)])
    return 0.6 + 0.5 * bars + (len(methods) + 1) // 2


def draw(axis: Axes, methods: Sequence[Ranked], difference: float, line: float) -> None:
    """Draw a diagram: the axis of ranks, the critical difference, bars over methods that it does not tell apart.

    Args:
        axis: to draw onto.
        methods: from the lowest rank.
        difference: the critical one.
        line: the lowest one that is shown.
    """
    ranks = [rank for _, rank, _ in methods]
    at = [*apart(ranks, 0.014 * (len(ranks) - 1))]
    bars = [*alike(ranks, difference)]
    scale(axis, len(methods), difference)
    for i, (first, last) in enumerate(bars):
        axis.plot([at[first] - 0.03, at[last] + 0.03], [0.5 + 0.5 * i] * 2, color="black", linewidth=2.5, zorder=4)
    labels(axis, at, methods, 1 + 0.5 * len(bars))
    axis.set_ylim(line, TOP)
    for artist in axis.get_children():
        artist.set_clip_on(False)  # a clip is named by all digits of its place, the last of which are not always equal
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)


def alike(ranks: Sequence[float], difference: float) -> Iterator[tuple[int, int]]:
    """Find the widest groups of methods whose ranks lie closer than the critical difference: index of first and last.

    Args:
        ranks: from the lowest.
        difference: the critical one.
    """
    reached = 0
    for first, rank in enumerate(ranks):
        last = max(i for i, other in enumerate(ranks) if i == first or other - rank < difference)
        if last > max(reached, first):
            yield first, last
            reached = last


def scale(axis: Axes, methods: int, difference: float) -> None:
    """Draw the axis of ranks, and above it the critical difference.

    Args:
        axis: to draw onto.
        methods: how many there are.
        difference: of ranks.
    """
    axis.plot([1, methods], [0, 0], color="black", linewidth=0.8)
    for rank in range(1, methods + 1):
        axis.plot([rank, rank], [0, -0.2], color="black", linewidth=0.8)
        if methods < CROWD or rank % 2:
            axis.text(rank, -0.3, f"{rank}", ha="center", va="bottom", fontsize=7.5)
    axis.errorbar(1 + difference / 2, -1.5, xerr=difference / 2, color="black", capsize=3, elinewidth=1.2)
    axis.text(1, -1.75, f"critical difference {difference:.2f}", ha="left", va="bottom", fontsize=7.5)


def labels(axis: Axes, at: Sequence[float], methods: Sequence[Ranked], top: float) -> None:
    """Draw a line from each rank to the name: the better half to the left, the others to the right.

    Names stand outside of the axis, where no line crosses them.

    Args:
        axis: to draw onto.
        at: where each method stands on it.
        methods: name, mean rank and colour of each, from the lowest rank.
        top: height of the first names.
    """
    count = len(methods)
    reach = 0.06 * (count - 1)
    for i, (name, rank, colour) in enumerate(methods):
        left = i < (count + 1) // 2
        y = top + (i if left else count - 1 - i)
        side, align = (1 - reach, "right") if left else (count + reach, "left")
        text = f"{name} ({rank:.2f})" if left else f"({rank:.2f}) {name}"
        axis.plot([at[i], at[i], side], [0, y, y], color=colour, linewidth=1.1, solid_joinstyle="miter")
        axis.plot(at[i], 0, color=colour, marker="o", markersize=3.5, zorder=5)
        axis.text(side + (-0.2 if left else 0.2) * reach, y, text, ha=align, va="center", fontsize=8)


def apart(ranks: Sequence[float], least: float) -> Iterator[float]:
    """Move ranks that lie closer than this apart, from the lowest up: lines of ties run side by side."""
    before = float("-inf")
    for rank in ranks:
        before = max(rank, before + least)
        yield before


def unit(runs: pl.DataFrame) -> bool:
    """Tell whether each data set has one cell."""
    return bool(runs.select(CELL).n_unique() == runs["dataset"].n_unique())
