"""What the splits of a plan hold, and what in them a reader of their figures should know."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import rich.table
from jaxtyping import Int64

from semiad.engines.base import Job
from semiad.provenance import of_run
from semiad.records import short
from semiad.runs import Run
from semiad.types import Split, Table

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


def audits(runs: Sequence[Run], job: Job) -> list[Audit]:
    """An audit for each distinct split of some runs, in their order."""
    same = first_same(job.table)
    found: dict[tuple[str, str], Audit] = {}
    for run in runs:
        split, name = job.split(run), short(of_run(run))
        if (name, split.digest) not in found:
            found[name, split.digest] = audit(name, split, job.table, same)
    return list(found.values())


def first_same(table: Table) -> Int64[np.ndarray, " n"]:
    """For each row of a table the number of the first row with the same bytes."""
    first: dict[bytes, int] = {}
    rows = table.x.flatten(1).cpu().numpy()
    return np.array([first.setdefault(blake2b(row.tobytes()).digest(), i) for i, row in enumerate(rows)], np.int64)


def audit(name: str, split: Split, table: Table, same: Int64[np.ndarray, " n"]) -> Audit:
    """The audit of a split.

    Args:
        name: the cell and seed, in words.
        split: its rows.
        table: the data set.
        same: see `first_same`.
    """
    unlabelled, labelled = (split.train[split.s == kind] for kind in (0, 1))
    rows = np.unique(split.train)
    tested = split.test[~np.isin(split.test, rows)]
    x = table.x[rows].flatten(1)
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
        f"{len(split.train)} training rows" if table.top is None else f"0 to {table.top:g}",
    )


def shown(found: Sequence[Audit]) -> rich.table.Table:
    """The audits as a table, a row each."""
    grid = rich.table.Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    grid.add_column("split", no_wrap=True)
    for name in (*COUNTS, *FINDINGS):
        grid.add_column(name.replace("_", " "), justify="right")
    grid.add_column("scaled by")
    for one in found:
        grid.add_row(one.name, *map(str, (*one.counts.values(), *one.findings.values())), one.scaled_by)
    return grid


def remarks(found: Sequence[Audit]) -> Iterator[str]:
    """What each finding says, and how many splits have it, a sentence each."""
    for name, meaning in FINDINGS.items():
        numbers = [one.findings[name] for one in found]
        some = f"{sum(map(bool, numbers))} of {len(found)} splits, at most {max(numbers)}" if any(numbers) else "none"
        yield f"{name.replace('_', ' ')}: {meaning}: {some}"
