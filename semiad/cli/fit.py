"""`semiad fit`: from a table to a detector on disk."""

import shlex
import shutil
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from semiad.cli.check import held_out, look, print_summary, row_use
from semiad.cli.compare import exit_stopped, failures
from semiad.cli.tables import TableOptions, check_new, check_settings
from semiad.console import open_console
from semiad.detector.candidates import AUTO, BEST, DEFAULT, default_candidates
from semiad.detector.comparison_jobs import FEWEST, SCORES
from semiad.detector.composition import Composition, compose_method
from semiad.detector.estimator import Detector
from semiad.detector.fit_report import fit_report
from semiad.detector.inputs import Preprocessor
from semiad.detector.training import STEPS, budget_epochs, steps_per_epoch
from semiad.engines.signals import ExitRequested, defer_signals
from semiad.errors import InputError
from semiad.images import Images
from semiad.images.preprocessor import ImagePreprocessor
from semiad.tabular.preprocessor import TablePreprocessor
from semiad.tabular.sample import TableSample


@dataclass(frozen=True)
class FitOptions:
    """What is trained and how, see `Detector`.

    Attributes:
        out: the folder of the detector.
        method: its name.
        epochs: of each phase; None for what 20,000 steps allow.
        ensemble: number of members of each method.
        best: number of methods that `auto` takes; None for `BEST`.
        fpr: false alarm rate.
        seed: of all that is random.
        device: to train on.
        overrides: of the configuration, `KEY=VALUE`.
    """

    out: Path
    method: str
    epochs: int | None
    ensemble: int
    best: int | None
    fpr: float
    seed: int
    device: str
    overrides: Sequence[str]

    def check(self) -> None:
        """Check what can be checked before anything is read.

        Raises:
            InputError: a word is no setting, or one of a method that is not named, or a number of methods is given
                beside a name, or the folder exists or cannot be made.
        """
        check_settings(self.overrides)
        if self.method == AUTO and self.overrides:
            raise InputError(
                f"'{self.overrides[0]}' is a setting of a method, and none is named: add, say, --method {DEFAULT}"
            )
        if self.method != AUTO and self.best is not None:
            raise InputError(f"--best {self.best} says how many methods to take, but --method {self.method} names one")
        check_new(self.out)
        begun = any((self.memory / folder).is_dir() for folder in ("plans", SCORES))  # scores come first
        if self.method == AUTO and self.memory.exists() and not begun:
            raise InputError(f"{self.memory} is no comparison that was stopped, expected nothing there: remove it")

    @property
    def memory(self) -> Path:
        """The folder where the comparison of `auto` is kept until the detector is saved."""
        return self.out.with_name(f"{self.out.name}.comparison")

    def fit(self, preprocessor: Preprocessor, rows: TableSample | Images) -> Detector:
        """Fit a detector; a comparison that is stopped is kept, and the command ends with a sentence.

        Raises:
            InputError: the rows cannot be used.
            RunFailed: the training came to nothing.
        """
        detector = Detector(
            self.method,
            epochs=self.epochs,
            ensemble=self.ensemble,
            best=self.best or BEST,
            memory=self.memory,
            fpr=self.fpr,
            device=self.device,
            random_state=self.seed,
            overrides=tuple(self.overrides),
            preprocessor=preprocessor,
            verbose=True,
        )
        if self.method != AUTO:
            return detector.fit(rows)
        try:
            with defer_signals():
                return detector.fit(rows)
        except ExitRequested:
            exit_stopped(self.memory)

    def save(self, detector: Detector, page: str, commands: Sequence[str], start: float) -> None:
        """Save a detector, after which its comparison is not kept any more, and print what can be done next.

        Args:
            detector: to save.
            page: its report.
            commands: that come next.
            start: when the command began, by `perf_counter`.
        """
        detector.save(self.out, report=page)
        if self.method == AUTO and self.memory.is_dir():
            forget(self.memory)
        console, preprocessor = open_console(), detector.preprocessor_
        for line in threshold(detector):
            console.print(line, markup=False)
        if isinstance(preprocessor, ImagePreprocessor) and (backbone := preprocessor.backbone) is not None:
            held = f"{self.out} holds the weights of {backbone.name}, {backbone.size_mb:.0f} MB"
            console.print(held, markup=False)
        seconds = perf_counter() - start
        console.print(f"{self.out} is saved, with report.html, after {seconds:.0f} s. Next:", markup=False)
        for command in commands:
            console.print(f"  {command}", markup=False)


