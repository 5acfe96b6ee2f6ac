"""Causes of differences from published values, as far as they are known."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from semiad.report.verdicts import Verdict

NOT_FOUND = "not found"
"""The cause of a difference that nobody has explained."""


@dataclass(frozen=True)
class Cause:
    """The cause of a difference, and the cells that it explains.

    Attributes:
        text: the cause, in a sentence or two.
        where: for heads of coordinates, the values that a cell must have: {"method": ("A3", "AE")}; none for all cells.
        verdict: that the cell must have; None for each verdict that needs a cause.
    """

    text: str
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    verdict: Verdict | None = None

    def explains(self, cell: Mapping[str, str], verdict: Verdict) -> bool:
        """Tell whether it explains the verdict on a cell, given by the heads of its coordinates."""
        return self.verdict in (None, verdict) and all(cell.get(head) in values for head, values in self.where.items())


def cause_of(causes: Iterable[Cause], cell: Mapping[str, str], verdict: Verdict) -> str:
    """Find the first cause that explains the verdict on a cell; empty where the verdict needs none.

    Args:
        causes: in the order in which they are tried.
        cell: its coordinates by their heads.
        verdict: on the cell.
    """
    if not verdict.needs_cause:
        return ""
    return next((cause.text for cause in causes if cause.explains(cell, verdict)), NOT_FOUND)
