"""The command `python -m semiad.report`."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from semiad.errors import InputError
from semiad.ledger import reader
from semiad.ledger.files import user_path
from semiad.ledger.reader import Ledger
from semiad.report import output, unlisted
from semiad.report.experiment import Paper
from semiad.report.overview import overview
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
        "[--figures DIR] [--overview | --claims | --labels]",
        description="Print a table of the recorded runs, or write it to a file. With experiment=NAME the published "
        f"values stand beside yours. Experiments: {', '.join(known.experiments)}.",
    )
    parser.add_argument(
        "settings",
        nargs="*",
        metavar="NAME=VALUE",
        help="experiment=NAME, budget=quick or full, results=DIR: folder of the records (default outputs/results)",
    )
    parser.add_argument(
        "--format",
        choices=output.FORMATS,
        help="format of the report; default: that of the suffix of --out, else terminal",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="PATH",
        help="file to write; if not given, the report is printed (html: written to report.html)",
    )
    parser.add_argument("--figures", type=Path, metavar="DIR", help="folder for the figures, as SVG, PDF and PNG")
    pages = parser.add_mutually_exclusive_group()
    pages.add_argument(
        "--overview",
        action="store_true",
        help="count all published values by verdict (format terminal, csv or markdown)",
    )
    pages.add_argument("--claims", action="store_true", help="test the claims of the papers (format markdown or csv)")
    pages.add_argument(
        "--labels",
        action="store_true",
        help="compare methods by number of labels (experiments labels, labels_unseen; format markdown)",
    )
    options = parser.parse_intermixed_args(argv)
    settings = {name: value for name, _, value in (word.partition("=") for word in options.settings)}
    if wrong := [word for word in options.settings if word.partition("=")[0] not in SETTINGS or word[-1:] == "="]:
        parser.error(f"'{wrong[0]}' is none of {', '.join(f'{name}=...' for name in SETTINGS)}")
    try:
        options.format = options.format or (
            "markdown" if (options.claims or options.labels) and not options.out else output.form(options.out)
        )
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
    words = "".join(f"{shlex.quote(f'{key}={settings[key]}')} " for key in ("experiment", "budget") if key in settings)
    if options.claims:
        output.claims(papers(ledger, known, name), ledger, budget, options.format, options.out, words)
        return ledger.conflicts
    if options.labels:
        output.labels(ledger, budget, options.format, options.out, words)
        return ledger.conflicts
    groups = not name and not options.overview and options.format in ("terminal", "csv")
    if groups and budget:
        raise InputError(f"budget={budget} is of an experiment: experiment=NAME names one; without, all runs are shown")
    results = [] if groups and not options.figures else choose(ledger, known, name, budget)
    if not results and not groups and not options.overview:
        raise InputError(f"results={path} holds no runs and no plans: python -m semiad.train makes some")
    if options.figures:
        output.figures(results, ledger, options.figures)
    if groups:
        output.groups(ledger, options.format, options.out)
        return ledger.conflicts
    made = overview(results if name else [*unplanned(ledger, known, results), *results], [*known.experiments])
    if options.overview:
        output.overview(made, ledger, options.format, options.out)
    else:
        output.tables(results, made, ledger, options.format, options.out, words)
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


def papers(ledger: Ledger, known: Catalogue, name: str | None = None) -> list[Paper]:
    """List the papers of which anything is planned, or the one of an experiment.

    Raises:
        InputError: there is no such experiment.
    """
    planned = [known.experiment(name)] if name else known.experiments.values()
    names = {*ledger.plans["experiment"]}
    return [*dict.fromkeys(experiment.paper for experiment in planned if name or experiment.name in names)]


def unplanned(ledger: Ledger, known: Catalogue, results: Sequence[Result]) -> list[Result]:
    """Make the tables of the papers at hand of which no run is planned: their published values are missing."""
    made = {result.experiment for result in results}
    every = (experiment for paper in papers(ledger, known) for experiment in paper.experiments)
    rest = [reproduce(known.experiments[one.name], ledger) for one in every if one.name not in made]
    return [result for result in rest if any(entry.printed or entry.flag for entry in result.entries)]


if __name__ == "__main__":
    main()
