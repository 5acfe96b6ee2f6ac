"""Learning curves of runs: loss and AUC by epoch."""

from collections.abc import Iterable

import polars as pl

SCHEMA = {"key": pl.String(), "epoch": pl.Int64(), "loss": pl.Float64(), "auc": pl.Float64()}


def read(runs: pl.DataFrame) -> pl.DataFrame:
    """Read the curves of some runs, by key and epoch; files that are absent or torn are left out.

    Args:
        runs: rows of the ledger.
    """
    frames = [pl.DataFrame(schema=SCHEMA), *files(runs["curve"].drop_nulls().unique().sort())]
    return (
        pl.concat(frames)
        .join(runs.select("key").unique(), on="key", how="semi")
        .unique(("key", "epoch"), keep="last")
        .sort("key", "epoch")
    )


def files(paths: Iterable[str]) -> Iterable[pl.DataFrame]:
    """Read each file that can be read."""
    for path in paths:
        try:
            yield pl.read_csv(path, schema=SCHEMA, ignore_errors=True, truncate_ragged_lines=True).drop_nulls("epoch")
        except (OSError, pl.exceptions.PolarsError):
            continue
