"""The figures of a report: those that the papers print, and some that they do not."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import polars as pl
from matplotlib.figure import Figure

from semiad.errors import InputError
from semiad.ledger.reader import Ledger
from semiad.report.figures import curves, images, matrix, points, ranks, sweeps
from semiad.report.figures.selection import good
from semiad.report.figures.style import RC
from semiad.report.result import Result

Maker = Callable[[str, pl.DataFrame], dict[str, Figure]]
"""From the name of an experiment and its good runs to figures by name; none where the runs do not suffice."""

MAKERS: dict[str, tuple[Maker, ...]] = {
    "aesad_fig1": (images.reconstructions,),
    "aesad_fig2": (images.boxes,),
    "aesad_fig3": (sweeps.main, sweeps.labels),
    "aesad_fig4": (sweeps.main, sweeps.labels),
    "aesad_fig5": (curves.epochs,),
    "aesad_fig6": (sweeps.main,),
    "aesad_fig7": (points.scatter,),
    "aesad_table2": (ranks.diagram,),
    "aesad_table3": (ranks.diagram, matrix.matrices),
    "aesad_table4": (ranks.diagram, matrix.matrices),
    "aesad_table6": (ranks.diagram, matrix.matrices),
    "aesad_table7": (ranks.diagram, matrix.matrices),
    "esad_fig2": (sweeps.main,),
    "esad_fig3": (points.embedding,),
    "esad_fig5": (sweeps.main,),
    "esad_table1": (sweeps.labels, matrix.matrices),
    "esad_table4": (ranks.diagram,),
    "aesad_table1": (matrix.matrices,),
    "aesad_table5": (matrix.matrices,),
}


def of(result: Result, ledger: Ledger) -> dict[str, Figure]:
    """The figures of an experiment; none without runs that ended well. No two experiments have one name in common."""
    makers = MAKERS.get(result.experiment, ())
    if not makers or (runs := good(result, ledger)).is_empty():
        return {}
    with matplotlib.rc_context(RC):
        made: dict[str, Figure] = {}
        for maker in makers:
            made |= maker(result.experiment, runs)
    return made


def content(figure: Figure, suffix: str) -> bytes:
    """A figure as `svg`, `pdf` or `png` (200 dots an inch); the same figure gives the same bytes."""
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
