"""What a ledger holds, as a table of means over runs, with its holes."""

import csv
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from rich.table import Table

from semiad import records
from semiad.errors import InputError
from semiad.records import Ledger, Record

FIGURES = {"auc": "AUC", "ap": "AP", "auc_seen": "AUC seen", "auc_unseen": "AUC unseen"}
NAMED = 5
"""How many missing or failed runs of a group are named."""


@dataclass(frozen=True)
class Group:
    """The runs of one method under one configuration, data set and scenario.

    Attributes:
        names: data set, scenario, method.
        settings: what tells its configuration from others of the same names, as overrides.
        good: records of runs that ended well.
        failed: records of runs that failed.
        missing: planned runs without a record.
    """

    names: tuple[str, str, str]
    settings: str
    good: list[Record]
    failed: list[Record]
    missing: list[Record]

    @property
    def planned(self) -> int:
        """How many runs there should be."""
        return len(self.good) + len(self.failed) + len(self.missing)

    def figure(self, name: str) -> tuple[float, float | None] | None:
        """Mean and standard deviation (n - 1 in the denominator; None for one run) of a figure; None without any."""
        values = [record[name] for record in self.good if record[name] is not None]
        return (mean(values), stdev(values) if len(values) > 1 else None) if values else None


def groups(ledger: Ledger) -> list[Group]:
    """All runs that are planned or recorded, grouped, in order of name."""
    by_name: dict[tuple[str, str, str], dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    flat: dict[str, dict[str, str]] = {}
    for run in {**ledger.planned, **ledger.records}.values():
        # Cells with different numbers of classes are different protocols.
        classes = {f"{name} classes": str(len(run.get(name) or [])) for name in ("normal", "anomalous", "tested")}
        text, names = repr((run["config"], classes)), (run["dataset"], run["scenario"], run["method"])
        if text not in flat:
            flat[text] = {**classes, **{path: str(value) for path, value in records.leaves(run["config"])}}
        by_name[names][text].append(run)
    found = []
    for names, variants in by_name.items():
        beside = [flat[text] for other in by_name if other[:2] == names[:2] for text in by_name[other]]
        own = [flat[text] for text in variants]
        for text, runs in variants.items():
            settings = " ".join(
                f"{path.replace('method.net.', 'network.')}={value}"
                for path, value in flat[text].items()
                if len({one.get(path) for one in (own if path.startswith("method.") else beside)}) > 1
            )
            kinds: dict[str, list[Record]] = {"ok": [], "failed": [], "missing": []}
            for run in runs:
                kinds[run.get("status", "missing")].append(run)
            found.append(Group(names, settings, kinds["ok"], kinds["failed"], kinds["missing"]))
    return sorted(found, key=lambda group: (group.names, natural(group.settings)))


def natural(text: str) -> list[tuple[float, str]]:
    """A key of order in which 20 comes before 100."""
    parts = re.split(r"(\d+(?:\.\d+)?)", text)
    return [(float(part), "") if i % 2 else (math.inf, part) for i, part in enumerate(parts)]


def labels(found: Sequence[Group]) -> list[str]:
    """The method of each group, numbered where its settings differ: `ae`, `aesad 1`, `aesad 2`."""
    variants = Counter(group.names for group in found)
    seen: Counter[tuple[str, str, str]] = Counter()
    named = []
    for group in found:
        seen[group.names] += 1
        named.append(group.names[2] + (f" {seen[group.names]}" if variants[group.names] > 1 else ""))
    return named


def table(found: Sequence[Group]) -> Table:
    """The groups as a table: a row each, or one of holes if there is none."""
    shown = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    for head in ("data set", "scenario", "method"):
        shown.add_column(head, no_wrap=True)
    for head in ("runs", *FIGURES.values()):
        shown.add_column(head, justify="right", overflow="fold")
    for group, label in zip(found, labels(found), strict=True):
        cells = [number(group.figure(name)) for name in FIGURES]
        shown.add_row(*group.names[:2], label, f"{len(group.good)}/{group.planned}", *cells)
    if not found:
        shown.add_row("-", "-", "-", "0/0", *["-"] * len(FIGURES))
    return shown


def number(figure: tuple[float, float | None] | None) -> str:
    """A figure as it is printed."""
    if figure is None:
        return "-"
    return f"{figure[0]:.4f}" + ("" if figure[1] is None else f" ± {figure[1]:.4f}")


def remarks(ledger: Ledger, found: Sequence[Group], folder: Path) -> Iterator[str]:
    """What a reader of the table must know besides it, a sentence each."""
    if not found:
        yield f"{folder} holds no records and no plans: python -m semiad.train results={folder} makes some"
    for group, label in zip(found, labels(found), strict=True):
        if group.settings:
            yield f"{' '.join((*group.names[:2], label))}: {group.settings}"
    for group, label in zip(found, labels(found), strict=True):
        for kind, runs in (("failed", group.failed), ("missing", group.missing)):
            if runs:
                some = "; ".join(map(named, runs[:NAMED])) + ("; ..." if len(runs) > NAMED else "")
                yield f"{kind}: {len(runs)} of {group.planned} runs of {' '.join((*group.names[:2], label))}: {some}"
    yield from (f"error: {conflict}" for conflict in ledger.conflicts)
    yield from (f"warning: {warning}" for warning in ledger.warnings)


def named(run: Mapping[str, Any]) -> str:
    """A run within its group, and why it failed if it did."""
    return records.short(run) + (f" ({run['reason']})" if run.get("reason") else "")


def write_csv(found: Sequence[Group], path: Path) -> None:
    """Write the table with all digits; std is empty for one run.

    Raises:
        InputError: the file cannot be written.
    """
    columns = [f"{name}_{what}" for name in FIGURES for what in ("mean", "std")]
    try:
        with path.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(
                ["dataset", "scenario", "method", "settings", "planned", "runs", "failed", "missing", *columns]
            )
            for group in found:
                values = [v for name in FIGURES for v in (group.figure(name) or (None, None))]
                counts = [group.planned, len(group.good), len(group.failed), len(group.missing)]
                writer.writerow([*group.names, group.settings, *counts, *values])
    except OSError as error:
        raise InputError(f"--csv {path} cannot be written ({error.strerror})") from error
