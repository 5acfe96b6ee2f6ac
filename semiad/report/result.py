"""The data of a report: a published table or figure with our values beside its own."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from semiad.report.experiment import Experiment
from semiad.report.verdicts import COMPARED, Verdict

ABSENT = "not in semiad"
"""How the flag of a cell begins whose method semiad has not."""


@dataclass(frozen=True)
class Ours:
    """The mean of our runs of one cell of a table, and how sure it is.

    Attributes:
        mean: of the runs, in the unit of the published table.
        std: standard deviation, n - 1; None for one run.
        low: lower end of the 95 % interval of the mean; None for one run.
        high: its upper end.
        n: runs.
    """

    mean: float
    std: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Entry:
    """One cell of a published table.

    Attributes:
        row: its coordinates among the rows, a name for each of the table's `row_heads`: ("MNIST", "8", "AE-SAD").
        column: its coordinates among the columns.
        published: the published mean; None if there is none.
        published_std: its standard deviation, if printed.
        printed: the cell as printed; empty if there is none.
        flag: what is suspect about the published value, or lost; or that semiad lacks the method; else empty.
        ours: our value; None without a good run.
        verdict: how ours compares.
        keys: of the runs it is made of, failed and missing ones included.
        failed: how many of them failed.
        missing: how many have no record.
        planned: how many values there should be: runs, or pairs of runs.
        doubt: why ours is not compared with the published value; else empty.
        cause: of a difference whose verdict needs one, or that it was not found; else empty.
        uncommitted: how many of its runs were made by code with uncommitted changes.
    """

    row: tuple[str, ...]
    column: tuple[str, ...]
    published: float | None
    published_std: float | None
    printed: str
    flag: str
    ours: Ours | None
    verdict: Verdict
    keys: tuple[str, ...]
    failed: int
    missing: int
    planned: int = 0
    doubt: str = ""
    cause: str = ""
    uncommitted: int = 0

    @property
    def sign(self) -> str:
        """The side on which a near mean lies, + or -; empty for other verdicts."""
        return ("-" if (self.difference or 0) < 0 else "+") if self.verdict == Verdict.NEAR else ""

    @property
    def symbol(self) -> str:
        """The symbol of the verdict, with the sign of a near one."""
        return self.verdict.symbol + self.sign

    @property
    def holes(self) -> str:
        """How many of the planned values are done, "2/10"; empty if none is lacking."""
        n = self.ours.n if self.ours else 0
        return f"{n}/{self.planned}" if n < self.planned else ""

    @property
    def difference(self) -> float | None:
        """Ours less the published mean."""
        return None if self.ours is None or self.published is None else self.ours.mean - self.published


@dataclass(frozen=True)
class Shift:
    """The difference of a method from the paper, over all cells of a table.

    Attributes:
        method: by its printed name.
        cells: how many cells are compared.
        mean: of ours less the published means, in the unit of the table.
        low: lower end of Student's 95 % interval over cells; None for one cell.
        high: its upper end.
        lower: in how many cells ours is lower.
        higher: in how many it is higher.
        p: of the two-sided sign test; equal cells do not count.
    """

    method: str
    cells: int
    mean: float
    low: float | None
    high: float | None
    lower: int
    higher: int
    p: float


@dataclass(frozen=True)
class Statement:
    """A statistic over runs that are paired by cell and seed.

    Attributes:
        name: of the test or statistic: "Wilcoxon signed-rank, Holm".
        heads: of the columns of its table.
        rows: of it.
        note: how to read it, a sentence.
    """

    name: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str


@dataclass(frozen=True)
class Result:
    """A published table or figure, reproduced as far as the ledger goes.

    Attributes:
        experiment: its name, as in `experiment=`; empty for runs of none.
        title: "AE-SAD Table 5".
        caption: what it shows, in our words.
        budget: which of the experiment's budgets the runs are of; None if nothing is planned.
        row_heads: names of the coordinates of a row.
        column_heads: names of the coordinates of a column.
        unit: of all values in it: "AUC", "AUC in %", "probability".
        digits: after the point, as printed.
        entries: the cells, in the paper's order; where the paper prints a figure and no table, our values only.
        shifts: of each method from the paper.
        statistics: over the runs.
        commands: that make the runs.
        versions: of what made them, a line each combination of versions and commit.
        seconds: of training, all runs together.
        uncommitted: keys of its runs that were made by code with uncommitted changes.
        remarks: settings, holes, failures, conflicts, a sentence each.
        notes: what is known of the differences, as Markdown; empty if nothing was written down.
        shared: coordinates that all entries have in common, head and text of each.
        reference: the published table or figure; None for runs of none.
    """

    experiment: str
    title: str
    caption: str
    budget: str | None
    row_heads: tuple[str, ...]
    column_heads: tuple[str, ...]
    unit: str
    digits: int
    entries: Sequence[Entry]
    shifts: Sequence[Shift] = ()
    statistics: Sequence[Statement] = ()
    commands: Sequence[str] = ()
    versions: Sequence[str] = ()
    seconds: float = 0
    uncommitted: frozenset[str] = frozenset()
    remarks: Sequence[str] = field(default=())
    notes: str = ""
    shared: tuple[tuple[str, str], ...] = ()
    reference: Experiment | None = None

    @property
    def name(self) -> str:
        """An identifier that no other result of a report has."""
        parts = [self.experiment, *([self.budget, *(text for _, text in self.shared)] if self.shared else [])]
        return re.sub(r"\W+", "-", "-".join(filter(None, parts)))

    def count(self, verdict: Verdict) -> int:
        """Count the cells that have a verdict."""
        return sum(entry.verdict == verdict for entry in self.entries)

    @property
    def summary(self) -> str:
        """The counts of the verdicts, in a line."""
        shown = [f"{self.count(v)} {v}" for v in COMPARED if self.count(v)]
        compared = sum(entry.verdict != Verdict.UNPUBLISHED for entry in self.entries)
        return f"{compared} published cells: {', '.join(shown)}" if compared else "nothing published to compare"
