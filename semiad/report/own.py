"""Runs of no published table or figure, as tables of the same form: so that they can be looked at on the same page."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
import polars as pl

from semiad.ledger.reader import Ledger
from semiad.report.remarks import made_by
from semiad.report.result import Entry, Ours, Result
from semiad.report.statistics import interval
from semiad.report.summary import FIGURES, Group, groups, labels, remarks


def results(ledger: Ledger) -> list[Result]:
    """A table for each data set and scenario: a row for each method and configuration, a column for each figure."""
    published = ledger.plans.drop_nulls("experiment").select("key").unique()
    rest = replace(ledger, runs=ledger.runs.join(published, on="key", how="anti"))
    found = groups(rest)
    named = zip(found, labels(found), strict=True)
    return [table(rest, names, [*own]) for names, own in groupby(named, key=lambda one: one[0].names[:2])]


def table(ledger: Ledger, names: tuple[str, ...], own: Sequence[tuple[Group, str]]) -> Result:
    """The runs of one data set and scenario."""
    every = [group for group, _ in own]
    runs = pl.concat([part for group in every for part in (group.good, group.failed, group.missing)])
    return Result(
        experiment=re.sub(r"\W+", "-", "-".join(names)),
        title=", ".join(names),
        caption=f"{sum(len(group.good) for group in every)} runs.",
        budget=None,
        row_heads=("method",),
        column_heads=("figure",),
        unit="AUC and average precision (AP)",
        digits=4,
        entries=[entry for group, label in own for entry in entries(group, label)],
        commands=[f"python -m semiad.report results={ledger.folder}"],
        versions=made_by(runs),
        seconds=float(runs["seconds"].sum()),
        remarks=[*remarks(ledger, every)],
    )


def entries(group: Group, label: str) -> Iterator[Entry]:
    """The figures of a method and configuration."""
    parts = {"ok": group.good, "failed": group.failed, "missing": group.missing}
    keys = tuple(key for part in parts.values() for key in part["key"])
    for name, head in FIGURES.items():
        yield Entry(
            row=(label,),
            column=(head,),
            published=None,
            published_std=None,
            printed="",
            flag="",
            ours=ours(group.good.drop_nulls(name), name),
            verdict="unpublished",
            keys=keys,
            failed=len(group.failed),
            missing=len(group.missing),
            planned=len(group.good.drop_nulls(name)) + len(group.failed) + len(group.missing),
        )


def ours(runs: pl.DataFrame, name: str) -> Ours | None:
    """A figure of runs; its interval is drawn over cells and seeds where there are several cells."""
    if not len(runs):
        return None
    cells = [part[name].to_numpy() for part in runs.partition_by("normal", "anomalous", "tested", maintain_order=True)]
    values = np.concatenate(cells)
    std = float(values.std(ddof=1)) if len(values) > 1 else None
    low, high = interval(cells) or (None, None)
    return Ours(float(values.mean()), std, low, high, len(values))
