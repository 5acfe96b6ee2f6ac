"""Tables that a command reads and writes."""

import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile
from typing import TypedDict

import polars as pl
from polars.io.plugins import register_io_source

from semiad.cli.messages import notes
from semiad.errors import InputError, named
from semiad.ledger.atomic import atomic_write, check_absent
from semiad.tabular.files import open_table
from semiad.tabular.sample import MOST_UNLABELLED, TableSample, sample_table, with_more
from semiad.tabular.table import Table, Types

STDOUT = "-"


class Meanings(TypedDict):
    """What values of a column of labels mean, see `semi_labels`."""

    anomaly: str | None
    normal: str | None
    missing: Sequence[str]


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
        max_unlabelled: number of unlabelled rows to draw, at most; None for `MOST_UNLABELLED`.
        more: tables of more labelled rows.
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
    max_unlabelled: int | None = None
    more: Sequence[Path] = ()

    def open(self, texts: Collection[str] = ()) -> Table:
        """Open the table, of which some columns are text, though all of their values may look like numbers.

        Raises:
            InputError: it cannot be read.
        """
        console = notes()
        with console.status(f"reading {self.path}") if console.is_terminal else nullcontext():
            return open_table(self.path, separator=self.separator, decimal=self.decimal, texts=texts)

    def sample(self, seed: int = 0) -> TableSample:
        """Read all labelled rows of the table, and as many of the others as are asked for.

        Raises:
            InputError: it cannot be read, or there is no such column, or other labels.
        """
        if self.label in self.drop:
            raise InputError(f"--drop {self.label} is the column of the labels, which is not learnt from anyway")
        table, most = self.open(), MOST_UNLABELLED if self.max_unlabelled is None else self.max_unlabelled
        codes = [name for name, kind in self.kind_of.items() if kind in ("category", "text")]
        if any(name in table.schema and table.schema[name].is_integer() for name in codes):
            table = self.open(codes)  # 0123 is another code than 123
        sample = sample_table(table, self.label, **self.meanings, max_unlabelled=most, random_state=seed)
        if self.label is None:
            if self.more:
                raise InputError(f"--more {self.more[0]} has labels, but --label does not name their column")
            return sample
        for path, more in self.answers(sample.rows.schema):
            with named(f"--more {path}"):
                sample = with_more(sample, more, self.label, **self.meanings)
        return sample

    def answers(self, schema: Types) -> Iterator[tuple[Path, pl.DataFrame]]:
        """Read the tables of more labelled rows, whose columns have the types of the first table.

        Raises:
            InputError: one cannot be read.
        """
        texts = [name for name, kind in schema.items() if not (kind.is_numeric() or kind == pl.Boolean)]
        for path in self.more:
            with named(f"--more {path}"):
                yield path, open_table(path, texts=texts).read()

    @property
    def meanings(self) -> Meanings:
        """Say what the values of the column of labels mean, as keywords of `semi_labels`."""
        return {"anomaly": self.anomaly, "normal": self.normal, "missing": self.missing}

    @property
    def label_words(self) -> list[str]:
        """List the options that say what labels are, as words of a command."""
        return as_words({"--label": [self.label], "--anomaly": [self.anomaly], "--normal": [self.normal]})

    @property
    def words(self) -> list[str]:
        """List the options, as words of a command."""
        others: dict[str, Sequence[object]] = {
            "--drop": self.drop,
            "--as": self.kinds,
            "--missing": self.missing,
            "--max-unlabelled": [self.max_unlabelled],
            "--more": self.more,
            "--separator": [self.separator],
            "--decimal": [self.decimal],
        }
        return [*self.label_words, *as_words(others)]

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


def as_words(options: Mapping[str, Sequence[object]]) -> list[str]:
    """Write options as words of a command; None stands for an option that is not given."""
    given = [(name, str(value)) for name, values in options.items() for value in values if value is not None]
    return [word for pair in given for word in pair]


def check_settings(words: Sequence[str]) -> None:
    """Check that words of a command that are no options are settings.

    Raises:
        InputError: one is not.
    """
    if wrong := [word for word in words if "=" not in word]:
        raise InputError(f"'{wrong[0]}' is neither an option nor a setting, expected KEY=VALUE")


def check_new(path: Path) -> None:
    """Check that a path can be made, before what it is to hold is computed.

    Raises:
        InputError: it exists, or its folder cannot be written to.
    """
    check_absent(path)
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir():
        raise InputError(f"{path} cannot be written to: {folder} is no folder")
    try:
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(f"{path} cannot be written to: the folder {folder} is not writable") from error


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


def write_table(chunks: Iterable[pl.DataFrame], out: str) -> None:
    """Write a table chunk by chunk, completely or not at all; `-` is standard output.

    Raises:
        InputError: it cannot be written.
    """
    if out == STDOUT:
        for number, chunk in enumerate(chunks):
            sys.stdout.write(chunk.write_csv(include_header=not number))
        return
    path = Path(out)
    try:
        with atomic_write(path) as draft:
            WRITERS[path.suffix.lower()](scan_chunks(chunks), draft)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise InputError(f"{path} cannot be written to ({reason}); nothing was left there") from error


def scan_chunks(chunks: Iterable[pl.DataFrame]) -> pl.LazyFrame:
    """Let Polars' writers take one chunk after the other, of which there is at least one."""
    rest = iter(chunks)
    first = next(rest)
    return register_io_source(lambda *_: chain([first], rest), schema=first.schema)


WRITERS: dict[str, Callable[[pl.LazyFrame, Path], None]] = {
    **{".csv": pl.LazyFrame.sink_csv, ".tsv": partial(pl.LazyFrame.sink_csv, separator="\t")},
    **dict.fromkeys((".parquet", ".pq"), pl.LazyFrame.sink_parquet),
    **dict.fromkeys((".arrow", ".feather", ".ipc"), pl.LazyFrame.sink_ipc),
}
