"""Tables that a command reads and writes."""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from semiad.cli.messages import notes
from semiad.errors import InputError
from semiad.ledger.atomic import atomic_write
from semiad.tabular.files import read_table
from semiad.tabular.labels import semi_labels, take_label

STDOUT = "-"


@dataclass(frozen=True)
class TableOptions:
    """A table as it is named on the command line, and how it is to be read.

    Attributes:
        path: of the file.
        label: the column of labels; None for unlabelled rows.
        anomaly: the label of an anomaly; None for 1.
        normal: that of a checked normal row; None for 0.
        drop: columns to leave out.
        kinds: what columns are whatever they look like: `COLUMN=KIND`.
        separator: of a text file; None to detect it.
        decimal: likewise.
        missing: texts that stand for a missing value.
    """

    path: Path
    label: str | None = None
    anomaly: str | None = None
    normal: str | None = None
    drop: Sequence[str] = ()
    kinds: Sequence[str] = ()
    separator: str | None = None
    decimal: str | None = None
    missing: Sequence[str] = ()

    def read(self) -> pl.DataFrame:
        """Read the table.

        Raises:
            InputError: it cannot be read.
        """
        console = notes()
        with console.status(f"reading {self.path}") if console.is_terminal else nullcontext():
            return read_table(self.path, separator=self.separator, decimal=self.decimal)

    def labelled(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, np.ndarray]:
        """Take the labels out of the table: its other columns, and 1 (anomaly), 0 (checked normal) or NaN for each row.

        Raises:
            InputError: there is no such column, or other labels.
        """
        if self.label is None:
            return frame, np.full(frame.height, np.nan)
        rows, labels = take_label(frame, self.label)
        return rows, semi_labels(labels, anomaly=self.anomaly, normal=self.normal)

    @property
    def kind_of(self) -> dict[str, str]:
        """Give the kind of each column that has one by decree.

        Raises:
            InputError: a word is not COLUMN=KIND.
        """
        pairs = [word.rpartition("=") for word in self.kinds]
        if wrong := [kind for name, _, kind in pairs if not name]:
            raise InputError(f"--as {wrong[0]} has no kind, expected COLUMN=KIND, as in --as zip=category")
        return {name: kind for name, _, kind in pairs}


def check_new(path: Path) -> None:
    """Check that a path can be made, before what it is to hold is computed.

    Raises:
        InputError: it exists, or its folder cannot be written to.
    """
    if path.exists() or path.is_symlink():
        raise InputError(f"{path} exists already: name another path, or remove it first")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir():
        raise InputError(f"{path} cannot be written to: {folder} is no folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{path} cannot be written to: the folder {folder} is not writable")


def check_writable(out: str) -> None:
    """Check that a table can be written, before it is computed.

    Raises:
        InputError: the suffix is of no format, the path exists, or its folder cannot be written to.
    """
    if out == STDOUT:
        return
    if Path(out).suffix.lower() not in WRITERS:
        raise InputError(f"--out {out} has the suffix '{Path(out).suffix}', expected one of {', '.join(WRITERS)}, or -")
    check_new(Path(out))


def write_table(frame: pl.DataFrame, out: str) -> None:
    """Write a table, completely or not at all; `-` is standard output.

    Raises:
        InputError: it cannot be written.
    """
    if out == STDOUT:
        sys.stdout.write(frame.write_csv())
        return
    path = Path(out)
    try:
        with atomic_write(path) as draft:
            WRITERS[path.suffix.lower()](frame, draft)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise InputError(f"{path} cannot be written to ({reason}); nothing was left there") from error


def write_csv(frame: pl.DataFrame, file: Path) -> None:
    """Write CSV."""
    frame.write_csv(file)


def write_tsv(frame: pl.DataFrame, file: Path) -> None:
    """Write columns between tabs."""
    frame.write_csv(file, separator="\t")


def write_parquet(frame: pl.DataFrame, file: Path) -> None:
    """Write Parquet."""
    frame.write_parquet(file)


def write_arrow(frame: pl.DataFrame, file: Path) -> None:
    """Write an Arrow file."""
    frame.write_ipc(file)


WRITERS: dict[str, Callable[[pl.DataFrame, Path], None]] = {
    **{".csv": write_csv, ".tsv": write_tsv},
    **dict.fromkeys((".parquet", ".pq"), write_parquet),
    **dict.fromkeys((".arrow", ".feather", ".ipc"), write_arrow),
}
