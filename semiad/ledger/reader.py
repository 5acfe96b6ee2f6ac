"""What a ledger says: every line checked by itself, and all of them one Polars frame."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import polars as pl

from semiad.ledger.record import METRICS, SCHEMA, SHARED, Record, describe

ROUNDING = 1e-3
"""How far two records of one key may lie apart in AUC: engines and devices round differently."""
PACKED = ("", ".gz", ".zst")
"""What a file of records or a curve may end with besides; Polars unpacks these."""

RUN = {
    "key": str,
    "method": str,
    "dataset": str,
    "scenario": str,
    "config": dict,
    "normal": list,
    "anomalous": list,
    "seed": int,
}
"""What a plan and a record must say of a run."""
MORE: Mapping[str, type] = {
    **{"tested": list, "status": str, "reason": str, "forced": bool},
    **dict.fromkeys((*METRICS, "auc_at_min_loss", "seconds"), float),
    "auc_by_class": dict,
    **dict.fromkeys(("n_train", "n_labelled", "n_polluted", "n_test", "epochs", "steps", "pack_width"), int),
    **{"curve": str, "samples": str, "engine": str, "device": str, "versions": dict},
    **{"commit": str, "finished": str, "split": str},
}
"""What a record may say besides; absent and null are the same."""
TYPES: Mapping[type, pl.DataType | type[pl.DataType]] = {
    str: pl.String,
    int: pl.Int64,
    float: pl.Float64,
    bool: pl.Boolean,
    dict: pl.String,
    list: pl.List(pl.String),
}
COLUMNS = {name: TYPES[kind] for name, kind in {**RUN, **MORE}.items()}
OF = {"experiment": str, "budget": str, "changes": str, "job": dict, "sweep": dict}
"""What a plan may say of the published table or figure that its runs are of."""
PLANS = {name: TYPES[kind] for name, kind in OF.items()}
PLANNED = {name: COLUMNS[name] for name in (*RUN, "tested")}


@dataclass(frozen=True)
class Ledger:
    """What a folder of records says.

    Attributes:
        folder: that was read.
        runs: a row for each run that is recorded or planned: what a record holds (nested fields as JSON text, classes
            as text, files as paths that can be opened), with `status` "ok", "failed" or "missing".
        plans: `experiment`, `budget` (null in plans of no experiment), `changes` (settings that the command gave
            otherwise than the experiment; null for none), `job` and `sweep` (of the settings that the experiment sweeps
            over, the values of the job and all of them, as JSON text) and `key`, a row for each run of each plan.
        warnings: lines and files that were set aside, each a sentence.
        conflicts: records of one key that differ by more than rounding, each a sentence.
        repeated: keys of which several records count, and agree.
    """

    folder: Path
    runs: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=COLUMNS))
    plans: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema={**PLANS, "key": pl.String}))
    warnings: Sequence[str] = ()
    conflicts: Sequence[str] = ()
    repeated: frozenset[str] = frozenset()

    def planned(self, experiment: str, budget: str | None) -> pl.DataFrame:
        """The plans of an experiment that count: those without changes, or if there are none the others."""
        own = self.plans.filter(pl.col("experiment") == experiment, pl.col("budget").eq_missing(budget))
        plain = own.filter(pl.col("changes").is_null())
        return plain if len(plain) else own

    def notes(self, name: str) -> str:
        """What was written down about an experiment, or as `overview` about all: `notes/NAME.md` below the folder."""
        return "\n\n".join(path.read_text().strip() for path in sorted(self.folder.rglob(f"notes/{name}.md")))

    @cached_property
    def recorded(self) -> dict[str, str]:
        """By key, the status of the record that counts."""
        found = self.runs.filter(pl.col("status") != "missing")
        return dict(zip(found["key"], found["status"], strict=True))

    def done(self, key: str, retry_failed: bool) -> bool:
        """Whether a run need not be trained: it has a record, and if that one says failed, it is not to be retried."""
        return key in self.recorded and not (retry_failed and self.recorded[key] == "failed")


def read(folder: Path) -> Ledger:
    """Read all records and plans below a folder; an absent folder is an empty ledger.

    Records are the lines of `*.jsonl`, also as `*.jsonl.gz` and `*.jsonl.zst`; plans are `plans/*.json`.
    """
    warnings: list[str] = []
    chosen, conflicts, repeated = choose(frame(recorded(folder, warnings), COLUMNS))
    plans = frame(planned(folder, warnings), {**PLANS, **PLANNED})
    promised = plans.select(*PLANNED).unique("key", keep="first", maintain_order=True)
    missing = promised.join(chosen, on="key", how="anti", maintain_order="left").with_columns(status=pl.lit("missing"))
    order = promised.select("key", at=pl.int_range(pl.len()))
    runs = pl.concat([chosen, missing], how="diagonal").join(order, on="key", how="left", maintain_order="left")
    runs = runs.sort("at", nulls_last=True, maintain_order=True).drop("at")
    return Ledger(folder, runs, plans.select(*PLANS, "key").unique(maintain_order=True), warnings, conflicts, repeated)


def frame(rows: Iterator[tuple[Any, ...]], schema: Mapping[str, Any]) -> pl.DataFrame:
    """Rows as a frame, built column by column; lists come as JSON text, which Polars takes much faster than lists."""
    columns = [*zip(*rows, strict=True)] or [()] * len(schema)
    lists = [name for name, kind in schema.items() if kind == TYPES[list]]
    made = pl.DataFrame(dict(zip(schema, columns, strict=True)), schema={**schema, **dict.fromkeys(lists, pl.String)})
    return made.with_columns(pl.col(lists).str.json_decode(TYPES[list]))


def recorded(folder: Path, warnings: list[str]) -> Iterator[tuple[Any, ...]]:
    """The rows of all good lines; a warning for each other one."""
    text = cache(lambda value: value)  # the same few texts again and again are held once
    found = cache(unpacked)
    for path in sorted(path for end in PACKED for path in folder.rglob(f"*.jsonl{end}")):
        try:
            lines = lines_of(path)
        except (OSError, pl.exceptions.PolarsError) as error:
            why = getattr(error, "strerror", None) or "it cannot be unpacked"
            warnings.append(f"{path} cannot be read ({why}): set aside")
            continue
        for number, line in enumerate(lines, start=1):
            if line:
                try:
                    record = json.loads(line)
                    row = checked(record, {**RUN, **MORE})
                    check(record)
                except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                    warnings.append(f"{path}, line {number} is torn or no record: set aside, its run does not count")
                    continue
                for name in ("curve", "samples"):
                    row[name] = row[name] and found(path.parent / row[name])
                yield tuple(text(value) if isinstance(value, str) else value for value in row.values())


def lines_of(path: Path) -> pl.Series:
    """The lines of a file, packed or not; bytes that are no text come as marks.

    Raises:
        OSError: it cannot be read.
        pl.exceptions.PolarsError: it cannot be unpacked.
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


