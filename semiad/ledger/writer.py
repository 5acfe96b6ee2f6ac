"""Writes a ledger: a folder of append-only JSON lines, one file for each job."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

from semiad.errors import InputError
from semiad.ledger.atomic import atomic_write


class LedgerWriter:
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
                they are: see `command.experiment_tags`.
            runs: `key`, `normal`, `anomalous`, `tested` and `seed` of each.

        Raises:
            InputError: the folder cannot be written to.
        """
        text = json.dumps({**shared, "runs": runs})
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
