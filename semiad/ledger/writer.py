"""Writes a ledger: a folder of append-only JSON lines, one file for each job."""

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

from semiad.errors import InputError
from semiad.ledger.atomic import atomic_write
from semiad.ledger.record import Plan, PlannedRun, Record, decode, encode


class LedgerWriter:
    """Appends to a ledger. Each job has a writer of its own, so that no two processes write to one file.

    Args:
        folder: the folder of the ledger; it is made when something is written.
    """

    def __init__(self, folder: Path) -> None:
        stem = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}-{uuid4().hex[:6]}"
        self.folder, self.file, self.curves = folder, folder / f"{stem}.jsonl", folder / "curves" / f"{stem}.csv"
        self.progress = folder / "jobs" / f"{stem}.json"

    def plan(self, shared: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> None:
        """Write a plan beside the ledger; the same plan twice is one file.

        Args:
            shared: the fields of `Plan` without `runs`.
            runs: the fields of `PlannedRun` for each run.

        Raises:
            InputError: the folder cannot be written to, or a value is none that the reader takes.
            TypeError: a field is missing, or is not in the schema.
        """
        text = readable(Plan(**shared, runs=[PlannedRun(**run) for run in runs]))
        path = self.folder / "plans" / f"{sha256(text.encode()).hexdigest()[:16]}.json"
        if path.exists():
            return
        try:
            with atomic_write(path) as draft:
                draft.write_text(text)
        except OSError as error:
            raise InputError(
                f"results={self.folder} cannot be written to ({error.strerror}): choose another folder"
            ) from error

    def append(self, record: Record) -> None:
        """Write a record, and have it on disk before this returns.

        Raises:
            InputError: the ledger cannot be written to, or a value is none that the reader takes.
        """
        self._write(self.file, readable(record) + "\n")

    def curve(self, key: str, rows: Iterable[tuple[int, float, float]]) -> str:
        """Write the curve of a run beside the ledger.

        Args:
            key: the key of the run.
            rows: epoch, training loss and test AUC of each point.

        Returns:
            The name of the file, relative to the folder of the ledger.

        Raises:
            InputError: the ledger cannot be written to.
        """
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


def readable(entry: Record | Plan) -> str:
    """Encode a record or a plan, and make sure that the reader takes the text.

    Raises:
        InputError: a value is none that the schema allows.
    """
    try:
        text = encode(entry)
        decode(text, Record) if isinstance(entry, Record) else decode(text, Plan)
    except (ValueError, TypeError, RecursionError) as error:
        kind = type(entry).__name__.lower()
        sentence = " ".join(str(error).split())
        raise InputError(
            f"the {kind} of method {entry.method} on {entry.dataset} cannot be kept: {sentence}"
        ) from error
    return text
