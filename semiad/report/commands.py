"""The commands that make the runs of a table, and the table of them."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import polars as pl


def commands(experiment: str, budget: str | None, plans: pl.DataFrame, folder: Path) -> list[str]:
    """One for each set of changes that its plans have, and that of the report.

    Args:
        experiment: its name.
        budget: of the plans.
        plans: of it that count, see `Ledger.planned`.
        folder: of the ledger.
    """
    named = [f"experiment={experiment}", *([f"budget={budget}"] if budget else [])]
    where = shlex.quote(f"results={folder}")
    train = [
        [*named, *map(shlex.quote, part(own)), *([changes] if changes else []), where, "-m"]
        for own in sorted(plans.partition_by("changes"), key=lambda own: own["changes"][0] or "")
        for changes in [own["changes"][0]]
    ]
    made = [f"python -m semiad.train {' '.join(words)}" for words in train or [[*named, where, "-m"]]]
    return [*made, f"python -m semiad.report {' '.join([*named, where])}"]


def part(plans: pl.DataFrame) -> Iterator[str]:
    """The words that narrow an experiment's own sweep to what is planned of it; none where a plan names no part."""
    if plans["job"].null_count():
        return
    jobs = [json.loads(job) for job in plans["job"].unique()]
    for sweep in plans["sweep"].drop_nulls().unique(maintain_order=True).head(1):
        for name, every in json.loads(sweep).items():
            own = [value for value in every if any(job.get(name) == value for job in jobs)]
            if own and len(own) < len(every):
                yield f"{name}={','.join(own)}"
