"""The overview of a ledger: means over runs, with holes."""

import csv
import io
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from rich.console import Console
from rich.text import Text

from semiad.ledger.reader import Ledger
from semiad.ledger.record import THRESHOLD_METRICS, leaves, short
from semiad.ledger.records import ROUNDING
from semiad.report.commands import commands
from semiad.report.formats import folding
from semiad.report.uncommitted import UNCOMMITTED, uncommitted

METRICS = {"auc": "AUC", "ap": "AP", "auc_seen": "AUC seen", "auc_unseen": "AUC unseen"}
"""The metrics of a table, by column."""
NAMED = 5
"""How many missing or failed runs of a group are named."""


@dataclass(frozen=True)
class Group:
    """The runs of one method under one configuration, data set and scenario.

    Attributes:
        names: data set, scenario, method.
        settings: what tells its configuration from others of the same names, as overrides.
        good: rows of the ledger that ended well.
        failed: that failed.
        missing: that are planned and have no record.
    """

    names: tuple[str, str, str]
    settings: str
    good: pl.DataFrame
    failed: pl.DataFrame
    missing: pl.DataFrame

    @property
    def planned(self) -> int:
        """How many runs are planned."""
        return len(self.good) + len(self.failed) + len(self.missing)

    def mean_and_std(self, name: str) -> tuple[float, float | None] | None:
        """Compute mean and standard deviation (n - 1; None for one run) of a metric; None without any."""
        mean, std = self.good.select(pl.col(name).mean(), pl.col(name).std().alias("std")).row(0)
        return None if mean is None else (mean, std)


def groups(ledger: Ledger) -> list[Group]:
    """Group all runs that are planned or recorded, in order of name."""
    names = ["dataset", "scenario", "method"]
    # Cells with different numbers of classes are different protocols.
    sizes = [f"{name} classes" for name in ("normal", "anomalous", "tested")]
    runs = ledger.runs.with_columns(
        pl.col(size.removesuffix(" classes")).list.len().fill_null(0).alias(size) for size in sizes
    )
    parts = runs.partition_by(*names, "config", *sizes, maintain_order=True)
    flat = [settings(part.row(0, named=True), sizes) for part in parts]
    made = []
    for part, paths in zip(parts, flat, strict=True):
        beside = [other for other in flat if all(other[name] == paths[name] for name in names[:2])]
        same = [other for other in beside if other["method"] == paths["method"]]
        shown = " ".join(
            f"{path.replace('method.net.', 'network.')}={value}"
            for path, value in paths.items()
            if path not in names
            and len({other.get(path) for other in (same if path.startswith("method.") else beside)}) > 1
        )
        kinds = [part.filter(pl.col("status") == status) for status in ("ok", "failed", "missing")]
        made.append(Group((paths["dataset"], paths["scenario"], paths["method"]), shown, *kinds))
    return sorted(made, key=lambda group: (group.names, natural_key(group.settings)))


def settings(run: Mapping[str, Any], sizes: Iterable[str]) -> dict[str, str]:
    """Collect the names, sizes and settings of a run by their paths, as text."""
    paths = leaves(json.loads(run["config"]))
    config = {path: str(value) for path, value in paths}
    return {**{name: str(run[name]) for name in ("dataset", "scenario", "method", *sizes)}, **config}


def natural_key(text: str) -> list[tuple[float, str]]:
    """Give a sort key in which 20 comes before 100."""
    parts = re.split(r"(\d+(?:\.\d+)?)", text)
    return [(float(part), "") if i % 2 else (math.inf, part) for i, part in enumerate(parts)]


def labels(every: Sequence[Group]) -> list[str]:
    """Label each group by its method, numbered where settings differ: `ae`, `aesad 1`, `aesad 2`."""
    variants = Counter(group.names for group in every)
    seen: Counter[tuple[str, str, str]] = Counter()
    named = []
    for group in every:
        seen[group.names] += 1
        named.append(group.names[2] + (f" {seen[group.names]}" if variants[group.names] > 1 else ""))
    return named


