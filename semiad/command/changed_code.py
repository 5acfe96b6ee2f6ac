"""Tells when recorded runs were trained with other code than that of now."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence

import polars as pl

from semiad.ledger.provenance import sources
from semiad.ledger.reader import Ledger
from semiad.runs import Run


def changed_code(runs: Sequence[Run], ledger: Ledger) -> Iterator[str]:
    """Say which classes of a user's own have changed since runs were recorded that need not be trained again.

    Args:
        runs: that are recorded.
        ledger: with their records.

    Yields:
        A sentence for each class or function, with the number of runs.
    """
    now = {recipe: sources(recipe.config) for recipe in dict.fromkeys(run.recipe for run in runs)}
    recorded = ledger.runs.filter(pl.col("status") != "missing").drop_nulls("sources")
    before = dict(zip(recorded["key"], recorded["sources"], strict=True))
    changed: Counter[str] = Counter()
    for run in runs:
        for name, digest in json.loads(before.get(run.key, "{}")).items():
            changed[name] += now[run.recipe].get(name, digest) != digest
    for name, count in changed.items():
        if count:
            runs_in_words = f"{count} of {len(runs)} recorded runs"
            yield f"{runs_in_words} were trained with other code of {name}; force=true trains again"
