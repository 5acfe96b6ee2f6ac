"""The ledger: a folder of append-only JSON lines, one finished run a line, one file a job."""

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

from semiad.errors import InputError

SCHEMA = 1
ROUNDING = 1e-3
"""How far two records of one key may lie apart in AUC: engines and devices round differently."""
FIGURES = ("auc", "ap", "auc_seen", "auc_unseen")

NAMES = ("method", "dataset", "scenario", "config")
"""Fields that the runs of a plan share."""

Record = dict[str, Any]


@dataclass
class Ledger:
    """What a folder of records says.

    Attributes:
        records: by key, the one that counts.
        planned: by key, what the plans beside the ledger promise.
        warnings: lines that were set aside, each a sentence.
        conflicts: records of one key that differ by more than rounding, each a sentence.
    """

    records: dict[str, Record] = field(default_factory=dict)
    planned: dict[str, Record] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)

    def done(self, key: str, retry_failed: bool) -> bool:
        """Whether a run need not be trained: it has a record, and if that one says failed, it is not to be retried."""
        return key in self.records and not (retry_failed and self.records[key]["status"] == "failed")


def read(folder: Path) -> Ledger:
    """Read every `*.jsonl` below a folder (records) and `plans/*.json` in it; an absent folder is an empty ledger."""
    ledger = Ledger()
    by_key: dict[str, list[Record]] = defaultdict(list)
    for path in sorted(folder.rglob("*.jsonl")):
        try:
            lines = path.read_bytes().split(b"\n")
        except OSError as error:
            ledger.warnings.append(f"{path} cannot be read ({error.strerror}): set aside")
            continue
        for number, line in enumerate(lines, start=1):
            if line:
                try:
                    record = json.loads(line)
                    check(record)
                    by_key[record["key"]].append(record)
                except (ValueError, KeyError, TypeError):
                    ledger.warnings.append(
                        f"{path}, line {number} is torn or no record: set aside, its run does not count"
                    )
    for records in by_key.values():
        choose(records, ledger)
    for path in sorted(folder.rglob("plans/*.json")):
        try:
            plan = json.loads(path.read_bytes())
            shared = {name: plan[name] for name in NAMES}
            for run in plan["runs"]:
                check_run({**shared, **run})
                ledger.planned[run["key"]] = {**shared, **run}
        except (OSError, ValueError, KeyError, TypeError):
            ledger.warnings.append(f"{path} is torn or no plan: set aside")
    return ledger


def check_run(run: Mapping[str, Any]) -> None:
    """What a plan and a record say of a run must have the right types.

    Raises:
        KeyError, TypeError: it does not.
    """
    kinds = {"key": str, "method": str, "dataset": str, "scenario": str, "seed": int, "config": dict}
    kinds |= {"normal": list, "anomalous": list}
    if wrong := [name for name, kind in kinds.items() if not isinstance(run[name], kind)]:
        raise TypeError(wrong[0])


def check(record: Mapping[str, Any]) -> None:
    """What is counted in a record must be there and have the right types.

    Raises:
        KeyError, TypeError, ValueError: it does not.
    """
    check_run(record)
    if record["status"] not in ("ok", "failed") or record["schema"] != SCHEMA:
        raise ValueError("status or schema")
    for name in FIGURES:
        if record[name] is not None and not 0 <= record[name] <= 1:
            raise ValueError(name)
    if record["status"] == "ok" and record["auc"] is None:
        raise ValueError("auc")
    datetime.fromisoformat(record["finished"])


def choose(records: list[Record], ledger: Ledger) -> None:
    """Enter the record that counts: the newest good one, else the newest; a forced one supersedes those before it."""
    records.sort(key=lambda record: str(record["finished"]))
    forced = max((i for i, record in enumerate(records) if record.get("forced")), default=0)
    good = [record for record in records[forced:] if record["status"] == "ok"]
    chosen = (good or records)[-1]
    ledger.records[chosen["key"]] = chosen
    aucs = [record["auc"] for record in good]
    if aucs and max(aucs) - min(aucs) > ROUNDING:
        spread = f"{len(aucs)} records with AUC from {min(aucs):.4f} to {max(aucs):.4f}"
        ledger.conflicts.append(f"{chosen['key']} ({describe(chosen)}) has {spread}")


def describe(run: Mapping[str, Any]) -> str:
    """A run in words."""
    return f"{run['dataset']} {run['scenario']} {run['method']} {short(run)}"


def short(run: Mapping[str, Any]) -> str:
    """A run within its data set, scenario and method, in words."""
    tested = f" (tested on {listed(run['tested'])})" if run.get("tested") else ""
    return f"{listed(run['normal'])} vs {listed(run['anomalous'])}{tested} seed {run['seed']}"


def listed(values: Sequence[object]) -> str:
    """Classes in words."""
    return ",".join(map(str, values))


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """Nested mappings as paths with dots, and what is there."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            yield from leaves(value, f"{path}.{name}" if path else str(name))
    else:
        yield path, node


class Writer:
    """Appends to a ledger; one a job, so that no two processes write to one file.

    Args:
        folder: of the ledger, made when something is written.
    """

    def __init__(self, folder: Path) -> None:
        stem = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}-{uuid4().hex[:6]}"
        self.folder, self.file, self.curves = folder, folder / f"{stem}.jsonl", folder / "curves" / f"{stem}.csv"
        self.progress = folder / "jobs" / f"{stem}.json"

    def plan(self, shared: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> None:
        """Leave a plan beside the ledger; the same plan twice is one file.

        Args:
            shared: `method`, `dataset`, `scenario` and `config` of all runs, and of which published table or figure
                they are: `experiment` and `budget`, or None.
            runs: `key`, `normal`, `anomalous`, `tested` and `seed` of each.

        Raises:
            InputError: the folder cannot be written to.
        """
        text = json.dumps({**shared, "runs": runs})
        path = self.folder / "plans" / f"{sha256(text.encode()).hexdigest()[:16]}.json"
        if path.exists():
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            aside = path.with_suffix(f".{uuid4().hex[:8]}.tmp")
            aside.write_text(text)
            aside.replace(path)
        except OSError as error:
            raise InputError(
                f"results={self.folder} cannot be written to ({error.strerror}): choose another folder"
            ) from error

    def append(self, record: Mapping[str, Any]) -> None:
        """Write a record, and have it on disk before this returns."""
        self._write(self.file, json.dumps({**record, "finished": datetime.now(UTC).isoformat()}) + "\n")

    def curve(self, key: str, rows: Iterable[tuple[int, float, float]]) -> str:
        """Write the curve of a run (epoch, training loss, test AUC) beside the ledger; return the file's name."""
        head = "" if self.curves.exists() else "key,epoch,loss,auc\n"
        self._write(self.curves, head + "".join(f"{key},{epoch},{loss!r},{auc!r}\n" for epoch, loss, auc in rows))
        return str(self.curves.relative_to(self.folder))

    def _write(self, path: Path, text: str) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise InputError(
                f"{path} cannot be written to ({error.strerror}); what was recorded before is kept"
            ) from error
