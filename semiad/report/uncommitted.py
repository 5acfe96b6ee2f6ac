"""Runs that were made by code with uncommitted changes, which no commit holds."""

from collections.abc import Iterator

import polars as pl

MARK = "+"
"""What follows the commit in a record of such a run."""
UNCOMMITTED = pl.col("commit").str.ends_with(MARK).fill_null(False)
"""Whether a row of the ledger's runs is such a run."""


def is_uncommitted(commit: str | None) -> bool:
    """Tell whether the code at a commit, as a record names it, had uncommitted changes."""
    return (commit or "").endswith(MARK)


def uncommitted(runs: pl.DataFrame) -> Iterator[str]:
    """Say how many runs were made by such code, a sentence; none if no run was.

    Args:
        runs: rows of the ledger.
    """
    runs = runs.unique("key")
    if marked := int(runs.select(UNCOMMITTED.sum()).item()):
        commits = ", ".join(commit[:9] + MARK for commit in sorted({*runs.filter(UNCOMMITTED)["commit"]}))
        yield f"uncommitted code: {marked} of {len(runs)} runs were made at {commits}, which no commit holds"
