"""Reproduction of a published table from a ledger."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any

import numpy as np
import polars as pl

from semiad.errors import InputError
from semiad.ledger.reader import Ledger
from semiad.report.causes import cause_of
from semiad.report.choices import settled
from semiad.report.commands import commands
from semiad.report.coordinates import TOTAL, UNKNOWN, Coordinate
from semiad.report.doubts import doubt
from semiad.report.epochs import by_epoch
from semiad.report.experiment import Experiment
from semiad.report.formats.grid import merged
from semiad.report.observations import gathered, mixed, observed, placed
from semiad.report.remarks import departures, made_by, remarks
from semiad.report.result import ABSENT, Entry, Ours, Result, Statement
from semiad.report.shifts import shifts
from semiad.report.statistics import statements, summarize
from semiad.report.uncommitted import UNCOMMITTED, is_uncommitted, uncommitted
from semiad.report.verdicts import Verdict, judge, margin_of

BUDGETS = ("full", "quick")
"""The budgets that semiad's own experiments have."""


def reproduce(experiment: Experiment, ledger: Ledger, budget: str | None = None) -> Result:
    """Make the table as far as the ledger goes.

    Args:
        experiment: the table.
        ledger: of all runs.
        budget: which of its budgets; None for the one that is planned, the full one if several are.

    Raises:
        InputError: there is no such budget.
    """
    planned = [*filter(None, planned_budgets(ledger, experiment.name))]
    budget = chosen_budget(experiment, ledger, budget)
    chosen = ledger.planned(experiment.name, budget)
    cell = pl.col("normal", "anomalous").list.join(",")
    runs = experiment.runs(ledger, budget).sort("dataset", "scenario", "method", cell, "seed", "key")
    experiment, choices = settled(experiment, runs)
    frame = observed(experiment, runs)
    cells = gathered(experiment, placed(experiment, frame))
    cells = cells.with_columns(mixed(cells, runs))
    entries = compare(experiment, cells, runs)
    return Result(
        experiment=experiment.name,
        title=experiment.title,
        caption=experiment.caption,
        budget=budget,
        row_heads=tuple(coordinate.head for coordinate in experiment.rows),
        column_heads=tuple(coordinate.head for coordinate in experiment.columns),
        unit=experiment.unit,
        digits=experiment.digits,
        entries=entries,
        shifts=shifts(experiment, entries),
        statistics=comparison(experiment, frame),
        commands=() if experiment.absent else commands(experiment.name, budget, chosen, ledger.folder),
        versions=made_by(runs),
        seconds=float(runs["seconds"].sum()),
        uncommitted=frozenset(runs.filter(UNCOMMITTED)["key"]),
        remarks=[
            *departures(ledger, chosen),
            *uncommitted(runs),
            *remarks(experiment, ledger, budget, planned, frame, cells, entries),
            *(choice.remark(experiment) for choice in choices),
        ],
        notes=ledger.notes(experiment.name),
        reference=experiment,
    )


def chosen_budget(experiment: Experiment, ledger: Ledger, budget: str | None = None) -> str | None:
    """Choose the budget of an experiment: the one that is asked for, or else the first that is planned.

    Raises:
        InputError: there is no such budget.
    """
    planned = [*filter(None, planned_budgets(ledger, experiment.name))]
    if budget not in (None, *BUDGETS, *planned):
        raise InputError(f"there is no budget '{budget}', only {' and '.join(dict.fromkeys((*BUDGETS, *planned)))}")
    return budget or next(iter(planned), None)


def planned_budgets(ledger: Ledger, name: str) -> list[str | None]:
    """List the budgets that an experiment is planned for, None for plans without one."""
    planned = ledger.plans.filter(pl.col("experiment") == name)["budget"].unique(maintain_order=True).to_list()
    return sorted(planned, key=(*BUDGETS, *planned).index)


def compare(experiment: Experiment, ours: pl.DataFrame, runs: pl.DataFrame) -> Sequence[Entry]:
    """Make the entries of the table in the paper's order; cells that are only ours end their groups."""
    runs = runs.select("key", "status", "commit").unique("key")
    state = {key: (status, is_uncommitted(commit)) for key, status, commit in runs.iter_rows()}
    heads, split = len(experiment.coordinates), len(experiment.rows)
    printed = {row[:heads]: row[heads:] for row in experiment.reference_cells().iter_rows()}
    made = {tuple(row[head] for head in experiment.heads): row for row in ours.iter_rows(named=True)}
    # Means over a coordinate that the paper does not print are left out.
    made = {cell: row for cell, row in made.items() if cell in printed or not printed or TOTAL not in cell}
    rows = ordered([cell[:split] for cell in printed], [cell[:split] for cell in made], experiment.rows)
    columns = ordered(
        merged((cell[:split], cell[split:]) for cell in printed),
        [cell[split:] for cell in made],
        experiment.columns,
    )
    return [
        entry(
            *(experiment, row, column, printed.get(row + column), made.get(row + column), state),
            doubt=doubt(experiment, row + column, printed, made),
        )
        for row in rows
        for column in columns
        if row + column in printed or row + column in made
    ]


