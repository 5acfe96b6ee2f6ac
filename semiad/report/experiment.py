"""Papers with their tables and figures: the shape of each, and which runs stand in which cell."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import polars as pl

from semiad.errors import InputError
from semiad.ledger.reader import Ledger
from semiad.report.causes import Cause
from semiad.report.claims import Claim
from semiad.report.coordinates import METHODS, Coordinate
from semiad.report.drawings import Drawing, Setting

PRINTED = {"mean": pl.Float64, "std": pl.Float64, "printed": pl.String, "note": pl.String}
LOST = "lost: the text has no body of this table; its rows are presumed"
Kind = Literal["run", "class", "win"]


@dataclass(frozen=True, eq=False)
class Paper:
    """A paper: its published tables and figures, and how it writes things.

    Attributes:
        name: prefix of the names of its experiments: "aesad" of "aesad_table5".
        title: how the paper is called in titles: "AE-SAD"; by default `name`.
        experiments: its tables and figures.
        methods: printed name of a method, by the name of its yaml; other methods are printed by that name.
        folder: where the transcribed tables lie, one CSV an experiment; None if nothing is transcribed.
        settings: the settings that its figures vary, by name.
        causes: known causes of differences in any of its tables; those of a table come before them.
        claims: what it claims of its method, with the cells that speak to it.
        better_of: where it reports the better of several methods of ours: their names in `methods`, by the name that
            it prints. The one with the greatest mean over a table stands under that name (`semiad.report.choices`).
    """

    name: str
    title: str = ""
    experiments: Sequence["Experiment"] = ()
    methods: Mapping[str, str] = field(default_factory=lambda: METHODS)
    folder: Path | None = None
    settings: Mapping[str, Setting] = field(default_factory=dict)
    causes: tuple[Cause, ...] = ()
    claims: tuple[Claim, ...] = ()
    better_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Tell each experiment its paper."""
        bound = tuple(replace(experiment, paper=self) for experiment in self.experiments)
        object.__setattr__(self, "experiments", bound)


@dataclass(frozen=True, eq=False)
class Experiment:
    """A published table or figure.

    Attributes:
        name: as in `experiment=`.
        caption: what it shows, in our words.
        rows: coordinates of a row.
        columns: coordinates of a column.
        digits: after the point, as printed.
        kind: what the mean of a cell is over: runs, runs in one test class, or wins of one method over another.
        metric: the column of a run that counts.
        percent: whether it is printed in percent.
        compared: the coordinate whose values are compared by tests; None if there is nothing to compare.
        subject: the value of `compared` that is tested against each other one.
        totals: heads of the coordinates over which the table has means.
        difference: in the coordinate `compared`, the name of the difference between the first and the second of these.
        source: the transcribed table: a file, or its name in the folder of the paper without `.csv`, if that is not
            the experiment's.
        lost: the coordinates of all cells, where the text has lost the whole table.
        rivals: over which methods together wins are counted in each cell; empty if a cell names its opponent.
        needs: the column that its figure is drawn from besides the metrics of runs: `samples` or `curve`; else empty.
        where: which of the planned runs count; None for all.
        pooled: how many cells each published value is a mean over, and of what; None if it is not such a mean.
        drawings: the figures that are drawn from its runs.
        causes: known causes of differences in it.
        absent: what semiad lacks to run any of it; empty if it can be run.
        paper: that it belongs to; set by `Paper`.
    """

    name: str
    caption: str
    rows: tuple[Coordinate, ...]
    columns: tuple[Coordinate, ...]
    digits: int
    kind: Kind = "run"
    metric: str = "auc"
    percent: bool = False
    compared: Coordinate | None = None
    subject: str = ""
    totals: tuple[str, ...] = ()
    difference: tuple[str, str, str] | None = None
    source: str | Path = ""
    lost: Sequence[tuple[str, ...]] = ()
    rivals: tuple[str, ...] = ()
    needs: Literal["", "samples", "curve"] = ""
    where: pl.Expr | None = None
    pooled: tuple[int, str] | None = None
    drawings: tuple[Drawing, ...] = ()
    causes: tuple[Cause, ...] = ()
    absent: str = ""
    paper: Paper = field(default=Paper(""), repr=False)

    @property
    def title(self) -> str:
        """The name in words, "AE-SAD Table 5"; the name itself where it is not of this form."""
        parts = re.fullmatch(r"(.+)_(table|fig)([^_]+)", self.name)
        if not parts:
            return self.name
        stem, kind, number = parts.groups()
        title = self.paper.title if stem == self.paper.name else ""
        return f"{title or stem} {'Table' if kind == 'table' else 'Figure'} {number}"

    @property
    def coordinates(self) -> tuple[Coordinate, ...]:
        """All coordinates of a cell."""
        return (*self.rows, *self.columns)

    @property
    def heads(self) -> list[str]:
        """Names of the coordinates."""
        return [coordinate.head for coordinate in self.coordinates]

    @property
    def unit(self) -> str:
        """The unit of all values."""
        return "probability" if self.kind == "win" else "AUC in %" if self.percent else "AUC"

    def runs(self, ledger: Ledger, budget: str | None) -> pl.DataFrame:
        """Select the rows of the ledger's runs that count, recorded or missing."""
        keys = ledger.planned(self.name, budget).select("key").unique()
        runs = ledger.runs.join(keys, on="key", how="semi")
        return runs if self.where is None else runs.filter(self.where)

    @property
    def transcription(self) -> Path | None:
        """The file of the published cells; None if there is none.

        Raises:
            InputError: a file that the experiment names is missing.
        """
        if isinstance(self.source, Path):
            if not self.source.is_file():
                raise InputError(f"experiment={self.name} names {self.source} as its published table: no such file")
            return self.source
        path = self.paper.folder and self.paper.folder / f"{self.source or self.name}.csv"
        return path if path and path.is_file() else None

    def reference_cells(self) -> pl.DataFrame:
        """Read the published cells.

        Returns:
            Their coordinates, `mean`, `std`, `printed` and `note`, a row a cell.

        Raises:
            InputError: the file cannot be read, or lacks a column.
        """
        if path := self.transcription:
            try:
                frame = pl.read_csv(path, infer_schema=False).cast({"mean": pl.Float64, "std": pl.Float64})
                return frame.select(*(c.published.alias(c.head) for c in self.coordinates), *PRINTED)
            except (OSError, pl.exceptions.PolarsError) as error:
                reason = str(error).partition("\n")[0]
                raise InputError(f"{path} is no transcription of experiment={self.name} ({reason})") from error
        schema = {**dict.fromkeys(self.heads, pl.String), **PRINTED}
        return pl.DataFrame([(*cell, None, None, None, LOST) for cell in self.lost], schema=schema, orient="row")
