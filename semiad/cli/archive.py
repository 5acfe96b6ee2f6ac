"""`semiad archive`: results in few files."""

from pathlib import Path

from semiad.console import open_console
from semiad.ledger.archive import archive_ledger


def run_archive(results: Path, folder: Path, replace: bool) -> None:
    """Add results to an archive, and say what it holds.

    Raises:
        InputError: there is nothing to archive, or the archive cannot be used.
    """
    made, console = archive_ledger(results, folder, replace), open_console()
    for sentence in made.warnings:
        console.print(f"warning: {sentence}", markup=False)
    failed = f", {made.failed} of them failed" if made.failed else ""
    dropped = f"; {made.dropped} older runs are dropped" if made.dropped else ""
    console.print(f"{folder}: {made.runs} runs{failed}, of {made.plans} plans{dropped}. Next:", markup=False)
    console.print(f"  semiad report results={folder}", markup=False)
