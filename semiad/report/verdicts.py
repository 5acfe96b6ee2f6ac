"""Verdicts on the cells of a table: the rules, and the word, symbol and colour of each in all formats."""

from enum import StrEnum

MIN_RUNS = 3
"""With fewer runs the interval says too little: Student's of two reaches six times their difference to each side."""
MARGIN = 0.02
"""How far from the published mean ours is still the same: two points where a table is in percent."""
DECIMALS = 9
"""To which values are compared, so that the last bit of a binary number decides nothing."""


class Verdict(StrEnum):
    """How our mean compares with the published one.

    Attributes:
        symbol: so that it reads without colour.
        colour: in a terminal.
        hue: in HTML.
        latex: the symbol in LaTeX, in mathematical mode.
        rule: what it says of a cell, a sentence without its subject, with `{margin}` for the margin.
    """

    MATCH = (
        "match", "✓", "green", "#009e73", "=",
        "our 95 % interval lies within {margin} of the published mean, or it holds that mean and reaches at most "
        "{margin} to each side",
    )  # fmt: skip
    NEAR = (
        "near", "≈", "yellow", "#e69f00", r"\approx",
        "our interval is as narrow, and reaches from within {margin} of the published mean to farther above (+) or "
        "below (-)",
    )  # fmt: skip
    ABOVE = (
        "above", "▲", "cyan", "#0072b2", r"\uparrow",
        "our whole interval lies more than {margin} above the published mean",
    )  # fmt: skip
    BELOW = (
        "below", "▼", "red", "#d55e00", r"\downarrow",
        "our whole interval lies more than {margin} below the published mean",
    )  # fmt: skip
    UNSURE = (
        "unsure", "?", "magenta", "#cc79a7", "?",
        "there are fewer than three runs, or our interval reaches more than {margin} to each side and decides nothing",
    )  # fmt: skip
    MISSING = ("missing", "∅", "bright_black", "#8a93a0", "", "there is no good run of ours")
    UNPUBLISHED = ("unpublished", "", "default", "#8a93a0", "", "nothing is compared")

    symbol: str
    colour: str
    hue: str
    latex: str
    rule: str

    def __new__(cls, word: str, symbol: str, colour: str, hue: str, latex: str, rule: str) -> "Verdict":
        """Make a member of its word, which it is equal to."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.symbol, member.colour, member.hue, member.latex, member.rule = symbol, colour, hue, latex, rule
        return member

    @property
    def needs_cause(self) -> bool:
        """Whether a reader is owed the cause of the difference."""
        return self in (Verdict.ABOVE, Verdict.BELOW)


COMPARED = tuple(verdict for verdict in Verdict if verdict != Verdict.UNPUBLISHED)
"""The verdicts on cells that are compared, in the order in which they are counted."""


def judge(published: float, low: float | None, high: float | None, runs: int, margin: float = MARGIN) -> Verdict:
    """Compare the 95 % interval of our mean with a published mean: the first rule that holds decides.

    Args:
        published: the published mean.
        low: lower end of the interval; None where there is no interval.
        high: its upper end.
        runs: how many runs the mean is over.
        margin: how far from the published mean ours is still the same, in the unit of all values.
    """
    if runs == 0:
        return Verdict.MISSING
    if runs < MIN_RUNS or low is None or high is None:
        return Verdict.UNSURE
    below, above = (round(end - published, DECIMALS) for end in (low, high))
    narrow = round((high - low) / 2, DECIMALS) <= margin
    if (-margin <= below and above <= margin) or (below <= 0 <= above and narrow):
        return Verdict.MATCH
    if below > margin:
        return Verdict.ABOVE
    if above < -margin:
        return Verdict.BELOW
    return Verdict.NEAR if narrow else Verdict.UNSURE


def margin_of(unit: str) -> float:
    """Give the margin in a unit: "AUC in %" or another."""
    return MARGIN * (100 if "%" in unit else 1)


def rules(unit: str = "") -> dict[Verdict, str]:
    """Say what each verdict on a compared cell means, for values in a unit; without a unit for all values."""
    share, points = f"{MARGIN}".removeprefix("0"), f"{MARGIN * 100:.0f} points"
    margin = points if "%" in unit else share if unit else f"{share} ({points})"
    return {verdict: verdict.rule.format(margin=margin) for verdict in COMPARED}
