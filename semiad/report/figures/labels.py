"""The figure of the studies of the number of labelled anomalies."""

import polars as pl
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from semiad.report.figures.style import DOUBLE, GREY, RC, Look, method_looks, panels
from semiad.report.labels import Study

TITLES = {"ap": "average precision, kinds that are labelled", "auc_unseen": "AUC, kinds that nobody has labelled"}
LEADERS = 2
"""Methods that are among so many of the lowest mean rank at some number of labels are named in the figure."""


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
