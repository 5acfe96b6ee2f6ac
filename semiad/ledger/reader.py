"""Reads a ledger into Polars frames: the records that count, and the runs of all plans."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from semiad.ledger.files import FileTree
from semiad.ledger.record import CLASSES, Plan, PlannedRun, Record
from semiad.ledger.records import read_plans, read_records
from semiad.ledger.schema import fields

COLUMN_TYPES: Mapping[str, Any] = {
    "string": pl.String,
    "integer": pl.Int64,
    "number": pl.Float64,
    "boolean": pl.Boolean,
    "object": pl.String,
    "array": pl.String,
}
"""The type of a column, by the JSON type of a field; objects and arrays are JSON text."""
CLASS_LIST = pl.List(pl.String)

Schema = Mapping[str, Any]
"""The types of the columns of a frame: Polars' data types, by name."""
Row = tuple[Any, ...]


def columns(kind: type[msgspec.Struct]) -> Schema:
    """Derive the columns of a frame from the fields of a class of the schema."""

    def column(type_: Mapping[str, Any]) -> Any:  # noqa: ANN401
        if "enum" in type_:
            return pl.String if isinstance(type_["enum"][0], str) else pl.Int64
        return CLASS_LIST if type_.get("title") == CLASSES else COLUMN_TYPES[type_["type"]]

    return {name: column(field.type) for name, field in fields(kind).items()}


RUNS = columns(Record)
PLAN = {name: type_ for name, type_ in columns(Plan).items() if name != "runs"}
PLANNED = {**PLAN, **columns(PlannedRun)}
TAGS = [name for name in PLAN if name not in RUNS]
"""The fields of a plan that say more of its runs than their records do."""
OF_PLANS = {name: PLANNED[name] for name in (*TAGS, "key")}


@dataclass(frozen=True)
class Ledger:
    """The records and plans of a folder.

    Attributes:
        folder: the folder that was read.
        runs: a row for each run that is recorded or planned, and a column for each field of `Record`: objects as JSON
            text, classes as strings, files as paths that can be opened. `status` is "ok", "failed" or "missing".
        plans: a row for each run of each plan, with its `key` and a column for each field of `Plan` that `Record` does
            not have: objects and arrays as JSON text.
        warnings: lines and files that were set aside, each a sentence.
        conflicts: records of one key that differ by more than they may, each a sentence.
        repeated: the AUCs of each key of which several records count, and agree.
    """

    folder: Path
    runs: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=RUNS))
    plans: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=OF_PLANS))
    warnings: Sequence[str] = ()
    conflicts: Sequence[str] = ()
    repeated: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def planned(self, experiment: str, budget: str | None) -> pl.DataFrame:
        """Select the plans of an experiment that count.

        Of a data set and a method these are the plans without changes, or the others if there are none.
        """
        plans = self.plans.filter(pl.col("experiment") == experiment, pl.col("budget").eq_missing(budget))
        of = self.runs.select("key", "dataset", "method")
        plans, unchanged = plans.join(of, on="key", how="left", maintain_order="left"), pl.col("changes").is_null()
        return plans.filter(unchanged | ~unchanged.any().over("dataset", "method")).drop("dataset", "method")

    def notes(self, name: str) -> str:
        """Read the notes on an experiment, or on all as `overview`: the files `notes/NAME.md` below the folder."""
        files = FileTree(self.folder).named(f"{name}.md", "notes")
        return "\n\n".join(path.read_text(errors="replace").strip() for path in files)

    @property
    def recorded(self) -> frozenset[str]:
        """The keys of the runs that have a record."""
        return frozenset(self.runs.filter(pl.col("status") != "missing")["key"])


def read(folder: Path) -> Ledger:
    """Read all records and plans below a folder; an absent folder is an empty ledger.

    For the records see `read_records`, for the plans `read_plans`. Links are followed, and a folder that several lead
    to is read once.
    """
    tree = FileTree(folder)
    counting = read_records(folder, tree)
    warnings = counting.warnings
    chosen = frame((tuple(map(cell, msgspec.structs.astuple(record))) for record in counting.records), RUNS)
    plans = frame(planned_rows(tree, warnings), PLANNED)
    planned = plans.drop(TAGS).unique("key", keep="first", maintain_order=True)
    missing = planned.join(chosen, on="key", how="anti", maintain_order="left").with_columns(status=pl.lit("missing"))
    order = planned.select("key", at=pl.int_range(pl.len()))
    runs = pl.concat([chosen, missing], how="diagonal").join(order, on="key", how="left", maintain_order="left")
    runs = runs.sort("at", nulls_last=True, maintain_order=True).drop("at")
    plans = plans.select(*OF_PLANS).unique(maintain_order=True)
    return Ledger(folder, runs, plans, warnings, counting.conflicts, counting.repeated)


def frame(rows: Iterable[Row], schema: Schema) -> pl.DataFrame:
    """Make a frame of rows, column by column; lists come as JSON text, which Polars takes much faster than lists."""
    values = [*zip(*rows, strict=True)] or [()] * len(schema)
    lists = [name for name, type_ in schema.items() if type_ == CLASS_LIST]
    made = pl.DataFrame(dict(zip(schema, values, strict=True)), schema={**schema, **dict.fromkeys(lists, pl.String)})
    return made.with_columns(pl.col(lists).str.json_decode(CLASS_LIST))


def cell(value: Any) -> Any:  # noqa: ANN401
    """Convert the value of a field to what the frame holds of it."""
    if isinstance(value, str):
        return sys.intern(value)  # the same few texts again and again are held once
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True)
    if isinstance(value, list):
        return json.dumps([str(item) for item in value])
    return value


def planned_rows(tree: FileTree, warnings: list[str]) -> Iterator[Row]:
    """Yield a row for each run of each good plan; add a warning for each other one."""
    for plan in read_plans(tree, warnings):
        shared = [cell(getattr(plan, name)) for name in PLAN]
        for run in plan.runs:
            yield (*shared, *map(cell, msgspec.structs.astuple(run)))
