"""Reads a ledger: each line is checked by itself, and all of them become one Polars frame."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from semiad.ledger.files import FileTree
from semiad.ledger.record import CLASSES, Plan, PlannedRun, Record, decode, describe
from semiad.ledger.schema import fields

ROUNDING = 1e-3
"""How far two records of one key may lie apart in AUC: engines and devices round differently."""
PACKED = ("", ".gz", ".zst")
"""Endings of a file of records or a curve after its usual ending; Polars unpacks these files."""
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
PLANS = {name: PLANNED[name] for name in (*TAGS, "key")}


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
        conflicts: records of one key that differ by more than rounding, each a sentence.
        repeated: keys of which several records count, and agree.
    """

    folder: Path
    runs: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=RUNS))
    plans: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=PLANS))
    warnings: Sequence[str] = ()
    conflicts: Sequence[str] = ()
    repeated: frozenset[str] = frozenset()

    def planned(self, experiment: str, budget: str | None) -> pl.DataFrame:
        """Select the plans of an experiment that count: those without changes, or the others if there are none."""
        plans = self.plans.filter(pl.col("experiment") == experiment, pl.col("budget").eq_missing(budget))
        unchanged = plans.filter(pl.col("changes").is_null())
        return unchanged if len(unchanged) else plans

    def notes(self, name: str) -> str:
        """Read the notes on an experiment, or on all as `overview`: the files `notes/NAME.md` below the folder."""
        return "\n\n".join(path.read_text().strip() for path in FileTree(self.folder).named(f"{name}.md", "notes"))

    @cached_property
    def recorded(self) -> dict[str, str]:
        """The status of the record that counts, by key."""
        runs = self.runs.filter(pl.col("status") != "missing")
        return dict(zip(runs["key"], runs["status"], strict=True))

    def done(self, key: str, retry_failed: bool) -> bool:
        """Whether a run need not be trained: it has a record, and a failed one is not to be retried."""
        return key in self.recorded and not (retry_failed and self.recorded[key] == "failed")


def read(folder: Path) -> Ledger:
    """Read all records and plans below a folder; an absent folder is an empty ledger.

    Records are the lines of `*.jsonl`, also as `*.jsonl.gz` and `*.jsonl.zst`; plans are `plans/*.json`. Links are
    followed, and a folder that several lead to is read once.
    """
    tree = FileTree(folder)
    warnings = [*tree.problems]
    chosen, conflicts, repeated = choose(frame(record_rows(tree, warnings), RUNS))
    plans = frame(planned_rows(tree, warnings), PLANNED)
    planned = plans.drop(TAGS).unique("key", keep="first", maintain_order=True)
    missing = planned.join(chosen, on="key", how="anti", maintain_order="left").with_columns(status=pl.lit("missing"))
    order = planned.select("key", at=pl.int_range(pl.len()))
    runs = pl.concat([chosen, missing], how="diagonal").join(order, on="key", how="left", maintain_order="left")
    runs = runs.sort("at", nulls_last=True, maintain_order=True).drop("at")
    return Ledger(folder, runs, plans.select(*PLANS).unique(maintain_order=True), warnings, conflicts, repeated)


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


def record_rows(tree: FileTree, warnings: list[str]) -> Iterator[Row]:
    """Yield a row for each good line of the files of records; add a warning for each other line."""
    find = cache(find_file)
    for path in sorted(path for end in PACKED for path in tree.named(f"*.jsonl{end}")):
        try:
            lines = lines_of(path)
        except (OSError, pl.exceptions.PolarsError) as error:
            why = getattr(error, "strerror", None) or "it cannot be unpacked"
            warnings.append(f"{path} cannot be read ({why}): set aside")
            continue
        for number, line in enumerate(lines, start=1):
            if line:
                try:
                    record = decode(line, Record)
                except (ValueError, RecursionError):
                    warnings.append(f"{path}, line {number} is torn or no record: set aside, its run does not count")
                    continue
                record.curve = record.curve and find(path.parent / record.curve)
                record.samples = record.samples and find(path.parent / record.samples)
                yield tuple(map(cell, msgspec.structs.astuple(record)))


def lines_of(path: Path) -> pl.Series:
    """Read the lines of a file, packed or not; bytes that are not UTF-8 become replacement characters.

    Raises:
        OSError: the file cannot be read.
        pl.exceptions.PolarsError: the file cannot be unpacked.
    """
    # One column that no separator divides: Polars' reader of lines refuses a file for one byte that is no text.
    return pl.read_csv(
        path.read_bytes(),
        has_header=False,
        schema={"line": pl.String},
        separator="\x01",
        quote_char=None,
        encoding="utf8-lossy",
        truncate_ragged_lines=True,
        raise_if_empty=False,
    )["line"]


def find_file(path: Path) -> str | None:
    """Find the file of this name, or the packed one beside it; None if there is neither."""
    files = (path.with_name(path.name + end) for end in PACKED)
    return next((str(file) for file in files if file.is_file()), None)


def planned_rows(tree: FileTree, warnings: list[str]) -> Iterator[Row]:
    """Yield a row for each run of each good plan; add a warning for each other file of a plan."""
    for path in tree.named("*.json", "plans"):
        try:
            plan = decode(path.read_bytes(), Plan)
        except (OSError, ValueError, RecursionError):
            warnings.append(f"{path} is torn or no plan: set aside")
            continue
        shared = [cell(getattr(plan, name)) for name in PLAN]
        for run in plan.runs:
            yield (*shared, *map(cell, msgspec.structs.astuple(run)))


def choose(records: pl.DataFrame) -> tuple[pl.DataFrame, list[str], frozenset[str]]:
    """Choose the record that counts for each key; find conflicts, and keys of several records that agree.

    The newest record with status "ok" counts, or else the newest; a forced record supersedes those before it.
    """
    forced = pl.col("forced").fill_null(False).cast(pl.Int32)
    records = records.sort("finished", maintain_order=True).with_columns(
        good=(pl.col("status") == "ok") & (forced.cum_sum(reverse=True).over("key") == forced)
    )
    chosen = records.sort("good", maintain_order=True).unique("key", keep="last", maintain_order=True).drop("good")
    aucs = {"n": pl.len(), "low": pl.col("auc").min(), "high": pl.col("auc").max()}
    spread = records.filter("good").group_by("key", maintain_order=True).agg(**aucs)
    apart = pl.col("high") - pl.col("low") > ROUNDING
    disagreeing = spread.filter(apart).join(chosen, on="key", maintain_order="left")
    conflicts = [
        f"{run['key']} ({describe(run)}) has {run['n']} records with AUC from {run['low']:.4f} to {run['high']:.4f}"
        for run in disagreeing.iter_rows(named=True)
    ]
    return chosen, conflicts, frozenset(spread.filter(pl.col("n") > 1, ~apart)["key"])
