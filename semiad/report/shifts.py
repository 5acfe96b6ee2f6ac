"""Shifts of a method over all cells of a table, which verdicts cell by cell cannot show."""

from collections.abc import Mapping, Sequence

import numpy as np

from semiad.report.coordinates import TOTAL
from semiad.report.experiment import Experiment
from semiad.report.result import Entry, Shift
from semiad.report.statistics import sign_test, student
from semiad.report.verdicts import DECIMALS, Verdict


def shifts(experiment: Experiment, entries: Sequence[Entry]) -> list[Shift]:
    """Compute the mean difference of each method from the paper over the cells of a table, in the table's order.

    Means over other cells are left out, unless the table has nothing else.

    Args:
        experiment: the table; its coordinate `compared` says what a method is, without it all cells are one.
        entries: its cells.
    """
    compared = [entry for entry in entries if entry.difference is not None and entry.verdict != Verdict.UNPUBLISHED]
    single = [entry for entry in compared if TOTAL not in entry.row + entry.column]
    by_method: dict[str, list[float]] = {}
    for entry in single or compared:
        if entry.difference is not None:
            by_method.setdefault(method_of(experiment, entry), []).append(round(entry.difference, DECIMALS))
    return [shift(method, differences) for method, differences in by_method.items()]


def method_of(experiment: Experiment, entry: Entry) -> str:
    """Name the method of a cell; a table that has no column or row of methods is of its subject."""
    where: Mapping[str, str] = dict(zip(experiment.heads, entry.row + entry.column, strict=True))
    head = experiment.compared.head if experiment.compared else ""
    return where.get(head, experiment.subject or "all")


def shift(method: str, differences: Sequence[float]) -> Shift:
    """Summarize differences: their mean with Student's 95 % interval, how many have each sign, and the sign test."""
    values = np.array(differences)
    low, high = student(values) if len(values) > 1 else (None, None)
    lower, higher = int((values < 0).sum()), int((values > 0).sum())
    return Shift(method, len(values), float(values.mean()), low, high, lower, higher, sign_test(lower, higher))
