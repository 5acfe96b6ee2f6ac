"""Results as CSV: one row an entry, with all digits."""

import csv
import io
from collections.abc import Sequence
from itertools import groupby

from semiad.report.result import Entry, Result, Shift
from semiad.report.shifts import method_of

OURS = ("mean", "std", "low", "high", "n")
SHIFT = ("mean", "low", "high", "cells", "lower", "higher", "p")
COLUMNS = (
    *("ours_mean", "ours_std", "ours_low", "ours_high", "runs", "published_mean", "published_std", "printed"),
    *("difference", "verdict", "cause", "planned", "failed", "missing", "uncommitted", "flag"),
    *("shift", "shift_low", "shift_high", "shift_cells", "shift_lower", "shift_higher", "shift_p"),
)
"""The last ones are the shift of the cell's method over all cells of the table, the same in each of its rows."""


def render(results: Sequence[Result]) -> str:
    """Write all entries, a coordinate a column, empty where there is no value; a header where columns change."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    for i, (columns, alike) in enumerate(groupby(results, key=header)):
        if i:
            file.write("\n")
        writer.writerow(columns)
        writer.writerows(row(result, entry) for result in alike for entry in result.entries)
    return file.getvalue()


def header(result: Result) -> list[str]:
    """List the names of the columns."""
    shared = [head for head, _ in result.shared]
    return ["experiment", "budget", "unit", *shared, *result.row_heads, *result.column_heads, *COLUMNS]


def row(result: Result, entry: Entry) -> list[object]:
    """List the values of an entry."""
    where = [result.experiment, result.budget, result.unit, *(text for _, text in result.shared)]
    ours = [getattr(entry.ours, name, None) for name in OURS]
    published = [entry.published, entry.published_std, entry.printed, entry.difference]
    counts = [entry.planned, entry.failed, entry.missing, entry.uncommitted]
    shift = [getattr(shift_of(result, entry), name, None) for name in SHIFT]
    told = [entry.verdict, entry.cause, *counts, entry.flag]
    return [*where, *entry.row, *entry.column, *ours, *published, *told, *shift]


def shift_of(result: Result, entry: Entry) -> Shift | None:
    """Find the shift of the method of an entry; None if nothing of it is compared."""
    method = result.reference and method_of(result.reference, entry)
    return next((shift for shift in result.shifts if shift.method == method), None)
