"""Packs a ledger for keeping and publishing: one file of records and one of plans in place of those of every job."""

import gzip
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import msgspec

from semiad.errors import InputError
from semiad.ledger.atomic import atomic_write
from semiad.ledger.files import FileTree
from semiad.ledger.record import Plan, Record, encode
from semiad.ledger.records import PLANS, choose, line_files, read_plans, record_lines, unpack

RECORDS_FILE = "records.jsonl.gz"
PLANS_FILE = f"{PLANS}/plans.jsonl.gz"
CURVES_FILE = "curves/curves.csv"
"""As records name it; it is packed, with `.gz` added."""
SAMPLES = "samples"


@dataclass(frozen=True)
class Archived:
    """What an archive holds.

    Attributes:
        runs: number of runs that have a record.
        failed: number of those that failed.
        plans: number of plans.
        dropped: number of runs that were there before and that newer plans replace.
        warnings: lines and files that were set aside, and records that contradict each other, each a sentence.
    """

    runs: int
    failed: int
    plans: int
    dropped: int
    warnings: Sequence[str]


def archive_ledger(source: Path, folder: Path, replace: bool = False) -> Archived:
    """Add the records that count and the plans below a folder to an archive, with their curves and samples.

    An archive is a ledger as any other: every command reads it. The same runs twice are there once.

    Args:
        source: the folder of ledgers; it stays as it is.
        folder: the archive; it is made if it does not exist.
        replace: whether plans of the archive go if `source` has others of the same experiment, budget, changes, method,
            data set and scenario, and with them the records that no other plan names.

    Raises:
        InputError: there is nothing to archive, the archive is no archive, or it cannot be written.
    """
    if not source.is_dir():
        raise InputError(f"{source} is no folder, expected a folder of results")
    if folder.resolve().is_relative_to(source.resolve()) or source.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{folder} and {source} lie one inside the other, expected an archive beside the ledger")
    found, kept = FileTree(source), check_archive(folder)
    warnings = [*found.problems, *kept.problems]
    new, old = unique(read_plans(found, warnings)), unique(read_plans(kept, warnings))
    replaced = {tags(plan) for plan in new.values()} if replace else set()
    gone = [plan for text, plan in old.items() if text not in new and tags(plan) in replaced]
    plans = {**{text: plan for text, plan in old.items() if tags(plan) not in replaced}, **new}
    lines = [*record_lines(found, warnings)]
    if not lines:
        raise InputError(f"{source} has no record of a run, expected a folder of results")
    dropped = keys(gone) - keys(plans.values()) - {record.key for _, record in lines}
    chosen = choose(folder, chain(record_lines(kept, warnings), lines), warnings)
    records = [record for record in chosen.records if record.key not in dropped]
    try:
        write_archive(folder, records, sorted(plans.values(), key=order))
    except OSError as error:
        raise InputError(f"{error.filename or folder} cannot be written to ({error.strerror})") from error
    failed = sum(record.status == "failed" for record in records)
    return Archived(
        len(records), failed, len(plans), len(chosen.records) - len(records), [*warnings, *chosen.conflicts]
    )


def check_archive(folder: Path) -> FileTree:
    """List the files of an archive; a folder that is absent has none.

    Raises:
        InputError: the folder holds a ledger that is not packed, which would stand beside the archive.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file, expected a folder for the archive")
    tree = FileTree(folder)
    ours = {folder / RECORDS_FILE, folder / PLANS_FILE}
    if others := [path for path in (*line_files(tree), *tree.named("*.json", PLANS)) if path not in ours]:
        raise InputError(f"{folder} holds {others[0].relative_to(folder)}, which is of no archive: name a new folder")
    return tree


def unique(plans: Iterable[Plan]) -> dict[str, Plan]:
    """Give plans by their text, equal ones once."""
    return {encode(plan): plan for plan in plans}


def tags(plan: Plan) -> tuple[str | None, ...]:
    """Give what a plan is of: a later plan with the same tags may replace it."""
    return plan.experiment, plan.budget, plan.changes, plan.method, plan.dataset, plan.scenario


def order(plan: Plan) -> tuple[str, ...]:
    """Give the place of a plan among others: by its tags, then by its text."""
    return *(tag or "" for tag in tags(plan)), encode(plan)


def keys(plans: Iterable[Plan]) -> set[str]:
    """Collect the keys of the runs of plans."""
    return {run.key for plan in plans for run in plan.runs}


def write_archive(folder: Path, records: Sequence[Record], plans: Sequence[Plan]) -> None:
    """Write the files of an archive, that of the records last, each completely or not at all.

    Raises:
        OSError: one cannot be written.
    """
    curves = [line for file in dict.fromkeys(record.curve for record in records) for line in rows(file, records)]
    if curves:
        pack(folder / f"{CURVES_FILE}.gz", [b"key,epoch,loss,auc", *curves])
    moved = [moved_record(record, folder) for record in records]
    pack(folder / PLANS_FILE, [encode(plan).encode() for plan in plans])
    pack(folder / RECORDS_FILE, [encode(record).encode() for record in moved])
    names = {record.samples for record in moved}
    for path in (folder / SAMPLES).glob("*.npz"):
        if str(path.relative_to(folder)) not in names:
            path.unlink()


def rows(file: str | None, records: Iterable[Record]) -> list[bytes]:
    """List the lines of a file of curves that are of these records."""
    if file is None:
        return []
    wanted = {record.key.encode() for record in records if record.curve == file}
    return [line for line in unpack(Path(file)).splitlines() if line.partition(b",")[0] in wanted]


def moved_record(record: Record, folder: Path) -> Record:
    """Copy the samples of a record into an archive, and name its files as they are called there."""
    samples = None
    if record.samples:
        samples = f"{SAMPLES}/{record.key}.npz"
        if Path(record.samples).resolve() != (folder / samples).resolve():
            with atomic_write(folder / samples) as draft:
                shutil.copyfile(record.samples, draft)
    return msgspec.structs.replace(record, samples=samples, curve=record.curve and CURVES_FILE)


def pack(path: Path, lines: Sequence[bytes]) -> None:
    """Write lines into a packed file; equal lines make equal files."""
    with atomic_write(path) as draft:
        draft.write_bytes(gzip.compress(b"".join(line + b"\n" for line in lines), mtime=0))
