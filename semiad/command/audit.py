"""Audits splits: what they hold, and what in them a reader of their metrics should know."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import rich.table
from jaxtyping import Int64

from semiad.engines.context import TrainingContext
from semiad.ledger.record import short
from semiad.runs import Run
from semiad.types import Dataset, Split

COUNTS = ("normal", "polluting", "labelled", "test_normal", "test_anomalous")
FINDINGS = {
    "in_both": "test rows that are training rows too",
    "repeated": "training rows that stand among the training rows before",
    "copies": "other training rows with the same features as one before",
    "test_copies": "other test rows with the same features as a training row",
    "contradicting": "unlabelled training rows with the same features as a labelled one",
    "constant": "features with one value in all training rows",
}
"""What is counted beside the rows of a split, and what each count says."""


@dataclass(frozen=True)
class Audit:
    """What one split holds.

    Attributes:
        name: the cell and seed, in words.
        counts: by the names of `COUNTS`, how many rows.
        findings: by the names of `FINDINGS`, how many.
        scaled_by: what the scaler was fitted on.
    """

    name: str
    counts: dict[str, int]
    findings: dict[str, int]
    scaled_by: str


def audits(runs: Sequence[Run], context: TrainingContext) -> list[Audit]:
    """Audit each distinct split of some runs, in their order."""
    same = first_same(context.dataset)
    audits: dict[tuple[str, str], Audit] = {}
    for run in runs:
        split, name = context.split(run), short(run.identity)
        if (name, split.digest) not in audits:
            audits[name, split.digest] = audit(name, split, context.dataset, same)
    return list(audits.values())


def first_same(dataset: Dataset) -> Int64[np.ndarray, " n"]:
    """Give, for each row of a data set, the number of the first row with the same bytes."""
    first: dict[bytes, int] = {}
    rows = dataset.x.flatten(1).cpu().numpy()
    return np.array([first.setdefault(blake2b(row.tobytes()).digest(), i) for i, row in enumerate(rows)], np.int64)


def audit(name: str, split: Split, dataset: Dataset, same: Int64[np.ndarray, " n"]) -> Audit:
    """Audit a split.

    Args:
        name: the cell and seed, in words.
        split: its rows.
        dataset: the data set.
        same: see `first_same`.
    """
    unlabelled, labelled = (split.train[split.s == kind] for kind in (0, 1))
    rows = np.unique(split.train)
    tested = split.test[~np.isin(split.test, rows)]
    x = dataset.x[rows].flatten(1)
    counts = (len(unlabelled) - split.n_polluted, split.n_polluted, len(labelled), *np.bincount(split.truth, None, 2))
    findings = (
        len(split.test) - len(tested),
        len(split.train) - len(rows),
        len(rows) - len(np.unique(same[rows])),
        np.isin(same[tested], same[rows]).sum(),
        np.isin(same[unlabelled], same[labelled]).sum(),
        (x.amin(0) == x.amax(0)).sum(),
    )
    return Audit(
        name,
        dict(zip(COUNTS, map(int, counts), strict=True)),
        dict(zip(FINDINGS, map(int, findings), strict=True)),
        scaled_by(split, dataset),
    )


def scaled_by(split: Split, dataset: Dataset) -> str:
    """Say what the scaler is fitted on."""
    if dataset.top is not None:
        return f"0 to {dataset.top:g}"
    if split.scaling is not None:
        return f"{len(split.scaling)} rows, unclipped"
    return f"{len(split.train)} training rows"


def as_table(audits: Sequence[Audit]) -> rich.table.Table:
    """Show the audits as a table, a row each."""
    grid = rich.table.Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    grid.add_column("split", no_wrap=True)
    for name in (*COUNTS, *FINDINGS):
        grid.add_column(name.replace("_", " "), justify="right")
    grid.add_column("scaled by")
    for item in audits:
        grid.add_row(item.name, *map(str, (*item.counts.values(), *item.findings.values())), item.scaled_by)
    return grid


def remarks(audits: Sequence[Audit]) -> Iterator[str]:
    """Say what each finding means, and how many splits have it, a sentence each."""
    for name, meaning in FINDINGS.items():
        numbers = [item.findings[name] for item in audits]
        some = f"{sum(map(bool, numbers))} of {len(audits)} splits, at most {max(numbers)}" if any(numbers) else "none"
        yield f"{name.replace('_', ' ')}: {meaning}: {some}"
