"""`semiad archive`: results in few files."""

from pathlib import Path

from semiad.console import open_console
from semiad.ledger.archive import archive_ledger


def run_archive(results: Path, folder: Path) -> None:
    """Add results to an archive, and say what it holds.

    Raises:
        InputError: there is nothing to archive, or what there is cannot be archived.
    """
    made, console = archive_ledger(results, folder), open_console()
    for sentence in made.warnings:
        console.print(f"warning: {sentence}", markup=False)
    failed = f", {made.failed} of them failed" if made.failed else ""
    console.print(f"{folder}: {made.runs} runs{failed}, of {made.plans} plans. Next:", markup=False)
    console.print(f"  semiad report results={folder}", markup=False)
