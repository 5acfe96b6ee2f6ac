"""The summary of what the parts have measured, as text."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean

from benchmarks.gpu.results import read_rows

Row = dict[str, str]
HIDDEN = ("words", "operations", "bytes", "tolerance")
"""Columns that only the CSV files have."""
ALONE = "engine=lightning, "
"""What the names of commands begin with whose runs are trained one by one."""


def summarize(folder: Path) -> Iterator[str]:
    """Yield the lines of a summary: every table, the parts last, and what follows from them."""
    for name in ("packed", "vgg", "commands", "right", "parts"):
        if rows := read_rows(folder / f"{name}.csv"):
            yield f"{name}.csv"
            yield from aligned(rows)
            yield ""
    yield from about_checks(read_rows(folder / "right.csv"))
    yield from about_commands(read_rows(folder / "commands.csv"))


def about_checks(checks: Sequence[Row]) -> Iterator[str]:
    """Yield which checks hold."""
    latest = {(row["card"], row["check"]): row for row in checks}
    failing = [row for row in latest.values() if row["holds"] != "yes"]
    if latest:
        yield f"{len(latest) - len(failing)} of {len(latest)} checks hold"
    for row in failing:
        yield f"DOES NOT HOLD: {row['check']}: {row['difference'] or row['note']} ({row['card']})"


def about_commands(commands: Sequence[Row]) -> Iterator[str]:
    """Yield what the grid and the thirtieth of Figure 3 took."""
    for row in commands:
        if row["status"] != "done" or row["command"].startswith(ALONE) or row["part"] not in ("grid", "figure3"):
            continue
        seconds, runs = total(commands, row)
        said = f"{row['command']}: {runs} runs in {seconds:.0f} s"
        if row["part"] == "figure3" and runs:
            said += f"; all 27,000 would take {27000 * seconds / runs / 60:.0f} minutes"
        method = row["command"].rpartition(" ")[2]
        ones = [other for other in commands if other["command"].startswith(ALONE) and other["card"] == row["card"]]
        alone = [float(other["run_s"]) for other in ones if other["command"].endswith(f" {method}") and other["run_s"]]
        if alone:
            said += f", {fmean(alone) * runs / seconds:.0f} times engine=lightning ({fmean(alone):.1f} s a run)"
        yield f"{said} ({row['card']})"


def total(commands: Sequence[Row], row: Row) -> tuple[float, int]:
    """Sum the seconds and runs of a command over the goes that it took on one device."""
    same = [other for other in commands if all(other[key] == row[key] for key in ("card", "part", "command"))]
    return sum(float(other["wall_s"]) for other in same), sum(int(other["runs"]) for other in same)


def aligned(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of a table in columns of equal width."""
    names = [name for name in rows[0] if name not in HIDDEN]
    lines = [names, *([row[name] or "" for name in names] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(names))]
    for line in lines:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
