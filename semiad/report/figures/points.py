"""Scatter plots: AUC of a method against each rival's, and codes of test rows laid out by t-SNE."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from semiad.report import samples
from semiad.report.experiment import Experiment
from semiad.report.figures.style import BLUE, DOUBLE, GREY, KINDS, RED, dataset_name, in_order, method_name, panels
from semiad.report.figures.sweeps import CELL

MANY = 2000
"""From so many points on, a vector figure holds them as a picture."""
DRAWN = 1000
"""So many codes at most are laid out."""
SYMBOLS = {"z": "$z$", "z_hat": r"$\hat z$"}


def scatter(experiment: Experiment, runs: pl.DataFrame, method: str) -> dict[str, Figure]:
    """Draw AUC of a method (y) against that of each rival (x), a mark a pair of runs of one cell and seed."""
    paired = runs.with_columns(polluted=pl.col("n_polluted").fill_null(0) > 0)
    by = [*CELL, "labelled", "pollution", "seed"]
    of_subject = paired.filter(pl.col("method") == method).group_by(*by, "polluted").agg(y=pl.col("auc").mean())
    rivals = [name for name in in_order(runs["method"].to_list()) if name != method]
    pairs = {
        name: paired.filter(pl.col("method") == name)
        .group_by(by)
        .agg(x=pl.col("auc").mean())
        .join(of_subject, on=by, nulls_equal=True)
        .sort(by)
        for name in rivals
    }
    pairs = {name: pair for name, pair in pairs.items() if len(pair)}
    if not pairs:
        return {}
    figure, axes = panels(len(pairs), 4, 2.1, DOUBLE if len(pairs) > 2 else 5, sharey=True)
    lowest = min(float(min(pair["x"].min(), pair["y"].min())) for pair in pairs.values())  # type: ignore[arg-type,type-var]
    for axis, (name, pair) in zip(axes, pairs.items(), strict=True):
        axis.axline((1, 1), slope=1, color=GREY, linewidth=0.7)
        for polluted, colour, marker, label in ((False, BLUE, "+", "clean"), (True, RED, "x", "polluted")):
            some = pair.filter(pl.col("polluted") == polluted)
            if len(some):
                axis.scatter(some["x"], some["y"], s=14, c=colour, marker=marker, linewidths=0.7,
                             alpha=0.8, label=label, rasterized=len(some) > MANY)  # fmt: skip
        axis.set(xlim=(lowest - 0.02, 1.02), ylim=(lowest - 0.02, 1.02), aspect="equal")
        axis.set_xlabel(f"AUC of {method_name(name, experiment)}")
    axes[0].set_ylabel(f"AUC of {method_name(method, experiment)}")
    handles = {name: handle for axis in axes for handle, name in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=2)
    return {experiment.name: figure}


def embedding(experiment: Experiment, runs: pl.DataFrame, codes: Sequence[tuple[str, str]]) -> dict[str, Figure]:
    """Draw codes of test rows by t-SNE; a row of panels a data set, of its first run with codes.

    Args:
        experiment: that the runs are of.
        runs: good ones.
        codes: method and name of the codes of each panel, `z` or `z_hat`.
    """
    rows = []
    for dataset in sorted(runs["dataset"].unique()):
        drawn = {}
        for method, name in codes:
            here = runs.filter(pl.col("dataset") == dataset, pl.col("method") == method)
            first = next(((run, s) for run in here.iter_rows(named=True) if (s := samples.read(run["samples"]))), None)
            if first and name in first[1]:
                drawn[method, name] = first
        if drawn:
            rows.append((dataset, drawn))
    if not rows:
        return {}
    figure = Figure(figsize=(DOUBLE, 2.5 * len(rows) + 0.2), layout="constrained")
    for line, (dataset, drawn) in zip(figure.subplots(len(rows), len(codes), squeeze=False), rows, strict=True):
        for axis, (method, name) in zip(line, codes, strict=True):
            axis.set(xticks=[], yticks=[])
            axis.set_title(f"{dataset_name(dataset)}: {method_name(method, experiment)}, {SYMBOLS.get(name, name)}")
            if (method, name) in drawn:
                run, shown = drawn[method, name]
                z = shown[name][:DRAWN].astype(np.float32).reshape(len(shown[name][:DRAWN]), -1)
                finite = np.isfinite(z).all(1)
                classes = shown["code_class"][:DRAWN][finite]
                cloud(axis, plane(z[finite]), samples.kinds(run, shown, classes))
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3)
    return {experiment.name: figure}


def plane(z: np.ndarray) -> np.ndarray:
    """Lay codes out in the plane by t-SNE, from their principal components; at one point if they are all equal.

    Args:
        z: [q, d].

    Returns:
        [q, 2].
    """
    if len(z) < 4 or np.ptp(z, axis=0).max() == 0:
        return np.zeros((len(z), 2))
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(z) - 1) / 3)
    laid: np.ndarray = TSNE(
        init="pca" if z.shape[1] > 1 else "random", random_state=0, perplexity=perplexity
    ).fit_transform(z)
    return laid


def cloud(axis: Axes, at: np.ndarray, kinds: list[str]) -> None:
    """Draw points in the plane, marked by kind.

    Args:
        axis: to draw onto.
        at: [q, 2].
        kinds: of each point: normal, seen or unseen.
    """
    for above, (kind, look) in zip((4, 3, 2), KINDS.items(), strict=True):
        some = at[np.array(kinds) == kind]
        axis.scatter(some[:, 0], some[:, 1], s=7, c=look.colour, marker=look.marker, linewidths=0.5,
                     alpha=0.75, label=kind, zorder=above)  # fmt: skip
