"""`semiad plan`: what more labels would bring."""

from rich.table import Table

from semiad.cli.compare import RESULTS, CompareOptions, duration, exit_stopped, read_rows, times, train
from semiad.cli.folders import refuse_images
from semiad.cli.tables import TableOptions
from semiad.console import open_console
from semiad.detector.candidates import Candidate
from semiad.detector.choosing import Estimate, estimate
from semiad.detector.label_curve import FACTORS, LabelCurve, plan_curve
from semiad.engines.device import resolve_device
from semiad.errors import InputError


def run_plan(table: TableOptions, options: CompareOptions) -> None:
    """Train a method with growing numbers of the labels that there are, and forecast what more would bring.

    Raises:
        InputError: the table or an option cannot be used.
    """
    refuse_images(table.path, "plan")
    if table.label is None:
        raise InputError("--label is missing: what more labels bring is measured by those that there are")
    candidate, results = options.candidates()[0], options.out / RESULTS
    rows, device = read_rows(table, options), resolve_device(options.device)
    folds, repeats, seed = rows.scenario.folds, options.repeats, options.seed
    planned = plan_curve(rows.x, rows.anomalous, candidate, folds, repeats, seed, device, options.out, results)
    open_console().print(
        f"{candidate.name} with {', '.join(map(str, planned.labels))} labelled anomalies on {folds} folds, "
        f"{times(repeats)}: {duration(planned.jobs, results)}",
        markup=False,
    )
    if train(planned.jobs, results):
        exit_stopped(results)
    show(planned.curve(results), candidate)


def show(made: LabelCurve, candidate: Candidate) -> None:
    """Print what was measured, and what is forecast."""
    console, folds = open_console(), made.values.shape[2]
    shown = Table(box=None, pad_edge=False)
    for head in ("labelled anomalies", "AP", "80 %", ""):
        shown.add_column(head, justify="right" if head else "left")
    for number, values in zip(made.labels, made.values, strict=True):
        add(shown, number, estimate(values.ravel(), 1 / (folds - 1), made.known), "measured")
    more = [factor * made.known for factor in FACTORS]
    forecast = made.forecast([made.known, *more])
    for number, value in zip(more, (forecast or [])[1:], strict=False):
        add(shown, number, value, "forecast")
    console.print(shown)
    if forecast is None:
        console.print(
            f"{made.known} labelled anomalies are too few for a forecast: a curve needs three numbers of them",
            markup=False,
        )
        return
    gain = forecast[1].mean - forecast[0].mean
    console.print(
        f"twice as many labels would bring {candidate.name} about {gain:+.3f} AP, of anomalies of the kinds that are "
        f"labelled; the forecast knows {made.known} of them",
        markup=False,
    )


def add(table: Table, number: int, value: Estimate, what: str) -> None:
    """Add a line to the table."""
    table.add_row(f"{number:,}", f"{value.mean:.3f}", f"{value.low:.3f} to {value.high:.3f}", what)
