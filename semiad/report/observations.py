"""The values that the cells of a table are means of."""

import json
from collections.abc import Iterable

import polars as pl

from semiad.ledger.record import leaves
from semiad.report.coordinates import BLOCK, TOTAL
from semiad.report.experiment import Experiment


def observed(experiment: Experiment, runs: pl.DataFrame) -> pl.DataFrame:
    """Add the metric that counts to runs, with a row for each test class where the table has classes.

    Returns:
        The columns of the ledger; `block`, the cell (runs that agree in it and in the seed were given the same rows to
        test); `value`, the metric that counts (null where the run has none); `keys`.
    """
    metric = pl.col(experiment.metric)
    if experiment.kind == "class":
        classes = experiment.reference_cells().select(pl.col("class").unique(maintain_order=True))
        runs = runs.join(classes, how="cross", maintain_order="left_right")
        metric = pl.col("auc_by_class").str.json_path_match(pl.format("$['{}']", pl.col("class"))).cast(pl.Float64)
    return runs.with_columns(
        block=BLOCK,
        value=pl.when(pl.col("status") == "ok").then(metric) * (100 if experiment.percent else 1),
        keys=pl.concat_list("key"),
    )


def placed(experiment: Experiment, frame: pl.DataFrame) -> pl.DataFrame:
    """Place the values in a table: coordinates as text, `block`, `seed`, `rival` (won over), `value`, `keys`."""
    rival = pl.lit("")
    if experiment.kind == "win":
        frame, rival = wins(frame), pl.col("opponent").replace(dict(experiment.paper.methods))
        if experiment.compared and "opponent" not in experiment.heads:
            frame = frame.filter(experiment.compared.ours == experiment.subject)
    # Coordinates may be named as columns of the ledger are.
    coordinates = [coordinate.ours.alias(coordinate.head) for coordinate in experiment.coordinates]
    observations = frame.select("block", "seed", "value", "keys", rival=rival)
    frame = pl.concat([frame.select(coordinates), observations], how="horizontal")
    if experiment.difference and experiment.compared:
        frame = pl.concat([frame, difference(frame, experiment.compared.head, *experiment.difference)])
    for head in experiment.totals:
        frame = pl.concat([frame, frame.with_columns(pl.lit(TOTAL).alias(head))])
    return frame


def difference(frame: pl.DataFrame, head: str, name: str, first: str, second: str) -> pl.DataFrame:
    """Compute the values of the first less those of the second, run by run."""
    on = [other for other in frame.columns if other not in (head, "value", "keys")]
    less = frame.filter(pl.col(head) == second).select(*on, less="value", more="keys")
    both = frame.filter(pl.col(head) == first).join(less, on=on, maintain_order="left")
    both = both.with_columns(
        pl.lit(name).alias(head), value=pl.col("value") - pl.col("less"), keys=pl.concat_list("keys", "more")
    )
    return both.select(frame.columns)


def mixed(cells: pl.DataFrame, runs: pl.DataFrame) -> pl.Series:
    """List, for each cell, the settings that differ within a method, data set and scenario; empty if none do."""
    names = ("method", "dataset", "scenario")
    keys = cells.select(pl.int_range(pl.len()).alias("cell"), key="keys").explode("key", empty_as_null=False)
    settings = keys.join(runs.select("key", *names, "config"), on="key").group_by("cell", *names, maintain_order=True)
    several = settings.agg(pl.col("config").unique().sort()).filter(pl.col("config").list.len() > 1)
    differences = {cell: differing(configs) for cell, configs in several.select("cell", "config").iter_rows()}
    return pl.Series("mixed", [differences.get(cell, "") for cell in range(len(cells))], pl.String)


def differing(configs: Iterable[str]) -> str:
    """Describe what differs between configurations: `epochs 50 or 300`."""
    flat = [dict(leaves(json.loads(config))) for config in configs]
    values = {
        path: dict.fromkeys(str(config.get(path, "none")) for config in flat)
        for path in dict.fromkeys(path for config in flat for path in config)
    }
    return ", ".join(f"{path} {' or '.join(texts)}" for path, texts in values.items() if len(texts) > 1)


def wins(runs: pl.DataFrame) -> pl.DataFrame:
    """Make a row for each run and each other method's run of its cell and seed: 1 if its value is greater, else 0."""
    other = runs.select("block", "seed", opponent="method", beaten="value", more="keys")
    paired = runs.join(other, on=["block", "seed"], maintain_order="left_right")
    return paired.filter(pl.col("method") != pl.col("opponent")).with_columns(
        value=(pl.col("value") > pl.col("beaten")).cast(pl.Float64), keys=pl.concat_list("keys", "more")
    )


def gathered(experiment: Experiment, frame: pl.DataFrame) -> pl.DataFrame:
    """Aggregate the values, a row for each cell of the table.

    Returns:
        The coordinates; `mean`, `std` and `n` of its values, and how many are `planned`; `cells`, for each block the
        list of its values by seed; `keys` of its runs; `rivals` that were won over or not.
    """
    by = experiment.heads
    value = pl.col("value")
    by_seed = frame.group_by(*by, "block", "seed", maintain_order=True).agg(
        value.mean(),
        total=value.sum(),
        n=value.count(),
        planned=pl.len(),
        keys=pl.col("keys").explode(),
        rivals=pl.col("rival").filter(value.is_not_null()).unique(),
    )
    by_block = by_seed.group_by(*by, "block", maintain_order=True).agg(
        value.drop_nulls(),
        pl.col("total", "n", "planned").sum(),
        keys=pl.col("keys").explode(),
        rivals=pl.col("rivals").explode(empty_as_null=False).unique(),
    )
    return by_block.group_by(by, maintain_order=True).agg(
        mean=pl.col("total").sum() / pl.col("n").sum(),
        std=value.explode(empty_as_null=False).std(),
        n=pl.col("n").sum(),
        planned=pl.col("planned").sum(),
        cells=value.filter(value.list.len() > 0),
        keys=pl.col("keys").explode().unique(maintain_order=True),
        rivals=pl.col("rivals").explode(empty_as_null=False).unique().sort(),
    )
