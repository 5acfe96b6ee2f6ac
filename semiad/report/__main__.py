"""The command `python -m semiad.report`."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from semiad import report
from semiad.errors import InputError
from semiad.ledger import reader
from semiad.ledger.files import user_path
from semiad.ledger.reader import Ledger
from semiad.report import output, unlisted
from semiad.report.papers import Catalogue, catalogue
from semiad.report.result import Result
from semiad.report.tables import reproduce

SETTINGS = ("experiment", "budget", "results")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command. Its exit status is 1 on bad input, and if a record contradicts another."""
    known = catalogue()
    for warning in known.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    parser = argparse.ArgumentParser(
        prog="python -m semiad.report",
        usage="%(prog)s [experiment=NAME] [budget=quick|full] [results=DIR] [--format FORMAT] [--out PATH] "
        "[--figures DIR]",
        description=f"{report.__doc__} Experiments: {', '.join(known.experiments)}.",
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
        for name in ("out", "figures"):
            if path := getattr(options, name):
                setattr(options, name, user_path(f"--{name}", str(path)))
        conflicts = write(settings, options, known)
    except InputError as error:
        sys.exit(f"error: {error}")
    if conflicts:
        sys.exit("\n".join(f"error: {conflict}" for conflict in conflicts))


def write(settings: dict[str, str], options: argparse.Namespace, known: Catalogue) -> Sequence[str]:
    """Report on a ledger, and return its conflicts.

    Raises:
        InputError: there is no such folder, experiment or budget, or a file cannot be written.
    """
    folder, name, budget = (settings.get(word) for word in ("results", "experiment", "budget"))
    path = user_path("results", folder or "outputs/results")
    if not path.is_dir():
        raise InputError(f"results={path} is no folder: python -m semiad.train results={path} makes one")
    ledger = reader.read(path)
    overview = not name and options.format in ("terminal", "csv")
    results = [] if overview and not options.figures else choose(ledger, known, name, budget)
    if not results and not overview:
        raise InputError(f"results={path} holds no runs and no plans: python -m semiad.train makes some")
    if options.figures:
        output.figures(results, ledger, options.figures)
    if overview:
        output.groups(ledger, options.format, options.out)
    else:
        chosen = [shlex.quote(f"{key}={settings[key]}") for key in ("experiment", "budget") if key in settings]
        output.tables(results, ledger, options.format, options.out, "".join(f"{word} " for word in chosen))
    return ledger.conflicts


def choose(ledger: Ledger, known: Catalogue, name: str | None, budget: str | None) -> Sequence[Result]:
    """Make the tables of one experiment, or of all that is planned or recorded.

    Raises:
        InputError: there is no such experiment or budget.
    """
    if name in unlisted.unlisted(ledger, known.experiments):
        return unlisted.of_experiment(ledger, name, budget)
    if name:
        return [reproduce(known.experiment(name, ledger.plans["experiment"].drop_nulls()), ledger, budget)]
    planned = {*ledger.plans["experiment"]}
    listed = [
        reproduce(experiment, ledger, budget) for experiment in known.experiments.values() if experiment.name in planned
    ]
    return [*listed, *unlisted.results(ledger, known.experiments, budget)]


if __name__ == "__main__":
    main()
