"""Figures of AUC and training loss by epoch, a pair of panels for each data set."""

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from semiad.report import curves
from semiad.report.experiment import Experiment
from semiad.report.figures.style import DOUBLE, Look, dataset_name, in_order, method_looks, method_name

COLUMNS = 4


def epochs(experiment: Experiment, runs: pl.DataFrame) -> dict[str, Figure]:
    """Draw means over draws, in the range from the least to the greatest; the legend has the AUC at the lowest loss."""
    points = curves.read(runs).join(runs.select("key", "dataset", "method"), on="key")
    datasets, looks = sorted(points["dataset"].unique()), method_looks(points["method"].unique())
    if not datasets:
        return {}
    columns = min(COLUMNS, len(datasets))
    bands = -(-len(datasets) // columns)
    figure = Figure(figsize=(max(DOUBLE * columns / COLUMNS, 3.5), 3.8 * bands), layout="constrained")
    grid = figure.subplots(2 * bands, columns, squeeze=False, height_ratios=[2, 1] * bands)
    for i, dataset in enumerate(datasets):
        band, column = divmod(i, columns)
        pair: tuple[Axes, Axes] = (grid[2 * band, column], grid[2 * band + 1, column])
        here = runs.filter(pl.col("dataset") == dataset)
        of_table(pair, here, points.filter(pl.col("dataset") == dataset), experiment, looks)
        pair[0].set_title(dataset_name(dataset), pad=28)
        pair[0].sharex(pair[1])
        pair[0].tick_params(labelbottom=False)
        pair[1].set_xlabel("epoch")
        if not column:
            pair[0].set_ylabel("AUC")
            pair[1].set_ylabel("training loss")
    for spare in [axis for axis in grid.flat if not axis.has_data()]:
        spare.remove()
    figure.suptitle("in brackets: AUC at the lowest loss", fontsize=7.5)
    return {experiment.name: figure}


def of_table(
    pair: tuple[Axes, Axes], runs: pl.DataFrame, points: pl.DataFrame, experiment: Experiment, looks: dict[str, Look]
) -> None:
    """Draw the panels of one data set.

    Args:
        pair: axes of the AUC, and of the loss (logarithmic).
        runs: of the table.
        points: of their curves.
        experiment: by whose paper methods are named.
        looks: of each method.
    """
    for method in in_order(points["method"].to_list()):
        look = looks[method]
        of_method = points.filter(pl.col("method") == method)
        best = runs.filter(pl.col("method") == method)["auc_at_min_loss"].mean()
        name = method_name(method, experiment) + (f" ({best:.3f})" if isinstance(best, float) else "")
        for axis, metric in zip(pair, ("auc", "loss"), strict=True):
            shown = of_method.filter(pl.col(metric).is_finite())
            by = shown.group_by("epoch").agg(
                mean=pl.col(metric).mean(), low=pl.col(metric).min(), high=pl.col(metric).max()
            ).sort("epoch")  # fmt: skip
            every = max(1, len(by) // 6)
            axis.plot(by["epoch"], by["mean"], color=look.colour, linestyle=look.line, label=name,
                      marker=look.marker, markevery=every, markersize=3, linewidth=1)  # fmt: skip
            axis.fill_between(by["epoch"].to_numpy(), by["low"].to_numpy(), by["high"].to_numpy(),
                              color=look.colour, alpha=0.15, linewidth=0)  # fmt: skip
    if (points["loss"].fill_nan(None).min() or 0) > 0:  # type: ignore[operator]
        pair[1].set_yscale("log")
    # Above the panel, where it hides no curve.
    legend = pair[0].legend(loc="lower left", bbox_to_anchor=(0, 1), fontsize=7.5, handlelength=1.8, borderaxespad=0)
    legend.set_in_layout(False)
