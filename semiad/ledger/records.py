"""Reads the records and plans of a ledger: each is checked by itself, and one record counts for each key.

Training needs no more than this; `semiad.ledger.reader` makes a Polars frame of it for reports.
"""

import gzip
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from textwrap import shorten
from typing import Any

import msgspec

from semiad.ledger.files import FileTree
from semiad.ledger.record import Entry, Plan, Record, decode, describe

ROUNDING = 1e-3
"""How far two records of one key may lie apart in AUC, whatever trained them."""
MIN_SEEDS = 3
"""With fewer the spread over seeds is not known."""
PACKED = ("", ".gz", ".zst")
"""Endings of a file of records, plans or a curve after its usual ending; reports unpack these files."""
PLANS = "plans"
"""Name of the folder of plans: a file for each (`*.json`), or a line for each (`*.jsonl`, packed or not)."""

UNREADABLE = (ValueError, RecursionError)
"""What `decode` raises of text that is no entry of a ledger."""


@dataclass(frozen=True)
class ChosenRecords:
    """The records of a folder that count, one for each key.

    Attributes:
        folder: the folder.
        records: those records; failed runs come first, and within each kind the oldest.
        warnings: lines and files that were set aside, each a sentence.
        conflicts: records of one key that differ by more than they may, see `judge`, each a sentence.
        repeated: the AUCs of each key of which several records count, and agree.
    """

    folder: Path
    records: Sequence[Record] = ()
    warnings: list[str] = field(default_factory=list)
    conflicts: Sequence[str] = ()
    repeated: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @cached_property
    def statuses(self) -> Mapping[str, str]:
        """The status of each run that has a record, by key."""
        return {record.key: record.status for record in self.records}

    def done(self, key: str, retry_failed: bool) -> bool:
        """Whether a run need not be trained: it has a record, and a failed run is not to be trained again."""
        return key in self.statuses and not (retry_failed and self.statuses[key] == "failed")


def read_records(folder: Path, tree: FileTree | None = None) -> ChosenRecords:
    """Read the records below a folder, and choose those that count; an absent folder has none.

    Records are the lines of `*.jsonl`, also as `*.jsonl.gz` and `*.jsonl.zst`, but those of plans (see `PLANS`). Links
    are followed, and a folder that several lead to is read once.

    Args:
        folder: the folder.
        tree: its files, where they are known already.
    """
    tree = tree or FileTree(folder)
    warnings = [*tree.problems]
    return choose(folder, record_lines(tree, warnings), warnings)


def record_lines(tree: FileTree, warnings: list[str]) -> Iterator[tuple[Path, Record]]:
    """Yield each good line of the files of records, and its file; add a warning for each other line."""
    for path in line_files(tree):
        if path.parent.name != PLANS:
            for record in good_lines(path, Record, warnings, "record", ", its run does not count"):
                yield path, record


def line_files(tree: FileTree) -> list[Path]:
    """List the files of JSON lines, packed or not, in order of their paths."""
    return sorted(path for end in PACKED for path in tree.named(f"*.jsonl{end}"))


def good_lines(path: Path, kind: type[Entry], warnings: list[str], noun: str, effect: str = "") -> Iterator[Entry]:
    """Yield the entry of each good line of a file; add a warning for each other line, and for a file without any.

    Args:
        path: of the file, packed or not.
        kind: of the entries.
        warnings: to add to.
        noun: what an entry is called.
        effect: of a line that is set aside, said after it.
    """
    try:
        content = unpack(path)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it cannot be unpacked"
        warnings.append(f"{path} cannot be read ({why}): set aside")
        return
    for number, line in enumerate(content.split(b"\n"), start=1):
        if text := line.decode(errors="replace").strip():
            try:
                yield decode(text, kind)
            except UNREADABLE as error:
                what = f"{path}, line {number} is torn or no {noun}"
                warnings.append(f"{what} ({reason(error)}): set aside{effect}")


def read_plans(tree: FileTree, warnings: list[str]) -> Iterator[Plan]:
    """Yield each good plan below a folder, see `PLANS`; add a warning for each other one."""
    for path in tree.named("*.json", PLANS):
        try:
            yield decode(path.read_bytes(), Plan)
        except (OSError, *UNREADABLE) as error:
            warnings.append(f"{path} is torn or no plan ({reason(error)}): set aside")
    for path in line_files(tree):
        if path.parent.name == PLANS:
            yield from good_lines(path, Plan, warnings, "plan")


def unpack(path: Path) -> bytes:
    """Read a file, packed or not.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file cannot be unpacked.
    """
    content = path.read_bytes()
    if path.suffix == ".gz":
        try:
            return gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(str(error)) from error
    if path.suffix == ".zst":
        import polars as pl  # which unpacks a table in one column that no separator divides

        try:
            lines = pl.read_csv(
                content,
                has_header=False,
                schema={"line": pl.String},
                separator="\x01",
                quote_char=None,
                encoding="utf8-lossy",
                truncate_ragged_lines=True,
                raise_if_empty=False,
            )["line"]
        except pl.exceptions.PolarsError as error:
            raise ValueError(str(error)) from error
        return "\n".join(line or "" for line in lines).encode()
    return content


