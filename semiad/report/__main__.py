"""The command."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from semiad import records, report
from semiad.report.summary import groups, remarks, table, write_csv


def main(argv: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m semiad.report", description=report.__doc__)
    parser.add_argument("results", nargs="?", default="results=outputs/results", metavar="results=DIR")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the table there as well")
    options = parser.parse_args(argv)
    name, _, value = options.results.partition("=")
    if name != "results" or not value:
        parser.error(f"'{options.results}' is not of the form results=DIR")
    folder = Path(value)
    ledger = records.read(folder)
    found = groups(ledger)
    # In a pipe nothing is cut to a width.
    console = Console(width=None if sys.stdout.isatty() else 10_000, highlight=False)
    console.print(table(found))
    for remark in remarks(ledger, found, folder):
        console.print(remark, markup=False)
    try:
        if options.csv:
            with options.csv.open("w", newline="") as file:
                write_csv(found, file)
    except OSError as error:
        sys.exit(f"error: --csv {options.csv} cannot be written ({error.strerror})")
    if ledger.conflicts:
        sys.exit(1)


if __name__ == "__main__":
    main()
