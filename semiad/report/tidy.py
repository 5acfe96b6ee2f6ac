"""A result as CSV: one row an entry, with all digits."""

import csv
import io

from semiad.report.result import Result

OURS = ("mean", "std", "low", "high", "n")
FIGURES = (
    *("ours_mean", "ours_std", "ours_low", "ours_high", "runs", "published_mean", "published_std", "printed"),
    *("difference", "verdict", "planned", "failed", "missing", "flag"),
)


def render(result: Result) -> str:
    """All entries; a coordinate a column, empty where there is no figure."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["experiment", "budget", "unit", *result.row_heads, *result.column_heads, *FIGURES])
    for entry in result.entries:
        ours = [getattr(entry.ours, name, None) for name in OURS]
        published = [entry.published, entry.published_std, entry.printed, entry.difference, entry.verdict]
        where = [result.experiment, result.budget, result.unit, *entry.row, *entry.column]
        writer.writerow([*where, *ours, *published, entry.planned, entry.failed, entry.missing, entry.flag])
    return file.getvalue()
