"""Figures of AUC by normal class and class of test anomalies: what a mean over classes hides."""

import json
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from semiad.report.experiment import Experiment
from semiad.report.figures.selection import in_classes
from semiad.report.figures.style import DOUBLE, dataset_name, in_order, method_name
from semiad.report.summary import natural_key

ROWS = 30
"""With more cells than this a row is a normal class, and seen and unseen classes get panels of their own."""
COLOURS = colormaps["cividis"].with_extremes(under="#7f0000")
SCALE = PowerNorm(2, vmin=0.5, vmax=1)
"""Finer towards 1, where most figures are; what is below chance has a colour of its own."""
TICKS = (0.5, 0.7, 0.8, 0.9, 1)


class Panel(NamedTuple):
    """One matrix.

    Attributes:
        title: above it.
        rows: names of the rows.
        auc: [rows, classes], nan where there is none.
        seen: [rows, classes], whether a class had labels.
    """

    title: str
    rows: list[str]
    auc: np.ndarray
    seen: np.ndarray


def matrices(experiment: Experiment, runs: pl.DataFrame, methods: Sequence[str] = ()) -> dict[str, Figure]:
    """Draw a figure a data set, of runs with one normal class.

    If labels or pollution vary, these are the most labels and the least pollution that all methods shown have, or
    most of them.

    Args:
        experiment: that the runs are of.
        runs: good ones.
        methods: that are shown; the first two if there are no runs of these.
    """
    made = {}
    long = by_class(runs)
    for dataset in sorted(long["dataset"].unique()):
        here = long.filter(pl.col("dataset") == dataset)
        present = in_order(here["method"].to_list())
        two = [name for name in methods if name in present] or present[:2]
        here = here.filter(pl.col("method").is_in(two))
        title = dataset_name(dataset)
        for name, chosen in (("labelled", pl.Series.max), ("pollution", pl.Series.min)):
            methods_there = pl.col("method").n_unique().over(name)
            value = chosen(here.filter(methods_there == methods_there.max())[name])
            if here[name].n_unique() > 1 and isinstance(value, float):
                title += f", {name} {value:g}"
            here = here.filter(pl.col(name).eq_missing(value))
        classes = in_classes([*here["class"].to_list(), *here["normal_class"].to_list()])
        shown = [
            panel
            for method in two
            if method in here["method"]
            for panel in of_method(here.filter(pl.col("method") == method), method_name(method, experiment), classes)
        ]
        made[f"{experiment.name}_matrix_{dataset.replace('/', '_')}"] = draw(title, shown, classes)
    return made


def by_class(runs: pl.DataFrame) -> pl.DataFrame:
    """Make a row for each run and class of test anomalies: `class`, `auc`, `seen`, beside the columns of the run."""
    columns = ("dataset", "method", "normal_class", "known", "labelled", "pollution")
    rows = [
        {**{name: run[name] for name in columns}, "class": name, "auc": auc, "seen": name in run["known"].split(",")}
        for run in runs.filter(pl.col("normal").list.len() == 1).iter_rows(named=True)
        for name, auc in json.loads(run["auc_by_class"] or "{}").items()
        if auc is not None
    ]
    types = dict.fromkeys(("dataset", "method", "normal_class", "known", "class"), pl.String())
    return pl.DataFrame(
        rows, {**types, "labelled": pl.Float64(), "pollution": pl.Float64(), "auc": pl.Float64(), "seen": pl.Boolean()}
    )


def of_method(long: pl.DataFrame, name: str, classes: list[str]) -> list[Panel]:
    """Make one panel with a row a cell; two with a row a normal class, if there are too many cells."""
    cells = long.select("normal_class", "known").unique().rows()
    cells.sort(key=lambda cell: (classes.index(cell[0]), [natural_key(name) for name in cell[1].split(",")]))
    if len(cells) <= ROWS:
        normals = {cell[0] for cell in cells}
        rows = [n if len(normals) == len(cells) else f"{n} ({k})" for n, k in cells]
        return [fill(name, rows, [long.filter(normal_class=n, known=k) for n, k in cells], classes)]
    order = [c for c in classes if c in {cell[0] for cell in cells}]
    return [
        fill(f"{name}, {word}", order, [long.filter(normal_class=n, seen=seen) for n in order], classes)
        for seen, word in ((True, "class has labels"), (False, "class has none"))
    ]


def fill(title: str, rows: list[str], parts: list[pl.DataFrame], classes: list[str]) -> Panel:
    """Compute the means by class for each row."""
    auc, seen = np.full((len(rows), len(classes)), np.nan), np.zeros((len(rows), len(classes)), dtype=bool)
    for i, part in enumerate(parts):
        for name, value, marked in part.group_by("class").agg(pl.col("auc").mean(), pl.col("seen").any()).iter_rows():
            auc[i, classes.index(name)], seen[i, classes.index(name)] = value, marked
    return Panel(title, rows, auc, seen)


def draw(title: str, shown: list[Panel], classes: list[str]) -> Figure:
    """Draw the panels, two side by side, with one scale of colours that grey print keeps."""
    rows = max(len(panel.rows) for panel in shown)
    lines = -(-len(shown) // 2)
    figure = Figure(figsize=(DOUBLE, max(1.5, 0.8 + 0.21 * rows) * lines + 0.3), layout="constrained")
    grid = figure.subplots(lines, 2, squeeze=False)
    for axis, panel in zip(grid.flat, shown, strict=False):
        image = draw_matrix(axis, panel, classes)
    for spare in list(grid.flat)[len(shown) :]:
        spare.remove()
    figure.suptitle(f"{title} (bold: the class has labelled anomalies; hatched: the normal class)", fontsize=8.5)
    figure.colorbar(
        image,
        ax=list(grid.flat)[: len(shown)],
        label="AUC",
        shrink=0.9,
        aspect=max(15, rows) * lines,
        extend="min",
        ticks=TICKS,
    )
    return figure


def draw_matrix(axis: Axes, panel: Panel, classes: list[str]) -> AxesImage:
    """Draw one matrix: the AUC in each field, bold where the class was seen; the normal class is hatched."""
    image = axis.imshow(panel.auc, cmap=COLOURS, norm=SCALE, aspect="auto")
    for (i, j), value in np.ndenumerate(panel.auc):
        if np.isfinite(value):
            dark = SCALE(value) < 0.55
            text = f"{value:.2f}".removeprefix("0").replace("1.00", "1.0")
            weight = "bold" if panel.seen[i, j] else "normal"
            axis.text(
                j, i, text, ha="center", va="center", fontsize=7, color="white" if dark else "black", weight=weight
            )
        elif classes[j] == panel.rows[i].partition(" ")[0]:
            axis.add_patch(
                Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, hatch="/////", edgecolor="#bbbbbb", linewidth=0)
            )
    axis.set_xticks(range(len(classes)), classes)
    axis.set_yticks(range(len(panel.rows)), panel.rows)
    axis.grid(False)
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
    axis.set(
        title=panel.title,
        xlabel="class of test anomalies",
        ylabel="normal (labelled)" if "(" in panel.rows[0] else "normal class",
    )
    return image
