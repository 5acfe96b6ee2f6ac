"""The histogram of scores on the page of a fit."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

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
        noun: names what is scored.
    """

    scores: Float[np.ndarray, " n"]
    anomalous: Float[np.ndarray, " m"]
    cut: float
    noun: str = "row"
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
                label = f"{count:,} {self.noun}s with a score above {left:.3g}, up to {right:.3g}"
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
