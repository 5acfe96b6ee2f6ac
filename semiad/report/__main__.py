"""The command."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from semiad import report
from semiad.errors import InputError
from semiad.ledger import reader
from semiad.report import output, own
from semiad.report.experiments import EXPERIMENTS, experiment
from semiad.report.tables import reproduce

SETTINGS = ("experiment", "budget", "results")


def main(argv: Sequence[str] | None = None) -> None:
    """The command. Exit status 1 on bad input, and if a record contradicts another."""
    parser = argparse.ArgumentParser(
        prog="python -m semiad.report",
        usage="%(prog)s [experiment=NAME] [budget=quick|full] [results=DIR] [--format FORMAT] [--out PATH] "
        "[--figures DIR]",
        description=f"{report.__doc__} Experiments: {', '.join(one.name for one in EXPERIMENTS)}.",
    )
    parser.add_argument("settings", nargs="*", metavar="NAME=VALUE", help="results: default outputs/results")
    parser.add_argument("--format", choices=output.FORMATS, help="default: by the suffix of --out, else terminal")
    parser.add_argument(
        "--out", type=Path, metavar="PATH", help="where to write; without it to the terminal (html: report.html)"
    )
    parser.add_argument("--figures", type=Path, metavar="DIR", help="write each figure there as SVG, PDF and PNG")
    options = parser.parse_intermixed_args(argv)
    options.format = options.format or output.form(options.out)
    settings = {name: value for name, _, value in (word.partition("=") for word in options.settings)}
    if wrong := [word for word in options.settings if word.partition("=")[0] not in SETTINGS or word[-1:] == "="]:
        parser.error(f"'{wrong[0]}' is none of {', '.join(f'{name}=...' for name in SETTINGS)}")
    try:
        conflicts = write(settings, options)
    except InputError as error:
        sys.exit(f"error: {error}")
    if conflicts:
        sys.exit("\n".join(f"error: {conflict}" for conflict in conflicts))


def write(settings: dict[str, str], options: argparse.Namespace) -> Sequence[str]:
    """Report on a ledger, and return its conflicts.

    Raises:
        InputError: there is no such folder, experiment or budget, or a file cannot be written.
    """
    name, folder = settings.get("experiment"), Path(settings.get("results", "outputs/results"))
    chosen = [experiment(name)] if name else []
    if not folder.is_dir():
        raise InputError(f"results={folder} is no folder: python -m semiad.train results={folder} makes one")
    found = reader.read(folder)
    if not name and (options.figures or options.format not in ("terminal", "csv")):
        planned = {*found.plans["experiment"]}
        chosen = [one for one in EXPERIMENTS if one.name in planned]
    results = [reproduce(one, found, settings.get("budget")) for one in chosen]
    if not name and options.format not in ("terminal", "csv"):
        results += own.results(found)
        if not results:
            raise InputError(f"results={folder} holds no runs and no plans: python -m semiad.train makes some")
    if options.figures:
        output.figures(results, found, options.figures)
    if not name and options.format in ("terminal", "csv"):
        output.groups(found, options.format, options.out)
    else:
        output.tables(results, found, options.format, options.out)
    return found.conflicts


if __name__ == "__main__":
    main()
