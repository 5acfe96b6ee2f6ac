"""Figures of AUC against a setting: lines and panels of groups, each point a mean with its 95 % interval."""

from typing import NamedTuple

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from semiad.errors import InputError
from semiad.report.drawings import Sweep
from semiad.report.experiment import Experiment
from semiad.report.figures.selection import in_classes, settings
from semiad.report.figures.style import (
    CYCLE,
    DOUBLE,
    SINGLE,
    Look,
    dataset_name,
    in_order,
    method_looks,
    method_name,
    panels,
)
from semiad.report.statistics import summarize

CELL = ("dataset", "scenario", "normal_class", "known", "tests")
"""What tells one cell from another, whatever its settings."""

CROWD = 6
"""More lines than this go without intervals, which would hide one another."""


class Line(NamedTuple):
    """The name and the look of a line."""

    name: str
    look: Look


SHARE = r"share of labelled anomalies $\gamma_l$"
"""Label of an axis of labelled anomalies, where they are shares of the training rows."""


def sweep(experiment: Experiment, runs: pl.DataFrame, sweep: Sweep) -> dict[str, Figure]:
    """Draw AUC against a setting, as the paper does.

    Raises:
        InputError: the figure asks for what is neither a setting of the paper nor a column of runs.
    """
    for column in (sweep.x, sweep.line, sweep.panel):
        if column not in runs.columns:
            names = ", ".join(settings(experiment))
            raise InputError(
                f"experiment={experiment.name} draws a figure by {column}, which is neither a column of runs nor "
                f"one of the settings {names}"
            )
    runs = runs if sweep.where is None else runs.filter(sweep.where)
    if runs.is_empty():
        return {}
    groups = ordered(runs, sweep.panel)
    legend_aside = len(ordered(runs, sweep.line)) > 3
    columns = 3 if len(groups) > 1 else 1
    figure, axes = panels(len(groups), columns, 2.3, DOUBLE if len(groups) > 1 or legend_aside else SINGLE, sharey=True)
    lines = looks(runs, sweep.line, experiment)
    xs = sorted(runs[sweep.x].drop_nulls().unique())
    for axis, group in zip(axes, groups, strict=True):
        draw(axis, runs.filter(pl.col(sweep.panel) == group), sweep, lines, xs)
        if len(groups) > 1:
            axis.set_title(word(sweep.panel, group, experiment))
    finish(figure, axes, columns, axis_label(sweep.x, experiment))
    return {experiment.name: figure}


def labels(experiment: Experiment, runs: pl.DataFrame, line: str = "method") -> dict[str, Figure]:
    """Draw AUC by labelled anomalies: over all test rows, over seen classes, and over unseen classes.

    A figure a data set for which the number of labelled anomalies varies.
    """
    ratio = runs["labelled"].drop_nulls().max()
    sweep, made = Sweep("labelled", line, "dataset"), {}
    lines = looks(runs, sweep.line, experiment)
    names = {"auc": "all test rows", "auc_seen": "anomalies of seen classes", "auc_unseen": "of unseen classes"}
    for dataset in ordered(runs, "dataset"):
        here = runs.filter(pl.col("dataset") == dataset)
        xs = sorted(here["labelled"].drop_nulls().unique())
        if len(xs) < 2:
            continue
        figure, axes = panels(3, 3, 2.5, sharey=True)
        for axis, (metric, title) in zip(axes, names.items(), strict=True):
            # Without labels no class was seen, though the cell names one.
            some = (
                here.filter(pl.col("labelled").is_null() | (pl.col("labelled") > 0)) if metric == "auc_seen" else here
            )
            draw(axis, some, sweep, lines, xs, metric)
            axis.set_title(title)
        share = isinstance(ratio, float) and ratio <= 1
        finish(figure, axes, 3, SHARE if share else settings(experiment)["labelled"].axis)
        made[f"{experiment.name}_labels_{str(dataset).replace('/', '_')}"] = figure
    return made


