"""Claims of a paper about its method, and the comparisons of runs that speak to each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["greater", "same"]


@dataclass(frozen=True)
class Comparison:
    """A difference that a claim predicts, taken cell by cell over runs of an experiment.

    Attributes:
        text: what is compared, in words: "AE-SAD with A3".
        table: name of the experiment whose runs are compared.
        head: the coordinate in which the compared runs differ: "method"; empty if they differ in the metric.
        first: its value, or the metric, from which the other is subtracted.
        second: its value, or the metric, that is subtracted.
        where: for heads of other coordinates, the values that a run must have.
        metric: the column of a run that is compared.
        kind: whether the claim predicts that the difference is greater than zero, or that it is within the margin.
        beside: another coordinate with two of its values; the difference at the second is subtracted from that at the
            first.
    """

    text: str
    table: str
    head: str
    first: str
    second: str
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    metric: str = "auc"
    kind: Kind = "greater"
    beside: tuple[str, str, str] | None = None


@dataclass(frozen=True)
class Claim:
    """A claim of a paper.

    Attributes:
        text: what it claims, a sentence.
        source: where it stands in the paper.
        comparisons: what it predicts; the claim holds where all of them come out.
    """

    text: str
    source: str
    comparisons: tuple[Comparison, ...]


def against(subject: str, rivals: tuple[str, ...], table: str, words: str = "") -> tuple[Comparison, ...]:
    """List the comparisons of a method with each rival over the cells of a table."""
    place = f", {words}" if words else ""
    return tuple(Comparison(f"{subject} with {rival}{place}", table, "method", subject, rival) for rival in rivals)
