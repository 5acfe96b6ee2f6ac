"""The commands of `semiad` and their options. What a command needs (torch, Polars) is imported when it runs."""

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from semiad.cli.messages import sentences
from semiad.cli.options import (
    Anomaly,
    Decimal,
    Device,
    Drop,
    FirstSeed,
    Folds,
    Kinds,
    Label,
    MaxUnlabelled,
    Missing,
    Model,
    More,
    Normal,
    Rate,
    Repeats,
    Separator,
    Size,
    TableAlone,
    TableFile,
)
from semiad.detector.candidates import BEST

CONTEXT = {"help_option_names": ["-h", "--help"]}
app = typer.Typer(
    name="semiad",
    help="Semi-supervised anomaly detection: train a detector on a table or on images with few labels. A label is 1 "
    "for an anomaly, 0 for a row that was checked and is normal, and empty for an unlabelled row.",
    context_settings=CONTEXT,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


class SentenceCommand(TyperCommand):
    """A command whose errors and warnings are sentences."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 # typer has no public name for its contexts' base
        """Run the command."""
        with sentences():
            return super().invoke(ctx)


class OtherCommand(TyperCommand):
    """A command that parses its words by itself, options and `--help` included."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401
        """Leave the words alone."""
        ctx.args = args
        return args


@app.command(cls=SentenceCommand)
def check(
    table: TableFile,
    label: Label = None,
    anomaly: Anomaly = None,
    normal: Normal = None,
    drop: Drop = None,
    kinds: Kinds = None,
    missing: Missing = None,
    max_unlabelled: MaxUnlabelled = None,
    separator: Separator = None,
    decimal: Decimal = None,
    size: Size = None,
) -> None:
    """Show how semiad reads a table or a folder of images, and what may be wrong with it. Nothing is trained."""
    from semiad.cli.check import run_check
    from semiad.cli.folders import ImageOptions, are_images
    from semiad.cli.images import check_images
    from semiad.cli.tables import TableOptions

    texts = (separator, decimal, missing or ())
    rows = TableOptions(table, label, anomaly, normal, drop or (), kinds or (), *texts, max_unlabelled)
    if are_images(rows, size=size):
        check_images(ImageOptions(table, size, anomaly, normal))
    else:
        run_check(rows)


@app.command(cls=SentenceCommand)
def fit(
    table: TableFile,
    out: Annotated[Path, typer.Option(metavar="MODEL", help="New folder for the detector.", show_default=False)],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="Settings of the method, such as method.lam.alpha=1."),
    ] = None,
    label: Label = None,
    anomaly: Anomaly = None,
    normal: Normal = None,
    drop: Drop = None,
    kinds: Kinds = None,
    missing: Missing = None,
    max_unlabelled: MaxUnlabelled = None,
    more: More = None,
    method: Annotated[
        str,
        typer.Option(help="Method: aesad, ae, logistic, ... (docs/detector.md); auto compares methods first."),
    ] = "auto",
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1, help="Epochs of each training phase; if not given, the method's own, in at most 20,000 steps."
        ),
    ] = None,
    ensemble: Annotated[
        int, typer.Option(min=1, help="Number of models of each method, which differ in their seed.")
    ] = 5,
    best: Annotated[
        int | None,
        typer.Option(
            min=1, help=f"Number of methods that auto takes, {BEST} if not given; 1 for the simplest of about the best."
        ),
    ] = None,
    fpr: Annotated[
        float, typer.Option(metavar="RATE", help="False alarm rate: share of normal rows that become alarms.")
    ] = 0.01,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of all random numbers.")] = 0,
    device: Device = "auto",
    separator: Separator = None,
    decimal: Decimal = None,
    size: Size = None,
    features: Annotated[
        str | None,
        typer.Option(
            metavar="NETWORK",
            help="Train on features of images, which this network of torchvision computes; such as resnet18.",
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Weights of that network; those that torchvision downloads if not given."),
    ] = None,
) -> None:
    """Train a detector on a table or a folder of images, set its threshold on rows that are held out, and save it."""
    from semiad.cli.fit import FitOptions, run_fit
    from semiad.cli.folders import ImageOptions, are_images
    from semiad.cli.images import fit_images
    from semiad.cli.tables import TableOptions

    texts = (separator, decimal, missing or ())
    rows = TableOptions(table, label, anomaly, normal, drop or (), kinds or (), *texts, max_unlabelled, more or ())
    options = FitOptions(out, method, epochs, ensemble, best, fpr, seed, device, overrides or ())
    if are_images(rows, size=size, features=features, weights=weights):
        fit_images(ImageOptions(table, size, anomaly, normal, features, weights), options)
    else:
        run_fit(rows, options)


