"""The page `report.html` of a fitted detector: one file that needs no network, no script and no other file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from scipy.stats import beta

import semiad
from semiad.detector.explanation import explain_rows
from semiad.errors import InputError
from semiad.tabular.check import TableReport

if TYPE_CHECKING:
    from semiad.detector.estimator import Detector

RATES = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1)
"""False alarm rates of which expected alarms are told."""
SHOWN, REASONS = 10, 3
"""Rows that are shown, and the reasons of each."""
BINS = 48
WIDTH, HEIGHT, TOP, BOTTOM, SIDE = 560, 250, 34, 205, 16
"""Of the histogram, in pixels: its size, where bars may begin and end, and the margin on either side."""
TICKS = (0.0, *(sign * step * 10.0**power for power in range(-1, 9) for step in (1, 3) for sign in (-1, 1)))
APART = 46
"""Pixels between two ticks, at least."""


class Bar(NamedTuple):
    """A bar of the histogram, in pixels."""

    x: float
    y: float
    width: float
    height: float
    alarm: bool
    label: str


class Tick(NamedTuple):
    """A number on the axis."""

    x: float
    label: str


@dataclass(frozen=True)
class Histogram:
    """Scores on an axis that is linear near 0 and logarithmic far from it.

    Attributes:
        scores: of the held-out rows.
        anomalous: those of the labelled anomalies.
        cut: the threshold.
    """

    scores: Float[np.ndarray, " n"]
    anomalous: Float[np.ndarray, " m"]
    cut: float
    width: int = WIDTH
    height: int = HEIGHT
    top: int = TOP
    bottom: int = BOTTOM

    def place(self, score: float) -> float:
        """Compute where a score is on the axis, in pixels."""
        low, high = self.limits
        return round(SIDE + (WIDTH - 2 * SIDE) * (float(np.arcsinh(score)) - low) / (high - low), 1)

    @property
    def limits(self) -> tuple[float, float]:
        """Where the axis begins and ends, in its own unit."""
        values = np.arcsinh([*self.scores, *self.anomalous, self.cut, 0.0])
        return float(values.min()), max(float(values.max()), float(values.min()) + 0.1)

    @property
    def bins(self) -> tuple[np.ndarray, np.ndarray]:
        """Edges of the bins and numbers of held-out rows in each; one edge is the threshold."""
        low, high = self.limits
        step, cut = (high - low) / BINS, float(np.arcsinh(self.cut))
        below, above = max(int(np.ceil((cut - low) / step)), 1), int(np.ceil((high - cut) / step))
        edges = cut + step * np.arange(-below, above + 1)
        # A row at the threshold is no alarm, so bins are open on the left.
        places = np.searchsorted(edges, np.arcsinh(self.scores), side="left").clip(1, len(edges) - 1)
        return np.sinh(edges), np.bincount(places - 1, minlength=len(edges) - 1)

    @property
    def most(self) -> int:
        """The number of rows in the tallest bar."""
        return int(self.bins[1].max())

    @property
    def bars(self) -> Iterator[Bar]:
        """The bars that have rows."""
        edges, counts = self.bins
        for count, left, right in zip(counts.tolist(), edges, edges[1:], strict=False):
            if count:
                x, end = max(self.place(left), 0.0), min(self.place(right), float(WIDTH))
                height = round((BOTTOM - TOP - 18) * count / counts.max(), 1)
                label = f"{count:,} rows with a score above {left:.3g}, up to {right:.3g}"
                alarm = (left + right) / 2 > self.cut
                yield Bar(x, round(BOTTOM - height, 1), round(max(end - x - 1, 1), 1), height, bool(alarm), label)

    @property
    def anomalies(self) -> list[float]:
        """Where the labelled anomalies are."""
        return sorted({self.place(score) for score in self.anomalous})

    @property
    def threshold(self) -> float:
        """Where the threshold is."""
        return self.place(self.cut)

    @property
    def anchor(self) -> str:
        """On which side of the threshold its name has room."""
        return "end" if self.threshold > WIDTH - 100 else "start" if self.threshold < 100 else "middle"

    @property
    def ticks(self) -> list[Tick]:
        """Numbers on the axis, none too near to another; those near 0 first."""
        low, high = self.limits
        chosen: list[Tick] = []
        for value in TICKS:
            inside = low <= np.arcsinh(value) <= high
            if inside and all(abs(self.place(value) - tick.x) >= APART for tick in chosen):
                chosen.append(Tick(self.place(value), f"{value:,.10g}".replace("-", "\N{MINUS SIGN}")))
        return chosen


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


class Row(NamedTuple):
    """A row of the table; `number` counts from 1."""

    number: int
    score: float
    label: str
    above: bool
    reasons: list[Reason]


def fit_report(
    detector: "Detector",
    rows: pl.DataFrame,
    labels: Float[np.ndarray, " n"],
    table: TableReport,
    source: str,
    commands: Sequence[str],
) -> str:
    """Render the page of a detector that was just fitted.

    Args:
        detector: fitted to the rows.
        rows: the table without its labels.
        labels: 1 for an anomaly, 0 for a checked normal row, NaN for an unlabelled one.
        table: what was seen in the table.
        source: its name.
        commands: that score new rows.
    """
    scores, counts = detector.decision_scores_, detector.summary_
    order = np.argsort(-np.where(labels == 1, -np.inf, scores), kind="stable")
    top = order[: min(SHOWN, int((labels != 1).sum()))]
    reasons, unexplained = reasons_of(detector, rows[top])
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("semiad.detector", "."), PackageLoader("semiad.report.formats", ".")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    lines = expected(detector)
    return environment.get_template("fit_report.html.jinja").render(
        detector=detector,
        source=source,
        members=len(detector.ensemble_.states),
        counts=counts,
        rate=detector.calibration_.rate(detector.fpr),
        table=table,
        plot=Histogram(detector.calibration_.scores, scores[labels == 1], detector.threshold_),
        expected=lines,
        left_out=len(lines) < len({*RATES, detector.fpr}),
        rows=[
            Row(row + 1, scores[row], label_of(labels[row]), bool(detector.labels_[row]), told)
            for row, told in zip(top.tolist(), reasons, strict=True)
        ],
        unexplained=unexplained,
        commands=commands,
        uses=uses(counts),
        training=training(detector),
        verdicts=(),
    )


def reasons_of(detector: "Detector", rows: pl.DataFrame) -> tuple[list[list[Reason]], str]:
    """Explain the scores of rows; where that is not possible there are no reasons, but a sentence why."""
    try:
        told = explain_rows(detector, rows).frame(REASONS)
    except InputError as error:
        return [[] for _ in range(len(rows))], str(error)
    places = range(1, (told.width - 2) // 2 + 1)
    return [
        [
            Reason(values[f"reason_{i}"], shown(row[values[f"reason_{i}"]]), f"{values[f'share_{i}']:.3g}")
            for i in places
        ]
        for values, row in zip(told.to_dicts(), rows.to_dicts(), strict=True)
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
        f"method {detector.method_}, seed {detector.random_state}"
        + (f", settings {' '.join(detector.overrides)}" if len(detector.overrides) else ""),
        f"{counts['steps']:,} step{'s' * (counts['steps'] != 1)} a member, {counts['seconds']:.3g} s in all",
        f"semiad {semiad.__version__}",
    ]
