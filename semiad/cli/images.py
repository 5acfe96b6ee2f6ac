"""The commands of `semiad` on folders of images."""

from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path, PurePosixPath
from shlex import quote
from time import perf_counter

import numpy as np
import polars as pl

from semiad.cli.check import FPR, held_out, least_rate
from semiad.cli.evaluate import check_labels, load_for, print_metrics
from semiad.cli.fit import FitOptions, length, threshold
from semiad.cli.folders import ImageOptions
from semiad.cli.messages import progress, warn
from semiad.cli.score import COLUMNS, load_for_scores, print_alarms, shift_of
from semiad.cli.tables import write_table
from semiad.console import open_console
from semiad.detector.composition import compose_method
from semiad.detector.estimator import Detector
from semiad.detector.inputs import kind_of
from semiad.detector.rows import divide_rows
from semiad.errors import InputError
from semiad.images import Images
from semiad.images.listing import FILE
from semiad.images.preprocessor import ImagePreprocessor

DARK = 0.25
"""Brightest value of all images, from 0 to 1, below which it is told."""


def check_images(options: ImageOptions) -> None:
    """Print how a folder is understood, after reading each image.

    Raises:
        InputError: the folder cannot be used.
    """
    console, images = open_console(), options.read()
    use = divide_rows(images.labels, None, FPR, np.random.RandomState(0))
    console.print(described(images), markup=False)
    for warning in warnings_of(images):
        console.print(f"warning: {warning}", markup=False)
    size = f" --size {options.size}" if options.size else ""
    console.print(
        f"`semiad fit {quote(str(options.path))}{size} --out MODEL` would train on {len(use.train):,} images and hold "
        f"out {held_out(use)}".replace("rows", "images"),
        markup=False,
    )
    console.print(f"they allow a false alarm rate of {least_rate(use):.2g} or more", markup=False)


def described(images: Images) -> str:
    """Say in a line what images there are."""
    suffixes = Counter(PurePosixPath(name).suffix.lower().lstrip(".") for name in images.files)
    kinds = ", ".join(f"{suffix}: {number:,}" for suffix, number in sorted(suffixes.items()))
    channels, height, width = images.shape
    anomalous, normal = int((images.labels == 1).sum()), int((images.labels == 0).sum())
    return (
        f"{len(images):,} images ({kinds}){', resized to' if images.resize else ' of'} {height}x{width} pixels, "
        f"{'grey' if channels == 1 else 'in colour'}; {anomalous:,} anomalous, {normal:,} checked normal, "
        f"{len(images) - anomalous - normal:,} unlabelled"
    )


def warnings_of(images: Images) -> Iterator[str]:
    """Read all images, and say what a user should look at before training."""
    first: dict[bytes, int] = {}
    copies, brightest = [], 0.0
    for number, pixels in numbered_pixels(images):
        brightest = max(brightest, float(pixels.max()))
        earlier = first.setdefault(sha256(pixels.tobytes()).digest(), number)
        if earlier != number:
            copies.append((earlier, number))
    if copies:
        original, copy = (images.files[number] for number in copies[0])
        yield f"{len(copies):,} of {len(images):,} images are copies of others, such as {copy} of {original}"
    labels = images.labels
    for a, b in copies:
        if not np.isnan(labels[[a, b]]).any() and labels[a] != labels[b]:
            yield f"{images.files[a]} and {images.files[b]} are equal, but one is normal and one anomalous"
    if brightest < DARK:
        yield (
            f"no image is brighter than {brightest:.2g}, where 1 is white: if they have 12 bits in files of 16, "
            "stretch them to the full range"
        )


def numbered_pixels(images: Images) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the number and the pixels of each image, with a progress bar."""
    number = 0
    for part in progress(list(images.chunks()), "reading"):
        for pixels in part.x:
            yield number, pixels
            number += 1


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
    use = divide_rows(images.labels, None, training.fpr, np.random.RandomState(0))
    composition = compose_method(
        training.method, None, training.epochs, None, training.overrides, kind_of(preprocessor)
    )
    console.print(f"{options.path}: {described(images)}", markup=False)
    console.print(
        f"{training.method}: {training.ensemble} member{'s' * (training.ensemble > 1)} on "
        f"{f'the {options.features} features of ' if options.features else ''}{len(use.train):,} images"
        f"{length(composition, len(use.train), training.epochs)}; {held_out(use).replace('rows', 'images')}",
        markup=False,
    )
    detector = training.detector(preprocessor, console.is_terminal)
    detector.fit(images)
    detector.save(training.out)
    for line in threshold(detector):
        console.print(line, markup=False)
    fitted = detector.preprocessor_
    if isinstance(fitted, ImagePreprocessor) and fitted.backbone is not None:
        console.print(
            f"{training.out} holds the weights of {fitted.backbone.name}, {fitted.backbone.size_mb:.0f} MB",
            markup=False,
        )
    console.print(f"{training.out} is saved, after {perf_counter() - start:.0f} s. Next:", markup=False)
    model = quote(str(training.out))
    console.print(f"  semiad score {model} NEW_FOLDER --out scored.csv", markup=False)
    console.print(f"  semiad evaluate {model} TEST_FOLDER", markup=False)


def score_images(model: Path, path: Path, out: str, fpr: float | None, budget: int | None, device: str) -> None:
    """Score a folder of images: a row for each file, sorted by name.

    Raises:
        InputError: the model, the folder or an option cannot be used.
    """
    detector = load_for_scores(model, out, fpr, budget, device)
    images = ImageOptions(path).read(detector)
    scores = score_files(detector, images)
    if shift := shift_of(detector, scores):
        warn(shift.replace("rows", "images"))
    alarms = detector.alarms(scores, fpr=fpr, budget=budget)
    values = (scores, detector.calibration_.p_values(scores), alarms)
    write_table([pl.DataFrame({FILE: images.files, **dict(zip(COLUMNS, values, strict=True))})], out)
    print_alarms(detector, alarms, path, "images", out, fpr, budget)


def score_files(detector: Detector, images: Images) -> np.ndarray:
    """Score images part by part, float64 (images,), with a progress bar.

    Raises:
        InputError: one cannot be read, or has another size than those of training.
    """
    return np.concatenate([detector.decision_function(part) for part in progress(list(images.chunks()), "scoring")])


def evaluate_images(model: Path, options: ImageOptions, fpr: float | None, device: str) -> None:
    """Print metrics of a detector on images with labels.

    Raises:
        InputError: the model or the folder cannot be used, or a kind of labels is missing.
    """
    detector = load_for(model, fpr, device)
    images = options.read(detector)
    check_labels(images.labels, options.path)
    scores = score_files(detector, images[~np.isnan(images.labels)])
    print_metrics(detector, scores, images.labels, options.path, fpr)
