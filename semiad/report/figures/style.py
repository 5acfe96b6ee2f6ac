"""The style of figures: colours that the colour-blind tell apart (Okabe and Ito), markers that grey print keeps."""

from collections.abc import Iterable, Sequence
from itertools import cycle
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from semiad.report.coordinates import DATASETS
from semiad.report.experiment import Experiment

SINGLE, DOUBLE = 3.5, 7.2
"""Widths in inches: of a column and of a page."""

RC: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "legend.handlelength": 2.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "figure.dpi": 100,
    # Letters as outlines in SVG look the same everywhere; as letters (TrueType) in PDF they can be searched.
    "svg.fonttype": "path",
    "svg.hashsalt": "semiad",
    "pdf.fonttype": 42,
}

BLACK, ORANGE, SKY, GREEN, OLIVE, BLUE, RED, PURPLE, GREY, BROWN = (
    "#000000 #E69F00 #56B4E9 #009E73 #999933 #0072B2 #D55E00 #CC79A7 #777777 #8C510A".split()
)


class Look(NamedTuple):
    """The look of a line or a set of points."""

    colour: str
    marker: str
    line: Any = "-"


CYCLE = (
    Look(BLUE, "o"),
    Look(RED, "s", (0, (5, 1.5))),
    Look(GREEN, "^", (0, (3, 1, 1, 1))),
    Look(PURPLE, "D", (0, (1, 1))),
    Look(ORANGE, "v", (0, (7, 2))),
    Look(BLACK, "x", (0, (4, 1, 1, 1, 1, 1))),
    Look(SKY, "P"),
    Look(GREY, "*", (0, (2, 1))),
    Look(BROWN, "<", (0, (6, 1, 2, 1))),
    Look(OLIVE, ">", (0, (3, 1))),
)

LOOKS = {
    "aesad": CYCLE[0],
    "ae": CYCLE[5],
    "ocsvm": CYCLE[4],
    "a3": CYCLE[3],
    "deep_sad": CYCLE[2],
    "esad": CYCLE[1],
    "deep_svdd": CYCLE[6],
    "iforest": CYCLE[7],
    "cae": CYCLE[8],
    "deep_svdd_soft": CYCLE[9],
}
"""By stem of the method's yaml, in the order in which figures show them."""

KINDS = {
    "normal": Look(BLUE, "o"),
    "seen": Look(RED, "x"),
    "unseen": Look(GREEN, "^"),
}
"""Of rows: normal, of an anomalous class that has labels, of one that has none."""


def method_name(method: str, experiment: Experiment) -> str:
    """Name a method as the paper of an experiment prints it; a method that it does not know keeps its own name."""
    return experiment.paper.methods.get(method, method)


def method_looks(methods: Iterable[str]) -> dict[str, Look]:
    """Choose the look of each method of a figure: its own, or one that no other method of the figure has.

    Only a figure of more methods than `CYCLE` has looks gives one look to several.
    """
    names = in_order([*methods])
    taken = {LOOKS[name] for name in names if name in LOOKS}
    free = cycle([look for look in reversed(CYCLE) if look not in taken] or CYCLE)
    return {name: LOOKS[name] if name in LOOKS else next(free) for name in names}


def dataset_name(dataset: str) -> str:
    """Name a data set as it is printed."""
    return DATASETS.get(dataset, dataset.removeprefix("odds/"))


def in_order(methods: Sequence[str]) -> list[str]:
    """Sort methods into the order in which they are shown."""
    known = list(LOOKS)
    return sorted(set(methods), key=lambda name: (known.index(name) if name in known else len(known), name))


def panels(count: int, columns: int, height: float, width: float = DOUBLE, **kwargs: Any) -> tuple[Figure, list[Axes]]:  # noqa: ANN401
    """Make a figure of this many panels, row by row.

    Args:
        count: of panels.
        columns: at most so many side by side.
        height: of a row of panels, in inches.
        width: of the figure, in inches.
        kwargs: of `Figure.subplots`.
    """
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(width, height * rows), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False, **kwargs).flat)
    for spare in axes[count:]:
        spare.remove()
    return figure, axes[:count]