@app.command(cls=SentenceCommand)
def compare(
    table: TableAlone,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="Settings of all methods that --method names."),
    ] = None,
    label: Label = None,
    anomaly: Anomaly = None,
    normal: Normal = None,
    drop: Drop = None,
    kinds: Kinds = None,
    missing: Missing = None,
    max_unlabelled: MaxUnlabelled = None,
    more: More = None,
    method: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Methods to compare, the simplest first: logistic,aesad,devnet; a selection if not given.",
        ),
    ] = None,
    subtype: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="The kind of each anomaly: each fold leaves one kind out of training."),
    ] = None,
    folds: Folds = 5,
    repeats: Repeats = 5,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder for the page and the results; TABLE.compare if not given."),
    ] = None,
    seed: FirstSeed = 0,
    device: Device = "auto",
    separator: Separator = None,
    decimal: Decimal = None,
) -> None:
    """Compare methods on a table by repeated cross-validation, and choose one. Repeat a stopped command to go on."""
    from semiad.cli.compare import CompareOptions, run_compare
    from semiad.cli.tables import TableOptions

    texts = (separator, decimal, missing or ())
    rows = TableOptions(table, label, anomaly, normal, drop or (), kinds or (), *texts, max_unlabelled, more or ())
    names = [name.strip() for name in method.split(",")] if method else []
    folder = out or Path(f"{table.name.partition('.')[0]}.compare")
    run_compare(rows, CompareOptions(folder, names, folds, repeats, seed, device, overrides or (), subtype))


@app.command(cls=SentenceCommand)
def plan(
    table: TableAlone,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="Settings of the method."),
    ] = None,
    label: Label = None,
    anomaly: Anomaly = None,
    normal: Normal = None,
    drop: Drop = None,
    kinds: Kinds = None,
    missing: Missing = None,
    max_unlabelled: MaxUnlabelled = None,
    more: More = None,
    method: Annotated[str, typer.Option(help="Method.")] = "aesad",
    folds: Folds = 5,
    repeats: Repeats = 5,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder for the results; TABLE.plan if not given.")
    ] = None,
    seed: FirstSeed = 0,
    device: Device = "auto",
    separator: Separator = None,
    decimal: Decimal = None,
) -> None:
    """Forecast how much better a method becomes with 2, 5 and 10 times as many labels."""
    from semiad.cli.compare import CompareOptions
    from semiad.cli.plan import run_plan
    from semiad.cli.tables import TableOptions

    texts = (separator, decimal, missing or ())
    rows = TableOptions(table, label, anomaly, normal, drop or (), kinds or (), *texts, max_unlabelled, more or ())
    folder = out or Path(f"{table.name.partition('.')[0]}.plan")
    run_plan(rows, CompareOptions(folder, [method], folds, repeats, seed, device, overrides or ()))


@app.command(cls=SentenceCommand)
def score(
    model: Model,
    table: TableFile,
    out: Annotated[
        str,
        typer.Option(
            metavar="FILE", help="File to write: .csv, .tsv, .parquet or .arrow; `-` prints CSV.", show_default=False
        ),
    ],
    fpr: Rate = None,
    budget: Annotated[
        int | None,
        typer.Option(
            metavar="ROWS", min=0, help="Make the rows with the largest scores alarms, so many, in place of a rate."
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Add the column `probability` (that the row is an anomaly), where this share of rows are anomalies. "
            "Only auto with ten labelled anomalies or more has it.",
        ),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the columns of the table beside the scores.")] = False,
    explain: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Name for each row the N columns with the largest share in its score."),
    ] = None,
    heatmaps: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="New folder for heat maps of the images that are alarms."),
    ] = None,
    engine: Annotated[str, typer.Option(help="local; or ray, which scores Parquet files on a Ray cluster.")] = "local",
    device: Device = "auto",
    separator: Separator = None,
    decimal: Decimal = None,
) -> None:
    """Score the rows of a table: columns `score`, `p_value` and `alarm`, in the order of the rows.

    Of a folder of images, there is a row for each file, sorted by name, with the column `file` first.
    """
    from semiad.cli.folders import are_images
    from semiad.cli.images import score_images
    from semiad.cli.score import ScoreOptions, run_score
    from semiad.cli.tables import TableOptions

    rows = TableOptions(table, separator=separator, decimal=decimal)
    options = ScoreOptions(out, fpr, budget, rate, keep, explain)
    if are_images(rows, keep=keep, explain=explain, heatmaps=heatmaps):
        score_images(model, table, options, heatmaps, device)
    else:
        run_score(model, rows, options, device, engine)


