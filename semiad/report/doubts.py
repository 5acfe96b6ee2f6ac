"""Reasons why a cell of ours is not compared with the published one."""

from collections.abc import Collection, Mapping
from typing import Any

from semiad.report.coordinates import TOTAL
from semiad.report.experiment import Experiment

Cell = tuple[str, ...]


def doubt(experiment: Experiment, at: Cell, printed: Collection[Cell], made: Mapping[Cell, Mapping[str, Any]]) -> str:
    """Say why a cell of ours is not compared with the published one; empty if it is.

    Args:
        experiment: the table.
        at: coordinates of the cell.
        printed: coordinates of all cells of the published table.
        made: our cells by coordinates.
    """
    where = dict(zip(experiment.heads, at, strict=True))
    if experiment.kind == "win" and where.get("method", experiment.subject) != experiment.subject:
        return f"a cell and its mirror image add up to 1, so only the row of {experiment.subject} is compared"
    if experiment.difference and experiment.difference[0] in at:
        return "made from two other columns, which are compared"
    ours = made.get(at)
    if not ours or not ours["n"]:
        return ""
    if ours["mixed"]:
        return f"their runs differ in {ours['mixed']}"
    if experiment.rivals and set(ours["rivals"]) != {*experiment.rivals}:
        return f"counted against {', '.join(ours['rivals'])}, the paper's against {', '.join(experiment.rivals)}"
    filled = [other for other, row in made.items() if row["n"]]
    if TOTAL in at and {*members(at, filled)} != {*members(at, printed)}:
        return "means of other cells than the published ones"
    return ""


def members(at: Cell, cells: Collection[Cell]) -> list[Cell]:
    """List the cells that the mean at a coordinate is over."""
    pairs = [(cell, [*zip(at, cell, strict=True)]) for cell in cells if TOTAL not in cell]
    return [cell for cell, both in pairs if all(mean == TOTAL or mean == name for mean, name in both)]