def forget(memory: Path) -> None:
    """Remove a comparison that is not needed any more, and nothing that somebody else has put beside it."""
    for folder in ("plans", "jobs", "resumable", SCORES):
        shutil.rmtree(memory / folder, ignore_errors=True)
    for file in memory.glob("*.jsonl"):
        file.unlink()
    with suppress(OSError):  # it holds something else
        memory.rmdir()


def run_fit(table: TableOptions, options: FitOptions) -> None:
    """Train a detector on a table and save it.

    Raises:
        InputError: the table or an option cannot be used.
        RunFailed: the training came to nothing.
    """
    start, console = perf_counter(), open_console()
    options.check()
    sample = table.sample(options.seed)
    report = look(sample, table)
    use = row_use(report, options.fpr)
    members = f"{options.ensemble} member{'s' * (options.ensemble > 1)}"
    if options.method == AUTO and (report.anomalies or 0) >= FEWEST:
        chosen = f"the {options.best or BEST} best of {len(default_candidates())} candidates, {members} of each"
        named, trains = f"{AUTO}: {chosen},", ""
    else:
        method = DEFAULT if options.method == AUTO else options.method
        composition = compose_method(method, None, options.epochs, None, options.overrides)
        named, trains = f"{method}: {members}", length(composition, len(use.train), options.epochs)
    print_summary(console, table.path, report, sample)
    for warning in report.warnings:
        warnings.warn(warning, stacklevel=1)  # so that what `fit` warns of in the same words comes once
    console.print(f"{named} on {len(use.train):,} rows{trains}; {held_out(use)}", markup=False)
    preprocessor = TablePreprocessor(table.drop, table.kind_of, missing=table.missing)
    detector = options.fit(preprocessor, sample)
    if detector.comparison_ is not None:
        for line in failures(detector.comparison_):
            console.print(line, markup=False)
        worth, names = detector.comparison_.worth(detector.best), [one.name for one in detector.candidates_]
        together = ", whose scores are averaged" if len(names) > 1 else ""
        console.print(
            f"chosen: {', '.join(names)}{together}; average precision to expect {worth.mean:.3f} ({worth.low:.3f} to "
            f"{worth.high:.3f}), by folds that the choice was not made on",
            markup=False,
        )
    model = shlex.quote(str(options.out))
    commands = (
        f"semiad score {model} NEW_TABLE --out scored.csv",
        f"semiad evaluate {model} TEST_TABLE {shlex.join(table.label_words or ['--label', 'COLUMN'])}",
    )
    source = table.path.name + (f" ({len(sample):,} of {sample.given:,} rows)" if len(sample) < sample.given else "")
    page = fit_report(detector, sample.rows, sample.labels, report, source, commands)
    options.save(detector, page, commands, start)


def length(composition: Composition, rows: int, epochs: int | None) -> str:
    """Say how long a member trains, as far as that is known before: ", N epochs of M steps"."""
    if composition.is_classical:
        return ""
    steps = steps_per_epoch(rows, composition.batch_size)
    if composition.draws_rows:
        return f", at most {composition.epochs if epochs is None else epochs:,} epochs"
    count = epochs if epochs is not None else min(composition.epochs, budget_epochs(steps, STEPS))
    return f", {count:,} epoch{'s' * (count > 1)} of {steps:,} step{'s' * (steps > 1)}"


def threshold(detector: Detector) -> list[str]:
    """Say where the threshold is, and how it was set."""
    counts, calibration = detector.summary_, detector.calibration_
    rate, noun = calibration.rate(detector.fpr), calibration.noun
    lines = [
        f"threshold {detector.threshold_:.4g}: {100 * rate:.3g} % of normal {noun}s are above it, "
        f"by the scores of {counts['calibration_rows']:,} {noun}s that were held out of training",
    ]
    if not counts["calibration_rows_checked"]:
        lines.append(f"anomalies among the {noun}s that nobody has checked raise it: fewer false alarms, more misses")
    return lines