def ordered(
    printed: Iterable[tuple[str, ...]], made: Iterable[tuple[str, ...]], coordinates: Sequence[Coordinate]
) -> list[tuple[str, ...]]:
    """Order coordinates as printed; each that is only ours follows the last one that begins as it does."""
    cells = list(dict.fromkeys(printed))
    new = sorted(
        {*made} - {*cells},
        key=lambda cell: [coordinate.order(text) for coordinate, text in zip(coordinates, cell, strict=True)],
    )
    for cell in new:
        alike = [len([*takewhile(lambda two: two[0] == two[1], zip(cell, other, strict=True))]) for other in cells]
        at = max(range(len(cells)), key=lambda i: (alike[i], i)) + 1 if cells else 0
        cells.insert(at, cell)
    return cells


def entry(
    experiment: Experiment,
    row: tuple[str, ...],
    column: tuple[str, ...],
    printed: tuple[Any, ...] | None,
    made: Mapping[str, Any] | None,
    state: Mapping[str, tuple[str, bool]],
    doubt: str,
) -> Entry:
    """Make one entry of the table; `state` has the status of each run, and whether its code was uncommitted."""
    mean, std, text, note = printed or (None, None, None, None)
    ours = summary_of(made, experiment.kind == "win") if made else None
    named = zip(experiment.coordinates, row + column, strict=True)
    absent = made is None and any(coordinate.known and name not in coordinate.known for coordinate, name in named)
    absent = absent and (experiment.difference is None or experiment.difference[0] not in column)
    lacking = ABSENT if absent or experiment.absent else ""
    doubt = "" if mean is None else doubt
    lone = mean is None or lacking or UNKNOWN in row + column or doubt
    keys = tuple(made["keys"]) if made else ()
    low, high = (ours.low, ours.high) if ours else (None, None)
    runs = sum(map(len, made["cells"])) if made else 0
    verdict = Verdict.UNPUBLISHED if lone else judge(mean, low, high, runs, margin_of(experiment.unit))
    at = dict(zip(experiment.heads, row + column, strict=True))
    return Entry(
        row=row,
        column=column,
        published=mean,
        published_std=std,
        printed=text or "",
        flag="; ".join(filter(None, (lacking, note))),
        ours=ours,
        verdict=verdict,
        keys=keys,
        failed=sum(state[key][0] == "failed" for key in keys),
        missing=sum(state[key][0] == "missing" for key in keys),
        planned=made["planned"] if made else 0,
        doubt=doubt,
        cause=cause_of((*experiment.causes, *experiment.paper.causes), at, verdict),
        uncommitted=sum(state[key][1] for key in keys),
    )


def summary_of(made: Mapping[str, Any], wins: bool) -> Ours | None:
    """Summarize a cell of the table; a seed may stand for several values, and each of them counts in the mean."""
    ours = summarize([np.array(values, dtype=np.float64) for values in made["cells"]], wins)
    return ours and replace(ours, mean=made["mean"], n=made["n"])


def comparison(experiment: Experiment, frame: pl.DataFrame) -> Sequence[Statement]:
    """Compute statistics over the runs, paired by all coordinates but the compared one, by cell and by seed.

    Classes and settings that a table lists are no cells of their own: their runs share a cell or even a model.
    """
    if experiment.compared is None:
        return ()
    coordinates = () if experiment.kind == "win" else experiment.coordinates
    others = [coordinate.ours for coordinate in coordinates if coordinate.head != experiment.compared.head]
    setting = pl.concat_str([pl.lit(""), *others], separator="|")
    values = frame.select("block", "seed", "value", setting=setting, method=experiment.compared.ours)
    methods = sorted(values["method"].unique(), key=experiment.compared.order)
    # Wins are counted, but what is compared is the metric that they are wins in.
    unit, digits = ("AUC", 3) if experiment.kind == "win" else (experiment.unit, experiment.digits)
    made = statements(values, methods, experiment.subject, unit, digits)
    if experiment.needs != "curve":
        return made
    return [*made, *by_epoch(frame, experiment.rows[0], experiment.compared, experiment.subject)]
