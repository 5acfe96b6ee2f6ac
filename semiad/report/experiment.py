"""What a published table or figure is: its shape, and which of our runs stand where."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from semiad.ledger.reader import Ledger
from semiad.report.places import Place

PUBLISHED = Path(__file__).parent / "published"
PRINTED = {"mean": pl.Float64, "std": pl.Float64, "printed": pl.String, "note": pl.String}
LOST = "lost: the text has no body of this table; its rows are presumed"
Kind = Literal["run", "class", "win"]


@dataclass(frozen=True)
class Experiment:
    """A published table or figure.

    Attributes:
        name: as in `experiment=`.
        caption: what it shows, in our words.
        rows: coordinates of a row.
        columns: coordinates of a column.
        digits: after the point, as printed.
        kind: of what a cell is a mean: of runs, of runs in one test class, or of wins of one method over another.
        figure: of a run that counts.
        percent: whether it is printed in percent.
        compared: the coordinate whose values are compared by tests; None if there is nothing to compare.
        subject: which of them is held against each other one.
        totals: heads of the coordinates over which the table has means.
        difference: in the coordinate `compared`, the name of the difference between the first and the second of these.
        source: the transcribed table, where its name is not the experiment's.
        lost: the coordinates of all cells, where the text has lost the whole table.
        rivals: over which methods together wins are counted in each cell; empty if a cell names its opponent.
        needs: the column of what its figure is drawn from besides the runs' figures: `samples` or `curve`; else empty.
        where: which of the planned runs count; None for all.
        pooled: how many cells each published figure is a mean over, and of what; None if it is not such a mean.
    """

    name: str
    caption: str
    rows: tuple[Place, ...]
    columns: tuple[Place, ...]
    digits: int
    kind: Kind = "run"
    figure: str = "auc"
    percent: bool = False
    compared: Place | None = None
    subject: str = ""
    totals: tuple[str, ...] = ()
    difference: tuple[str, str, str] | None = None
    source: str = ""
    lost: Sequence[tuple[str, ...]] = ()
    rivals: tuple[str, ...] = ()
    needs: Literal["", "samples", "curve"] = ""
    where: pl.Expr | None = None
    pooled: tuple[int, str] | None = None

    @property
    def title(self) -> str:
        """The name in words: "AE-SAD Table 5"."""
        paper, what = self.name.split("_")
        kind, place = ("Table", what.removeprefix("table")) if what.startswith("table") else ("Figure", what[3:])
        return f"{'AE-SAD' if paper == 'aesad' else 'ESAD'} {kind} {place}"

    @property
    def places(self) -> tuple[Place, ...]:
        """All coordinates of a cell."""
        return (*self.rows, *self.columns)

    @property
    def heads(self) -> list[str]:
        """Their names."""
        return [place.head for place in self.places]

    @property
    def unit(self) -> str:
        """Of all figures."""
        return "probability" if self.kind == "win" else "AUC in %" if self.percent else "AUC"

    def runs(self, ledger: Ledger, budget: str | None) -> pl.DataFrame:
        """The rows of the ledger's runs that count, recorded or missing."""
        keys = ledger.planned(self.name, budget).select("key").unique()
        runs = ledger.runs.join(keys, on="key", how="semi")
        return runs if self.where is None else runs.filter(self.where)

    def published(self) -> pl.DataFrame:
        """The published cells: their coordinates, `mean`, `std`, `printed` and `note`."""
        path = PUBLISHED / f"{self.source or self.name}.csv"
        if path.exists():
            frame = pl.read_csv(path, infer_schema=False).cast({"mean": pl.Float64, "std": pl.Float64})
            return frame.select(*(place.published.alias(place.head) for place in self.places), *PRINTED)
        schema = {**dict.fromkeys(self.heads, pl.String), **PRINTED}
        return pl.DataFrame([(*cell, None, None, None, LOST) for cell in self.lost], schema=schema, orient="row")