@app.command(cls=SentenceCommand)
def evaluate(
    model: Model,
    table: TableFile,
    label: Label = None,
    anomaly: Anomaly = None,
    normal: Normal = None,
    fpr: Rate = None,
    device: Device = "auto",
    separator: Separator = None,
    decimal: Decimal = None,
) -> None:
    """Measure a detector on labelled rows or images that it was not trained on."""
    from semiad.cli.evaluate import run_evaluate
    from semiad.cli.folders import ImageOptions, are_images
    from semiad.cli.images import evaluate_images
    from semiad.cli.tables import TableOptions

    rows = TableOptions(table, label, anomaly, normal, separator=separator, decimal=decimal)
    if are_images(rows):
        evaluate_images(model, ImageOptions(table, None, anomaly, normal), fpr, device)
    else:
        run_evaluate(model, rows, fpr, device)


@app.command(cls=SentenceCommand)
def query(
    model: Model,
    table: TableAlone,
    out: Annotated[str, typer.Option(metavar="FILE", help="File to write, such as ask.csv.", show_default=False)],
    label: Label = None,
    n: Annotated[int, typer.Option("--number", "-n", min=1, help="Number of rows.")] = 50,
    by: Annotated[str, typer.Option(help="How to choose: score, margin or diverse (docs/detector.md).")] = "score",
    anomaly: Anomaly = None,
    normal: Normal = None,
    more: More = None,
    device: Device = "auto",
    separator: Separator = None,
    decimal: Decimal = None,
) -> None:
    """Choose the rows that are most worth labelling, and write a file to fill in, for `semiad fit --more`."""
    from semiad.cli.query import run_query
    from semiad.cli.tables import TableOptions

    rows = TableOptions(table, label, anomaly, normal, separator=separator, decimal=decimal, more=more or ())
    run_query(model, rows, n, by, out, device)


@app.command(cls=SentenceCommand)
def export(
    model: Model,
    out: Annotated[Path, typer.Option(metavar="FILE", help="New file, or new folder for mlflow.", show_default=False)],
    format: Annotated[str, typer.Option(help="Format: onnx, pt2 (PyTorch) or mlflow.")] = "onnx",
) -> None:
    """Export a detector as ONNX or PyTorch program (numeric tables), or as MLflow model."""
    from semiad.cli.export import run_export

    run_export(model, format, out)


@app.command(cls=SentenceCommand)
def archive(
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="Folder of results.", show_default=False)],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of the archive.", show_default=False)],
) -> None:
    """Pack the results of `semiad train` into few files, to keep or to publish. The same runs twice are kept once."""
    from semiad.cli.archive import run_archive

    run_archive(results, folder)


def hand_on(name: str, module: str, about: str) -> None:
    """Add a command that is the `main` of a module, with its own options and help."""

    def run(ctx: typer.Context) -> None:
        sys.argv = [f"semiad {name}", *ctx.args]
        command: Callable[[], None] = import_module(module).main
        command()

    app.command(name, cls=OtherCommand, help=about)(run)


hand_on("train", "semiad.train", "Train methods on benchmark data (docs/training.md).")
hand_on("report", "semiad.report.__main__", "Print or write the results of `semiad train` (docs/report.md).")
hand_on("status", "semiad.status", "Show the progress of `semiad train`.")


def main() -> None:
    """Run the command."""
    app(prog_name="semiad")
