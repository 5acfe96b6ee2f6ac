"""`semiad compare`: which method suits a table, by its few labels."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import shorten
from typing import NoReturn

import numpy as np
import polars as pl
from rich.table import Table

from semiad.cli.check import look, print_summary
from semiad.cli.folders import refuse_images
from semiad.cli.messages import STOPPED, notes, warn
from semiad.cli.tables import TableOptions, check_settings
from semiad.console import open_console
from semiad.detector.candidates import BEST, Candidate, candidates, default_candidates
from semiad.detector.comparison import Comparison, compared_so_far
from semiad.detector.comparison_jobs import Job, check_labels, epochs_of, make_jobs, seconds_of, train_jobs, unrecorded
from semiad.detector.comparison_report import comparison_report
from semiad.detector.training import Bar
from semiad.engines.device import resolve_device
from semiad.engines.signals import ExitRequested, defer_signals
from semiad.errors import InputError
from semiad.ledger.atomic import atomic_write
from semiad.ledger.progress import clock
from semiad.scenarios.kfold import KFold
from semiad.scenarios.leave_kind_out import LeaveKindOut
from semiad.tabular.preprocessor import TablePreprocessor

PAGE, RESULTS = "compare.html", "results"
REASON = 200
"""Characters of a failure that are printed; the page has all."""


@dataclass(frozen=True)
class CompareOptions:
    """What is compared and how.

    Attributes:
        out: a folder for the page and the ledger.
        methods: names; empty for the default candidates.
        folds: in each repeat.
        repeats: how often rows are cut anew.
        seed: of all that is random.
        device: to train on.
        overrides: settings of all methods, `KEY=VALUE`.
        subtype: the column with the kind of each anomaly, each of which a fold leaves out; None for folds at random.
    """

    out: Path
    methods: Sequence[str]
    folds: int
    repeats: int
    seed: int
    device: str
    overrides: Sequence[str]
    subtype: str | None = None

    def candidates(self) -> list[Candidate]:
        """List what is compared.

        Raises:
            InputError: a word is no setting, or a method is named twice.
        """
        check_settings(self.overrides)
        if self.out.exists() and not self.out.is_dir():
            raise InputError(f"--out {self.out} is a file, expected a folder")
        if self.overrides and not self.methods:
            raise InputError(f"'{self.overrides[0]}' is a setting of all candidates: name these with --method")
        return candidates(self.methods, self.overrides) if self.methods else default_candidates()


@dataclass(frozen=True)
class LabelledRows:
    """What methods are trained on.

    Attributes:
        x: rows as a detector prepares them, float32 in [0, 1], (n, d).
        anomalous: whether each row is labelled anomalous.
        scenario: cuts the rows into folds.
        kinds: of anomaly, one for each fold; empty for folds at random.
    """

    x: np.ndarray
    anomalous: np.ndarray
    scenario: KFold | LeaveKindOut
    kinds: Sequence[str] = ()


def read_rows(table: TableOptions, options: CompareOptions) -> LabelledRows:
    """Read a table, print what was understood of it, and warn of what may be wrong with it.

    Raises:
        InputError: it cannot be used, or has too few labels.
    """
    sample = table.sample(options.seed)
    report = look(sample, table)
    anomalous = sample.labels == 1
    anomalies, others = int(anomalous.sum()), int((~anomalous).sum())
    folds = check_labels(anomalies, others, options.folds if options.subtype is None else 2)
    print_summary(open_console(), table.path, report, sample)
    for warning in report.warnings:
        warn(warning)
    preprocessor = TablePreprocessor(table.drop, table.kind_of, missing=table.missing)
    x = preprocessor.fit(sample.rows).transform(sample.rows)
    if options.subtype is None:
        return LabelledRows(x, anomalous, KFold(folds, "all"))
    kinds, names = read_kinds(sample.rows[options.subtype], anomalous)
    if others < len(names):
        raise InputError(f"{others} rows are not labelled anomalous, expected one for each of {len(names)} kinds")
    return LabelledRows(x, anomalous, LeaveKindOut(kinds), names)


def read_kinds(column: pl.Series, anomalous: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Read the kind of each labelled anomaly.

    Returns:
        The number of the kind of each row, from 0, and -1 for other rows; the names of the kinds.

    Raises:
        InputError: the kind of a labelled anomaly is missing, or all are of one kind.
    """
    texts = column.cast(pl.String).to_list()
    if missing := [row for row in np.flatnonzero(anomalous) if not texts[row]]:
        rows = "row is" if len(missing) == 1 else "rows are"
        raise InputError(
            f"{len(missing)} {rows} labelled anomalous without a value in '{column.name}', expected a kind of each"
        )
    names = sorted({texts[row] for row in np.flatnonzero(anomalous)})
    if len(names) == 1:
        raise InputError(
            f"all labelled anomalies are of the kind '{names[0]}' by '{column.name}', expected two kinds or more, of "
            "which each fold leaves one out"
        )
    kinds = [names.index(text) if known else -1 for text, known in zip(texts, anomalous, strict=True)]
    return np.array(kinds, dtype=np.int64), names


def duration(jobs: Sequence[Job], results: Path) -> str:
    """Say how many models there are, and how long those without a record take."""
    with notes().status("estimating how long it takes"):
        seconds = seconds_of(unrecorded(jobs, results))
    total = sum(len(job.runs) for job in jobs)
    return f"{total:,} models, " + (f"about {clock(seconds)}" if seconds else "all of them recorded")


