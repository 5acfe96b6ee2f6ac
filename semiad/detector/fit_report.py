"""The page `report.html` of a fitted detector: one file that needs no network, no script and no other file."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float
from scipy.stats import beta

import semiad
from semiad.detector.explanation import explain_rows
from semiad.detector.heatmaps import explain_images
from semiad.detector.histogram import Histogram
from semiad.detector.inputs import Rows, noun_of
from semiad.errors import InputError
from semiad.images import Images
from semiad.images.check import ImageReport
from semiad.report.formats.environment import make_environment
from semiad.tabular.check import TableReport

if TYPE_CHECKING:
    from semiad.detector.estimator import Detector

RATES = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1)
"""False alarm rates of which expected alarms are told."""
SHOWN, REASONS = 10, 3
"""Rows that are shown, and the reasons of each."""


class Expected(NamedTuple):
    """What a false alarm rate comes to, as text."""

    rate: str
    threshold: str
    alarms: str
    low: str
    high: str
    chosen: bool


class Reason(NamedTuple):
    """A column with its value, and its share in the score, as text."""

    column: str
    value: str
    share: str


class Shown(NamedTuple):
    """A row of the table, or an image, that is shown.

    Attributes:
        name: the number of the row, from 1 on, or the name of the file.
        score: of it.
        label: as text.
        above: whether it is an alarm.
        reasons: of a row.
        pictures: of an image: the image, and its heat map if there is one, as addresses that hold all of it.
    """

    name: str
    score: float
    label: str
    above: bool
    reasons: list[Reason]
    pictures: list[str]


def fit_report(
    detector: "Detector",
    rows: Rows,
    labels: Float[np.ndarray, " n"],
    report: TableReport | ImageReport,
    source: str,
    commands: Sequence[str],
) -> str:
    """Render the page of a detector that was just fitted.

    Args:
        detector: fitted to the rows.
        rows: the table without its labels, or images.
        labels: 1 for an anomaly, 0 for a checked normal row, NaN for an unlabelled one.
        report: what was seen in the table, or in the folder of images.
        source: its name.
        commands: that score new rows.
    """
    scores, counts = detector.decision_scores_, detector.summary_
    order = np.argsort(-np.where(labels == 1, -np.inf, scores), kind="stable")
    top = order[: min(SHOWN, int((labels != 1).sum()))]
    noun = noun_of(detector.preprocessor_)
    colours: list[str] = []
    if isinstance(rows, Images):
        from semiad.images.drawing import scale_colours

        colours = scale_colours()
        names = rows[top].files or [str(number + 1) for number in top]
        pictures, unexplained = pictures_of(detector, rows[top])
        reasons: list[list[Reason]] = [[] for _ in top]
    else:
        names = [f"{number + 1:,}" for number in top]
        reasons, unexplained = reasons_of(detector, rows[top])
        pictures = [[] for _ in top]
    lines = expected(detector)
    return (
        make_environment("semiad.detector")
        .get_template("fit_report.html.jinja")
        .render(
            detector=detector,
            marked=detector.candidates_,
            source=source,
            members=len(detector.ensemble_.methods),
            counts=counts,
            rate=detector.calibration_.rate(detector.fpr),
            noun=noun,
            warnings=report.warnings,
            columns=report.columns if isinstance(report, TableReport) else (),
            colours=colours,
            facts=report.facts if isinstance(report, ImageReport) else (),
            plot=Histogram(detector.calibration_.scores, scores[labels == 1], detector.threshold_, noun),
            expected=lines,
            left_out=len(lines) < len({*RATES, detector.fpr}),
            rows=[
                Shown(name, scores[row], label_of(labels[row]), bool(detector.labels_[row]), told, seen)
                for row, name, told, seen in zip(top.tolist(), names, reasons, pictures, strict=True)
            ],
            unexplained=unexplained,
            commands=commands,
            uses=uses(counts),
            training=training(detector),
        )
    )


def reasons_of(detector: "Detector", rows: pl.DataFrame) -> tuple[list[list[Reason]], str]:
    """Explain the scores of rows; where that is not possible there are no reasons, but a sentence why."""
    try:
        told = explain_rows(detector, rows).frame(REASONS)
    except InputError as error:
        return [[] for _ in range(len(rows))], str(error)
    places = range(1, (told.width - 3) // 2 + 1)
    return [
        [
            Reason(values[f"reason_{i}"], shown(row[values[f"reason_{i}"]]), f"{values[f'share_{i}']:.3g}")
            for i in places
        ]
        for values, row in zip(told.to_dicts(), rows.to_dicts(), strict=True)
    ], ""


def pictures_of(detector: "Detector", images: Images) -> tuple[list[list[str]], str]:
    """Draw images and their heat maps; where these are not possible, images alone, and a sentence why."""
    from semiad.images.drawing import data_uri, overlay, thumbnail, to_picture

    pictures = [to_picture(images.original(number)) for number in range(len(images))]
    small = [thumbnail(picture) for picture in pictures]
    try:
        shares = explain_images(detector, images).shares
    except InputError as error:
        return [[data_uri(picture)] for picture in small], str(error)
    return [
        [data_uri(picture), data_uri(overlay(picture, share))] for picture, share in zip(small, shares, strict=True)
    ], ""


def shown(value: object) -> str:
    """Write a value of the table."""
    if value is None or value != value or value == "":
        return "missing"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def label_of(label: float) -> str:
    """Name the label of a row that is not labelled anomalous."""
    return "checked normal" if label == 0 else "none"


def expected(detector: "Detector") -> list[Expected]:
    """Compute what each rate comes to that the number of held-out rows allows, that of the detector included."""
    calibration, lines = detector.calibration_, []
    n = len(calibration.scores)
    allowed = {rate for rate in RATES if calibration.passed(rate) >= 1}
    for rate in sorted({*allowed, detector.fpr}):
        k = max(calibration.passed(rate), 1)
        low, high = (1000 * float(beta.ppf(q, k, n + 1 - k)) for q in (0.025, 0.975))
        numbers = (float(calibration.scores[n - k]), 1000 * calibration.rate(rate), low, high)
        threshold, alarms, least, most = (f"{number:.3g}" for number in numbers)
        lines.append(Expected(f"{rate:g}", threshold, alarms, least, most, rate == detector.fpr))
    return lines


def uses(counts: Mapping[str, object]) -> list[tuple[str, object]]:
    """Name the numbers of rows."""
    names = {
        "given": "rows",
        "labelled anomalous": "labelled_anomalies",
        "checked normal": "checked_normal",
        "trained on": "training_rows",
        "held out": "calibration_rows",
    }
    return [(name, counts[key]) for name, key in names.items()]


def training(detector: "Detector") -> list[str]:
    """Say how the detector was trained."""
    counts = detector.summary_
    return [
        *(
            f"method {candidate.method}, seed {detector.random_state}"
            + (f", settings {' '.join(candidate.overrides)}" if candidate.overrides else "")
            for candidate in detector.candidates_
        ),
        f"{counts['steps']:,} step{'s' * (counts['steps'] != 1)} a member, {counts['seconds']:.3g} s in all",
        f"semiad {semiad.__version__}",
    ]
