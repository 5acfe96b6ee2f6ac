"""Draw the figure of the demo, a dot a run: `python scripts/demo_figure.py outputs/demo docs/demo.png`."""

import sys
from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from semiad.ledger.reader import read

GROUPS = {"auc_seen": "known anomalies\n(8 labelled rows a class)", "auc_unseen": "unseen anomalies\n(no labelled row)"}
METHODS = {"ae": ("#8a8f98", "autoencoder, no labels (ae)"), "aesad": ("#c8553d", "AE-SAD, with labels (aesad)")}


def draw(runs: pl.DataFrame) -> Figure:
    """Draw a row of dots for each kind of anomalies and each method, with the mean as a line.

    Args:
        runs: of a ledger.
    """
    figure = Figure(figsize=(7.2, 2.7), dpi=150, layout="constrained")
    axes = figure.subplots()
    for place, metric in enumerate(GROUPS):
        for shift, (method, (color, label)) in zip((-0.2, 0.2), METHODS.items(), strict=True):
            values = runs.filter(method=method)[metric].to_numpy()
            jitter = np.random.default_rng(0).uniform(-0.1, 0.1, len(values))
            y, mean = place + shift, values.mean()
            axes.scatter(
                values, y + jitter, s=14, color=color, alpha=0.55, linewidths=0, label=None if place else label
            )
            axes.plot([mean, mean], [y - 0.17, y + 0.17], color=color, linewidth=2.5)
            axes.text(1.005, y, f"{mean:.3f}", color=color, va="center", weight="bold")
    axes.set_yticks(range(len(GROUPS)), GROUPS.values())
    axes.set_ylim(len(GROUPS) - 0.5, -0.5)
    axes.set_xlim(right=1.0)
    axes.set_xlabel("AUC on the test rows (line: mean over runs)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color="#e4e4e4")
    axes.set_axisbelow(True)
    figure.legend(loc="outside upper center", ncols=2, frameon=False, handletextpad=0.1)
    return figure


def main() -> None:
    """Read a ledger and write the figure."""
    ledger, out = map(Path, sys.argv[1:])
    draw(read(ledger).runs.filter(status="ok")).savefig(out, metadata={"Software": None})
    print(f"written: {out}")


if __name__ == "__main__":
    main()
