"""Figures of a report: those that the papers print, and some that they do not."""

import io
from collections.abc import Callable
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, NamedTuple

from semiad.errors import InputError
from semiad.extras import optional_import
from semiad.ledger.reader import Ledger
from semiad.report.experiment import Experiment
from semiad.report.figures.selection import good_runs
from semiad.report.result import Result

with optional_import("matplotlib", "report", "figures"):
    import matplotlib
    from matplotlib.figure import Figure

    from semiad.report.figures.style import RC

Maker = Callable[..., dict[str, Figure]]
"""From an `Experiment`, its good runs and options to figures by name; none where the runs do not suffice."""


class Drawn(NamedTuple):
    """A figure with its name and its caption."""

    name: str
    figure: Figure
    caption: str


def draw(result: Result, ledger: Ledger) -> list[Drawn]:
    """Draw the figures of an experiment; none without runs that ended well.

    Raises:
        InputError: a function that the experiment names cannot be imported.
    """
    experiment = result.reference
    if experiment is None or not experiment.drawings:
        return []
    runs = good_runs(experiment, ledger, result.budget)
    if runs.is_empty():
        return []
    with matplotlib.rc_context(RC):
        return [
            Drawn(name, figure, drawing.caption)
            for drawing in experiment.drawings
            for name, figure in maker(experiment, drawing.maker)(experiment, runs, **drawing.options).items()
        ]


def maker(experiment: Experiment, name: str) -> Maker:
    """Import the function that draws a figure.

    Raises:
        InputError: it cannot be imported.
    """
    try:
        function: Maker = resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"experiment={experiment.name} names {name} to draw a figure: {error}") from error
    return function


def content(figure: Figure, suffix: str) -> bytes:
    """Render a figure as `svg`, `pdf` or `png` (200 dots an inch); the same figure gives the same bytes."""
    dateless: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with matplotlib.rc_context(RC), io.BytesIO() as file:
        figure.savefig(file, format=suffix, metadata=dateless.get(suffix), dpi=200)
        return file.getvalue()


def save(figure: Figure, path: Path) -> list[Path]:
    """Write a figure as SVG, PDF and PNG.

    Args:
        figure: what to write.
        path: without suffix; its folder is made.

    Returns:
        The files.

    Raises:
        InputError: a file cannot be written.
    """
    files = [path.with_name(f"{path.name}.{suffix}") for suffix in ("svg", "pdf", "png")]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for file in files:
            file.write_bytes(content(figure, file.suffix[1:]))
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}): choose another place") from error
    return files
