"""Options and arguments that several commands of `semiad` have."""

from pathlib import Path
from typing import Annotated

import typer

FILES = "A file (CSV, also .gz; Parquet, Arrow, .npz, .npy or .mat)"
TableFile = Annotated[
    Path,
    typer.Argument(metavar="TABLE", help=f"{FILES} or a folder of images (docs/images.md).", show_default=False),
]
TableAlone = Annotated[Path, typer.Argument(metavar="TABLE", help=f"{FILES}.", show_default=False)]
Model = Annotated[
    Path, typer.Argument(metavar="MODEL", help="Folder of a detector that `semiad fit` has saved.", show_default=False)
]
Label = Annotated[str | None, typer.Option(metavar="COLUMN", help="Name of the column of labels.", show_default=False)]
Anomaly = Annotated[str | None, typer.Option(metavar="VALUE", help="Value that marks an anomaly, if not 1.")]
Normal = Annotated[str | None, typer.Option(metavar="VALUE", help="Value that marks a checked normal row, if not 0.")]
Drop = Annotated[list[str] | None, typer.Option(metavar="COLUMN", help="Leave this column out. May be repeated.")]
Kinds = Annotated[
    list[str] | None,
    typer.Option(
        "--as",
        metavar="COLUMN=KIND",
        help="Read this column as number, boolean, category, date or text. May be repeated.",
    ),
]
More = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE",
        help="Table of more labelled rows, such as one of `semiad query`. May be repeated.",
        show_default=False,
    ),
]
Separator = Annotated[
    str | None, typer.Option(metavar="CHAR", help="Character between columns of a text file; detected if not given.")
]
Decimal = Annotated[
    str | None, typer.Option(metavar="CHAR", help="Decimal mark of a text file, `.` or `,`; detected if not given.")
]
Missing = Annotated[
    list[str] | None,
    typer.Option(metavar="TEXT", help="Text that stands for a missing value, such as `?`. May be repeated."),
]
MaxUnlabelled = Annotated[
    int | None,
    typer.Option(
        metavar="ROWS", min=1, help="Use at most so many unlabelled rows, drawn at random; 1,000,000 if not given."
    ),
]
Size = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="Resize all images to 28, or 28x32 (height x width).", show_default=False),
]
Folds = Annotated[int, typer.Option(min=2, help="Number of folds of the cross-validation.")]
Repeats = Annotated[int, typer.Option(min=1, help="Number of cross-validations, each with other folds.")]
FirstSeed = Annotated[int, typer.Option(min=0, max=2**31, help="Seed of all random numbers.")]
Rate = Annotated[
    float | None,
    typer.Option(
        metavar="RATE",
        help="False alarm rate: share of normal rows that become alarms; that of the model if not given.",
    ),
]
Device = Annotated[str, typer.Option(help="Device: auto, cpu, cuda, cuda:N or mps.")]
