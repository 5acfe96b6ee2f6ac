"""The commands of `semiad` on folders of images."""

from pathlib import Path
from shlex import quote
from time import perf_counter

import numpy as np
import polars as pl

from semiad.cli.check import FPR, held_out, least_rate
from semiad.cli.evaluate import check_labels, load_for, print_metrics
from semiad.cli.fit import FitOptions, length
from semiad.cli.folders import ImageOptions
from semiad.cli.heatmaps import check_folder, write_heatmaps
from semiad.cli.messages import progress, warn
from semiad.cli.score import ScoreOptions, print_alarms, shift_of
from semiad.cli.tables import write_table
from semiad.console import open_console
from semiad.detector.candidates import AUTO, DEFAULT
from semiad.detector.composition import compose_method
from semiad.detector.estimator import Detector
from semiad.detector.fit_report import fit_report
from semiad.detector.heatmaps import check_heatmaps
from semiad.detector.inputs import kind_of
from semiad.detector.rows import divide_rows
from semiad.errors import InputError
from semiad.images import Images
from semiad.images.check import ImageReport, look_at_images
from semiad.images.listing import FILE
from semiad.images.preprocessor import ImagePreprocessor

NOUN = "image"
HEATMAP = "heatmap"
"""The column of a scored folder that names the picture of an alarm."""


def check_images(options: ImageOptions) -> None:
    """Print how a folder is understood, after reading each image.

    Raises:
        InputError: the folder cannot be used.
    """
    console, images = open_console(), options.read()
    use = divide_rows(images.labels, None, FPR, np.random.RandomState(0), NOUN)
    report = look(images)
    console.print(report.summary, markup=False)
    for warning in report.warnings:
        console.print(f"warning: {warning}", markup=False)
    size = f" --size {options.size}" if options.size else ""
    console.print(
        f"`semiad fit {quote(str(options.path))}{size} --out MODEL` would train on {len(use.train):,} images and hold "
        f"out {held_out(use, NOUN)}",
        markup=False,
    )
    console.print(f"they allow a false alarm rate of {least_rate(use):.2g} or more", markup=False)


def look(images: Images) -> ImageReport:
    """Look at all images, with a progress bar."""
    return look_at_images(images, progress(list(images.chunks()), "reading"))


def fit_images(options: ImageOptions, training: FitOptions) -> None:
    """Train a detector on a folder of images and save it.

    Raises:
        InputError: the folder or an option cannot be used.
        RunFailed: the training came to nothing.
    """
    start, console = perf_counter(), open_console()
    training.check()
    images = options.read()
    if (images.labels == 1).all():
        raise InputError(f"every image of {options.path} is anomalous, expected others to learn what is normal")
    preprocessor = ImagePreprocessor(options.features, options.weights)
    use = divide_rows(images.labels, None, training.fpr, np.random.RandomState(0), NOUN)
    method = DEFAULT if training.method == AUTO else training.method
    composition = compose_method(method, None, training.epochs, None, training.overrides, kind_of(preprocessor))
    report = look(images)
    console.print(f"{options.path}: {report.summary}", markup=False)
    for warning in report.warnings:
        warn(warning)
    console.print(
        f"{method}: {training.ensemble} member{'s' * (training.ensemble > 1)} on "
        f"{f'the {options.features} features of ' if options.features else ''}{len(use.train):,} images"
        f"{length(composition, len(use.train), training.epochs)}; {held_out(use, NOUN)}",
        markup=False,
    )
    detector = training.fit(preprocessor, images)
    model = quote(str(training.out))
    commands = (
        f"semiad score {model} NEW_FOLDER --out scored.csv --heatmaps maps",
        f"semiad evaluate {model} TEST_FOLDER",
    )
    page = fit_report(detector, images, images.labels, report, options.path.resolve().name, commands)
    training.save(detector, page, commands, start)


def score_images(model: Path, path: Path, options: ScoreOptions, heatmaps: Path | None, device: str) -> None:
    """Score a folder of images: a row for each file, sorted by name.

    Raises:
        InputError: the model, the folder or an option cannot be used.
    """
    detector = options.load(model, device)
    images = ImageOptions(path).read(detector, labelled=False)
    if heatmaps is not None:
        check_folder(heatmaps, options.out)
        check_heatmaps(detector)
    scores = score_files(detector, images)
    if shift := shift_of(detector, scores):
        warn(shift)
    alarms = options.alarms(detector, scores)
    scored = options.columns(detector, scores, alarms).insert_column(0, pl.Series(FILE, images.files))
    if heatmaps is not None:
        scored = scored.with_columns(write_heatmaps(detector, images, scores, alarms, heatmaps).alias(HEATMAP))
    write_table([scored], options.out)
    print_alarms(detector, alarms, path, f"{NOUN}s", options)


def score_files(detector: Detector, images: Images) -> np.ndarray:
    """Score images part by part, float64 (images,), with a progress bar.

    Raises:
        InputError: one cannot be read, or has another size than those of training.
    """
    return np.concatenate([detector.decision_function(part) for part in progress(list(images.chunks()), "scoring")])


def evaluate_images(model: Path, options: ImageOptions, fpr: float | None, device: str) -> None:
    """Print metrics of a detector on images with labels.

    Raises:
        InputError: the model or the folder cannot be used, or no image has a label.
    """
    detector = load_for(model, fpr, device)
    images = options.read(detector)
    check_labels(images.labels, options.path, NOUN)
    labelled = ~np.isnan(images.labels)
    scores = score_files(detector, images[labelled])
    if shift := shift_of(detector, scores[images.labels[labelled] == 0], normal=True):
        warn(shift)
    print_metrics(detector, scores, images.labels, options.path, fpr)
