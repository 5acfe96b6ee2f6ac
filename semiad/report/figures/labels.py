"""The figures of the studies of the number of labelled anomalies."""

import polars as pl
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from semiad.report.figures import ranks
from semiad.report.figures.style import DOUBLE, GREY, RC, Look, method_looks, panels
from semiad.report.labels import Study
from semiad.report.statistics import probability

TITLES = {"ap": "average precision, kinds that are labelled", "auc_unseen": "AUC, kinds that nobody has labelled"}
LEADERS = 2
"""Methods that are among so many of the lowest mean rank at some number of labels are named in the figure."""
ACROSS = 2
"""Panels of mean ranks side by side."""


@rc_context(RC)
def figure(studies: list[Study]) -> Figure:
    """Draw the mean metric against the number of labels, a panel a study, over the cells that have every number."""
    named = [*dict.fromkeys(row.method for study in studies for count in study.counts for row in count.rows[:LEADERS])]
    looks = method_looks(named)
    drawn, axes = panels(len(studies), len(studies), 3.0, DOUBLE)
    for axis, study in zip(axes, studies, strict=True):
        draw(axis, study, looks)
    handles = {label: handle for axis in axes for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    drawn.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=6)
    return drawn


@rc_context(RC)
def differences(study: Study) -> Figure | None:
    """Draw mean ranks with their critical difference, a panel a number of labels; None if no number has been tested."""
    tested = [(count, count.ranking) for count in study.counts if count.ranking]
    if not tested:
        return None
    looks = method_looks([row.method for count, _ in tested for row in count.rows])
    rows = [tested[i : i + ACROSS] for i in range(0, len(tested), ACROSS)]
    named = [[[(row.method, row.rank, looks[row.method].colour) for row in count.rows] for count, _ in r] for r in rows]
    lowest = [
        max(ranks.lowest_line(methods, ranking.difference) for methods, (_, ranking) in zip(*row, strict=True))
        for row in zip(named, rows, strict=True)
    ]
    heights = [ranks.height(line) for line in lowest]
    figure = Figure(figsize=(ranks.WIDTH * ACROSS, sum(heights)), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08))
    axes = figure.subplots(len(rows), ACROSS, squeeze=False, height_ratios=heights)
    for line, row_of_axes, row, names in zip(lowest, axes, rows, named, strict=True):
        for axis, (count, ranking), methods in zip(row_of_axes, row, names, strict=False):
            ranks.draw(axis, methods, ranking.difference, line)
            labels = f"{count.labels or 'no'} label{'' if count.labels == 1 else 's'}"
            axis.set_title(f"{labels}: {sum(count.cells.values())} cells, Friedman p {probability(ranking.p)}")
        for spare in row_of_axes[len(row) :]:
            spare.remove()
    return figure


def draw(axis: Axes, study: Study, looks: dict[str, Look]) -> None:
    """Draw a study: the methods that lead somewhere in colour, the others in grey."""
    numbers = [count.labels for count in study.counts]
    per_cell = study.runs.group_by("cell").agg(pl.col("labels").n_unique())
    cells = per_cell.filter(labels=len(numbers))["cell"].implode()
    rows = {row.method for count in study.counts for row in count.rows}
    runs = study.runs.filter(pl.col("cell").is_in(cells), pl.col("method").is_in([*rows]))
    means = runs.group_by("method", "labels", "cell").agg(pl.col(study.metric).mean())
    means = means.group_by("method", "labels").agg(pl.col(study.metric).mean()).sort("method", "labels")
    for (method,), part in means.group_by("method", maintain_order=True):
        look = looks.get(str(method))
        xs = [numbers.index(labels) for labels in part["labels"]]
        style = {"color": look.colour, "marker": look.marker, "ls": look.line, "label": method} if look else {}
        axis.plot(
            xs, part[study.metric].to_list(), **(style or {"color": GREY, "lw": 0.6, "alpha": 0.6, "label": "others"})
        )
    axis.set_xticks(range(len(numbers)), [f"{number}" for number in numbers])
    axis.set_xlabel("labelled anomalies")
    axis.set_title(TITLES[study.metric])
