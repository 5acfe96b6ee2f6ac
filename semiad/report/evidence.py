"""What the runs of a ledger say of a paper's claims."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from semiad.errors import InputError
from semiad.ledger.reader import Ledger
from semiad.report.choices import settled
from semiad.report.claims import Claim, Comparison
from semiad.report.experiment import Experiment, Paper
from semiad.report.pairs import paired, printed, scope, unknown
from semiad.report.statistics import Floats, holm, interval, wilcoxon
from semiad.report.tables import chosen_budget
from semiad.report.verdicts import MARGIN

LEVEL = 0.05
"""Of the tests, after Holm's correction."""


class Outcome(StrEnum):
    """What comes out of a comparison."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    OPEN = "open"
    UNTESTED = "not tested"


class Word(StrEnum):
    """What holds of a claim."""

    HOLDS = "holds"
    IN_PART = "holds in part"
    FAILS = "does not hold"
    UNTESTED = "not tested"


SHARE = f"{MARGIN}".removeprefix("0")
RULES = {
    Outcome.SUPPORTED: "the test finds the predicted difference (p below .05 after Holm's correction); where the claim "
    f"is that nothing changes, that the difference is within {SHARE}",
    Outcome.REFUTED: "the test finds a difference in the other direction; where the claim is that nothing changes, the "
    f"interval lies farther than {SHARE} from zero",
    Outcome.OPEN: "the test finds neither",
    Outcome.UNTESTED: "no run of both sides is recorded, or so few cells that p after correction would not be below "
    ".05 if all of them had one sign",
}
WORDS = {
    Word.HOLDS: "all comparisons of the claim are supported",
    Word.IN_PART: "some are supported, and others are refuted, open or not tested",
    Word.FAILS: "some were tested, and none is supported; whether they are refuted or open stands beside each",
    Word.UNTESTED: "none could be tested",
}


@dataclass(frozen=True)
class Finding:
    """A comparison over the runs at hand.

    Attributes:
        comparison: that was made.
        title: of the table whose runs were compared.
        cells: how many cells have runs of both sides.
        scope: over which data sets and how many normal classes they are.
        mean: of the differences in AUC; None without cells.
        low: lower end of the 95 % interval of the mean; None for one run.
        high: its upper end.
        printed: mean difference of the published values over the same cells; None where none are printed.
        p: two-sided, before correction; None without cells.
        toward: whether the ranks lean to what is claimed, rather than away from it.
        corrected: p after Holm's correction over all tests of the paper; None if it was not tested.
    """

    comparison: Comparison
    title: str
    cells: int
    scope: str
    mean: float | None
    low: float | None
    high: float | None
    printed: float | None
    p: float | None
    toward: bool = False
    corrected: float | None = None

    @property
    def outcome(self) -> Outcome:
        """What comes out."""
        if self.corrected is None or self.mean is None:
            return Outcome.UNTESTED
        if self.comparison.kind == "same":
            beyond = self.low is not None and self.high is not None and (self.low > MARGIN or self.high < -MARGIN)
            return Outcome.SUPPORTED if self.corrected < LEVEL else Outcome.REFUTED if beyond else Outcome.OPEN
        if self.corrected >= LEVEL or self.toward != (self.mean > 0):
            return Outcome.OPEN
        return Outcome.SUPPORTED if self.toward else Outcome.REFUTED


@dataclass(frozen=True)
class Verified:
    """A claim with what was found on each of its comparisons."""

    claim: Claim
    findings: Sequence[Finding]

    @property
    def word(self) -> Word:
        """What holds of it."""
        outcomes = [finding.outcome for finding in self.findings]
        if all(outcome == Outcome.UNTESTED for outcome in outcomes):
            return Word.UNTESTED
        if all(outcome == Outcome.SUPPORTED for outcome in outcomes):
            return Word.HOLDS
        return Word.IN_PART if Outcome.SUPPORTED in outcomes else Word.FAILS


def verify(paper: Paper, ledger: Ledger, budget: str | None = None) -> list[Verified]:
    """Compare what a paper claims with the runs of a ledger.

    Args:
        paper: whose claims these are.
        ledger: of all runs.
        budget: which budget of each experiment; None for the one that its table takes.

    Raises:
        InputError: a claim names a table, coordinate or metric that is not there.
    """
    experiments = {experiment.name: experiment for experiment in paper.experiments}
    for comparison in (comparison for claim in paper.claims for comparison in claim.comparisons):
        if wrong := unknown(comparison, experiments.get(comparison.table), ledger):
            raise InputError(f"the claims of {paper.title or paper.name} compare '{comparison.text}' by {wrong}")
    every = [
        [find(comparison, experiments[comparison.table], ledger, budget) for comparison in claim.comparisons]
        for claim in paper.claims
    ]
    least = min_cells([finding.cells for findings in every for finding in findings])
    enough = [finding.p for findings in every for finding in findings if finding.cells >= least]
    ps = iter(holm([p for p in enough if p is not None]))
    return [
        Verified(claim, [replace(one, corrected=next(ps)) if one.cells >= least else one for one in findings])
        for claim, findings in zip(paper.claims, every, strict=True)
    ]


def min_cells(cells: Sequence[int]) -> int:
    """Compute how many cells a comparison needs to be tested.

    With n cells the least two-sided p of signed ranks is 2 ** (1 - n), and the correction multiplies the least p of all
    by the number of tests. The comparisons of fewest cells are left out until those that are left can come out.

    Args:
        cells: of all comparisons.
    """
    for least in sorted({*cells} - {0}):
        if 2.0 ** (1 - least) * sum(n >= least for n in cells) < LEVEL:
            return least
    return max(cells, default=0) + 1


def find(comparison: Comparison, experiment: Experiment, ledger: Ledger, budget: str | None) -> Finding:
    """Compare the runs of an experiment, cell by cell."""
    chosen = chosen_budget(experiment, ledger, budget)
    runs = experiment.runs(ledger, chosen)
    pairs = paired(comparison, settled(experiment, runs)[0], runs)
    cells = [part["difference"].to_numpy() for part in pairs.partition_by("cell", maintain_order=True)]
    differences = np.concatenate([*cells, np.empty(0)])
    low, high = interval(cells) or (None, None)
    p, toward = test([float(values.mean()) for values in cells], comparison.kind)
    return Finding(
        comparison=comparison,
        title=experiment.title + (f" ({chosen})" if chosen else ""),
        cells=len(cells),
        scope=scope(pairs),
        mean=float(differences.mean()) if len(differences) else None,
        low=low,
        high=high,
        printed=printed(comparison, experiment, {*pairs["others"]}),
        p=p,
        toward=toward,
    )


def test(means: Sequence[float], kind: str) -> tuple[float | None, bool]:
    """Test the mean differences of cells by Wilcoxon's signed ranks.

    Returns:
        The two-sided p, None for no cells, and whether the ranks lean to what is claimed. Where the claim is that
        nothing changes, p is the greater of two one-sided tests against the margin on either side.
    """
    if not means:
        return None, False
    values: Floats = np.array(means).round(9)
    if kind == "same":
        p = max(wilcoxon(values + MARGIN, "greater"), wilcoxon(values - MARGIN, "less"))
        return p, p < 0.5
    return wilcoxon(values), wilcoxon(values, "greater") < 0.5
