"""Packs a ledger for keeping and publishing: one file of records and one of plans in place of those of every job."""

import gzip
import shutil
from collections.abc import Sequence, Set
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import msgspec

from semiad.errors import InputError, described
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
        warnings: lines and files that were set aside, each a sentence.
    """

    runs: int
    failed: int
    plans: int
    warnings: Sequence[str]


def archive_ledger(source: Path, folder: Path) -> Archived:
    """Add the records that count and the plans below a folder to an archive, with their curves and samples.

    An archive is a ledger as any other: every command reads it. The same runs twice are there once.

    Args:
        source: the folder of ledgers; it stays as it is.
        folder: the archive; it is made if it does not exist.

    Raises:
        InputError: there is nothing to archive, records contradict each other, the archive is none or cannot be read in
            full, or a file cannot be read or written. The archive is as it was then.
    """
    if not source.is_dir():
        raise InputError(f"{source} is no folder, expected a folder of results")
    if folder.resolve().is_relative_to(source.resolve()) or source.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{folder} and {source} lie one inside the other, expected an archive beside the ledger")
    found, kept = FileTree(source), check_archive(folder)
    unread, warnings = [*kept.problems], [*found.problems]
    plans = {encode(plan): plan for plan in chain(read_plans(kept, unread), read_plans(found, warnings))}
    old, new = [*record_lines(kept, unread)], [*record_lines(found, warnings)]
    if unread:
        raise InputError(f"an archive that cannot be read in full is left as it is: {unread[0]}")
    if not new:
        raise InputError(f"{source} has no record of a run, expected a folder of results")
    named = {record.key: (record.curve, record.samples) for _, record in new}
    chosen = choose(folder, iter([*old, *new]), warnings)
    if chosen.conflicts:
        raise InputError(f"an archive holds one record of each run: {chosen.conflicts[0]}")
    for record in chosen.records:
        if Path(record.key).name != record.key:
            raise InputError(f"the key of a run is {record.key}, expected a name without folders")
        for name, file in zip(named.get(record.key, ()), (record.curve, record.samples), strict=False):
            if name and not file:
                warnings.append(f"{name} of run {record.key} is not there: it is left out")
    write_archive(folder, chosen.records, sorted(plans.values(), key=order))
    failed = sum(record.status == "failed" for record in chosen.records)
    return Archived(len(chosen.records), failed, len(plans), warnings)


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


def order(plan: Plan) -> tuple[str, ...]:
    """Give the place of a plan among others: by what it is of, then by its text."""
    of = (plan.experiment, plan.budget, plan.changes, plan.method, plan.dataset, plan.scenario)
    return *(text or "" for text in of), encode(plan)


def write_archive(folder: Path, records: Sequence[Record], plans: Sequence[Plan]) -> None:
    """Write the files of an archive, that of the records last, each completely or not at all.

    Raises:
        InputError: one cannot be read or written.
    """
    keys: dict[str, set[bytes]] = {}
    for record in records:
        if record.curve:
            keys.setdefault(record.curve, set()).add(record.key.encode())
    curves = [line for file, wanted in keys.items() for line in rows(Path(file), wanted)]
    try:
        if curves:
            pack(folder / f"{CURVES_FILE}.gz", [b"key,epoch,loss,auc", *curves])
        moved = [moved_record(record, folder) for record in records]
        pack(folder / PLANS_FILE, [encode(plan).encode() for plan in plans])
        pack(folder / RECORDS_FILE, [encode(record).encode() for record in moved])
    except OSError as error:
        raise InputError(f"{error.filename or folder} cannot be copied or written ({error.strerror})") from error


def rows(file: Path, keys: Set[bytes]) -> list[bytes]:
    """List the lines of a file of curves that are of runs with these keys.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        return [line for line in unpack(file).splitlines() if line.partition(b",")[0] in keys]
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read ({described(error)})") from error


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
