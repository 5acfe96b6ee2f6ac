"""The verdicts on a cell: their words, symbols and colours in all formats."""

from typing import Literal, NamedTuple

Verdict = Literal["match", "near", "below", "missing", "unpublished"]
"""`match`: the published mean lies in our 95 % interval, or ours is higher; `near`: within .02 of it; `below`;
`missing`: no record of ours; `unpublished`: nothing is compared, because there is no published value beside ours (lost
in print, or a method that the paper has not), or never will be one of ours (a method that semiad has not), or the two
are not to be compared (the entry's doubt)."""


class Mark(NamedTuple):
    """The look of a verdict.

    Attributes:
        symbol: so that it reads without colour.
        colour: in a terminal.
        latex: the symbol in LaTeX.
        meaning: in words, with `{near}` for how much lower is still near; empty if the verdict says it itself.
    """

    symbol: str
    colour: str
    latex: str
    meaning: str


MARKS: dict[Verdict, Mark] = {
    "match": Mark(
        "✓",
        "green",
        r"$^{+}$",
        "the published figure lies in our 95 % interval (of three runs or more), or ours is as high",
    ),
    "near": Mark("≈", "yellow", r"$^{\approx}$", "at most {near} lower"),
    "below": Mark("▼", "red", r"$^{-}$", ""),
    "missing": Mark("∅", "magenta", "", "no run of ours"),
    "unpublished": Mark("", "", "", ""),
}
COMPARED: tuple[Verdict, ...] = ("match", "near", "below", "missing")
"""The verdicts of cells that are compared, in the order in which they are counted."""
NEAR = 0.02
"""How far below the published value ours is still near it."""


def meanings(unit: str = "") -> dict[Verdict, str]:
    """Say what each verdict on a compared cell means, for values in a unit; without a unit for all values."""
    share, points = f"{NEAR}".removeprefix("0"), f"{NEAR * 100:.0f} points"
    near = points if "%" in unit else share if unit else f"{share} ({points})"
    return {verdict: MARKS[verdict].meaning.format(near=near) for verdict in COMPARED}