def times(repeats: int) -> str:
    """Write a number of repeats."""
    return f"{repeats} time{'s' * (repeats > 1)}"


def train(jobs: Sequence[Job], results: Path) -> bool:
    """Train what has no record, with a progress bar; give whether it was stopped before the end."""
    console = notes()
    try:
        with defer_signals(), Bar(console.is_terminal, "training", console) as bar:
            bar.begin(epochs_of(unrecorded(jobs, results)))
            train_jobs(jobs, results, lambda job: bar.named(job.candidate.name))
    except ExitRequested:
        return True
    return False


def exit_stopped(results: Path) -> NoReturn:
    """Say how to go on, and end the command."""
    words = shlex.join(["semiad", *sys.argv[1:]])
    warn(f"stopped: what was trained is kept in {results}, and the same command goes on: {words}")
    sys.exit(STOPPED)


def run_compare(table: TableOptions, options: CompareOptions) -> None:
    """Compare methods on a table, print what came of it, and write a page.

    Raises:
        InputError: the table or an option cannot be used.
    """
    refuse_images(table.path, "compare")
    if table.label is None:
        raise InputError("--label is missing: methods are compared by labelled anomalies")
    if options.subtype == table.label:
        raise InputError(
            f"--subtype {options.subtype} is the column of labels, expected one with the kind of each anomaly"
        )
    if options.subtype is not None and options.subtype not in table.drop:
        table = replace(table, drop=[*table.drop, options.subtype])
    chosen, results = options.candidates(), options.out / RESULTS
    rows = read_rows(table, options)
    jobs = make_jobs(
        rows.x,
        rows.anomalous,
        chosen,
        rows.scenario,
        options.repeats,
        options.seed,
        resolve_device(options.device),
        options.out,
        results,
    )
    cut = f"each of {len(rows.kinds)} kinds of anomaly left out" if rows.kinds else f"{rows.scenario.folds} folds"
    open_console().print(
        f"{len(jobs)} candidates on {cut}, {times(options.repeats)}: {duration(jobs, results)}",
        markup=False,
    )
    stopped = train(jobs, results)
    made = compared_so_far(jobs, results)
    if made is not None:
        show(made, table, options, rows.kinds)
    if stopped:
        exit_stopped(results)


def show(made: Comparison, table: TableOptions, options: CompareOptions, kinds: Sequence[str]) -> None:
    """Print the candidates and the choice, and write the page.

    Raises:
        InputError: the page cannot be written.
    """
    console = open_console()
    shown = Table(box=None, pad_edge=False)
    for head in ("", "candidate", "AP", "80 %", "AUC", "recall at 1 %", "seconds"):
        shown.add_column(head, justify="left" if head in ("", "candidate") else "right")
    for one in made.compared:
        if one.reason:
            shown.add_row("", one.candidate.name, "failed")
            continue
        ap = one.estimate("ap")
        values = (one.estimate(metric).mean for metric in ("auc", "recall_at_1_fpr"))
        shown.add_row(
            "*" if one is made.chosen else "",
            one.candidate.name,
            f"{ap.mean:.3f}",
            f"{ap.low:.3f} to {ap.high:.3f}",
            *(f"{value:.3f}" for value in values),
            f"{one.seconds:.1f}",
        )
    console.print(shown)
    for line in failures(made):
        console.print(line, markup=False)
    alone, together = made.worth(1), made.worth(BEST)
    console.print(
        f"* {made.chosen.candidate.name}: the simplest within one standard error of the best. What choosing so is "
        f"worth, on folds it was not made on: AP {alone.mean:.3f} ({alone.low:.3f} to {alone.high:.3f})",
        markup=False,
    )
    if len(made.usable) > 1:
        console.print(
            f"The mean score of the best {len(made.taken(BEST))} is worth AP {together.mean:.3f} "
            f"({together.low:.3f} to {together.high:.3f}): semiad fit without --method compares all candidates anew "
            f"and trains the best {BEST}",
            markup=False,
        )
    unseen = dict(zip(kinds, zip(made.on_folds(1), made.on_folds(BEST), strict=True), strict=True)) if kinds else {}
    for kind, (single, several) in unseen.items():
        console.print(
            f"{kind}, where no label of this kind was seen: AP {single:.3f}; the best {len(made.taken(BEST))} together "
            f"{several:.3f}",
            markup=False,
        )
    command = fit_command(made.chosen.candidate, table)
    page = options.out / PAGE
    try:
        with atomic_write(page) as draft:
            draft.write_text(comparison_report(made, table.path.name, command, unseen), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{page} cannot be written to ({error.strerror})") from error
    console.print(f"{page} is written. Next:", markup=False)
    console.print(f"  {command}", markup=False)


def failures(made: Comparison) -> list[str]:
    """Say which candidates could not be trained, and why."""
    return [
        f"{one.candidate.name} could not be trained: {shorten(one.reason, REASON, placeholder=' ...')}"
        for one in made.compared
        if one.reason
    ]


def fit_command(candidate: Candidate, table: TableOptions) -> str:
    """Write the command that fits a candidate to the table."""
    words = [*candidate.overrides, *table.words, "--method", candidate.method]
    return shlex.join(["semiad", "fit", str(table.path), *words]) + " --out MODEL"
