"""`semiad check`: how a table is understood."""

import shlex
from collections import Counter
from dataclasses import replace
from math import ceil, floor, log10
from pathlib import Path

import numpy as np
import polars as pl
from rich.console import Console

from semiad.cli.tables import TableOptions
from semiad.console import open_console
from semiad.detector.calibration import Calibration
from semiad.detector.rows import RowUse, divide_rows
from semiad.tabular.check import TableReport, check_table
from semiad.tabular.sample import TableSample

FPR = 0.01
"""The false alarm rate of `semiad fit` without another one."""


def run_check(options: TableOptions) -> None:
    """Print the report on a table.

    Raises:
        InputError: the table cannot be used.
    """
    console = open_console()
    sample = options.sample()
    report = look(sample, options)
    use = row_use(report, FPR)
    command = shlex.join(["semiad", "fit", str(options.path), *options.words])
    if report.has_nothing_to_learn:
        plan = [f"`{command} --out MODEL` would refuse the table"]
    else:
        beyond = f", so that the rate of {FPR} that `fit` has without --fpr is out of reach"
        plan = [
            f"`{command} --out MODEL` would train on {len(use.train):,} rows and hold out {held_out(use)}",
            f"they allow a false alarm rate of {rounded_up(least_rate(use)):.2g} or more"
            + (beyond if least_rate(use) > FPR else ""),
        ]
    planned = replace(report, plan=(*drawn(sample), *plan))
    console.print(planned if console.is_terminal else "\n".join(planned.lines), markup=False)


def look(sample: TableSample, options: TableOptions) -> TableReport:
    """Look at rows of a table."""
    labels = [] if options.label is None else [pl.Series(options.label, sample.labels)]
    return check_table(
        sample.rows.with_columns(labels),
        options.label,
        drop=options.drop,
        kinds=options.kind_of,
        missing=options.missing,
    )


def drawn(sample: TableSample) -> list[str]:
    """Say which rows were looked at, if not all of them."""
    if len(sample) == sample.given:
        return []
    unlabelled = int(np.isnan(sample.labels).sum())
    return [
        f"{len(sample):,} of {sample.given:,} rows are used: all {len(sample) - unlabelled:,} labelled ones, and "
        f"{unlabelled:,} unlabelled ones, drawn at random (--max-unlabelled)"
    ]


def print_summary(console: Console, path: Path, report: TableReport, sample: TableSample) -> None:
    """Print what was understood of a table, and how many of its rows are used."""
    first, *others = (*summary(report), *drawn(sample))
    for line in (f"{path}: {first}", *others):
        console.print(line, markup=False)


def row_use(report: TableReport, fpr: float) -> RowUse:
    """Tell how many rows would train, and how many calibrate; which rows these are, a seed decides."""
    anomalies = report.anomalies or 0
    counts = (anomalies, report.normals, report.rows - anomalies - report.normals)
    return divide_rows(np.repeat([1, 0, np.nan], counts), None, fpr, np.random.RandomState(0))


def held_out(use: RowUse, noun: str = "row") -> str:
    """Name the rows that calibrate."""
    return f"{len(use.calibration):,} {'checked normal ' if use.checked else ''}{noun}s for the threshold"


def least_rate(use: RowUse) -> float:
    """Compute the smallest false alarm rate that the held-out rows allow."""
    return Calibration(np.zeros(len(use.calibration))).least_rate


def rounded_up(rate: float) -> float:
    """Round a rate up to two digits, so that it is one that is allowed."""
    unit = 10.0 ** (floor(log10(rate)) - 1)
    return ceil(rate / unit - 1e-9) * unit


def summary(report: TableReport) -> list[str]:
    """Say in few lines what was understood."""
    counts = Counter(column.kind for column in report.columns if column.kind != "dropped")
    dropped = [f"{column.name} ({column.why})" for column in report.columns if column.kind == "dropped"]
    kinds = ", ".join(f"{kind}: {number:,}" for kind, number in counts.items())
    return [
        f"{report.rows:,} rows, {len(report.columns)} columns ({kinds}); {report.labels}",
        *([f"left out: {', '.join(dropped)}"] if dropped else []),
    ]
