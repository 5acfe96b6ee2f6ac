"""The overview of papers: every published value, by table and verdict, whether or not any run of it is planned."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from semiad.report.coordinates import DATASET, UNKNOWN
from semiad.report.result import ABSENT, Entry, Result
from semiad.report.verdicts import COMPARED, Verdict

TOTAL = "all"


class Line(NamedTuple):
    """The published values of a table.

    Attributes:
        result: the table; None for the sum of all tables.
        title: of the table, with its budget.
        published: how many values can be compared: those that semiad can run, and those of systems that it has not.
        runnable: how many of them semiad can run.
        verdicts: how many of the runnable ones have each of the verdicts in `COMPARED`.
        absent: how many are of systems or data that semiad has not.
        uncompared: how many printed values follow from others, or stand where nothing can be compared with them.
        keys: of the runs that its cells are made of.
        uncommitted: of those among them that were made by code with uncommitted changes.
        why: why values are missing, absent or not compared; empty if none is.
    """

    result: Result | None
    title: str
    published: int
    runnable: int
    verdicts: tuple[int, ...]
    absent: int
    uncompared: int
    keys: frozenset[str]
    uncommitted: frozenset[str]
    why: str


@dataclass(frozen=True)
class Overview:
    """The lines of all tables, in order, and their sum."""

    lines: Sequence[Line]

    @property
    def reasons(self) -> list[str]:
        """Why values are missing, absent or not compared, a sentence for each table."""
        return [f"{line.title}: {line.why}" for line in self.lines if line.why]

    @property
    def total(self) -> Line:
        """The sum of all lines."""
        return Line(
            None,
            TOTAL,
            sum(line.published for line in self.lines),
            sum(line.runnable for line in self.lines),
            tuple(sum(line.verdicts[i] for line in self.lines) for i in range(len(COMPARED))),
            sum(line.absent for line in self.lines),
            sum(line.uncompared for line in self.lines),
            frozenset().union(*(line.keys for line in self.lines)),
            frozenset().union(*(line.uncommitted for line in self.lines)),
            "",
        )


def overview(results: Iterable[Result], order: Sequence[str]) -> Overview:
    """Count the published values of some tables.

    Args:
        results: the tables.
        order: names of experiments, in the order in which their tables stand; others follow.
    """
    place = {name: i for i, name in enumerate(order)}
    ordered = sorted(results, key=lambda result: place.get(result.experiment, len(place)))
    return Overview([line(result) for result in ordered])


def line(result: Result) -> Line:
    """Count the published values of a table."""
    printed = [entry for entry in result.entries if entry.published is not None]
    absent = [entry for entry in printed if entry.flag.startswith(ABSENT)]
    counts = tuple(result.count(verdict) for verdict in COMPARED)
    return Line(
        result=result,
        title=result.title + (f" ({result.budget})" if result.budget else ""),
        published=sum(counts) + len(absent),
        runnable=sum(counts),
        verdicts=counts,
        absent=len(absent),
        uncompared=len(printed) - len(absent) - sum(counts),
        keys=frozenset(key for entry in result.entries for key in entry.keys),
        uncommitted=result.uncommitted,
        why="; ".join(reasons(result, printed)),
    )


def reasons(result: Result, printed: Sequence[Entry]) -> Iterator[str]:
    """Say why values of a table are missing, absent or not compared, a phrase each."""
    missing = [entry for entry in printed if entry.verdict == Verdict.MISSING]
    yield from counted("no run is planned", [entry for entry in missing if not entry.keys], result)
    yield from counted("all planned runs failed", [entry for entry in missing if entry.failed], result)
    left = [entry for entry in missing if entry.keys and not entry.failed]
    yield from counted("planned, and not recorded", left, result)
    absent = [entry for entry in printed if entry.flag.startswith(ABSENT)]
    if result.reference and result.reference.absent:
        yield f"not in semiad: {result.reference.absent} ({len(absent)})"
    elif absent:
        yield f"not in semiad: {', '.join(systems(result, absent))} ({len(absent)})"
    for doubt, count in Counter(entry.doubt for entry in printed if entry.doubt).items():
        yield f"not compared: {doubt} ({count})"
    lost = sum(UNKNOWN in entry.row + entry.column for entry in printed)
    if lost:
        yield f"not compared: the text has lost where the value stood ({lost})"
    unprinted = sum(entry.published is None and bool(entry.printed or entry.flag) for entry in result.entries)
    if unprinted:
        yield f"not counted: no value is printed, or the text has lost it ({unprinted})"


def counted(words: str, entries: Sequence[Entry], result: Result) -> Iterator[str]:
    """Count entries, by data set where the table has several."""
    if not entries:
        return
    heads = [*result.row_heads, *result.column_heads]
    if DATASET.head in heads:
        at = heads.index(DATASET.head)
        counts = Counter((entry.row + entry.column)[at] for entry in entries)
        yield f"{words}: {', '.join(f'{name} {count}' for name, count in counts.items())}"
    else:
        yield f"{words} ({len(entries)})"


def systems(result: Result, entries: Sequence[Entry]) -> Iterator[str]:
    """Name the systems of entries that semiad has not, in the table's order."""
    reference = result.reference
    if reference:
        for i, coordinate in enumerate(reference.coordinates):
            names = dict.fromkeys((entry.row + entry.column)[i] for entry in entries)
            yield from (name for name in names if coordinate.known and name not in coordinate.known)


HEADS = ("table", "published", "can run", *COMPARED, "not in semiad", "not compared", "uncommitted runs", "why")


def counts(line: Line) -> list[str]:
    """Write the counts of a line, in the order of `HEADS` without the first and the last; a dot for none."""
    numbers = (line.published, line.runnable, *line.verdicts, line.absent, line.uncompared, len(line.uncommitted))
    return [f"{number:,}" if number else "·" for number in numbers]


def as_csv(made: Overview) -> str:
    """Write a row for each table, and one for their sum."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    verdicts = [str(verdict) for verdict in COMPARED]
    rest = ("absent", "uncompared", "runs", "uncommitted", "why")
    writer.writerow(["experiment", "budget", "title", "published", "runnable", *verdicts, *rest])
    for line in (*made.lines, made.total):
        name, budget = (line.result.experiment, line.result.budget) if line.result else (TOTAL, None)
        counts = [line.published, line.runnable, *line.verdicts, line.absent, line.uncompared]
        more = [len(line.keys), len(line.uncommitted), line.why]
        writer.writerow([name, budget, line.result.title if line.result else "", *counts, *more])
    return file.getvalue()
