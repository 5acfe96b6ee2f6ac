"""Which runs a figure shows, with the settings that vary as columns."""

from collections.abc import Iterable

import polars as pl

from semiad.ledger.reader import Ledger
from semiad.report.experiments import experiment
from semiad.report.result import Result
from semiad.report.summary import natural

SETTINGS = {
    "labelled": "scenario.labelled",
    "pollution": "scenario.pollution",
    "alpha": "method.lam.alpha",
    "lam1": "method.lam1",
    "lam2": "method.lam2",
}
"""Columns by the path of the setting in a run's configuration; null where a configuration has none."""


def good(result: Result, ledger: Ledger) -> pl.DataFrame:
    """The runs that an experiment plans and that ended well, in an order that depends on nothing else.

    Besides the columns of `ledger.runs` there are those of `SETTINGS` and, as text, `normal_class`, `known` (the
    labelled anomalous classes) and `tests` (the classes of test anomalies).
    """
    runs = experiment(result.experiment).runs(ledger, result.budget).filter(pl.col("status") == "ok")
    config = pl.col("config").str
    return runs.with_columns(
        *(config.json_path_match(f"$.{path}").cast(pl.Float64, strict=False).alias(n) for n, path in SETTINGS.items()),
        normal_class=pl.col("normal").cast(pl.List(pl.String)).list.join(","),
        known=pl.col("anomalous").cast(pl.List(pl.String)).list.join(","),
        tests=pl.col("tested").cast(pl.List(pl.String)).list.join(","),
    ).sort("dataset", "scenario", "method", "config", "normal_class", "known", "tests", "seed", "key")


def in_classes(names: Iterable[str]) -> list[str]:
    """Classes in order: numbers by size, letters after them."""
    return sorted(set(names), key=natural)
