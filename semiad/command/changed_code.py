"""Tells when recorded runs were trained with other code than that of now."""

from collections import Counter
from collections.abc import Iterator, Sequence

from semiad.ledger.provenance import sources
from semiad.ledger.records import ChosenRecords
from semiad.runs import Run


def changed_code(runs: Sequence[Run], ledger: ChosenRecords) -> Iterator[str]:
    """Say which classes of a user's own have changed since runs were recorded that need not be trained again.

    Args:
        runs: that are recorded.
        ledger: with their records.

    Yields:
        A sentence for each class or function, with the number of runs.
    """
    now = {recipe: sources(recipe.config) for recipe in dict.fromkeys(run.recipe for run in runs)}
    before = {record.key: record.sources or {} for record in ledger.records}
    changed: Counter[str] = Counter()
    for run in runs:
        for name, digest in before.get(run.key, {}).items():
            changed[name] += now[run.recipe].get(name, digest) != digest
    for name, count in changed.items():
        if count:
            runs_in_words = f"{count} of {len(runs)} recorded runs"
            yield f"{runs_in_words} were trained with other code of {name}; force=true trains again"
