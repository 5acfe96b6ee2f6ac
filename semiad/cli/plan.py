"""`semiad plan`: what more labels would bring."""

import shlex
import sys
from dataclasses import replace

import numpy as np
from rich.table import Table

from semiad.cli.check import drawn, look, summary
from semiad.cli.compare import RESULTS, CompareOptions, RunBar
from semiad.cli.messages import STOPPED, notes, warn
from semiad.cli.tables import TableOptions
from semiad.console import open_console
from semiad.datasets.frame import encode_rows
from semiad.detector.candidates import DEFAULT, Candidate
from semiad.detector.choosing import Estimate, estimate
from semiad.detector.comparison import check_labels, compared_so_far, make_jobs, seconds_left, train_jobs
from semiad.detector.label_curve import FACTORS, LabelCurve, numbers_of_labels
from semiad.engines.device import resolve_device
from semiad.engines.signals import ExitRequested, defer_signals
from semiad.errors import InputError
from semiad.ledger.progress import clock
from semiad.tabular.preprocessor import TablePreprocessor


def run_plan(table: TableOptions, options: CompareOptions) -> None:
    """Train a method with growing numbers of the labels that there are, and forecast what more would bring.

    Raises:
        InputError: the table or an option cannot be used.
    """
    console = open_console()
    if table.label is None:
        raise InputError("--label is missing: what more labels bring is measured by those that there are")
    (candidate,) = replace(options, methods=[*options.methods] or [DEFAULT]).candidates()[:1]
    sample = table.sample(options.seed)
    report = look(sample, table)
    anomalous = sample.labels == 1
    known = int(anomalous.sum())
    folds = check_labels(known, int((~anomalous).sum()), options.folds)
    for line in (*summary(report), *drawn(sample)):
        console.print(f"{table.path}: {line}" if line.startswith(f"{report.rows:,} rows") else line, markup=False)
    x = encode_rows(TablePreprocessor(table.drop, table.kind_of, missing=table.missing), sample.rows)
    results, device = options.out / RESULTS, resolve_device(options.device)
    numbers = numbers_of_labels(known - -(-known // folds))
    jobs = [
        job
        for labelled in numbers
        for job in make_jobs(
            x, anomalous, [candidate], folds, options.repeats, options.seed, device, options.out, results, labelled
        )
    ]
    total = sum(len(job.runs) for job in jobs)
    with notes().status("estimating how long it takes"):
        seconds = seconds_left(jobs, results)
    console.print(
        f"{candidate.name} with {', '.join(map(str, numbers))} labelled anomalies on {folds} folds, {options.repeats} "
        f"time{'s' * (options.repeats > 1)}: {total:,} models, "
        + (f"about {clock(seconds)}" if seconds else "all of them recorded"),
        markup=False,
    )
    try:
        with defer_signals(), RunBar(total) as bar:
            train_jobs(jobs, results, bar.of)
    except ExitRequested:
        warn(
            f"stopped: what was trained is kept in {results}, and the same command goes on: "
            f"{shlex.join(['semiad', *sys.argv[1:]])}"
        )
        sys.exit(STOPPED)
    made = compared_so_far(jobs, results)
    assert made is not None
    if failed := next((one.reason for one in made.compared if one.reason), None):
        raise InputError(f"{candidate.name} could not be trained on every fold: {failed}")
    values = np.stack([one.values["ap"] for one in made.compared])
    show(LabelCurve(tuple(numbers), values, known), candidate)


def show(made: LabelCurve, candidate: Candidate) -> None:
    """Print what was measured, and what is forecast."""
    console, folds = open_console(), made.values.shape[2]
    shown = Table(box=None, pad_edge=False)
    for head in ("labelled anomalies", "AP", "80 %", ""):
        shown.add_column(head, justify="right" if head else "left")
    for number, values in zip(made.labels, made.values, strict=True):
        add(shown, number, estimate(values.ravel(), 1 / (folds - 1)), "measured")
    more = [factor * made.known for factor in FACTORS]
    forecast = made.forecast(more)
    for number, value in zip(more, forecast or (), strict=False):
        add(shown, number, value, "forecast")
    console.print(shown)
    if forecast is None:
        console.print(
            f"{made.known} labelled anomalies are too few for a forecast: a curve needs three numbers of them",
            markup=False,
        )
        return
    now = made.fit(made.values.reshape(len(made.labels), -1).mean(axis=1))
    assert now is not None
    gain = forecast[0].mean - (now[0] - now[1] * made.known ** -now[2])
    console.print(
        f"twice as many labels would bring {candidate.name} about {gain:+.3f} AP, of anomalies of the kinds that are "
        f"labelled; the forecast knows {made.known} of them",
        markup=False,
    )


def add(table: Table, number: int, value: Estimate, what: str) -> None:
    """Add a line to the table."""
    table.add_row(f"{number:,}", f"{value.mean:.3f}", f"{value.low:.3f} to {value.high:.3f}", what)