def choose(folder: Path, lines: Iterator[tuple[Path, Record]], warnings: list[str]) -> ChosenRecords:
    """Choose the record that counts for each key; find conflicts, and keys of several records that agree.

    The newest record with status "ok" counts, or else the newest; a forced record supersedes those before it.
    Paths of files are made such that they can be opened.

    Records of one key must agree, see `judge`.
    """
    found = sorted(lines, key=lambda line: line[1].finished)
    of_key: dict[str, list[int]] = {}
    for index, (_, record) in enumerate(found):
        of_key.setdefault(record.key, []).append(index)
    chosen, several = dict[str, tuple[bool, int]](), dict[str, Sequence[Record]]()
    for key, places in of_key.items():
        forced = next((at for at in reversed(places) if found[at][1].forced), 0)
        good = [at for at in places if at >= forced and found[at][1].status == "ok"]
        chosen[key] = bool(good), good[-1] if good else places[-1]
        if len(measured := [found[at][1] for at in good if found[at][1].auc is not None]) > 1:
            several[key] = measured
    records = []
    for _, at in sorted(chosen.values()):
        path, record = found[at]
        record.curve = record.curve and find_file(path.parent / record.curve)
        record.samples = record.samples and find_file(path.parent / record.samples)
        records.append(record)
    return ChosenRecords(folder, records, warnings, *judge(several, records))


def judge(
    several: Mapping[str, Sequence[Record]], records: Sequence[Record]
) -> tuple[list[str], Mapping[str, Sequence[float]]]:
    """Tell the keys whose records agree from those in conflict.

    The AUCs of one key may differ by `ROUNDING`. They may differ by as much as those of the other seeds where the last
    bit decides (a sensitive method), and where the circumstances were others: rounding grows with the steps.

    Args:
        several: the good records of each key that has more than one; the last one counts.
        records: one for each key.

    Returns:
        A sentence for each conflict, and the AUCs of each key without one.
    """
    conflicts, repeated = [], dict[str, Sequence[float]]()
    wide = {key: again[-1] for key, again in several.items() if spread(again) > ROUNDING}
    of_seeds: dict[bytes, list[Record]] = {but_seed(record): [] for record in wide.values()}
    for record in records if wide else ():
        if record.auc is not None and but_seed(record) in of_seeds:
            of_seeds[but_seed(record)].append(record)
    for key, again in several.items():
        aucs = [record.auc for record in again if record.auc is not None]
        if key in wide and not may_differ(again, [seed for seed in of_seeds[but_seed(wide[key])] if seed.key != key]):
            which = describe(msgspec.structs.asdict(wide[key]))
            conflicts.append(
                f"{key} ({which}) has {len(again)} records with AUC from {min(aucs):.4f} to {max(aucs):.4f}"
            )
        else:
            repeated[key] = aucs
    return conflicts, repeated


def may_differ(again: Sequence[Record], seeds: Sequence[Record]) -> bool:
    """Whether records of one key, more than `ROUNDING` apart, may lie as far apart as they do; see `judge`."""
    known = len(seeds) >= MIN_SEEDS
    if again[-1].sensitive:
        return not known or spread(again) <= spread(seeds)
    alike: dict[tuple[Any, ...], list[Record]] = {}
    for record in again:
        alike.setdefault(circumstances(record), []).append(record)
    return known and spread(again) <= spread(seeds) and all(spread(group) <= ROUNDING for group in alike.values())


def circumstances(record: Record) -> tuple[Any, ...]:
    """Give what a run's rounding depends on, as far as it is recorded."""
    torch = (record.versions or {}).get("torch")
    return record.engine, record.pack_width, record.threads, record.device, torch


def spread(records: Sequence[Record]) -> float:
    """Compute how far the AUCs of records lie apart, one of which at least has an AUC."""
    aucs = [record.auc for record in records if record.auc is not None]
    return max(aucs) - min(aucs)


def but_seed(record: Record) -> bytes:
    """Give all that decides the metrics of a run but its seed."""
    return msgspec.json.encode(
        (record.method, record.dataset, record.config, record.normal, record.anomalous, record.tested, record.fold),
        order="sorted",
    )


def find_file(path: Path) -> str | None:
    """Find the file of this name, or the packed one beside it; None if there is neither."""
    try:
        files = (path.with_name(path.name + end) for end in PACKED)
        return next((str(file) for file in files if file.is_file()), None)
    except (OSError, ValueError):  # a damaged record may name what can be no file
        return None


def reason(error: Exception) -> str:
    """Say why an entry cannot be read, short and on one line."""
    return shorten(str(error) or type(error).__name__, 120, placeholder=" ...")
