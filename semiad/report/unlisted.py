"""Tables of runs that belong to no published table or figure."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

import polars as pl

from semiad.errors import InputError
from semiad.ledger.reader import Ledger
from semiad.report.commands import commands
from semiad.report.remarks import made_by, with_changes
from semiad.report.result import Entry, Result
from semiad.report.statistics import Floats, summarize
from semiad.report.summary import METRICS, Group, groups, labels, remarks
from semiad.report.tables import planned_budgets
from semiad.report.uncommitted import UNCOMMITTED, uncommitted
from semiad.report.verdicts import Verdict


def unlisted(ledger: Ledger, listed: Collection[str]) -> list[str]:
    """List the planned experiments that have no published table or figure."""
    return sorted({*ledger.plans["experiment"].drop_nulls()} - {*listed})


def results(ledger: Ledger, listed: Collection[str], budget: str | None = None) -> list[Result]:
    """Make the tables of all runs that belong to no published table or figure.

    Args:
        ledger: of all runs.
        listed: names of the experiments that have one.
        budget: which budget of the experiments; None for all that are planned.
    """
    names = [name for name in unlisted(ledger, listed) if budget in (None, *planned_budgets(ledger, name))]
    tagged = ledger.plans.drop_nulls("experiment")
    free = ledger.runs.join(tagged.select("key").unique(), on="key", how="anti")
    return [
        *(result for name in names for result in of_experiment(ledger, name, budget)),
        *tables(replace(ledger, runs=free), tagged.clear()),
    ]


def of_experiment(ledger: Ledger, name: str, budget: str | None = None) -> list[Result]:
    """Make the tables of an experiment that has no published table or figure.

    Args:
        ledger: of all runs.
        name: of the experiment.
        budget: which of its budgets; None for all that are planned.

    Raises:
        InputError: this budget is not planned.
    """
    budgets = planned_budgets(ledger, name)
    if budget is not None and budget not in budgets:
        planned = " and ".join(filter(None, budgets)) or "none"
        raise InputError(f"budget={budget} of experiment={name} is not planned in {ledger.folder}, only {planned}")
    made = []
    for chosen in budgets if budget is None else [budget]:
        plans = ledger.plans.filter(pl.col("experiment") == name, pl.col("budget").eq_missing(chosen))
        runs = ledger.runs.join(plans.select("key").unique(), on="key", how="semi", maintain_order="left")
        made += tables(replace(ledger, runs=runs), plans, name, chosen)
    return [replace(result, notes=ledger.notes(name)) if i == 0 else result for i, result in enumerate(made)]


def tables(ledger: Ledger, plans: pl.DataFrame, experiment: str = "", budget: str | None = None) -> list[Result]:
    """Make a table for each data set and scenario: a row a method and configuration, a column a metric.

    Args:
        ledger: of the runs.
        plans: of the experiment that they belong to.
        experiment: its name; empty for runs of none.
        budget: of the experiment.
    """
    every = groups(ledger)
    named = zip(every, labels(every), strict=True)
    return [
        table(ledger, plans, experiment, budget, names, [*some])
        for names, some in groupby(named, key=lambda pair: pair[0].names[:2])
    ]


def table(
    ledger: Ledger,
    plans: pl.DataFrame,
    experiment: str,
    budget: str | None,
    names: tuple[str, ...],
    labelled: Sequence[tuple[Group, str]],
) -> Result:
    """Make the table of one data set and scenario."""
    every = [group for group, _ in labelled]
    runs = pl.concat([part for group in every for part in (group.good, group.failed, group.missing)])
    plans = plans.join(runs.select("key"), on="key", how="semi", maintain_order="left")
    title = ", ".join(names)
    return Result(
        experiment=experiment,
        title=f"{experiment}: {title}" if experiment else title,
        caption=f"{sum(len(group.good) for group in every)} runs.",
        budget=budget,
        row_heads=("method",),
        column_heads=("metric",),
        unit="AUC and average precision (AP)",
        digits=4,
        entries=[entry for group, label in labelled for entry in entries(group, label)],
        commands=commands(experiment, budget, plans, ledger.folder),
        versions=made_by(runs),
        seconds=float(runs["seconds"].sum()),
        uncommitted=frozenset(runs.filter(UNCOMMITTED)["key"]),
        remarks=[*with_changes(plans, "not the experiment as it stands"), *uncommitted(runs), *remarks(ledger, every)],
        shared=(("data set", names[0]), ("scenario", names[1])),
    )


def entries(group: Group, label: str) -> Iterator[Entry]:
    """Make the entries of a method and configuration, one a metric."""
    parts = {"ok": group.good, "failed": group.failed, "missing": group.missing}
    keys = tuple(key for part in parts.values() for key in part["key"])
    for name, head in METRICS.items():
        yield Entry(
            row=(label,),
            column=(head,),
            published=None,
            published_std=None,
            printed="",
            flag="",
            ours=summarize(by_cell(group.good.drop_nulls(name), name)),
            verdict=Verdict.UNPUBLISHED,
            keys=keys,
            failed=len(group.failed),
            missing=len(group.missing),
            uncommitted=sum(len(part.filter(UNCOMMITTED)) for part in parts.values()),
            planned=len(group.good.drop_nulls(name)) + len(group.failed) + len(group.missing),
        )


def by_cell(runs: pl.DataFrame, name: str) -> list[Floats]:
    """Collect the values of a metric, an array for each cell."""
    cells = runs.partition_by("normal", "anomalous", "tested", "fold", maintain_order=True)
    return [part[name].to_numpy() for part in cells]