def unpacked(path: Path) -> str | None:
    """The file of this name, or the packed one beside it; None if there is neither."""
    files = (path.with_name(path.name + end) for end in PACKED)
    return next((str(file) for file in files if file.is_file()), None)


def planned(folder: Path, warnings: list[str]) -> Iterator[tuple[Any, ...]]:
    """A row for each run of each plan."""
    own = {name: kind for name, kind in {**RUN, "tested": list}.items() if name not in SHARED}
    for path in sorted(folder.rglob("plans/*.json")):
        try:
            plan = json.loads(path.read_bytes())
            shared = checked(plan, {**OF, **{name: RUN[name] for name in SHARED}})
            rows = [{**shared, **checked(run, own)} for run in plan["runs"]]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            warnings.append(f"{path} is torn or no plan: set aside")
            continue
        yield from (tuple(row[name] for name in (*PLANS, *PLANNED)) for row in rows)


def checked(values: Mapping[str, Any], kinds: Mapping[str, type]) -> Record:
    """The fields of a record as they stand in the frame.

    Raises:
        KeyError: one is missing that must be there.
        TypeError: one has the wrong type.
    """
    row: Record = {}
    for name, kind in kinds.items():
        value = values[name] if name in RUN else values.get(name)
        if value is not None or name in RUN:
            exact = isinstance(value, kind) or (kind is float and isinstance(value, int))
            if not exact or (isinstance(value, bool) and kind is not bool):
                raise TypeError(name)
            if kind is dict:
                value = json.dumps(value, sort_keys=True)
            elif isinstance(value, list):
                value = json.dumps([str(one) for one in value])
        row[name] = value
    return row


def check(record: Mapping[str, Any]) -> None:
    """What is counted in a record must be there and in range.

    Raises:
        KeyError, TypeError, ValueError: it is not.
    """
    if record["status"] not in ("ok", "failed") or record["schema"] != SCHEMA:
        raise ValueError("status or schema")
    for name in METRICS:
        if record[name] is not None and not 0 <= record[name] <= 1:
            raise ValueError(name)
    if record["status"] == "ok" and record["auc"] is None:
        raise ValueError("auc")
    datetime.fromisoformat(record["finished"])


def choose(records: pl.DataFrame) -> tuple[pl.DataFrame, list[str], frozenset[str]]:
    """Of each key the record that counts; the conflicts; and the keys of several records that agree.

    The newest good record counts, else the newest; a forced one supersedes those before it.
    """
    forced = pl.col("forced").fill_null(False).cast(pl.Int32)
    records = records.sort("finished", maintain_order=True).with_columns(
        good=(pl.col("status") == "ok") & (forced.cum_sum(reverse=True).over("key") == forced)
    )
    chosen = records.sort("good", maintain_order=True).unique("key", keep="last", maintain_order=True).drop("good")
    aucs = {"n": pl.len(), "low": pl.col("auc").min(), "high": pl.col("auc").max()}
    spread = records.filter("good").group_by("key", maintain_order=True).agg(**aucs)
    apart = pl.col("high") - pl.col("low") > ROUNDING
    found = spread.filter(apart).join(chosen, on="key", maintain_order="left")
    conflicts = [
        f"{run['key']} ({describe(run)}) has {run['n']} records with AUC from {run['low']:.4f} to {run['high']:.4f}"
        for run in found.iter_rows(named=True)
    ]
    return chosen, conflicts, frozenset(spread.filter(pl.col("n") > 1, ~apart)["key"])
