"""Critical differences: average ranks of methods, with a bar over those that do not differ by Nemenyi's test at .05."""

from itertools import chain

import polars as pl
from matplotlib.figure import Figure

from semiad.report.figures.style import SINGLE, in_order, method_look, method_name
from semiad.report.figures.sweeps import CELL
from semiad.report.statistics import CELLS


def diagram(experiment: str, runs: pl.DataFrame) -> dict[str, Figure]:
    """Ranks over cells (over data sets, where they are tables), each a mean over draws; for three methods and more.

    Only cells that all methods have count, and there must be as many as the table's own test asks for.
    """
    methods = in_order(runs["method"].to_list())
    wide = runs.group_by(*CELL, "method").agg(pl.col("auc").mean()).pivot("method", index=CELL, values="auc")
    blocks = wide.drop_nulls(methods).sort(CELL).select(methods)
    if len(methods) < 3 or len(blocks) < CELLS:
        return {}
    from pandas import DataFrame
    from scikit_posthocs import critical_difference_diagram, posthoc_nemenyi_friedman

    names = [method_name(method) for method in methods]
    frame = DataFrame(blocks.to_numpy(), columns=names)
    ranks = frame.rank(axis=1, ascending=False).mean()
    figure = Figure(figsize=(SINGLE, 0.75 + 0.19 * len(methods)), layout="constrained")
    axis = figure.subplots()
    drawn = critical_difference_diagram(
        ranks,
        posthoc_nemenyi_friedman(frame),
        ax=axis,
        color_palette={name: method_look(method).colour for name, method in zip(names, methods, strict=True)},
        label_props={"fontsize": 8},
        marker_props={"s": 14, "zorder": 3},
        crossbar_props={"color": "black", "linewidth": 2.2},
        text_h_margin=0.04 * (len(methods) - 1),
        label_fmt_left="{label} ({rank:.2f})",
        label_fmt_right="({rank:.2f}) {label}",
    )
    for label in drawn["labels"]:
        label.set_color("black")
    # A bar is drawn through its methods in the order of a set, which is another in each process.
    for bar in chain.from_iterable(drawn["crossbars"]):
        bar.set_xdata(sorted(bar.get_xdata()))
    axis.grid(False)
    axis.set_title(f"mean rank over {len(blocks)} {'data sets' if unit(runs) else 'cells'}")
    return {f"{experiment}_ranks": figure}


def unit(runs: pl.DataFrame) -> bool:
    """Whether each data set has one cell."""
    return bool(runs.select(CELL).n_unique() == runs["dataset"].n_unique())
