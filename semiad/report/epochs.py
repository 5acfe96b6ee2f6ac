"""Comparison of methods along their learning curves."""

from collections.abc import Iterator

import polars as pl

from semiad.report import curves
from semiad.report.coordinates import Coordinate
from semiad.report.result import Statement

START = 0.1
"""The share of the epochs that is left out where the spread of a curve is measured."""


def by_epoch(runs: pl.DataFrame, rows: Coordinate, methods: Coordinate, subject: str) -> Iterator[Statement]:
    """Compare the AUC of a method with that of others at the same epoch of the same seed; none without curves.

    Args:
        runs: rows of the ledger.
        rows: the coordinate that makes a row of the table.
        methods: the coordinate whose values are compared.
        subject: the value that is held against each other one.
    """
    names = runs.filter(pl.col("status") == "ok").select("key", "seed", row=rows.ours, method=methods.ours)
    points = curves.read(runs).join(names, on="key").drop_nulls("auc")
    at = ["row", "seed", "epoch"]
    ours = points.filter(pl.col("method") == subject).select(*at, ours="auc")
    pairs = points.filter(pl.col("method") != subject).join(ours, on=at).sort("row", "method", "seed", "epoch")
    made = [line(part) for part in pairs.partition_by("row", "method", maintain_order=True)]
    if made:
        yield Statement(
            f"{subject} against each of the others, epoch by epoch",
            (rows.head, "against", "epochs measured", "share above", f"spread, {subject}", "spread, other"),
            tuple(made),
            f"Share above: of the pairs of epoch and seed in which the AUC of {subject} is greater. Spread: greatest "
            f"less least AUC (means over seeds) over the epochs after the first {START * 100:.0f} %.",
        )


def line(pairs: pl.DataFrame) -> tuple[str, ...]:
    """Write the row of a data set and a rival."""
    by_epoch = pairs.group_by("epoch").agg(pl.col("ours", "auc").mean())
    late = by_epoch.filter(pl.col("epoch") > START * pl.col("epoch").max())
    spreads = late.select(pl.col("ours", "auc").max() - pl.col("ours", "auc").min()).row(0)
    above = pairs.select((pl.col("ours") > pl.col("auc")).mean()).item()
    return (
        *(pairs["row"][0], pairs["method"][0], f"{len(by_epoch)}", f"{above:.2f}"),
        *(f"{spread:.3f}" for spread in spreads),
    )
