"""Descriptions of figures: which function draws each, from which settings, and its caption.

Functions are named, not imported: a report without figures starts without Matplotlib.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

BARS = "Bars are 95 % intervals of the mean, drawn over cells and seeds."
KINDS = "normal, of a class that has labelled anomalies (seen), or of one that has none (unseen)"


@dataclass(frozen=True, eq=False)
class Drawing:
    """A figure that is drawn from the runs of an experiment, or one for each data set.

    Attributes:
        maker: the function that draws it, as "package.module:function". It is called with the `Experiment`, its good
            runs (see `figures.selection.good_runs`) and the options, and returns Matplotlib figures by name; the name
            of the first is that of the experiment, or begins with it and `_`. It returns none where the runs do not
            suffice.
        caption: what it shows.
        options: keyword arguments of the function.
    """

    maker: str
    caption: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Setting:
    """A setting that a figure varies.

    Attributes:
        path: into the configuration of a run: "method.lam.alpha".
        axis: label of an axis.
        text: how a line or a panel of one value is called, with `{}` for the value.
    """

    path: str
    axis: str
    text: str


SETTINGS: Mapping[str, Setting] = {
    "labelled": Setting("scenario.labelled", "labelled anomalies s", "s = {}"),
    "pollution": Setting("scenario.pollution", "pollution", "pollution {}"),
}
"""Settings that all papers vary."""


@dataclass(frozen=True, eq=False)
class Sweep:
    """A figure of AUC against a setting.

    Attributes:
        x: name of the setting along the axis.
        line: column or setting that makes a line.
        panel: column or setting that makes a panel.
        where: which runs.
    """

    x: str
    line: str
    panel: str
    where: pl.Expr | None = None


def sweep(x: str, line: str, panel: str, caption: str, where: pl.Expr | None = None) -> Drawing:
    """Describe a figure of AUC against a setting, see `Sweep`."""
    return Drawing("semiad.report.figures.sweeps:sweep", caption, {"sweep": Sweep(x, line, panel, where)})


def labels(line: str = "method") -> Drawing:
    """Describe figures of AUC by labelled anomalies, for all rows, seen and unseen classes; `line` makes a line."""
    caption = (
        "Mean AUC by labelled anomalies, over all test rows, with anomalies of seen classes only, and with those "
        f"of unseen classes only. {BARS}"
    )
    return Drawing("semiad.report.figures.sweeps:labels", caption, {"line": line})


def matrix(*methods: str) -> Drawing:
    """Describe figures of AUC by normal class and test class, of these methods; of others if they have no runs."""
    caption = (
        "Mean AUC over seeds of a normal class (down; in brackets its labelled classes, where it has several "
        "rows) against each class of test anomalies (across). Bold: the class has labelled anomalies. Hatched: the "
        "normal class. The colours reach from .5 to 1; dark red is below .5."
    )
    return Drawing("semiad.report.figures.matrix:matrices", caption, {"methods": methods})


RANKS = Drawing(
    "semiad.report.figures.ranks:diagram",
    "Mean rank of each method by AUC, 1 the best, over the cells that all methods have, each with its mean "
    "over seeds. A thick bar joins methods whose ranks lie closer than Nemenyi's critical difference at the 5 % "
    "level: these are not told apart.",
)
