"""Selection of the runs that a figure shows, with the settings that vary as columns."""

from collections.abc import Iterable, Mapping

import polars as pl

from semiad.ledger.reader import Ledger
from semiad.report.drawings import SETTINGS, Setting
from semiad.report.experiment import Experiment
from semiad.report.summary import natural_key


def settings(experiment: Experiment) -> Mapping[str, Setting]:
    """Collect the settings that figures of an experiment may vary, by name."""
    return {**SETTINGS, **experiment.paper.settings}


def good_runs(experiment: Experiment, ledger: Ledger, budget: str | None) -> pl.DataFrame:
    """Select the runs that an experiment plans and that ended well, in an order that depends on nothing else.

    Returns:
        The columns of `ledger.runs`; a column for each of `settings`, null where a configuration has none; and as
        text, `normal_class`, `known` (the labelled anomalous classes) and `tests` (the classes of test anomalies).
    """
    runs = experiment.runs(ledger, budget).filter(pl.col("status") == "ok")
    config = pl.col("config").str
    return runs.with_columns(
        *(
            config.json_path_match(f"$.{setting.path}").cast(pl.Float64, strict=False).alias(name)
            for name, setting in settings(experiment).items()
        ),
        normal_class=pl.col("normal").cast(pl.List(pl.String)).list.join(","),
        known=pl.col("anomalous").cast(pl.List(pl.String)).list.join(","),
        tests=pl.col("tested").cast(pl.List(pl.String)).list.join(","),
    ).sort("dataset", "scenario", "method", "config", "normal_class", "known", "tests", "seed", "key")


def in_classes(names: Iterable[str]) -> list[str]:
    """Sort classes: numbers by size, letters after them."""
    return sorted(set(names), key=natural_key)
