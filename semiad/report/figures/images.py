"""Figures of single rows: originals above reconstructions, and box plots of the score by class."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch

from semiad.report import samples
from semiad.report.experiment import Experiment
from semiad.report.figures.selection import in_classes
from semiad.report.figures.style import DOUBLE, KINDS, in_order, method_name, panels

PER_CLASS = 2
"""Normal training rows that are shown."""
HATCHES = {"normal": "", "seen": "////", "unseen": "...."}


class Shown(NamedTuple):
    """A run with its samples."""

    run: Mapping[str, Any]
    arrays: samples.Samples


def first(runs: pl.DataFrame) -> list[Shown]:
    """Find, for each method, the first run that has samples, in the order of methods."""
    chosen = []
    for method in in_order(runs["method"].to_list()):
        for run in runs.filter(pl.col("method") == method).iter_rows(named=True):
            if (arrays := samples.read(run["samples"])) is not None:
                chosen.append(Shown(run, arrays))
                break
    return chosen


def reconstructions(experiment: Experiment, runs: pl.DataFrame) -> dict[str, Figure]:
    """Draw training rows and test rows of each class, the original above the reconstruction, method by method."""
    rows = [shown for shown in first(runs) if "x_hat" in shown.arrays]
    if not rows:
        return {}
    train, test = columns(rows[0])
    figure = Figure(
        figsize=(DOUBLE, 1.3 * len(rows) + 0.15),
        layout=ConstrainedLayoutEngine(w_pad=0.01, h_pad=0.01, wspace=0.02, hspace=0.02),
    )
    bands = figure.subfigures(len(rows), 1, squeeze=False)[:, 0]
    for band, shown in zip(bands, rows, strict=True):
        left, right = band.subfigures(1, 2, width_ratios=[len(train) + 0.4, len(test)])
        for part, wanted, name in ((left, train, "training rows"), (right, test, "test rows")):
            part.suptitle(
                f"{method_name(shown.run['method'], experiment)}, seed {shown.run['seed']}, {name}", fontsize=8.5
            )
            strip(part.subplots(2, len(wanted), squeeze=False), shown, wanted)
        for axis, word in zip(left.axes[:: len(train)], ("x", "x̂"), strict=False):
            axis.set_ylabel(word, rotation=0, labelpad=7, va="center")
    return {experiment.name: figure}


def columns(shown: Shown) -> tuple[list[tuple[str, str, int]], list[tuple[str, str, int]]]:
    """Choose which training and test rows are shown: kind of row, class, and which of its rows."""
    kind, classes = shown.arrays["shown_kind"], shown.arrays["shown_class"]
    normal = in_classes([str(c) for c in classes[kind == "train"]])
    some = [
        ("train", c, i) for c in normal for i in range(min(PER_CLASS, int(((kind == "train") & (classes == c)).sum())))
    ]
    labelled = [("labelled", c, 0) for c in in_classes([str(c) for c in classes[kind == "labelled"]])]
    return [*some, *labelled], [("test", c, 0) for c in in_classes([str(c) for c in classes[kind == "test"]])]


def strip(axes: np.ndarray, shown: Shown, wanted: Sequence[tuple[str, str, int]]) -> None:
    """Draw originals (first line) and reconstructions (second); below each its class, in the colour of its kind."""
    arrays = shown.arrays
    for column, (kind, name, which) in enumerate(wanted):
        rows = np.flatnonzero((arrays["shown_kind"] == kind) & (arrays["shown_class"] == name))
        status = samples.kinds(shown.run, shown.arrays, [name])[0]
        for line, x in enumerate((arrays["x"], arrays["x_hat"])):
            axis: Axes = axes[line, column]
            axis.set(xticks=[], yticks=[])
            axis.grid(False)
            axis.spines[:].set_visible(False)
            if which < len(rows):
                axis.imshow(samples.picture(x[rows[which]]), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes[1, column].set_xlabel(f"{name}\n{status}", color=KINDS[status].colour, fontsize=6.5, labelpad=1)


def boxes(experiment: Experiment, runs: pl.DataFrame, one_scale: Collection[str] = ()) -> dict[str, Figure]:
    """Draw scores of the test rows by class on a log axis, a panel a method; whiskers at 1.5 interquartile ranges.

    Args:
        experiment: that the runs are of.
        runs: good ones.
        one_scale: methods whose scores are of one unit; panels of these only share an axis.
    """
    rows = first(runs)
    if not rows:
        return {}
    figure, axes = panels(
        len(rows),
        2,
        2.5,
        DOUBLE if len(rows) > 1 else 4,
        sharey={row.run["method"] for row in rows} <= {*one_scale},
    )
    for axis, shown in zip(axes, rows, strict=True):
        names = in_classes([str(name) for name in shown.arrays["classes"]])
        kinds = samples.kinds(shown.run, shown.arrays, names)
        scores = [shown.arrays["scores"][shown.arrays["classes"] == name] for name in names]
        drawn = axis.boxplot(scores, tick_labels=names, patch_artist=True, widths=0.65,
                             flierprops={"marker": ".", "markersize": 1.5, "markeredgewidth": 0, "rasterized": True},
                             medianprops={"color": "black", "linewidth": 1.5}, whiskerprops={"linewidth": 0.7},
                             capprops={"linewidth": 0.7}, boxprops={"linewidth": 0.6})  # fmt: skip
        for box, points, kind in zip(drawn["boxes"], drawn["fliers"], kinds, strict=True):
            box.set(facecolor=KINDS[kind].colour, alpha=0.75, hatch=HATCHES[kind])
            points.set(markerfacecolor=KINDS[kind].colour)
        if all((score > 0).all() for score in scores):
            axis.set_yscale("log")
        axis.grid(axis="x", visible=False)
        name = method_name(shown.run["method"], experiment)
        axis.set(
            title=f"{name} (seed {shown.run['seed']}: AUC {shown.run['auc']:.3f})",
            xlabel="class of test rows",
        )
    axes[0].set_ylabel("score")
    keys = [Patch(facecolor=KINDS[kind].colour, alpha=0.75, hatch=h, label=kind) for kind, h in HATCHES.items()]
    figure.legend(handles=keys, loc="outside lower center", ncols=3)
    return {experiment.name: figure}