def draw(
    axis: Axes, runs: pl.DataFrame, sweep: Sweep, lines: dict[object, Line], xs: list[float], metric: str = "auc"
) -> None:
    """Draw lines with intervals; a line of one point is drawn across, as a level.

    Args:
        axis: to draw onto.
        runs: of the panel.
        sweep: what to show.
        lines: how each line looks.
        xs: values along the axis, drawn at equal distances.
        metric: column of what is averaged.
    """
    for value, (name, look) in lines.items():
        of_line = runs.filter(pl.col(sweep.line) == value)
        points = [
            (i, *mean_interval(of_line.filter(pl.col(sweep.x) == x), metric))
            for i, x in enumerate(xs)
            if of_line.filter(pl.col(sweep.x) == x)[metric].count()
        ]
        level = of_line.filter(pl.col(sweep.x).is_null()) if not points else of_line
        if (not points and level[metric].count()) or (len(points) == 1 and len(xs) > 1):
            mean, low, high = mean_interval(level, metric)
            axis.axhline(mean, color=look.colour, linestyle=look.line, label=name)
            if low < high:
                axis.axhspan(low, high, color=look.colour, alpha=0.12, linewidth=0)
        elif points:
            at, means, lows, highs = np.array(points).T
            shift = 0 if len(lines) > CROWD else (list(lines).index(value) - (len(lines) - 1) / 2) * 0.05
            axis.errorbar(
                at + shift,
                means,
                yerr=None if len(lines) > CROWD else [means - lows, highs - means],
                color=look.colour,
                marker=look.marker,
                linestyle=look.line,
                elinewidth=0.7,
                capsize=1.5,
                capthick=0.7,
                label=name,
            )
    axis.set_xticks(range(len(xs)), [number(x) for x in xs])
    axis.margins(x=0.08)


def finish(figure: Figure, axes: list[Axes], columns: int, x: str) -> None:
    """Add the labels of the axes, and one legend for all panels below them."""
    for i, axis in enumerate(axes):
        if i + columns >= len(axes):
            axis.set_xlabel(x)
        if i % columns == 0:
            axis.set_ylabel("AUC")
    handles = {name: handle for axis in axes for handle, name in zip(*axis.get_legend_handles_labels(), strict=True)}
    wide = 6 if 5 < len(handles) < 7 else 5 if figure.get_figwidth() > SINGLE else 3
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=min(len(handles), wide))


def axis_label(column: str, experiment: Experiment) -> str:
    """Label the axis of a setting or of a column of runs."""
    known = settings(experiment)
    return known[column].axis if column in known else column


def mean_interval(runs: pl.DataFrame, metric: str) -> tuple[float, float, float]:
    """Compute a mean over runs and the ends of its 95 % interval, as in the tables; all three are equal for one run."""
    known = runs.drop_nulls(metric)
    ours = summarize([cell[metric].to_numpy() for cell in known.partition_by(*CELL, "fold", maintain_order=True)])
    if ours is None:
        raise ValueError(f"no run has {metric}")
    return ours.mean, *((ours.mean, ours.mean) if ours.low is None or ours.high is None else (ours.low, ours.high))


def ordered(runs: pl.DataFrame, column: str) -> list[object]:
    """Sort the values of a column into the order in which they are shown."""
    values = runs[column].drop_nulls().unique().to_list()
    if column == "method":
        return list(in_order(values))
    return list(in_classes(values)) if column == "normal_class" else sorted(values)


def looks(runs: pl.DataFrame, column: str, experiment: Experiment) -> dict[object, Line]:
    """Choose the line of each value, the same in all panels."""
    values = ordered(runs, column)
    # Of pollution red before blue, as in the paper.
    cycle = (CYCLE[1], CYCLE[0], *CYCLE[2:]) if column == "pollution" else CYCLE
    of_methods = method_looks(map(str, values)) if column == "method" else {}
    chosen = (of_methods.get(str(value), cycle[i % len(cycle)]) for i, value in enumerate(values))
    return {value: Line(word(column, value, experiment), look) for value, look in zip(values, chosen, strict=True)}


def word(column: str, value: object, experiment: Experiment) -> str:
    """Name a line or a panel."""
    if column == "method":
        return method_name(str(value), experiment)
    if column == "dataset":
        return dataset_name(str(value))
    known = settings(experiment)
    if column in known:
        return known[column].text.format(number(float(str(value))))
    return f"{column.removesuffix('_class')} {value}"


def number(value: float) -> str:
    """Write a number in short: .2115 is .21."""
    return f"{value:.2g}" if value < 1 else f"{value:g}"