def show(every: Sequence[Group], console: Console) -> None:
    """Print a table of the groups: a row each, or one of holes if there is none."""
    names = ("data set", "scenario", "method")
    rows = [
        ((*group.names[:2], label), [Text(f"{len(group.good)}/{group.planned}"), *map(Text, means(group))])
        for group, label in zip(every, labels(every), strict=True)
    ]
    holes = (("-",) * len(names), [Text("0/0"), *[Text("-")] * len(METRICS)])
    folding.show(console, names, ("runs", *METRICS.values()), rows or [holes], repeat=True)


def means(group: Group) -> list[str]:
    """Print mean and standard deviation of each metric."""
    return [printed(group.mean_and_std(name)) for name in METRICS]


def printed(value: tuple[float, float | None] | None) -> str:
    """Print mean and standard deviation; a dash if there are none."""
    if value is None:
        return "-"
    mean, std = value
    return f"{mean:.4f}" + ("" if std is None else f" ± {std:.4f}")


def remarks(ledger: Ledger, every: Sequence[Group]) -> Iterator[str]:
    """Write what a reader of the table needs besides it, a sentence each."""
    if not every:
        where = ledger.folder
        yield f"{where} holds no records and no plans: python -m semiad.train results={where} makes some"
    for group, label in zip(every, labels(every), strict=True):
        if group.settings:
            yield f"{' '.join((*group.names[:2], label))}: {group.settings}"
    for group, label in zip(every, labels(every), strict=True):
        for kind, runs in (("failed", group.failed), ("missing", group.missing)):
            if len(runs):
                of = f"{kind}: {len(runs)} of {group.planned} runs of {' '.join((*group.names[:2], label))}"
                yield f"{of}: {some(runs, short)}"
    yield from repeats(ledger, [key for group in every for key in group.good["key"]])
    yield from uncommitted(ledger.runs)


def repeats(ledger: Ledger, keys: Iterable[str]) -> Iterator[str]:
    """Count the runs that several records agree on, and say how closely."""
    ranges = [max(aucs) - min(aucs) for key in keys if (aucs := ledger.repeated.get(key))]
    if not ranges:
        return
    wide = sum(apart > ROUNDING for apart in ranges)
    circumstances = "in other circumstances or by a sensitive method"
    rounding = f"; {wide} of them up to {max(ranges):.3f} apart, {circumstances}" if wide else ""
    yield f"{len(ranges)} runs are recorded more than once, and agree{rounding}"


def experiments(ledger: Ledger) -> Iterator[str]:
    """Name the planned experiments, with the command that reports each."""
    good = ledger.runs.filter(pl.col("status") == "ok").select("key", good=pl.lit(True))
    plans = ledger.plans.drop_nulls("experiment").select("experiment", "budget", "key").unique()
    counts = plans.join(good, on="key", how="left").group_by("experiment", "budget").agg(pl.col("good").sum(), pl.len())
    for name, budget, count, planned in counts.sort("experiment", "budget").iter_rows():
        *_, report = commands(name, budget, ledger.plans.clear(), ledger.folder)
        yield f"experiment {name}{f' ({budget})' if budget else ''}, {count} of {planned} runs: {report}"


def some(runs: pl.DataFrame, words: Callable[[Mapping[str, Any]], str]) -> str:
    """Name the first few runs, and why they failed if they did."""
    first = [
        words(run) + (f" ({run['reason']})" if run["reason"] else "") for run in runs.head(NAMED).iter_rows(named=True)
    ]
    return "; ".join(first) + ("; ..." if len(runs) > NAMED else "")


def as_csv(every: Sequence[Group]) -> str:
    """Write the table with all digits; std is empty for one run."""
    file = io.StringIO()
    metrics = [*METRICS, *THRESHOLD_METRICS]
    columns = [f"{name}_{what}" for name in metrics for what in ("mean", "std")]
    writer = csv.writer(file, lineterminator="\n")
    counted = ("planned", "runs", "failed", "missing", "uncommitted")
    writer.writerow(["dataset", "scenario", "method", "settings", *counted, *columns])
    for group in every:
        values = [v for name in metrics for v in (group.mean_and_std(name) or (None, None))]
        counts = [group.planned, len(group.good), len(group.failed), len(group.missing)]
        counts.append(sum(len(runs.filter(UNCOMMITTED)) for runs in (group.good, group.failed)))
        writer.writerow([*group.names, group.settings, *counts, *values])
    return file.getvalue()
