"""Trained encoders, kept beside the ledger for every hybrid that takes the same ones."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from torch import Tensor

from semiad.engines.context import OnEpochs
from semiad.engines.signals import exit_if_requested
from semiad.ledger.atomic import atomic_write
from semiad.ledger.provenance import commit, versions

DIGEST = 32
"""Bytes of the hash before the content of a file."""


@dataclass(frozen=True)
class TrainedEncoder:
    """An encoder, and what its training took.

    Attributes:
        state: its weights, on the CPU.
        steps: optimiser steps taken.
        seconds: of wall time.
        pack_width: how many were trained as one.
        threads: of most steps on a CPU.
    """

    state: Mapping[str, Tensor]
    steps: int
    seconds: float
    pack_width: int
    threads: int | None


class EncoderStore:
    """Encoders as files `KEY.encoder`, by the key of the run that trained them.

    A file counts only for the versions of packages, and the commit, by which it was written.

    Args:
        folder: of the files; None to keep nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.made_by = {**versions(), "commit": commit() or ""}

    def load(self, key: str) -> TrainedEncoder | None:
        """Load an encoder; None if there is none, if it is damaged, or if another version has made it."""
        if self.folder is None or not (path := self.folder / f"{key}.encoder").exists():
            return None
        try:
            data = path.read_bytes()
            if sha256(data[DIGEST:]).digest() != data[:DIGEST]:
                raise ValueError("its content does not have the hash that it names")
            content = torch.load(BytesIO(data[DIGEST:]), map_location="cpu", weights_only=True)
            return TrainedEncoder(**content["encoder"]) if content["made_by"] == self.made_by else None
        except Exception as error:  # whatever a damaged file makes torch raise
            warnings.warn(f"{path} cannot be read ({error}): the encoder is trained again", stacklevel=2)
            return None

    def save(self, key: str, encoder: TrainedEncoder) -> None:
        """Write an encoder completely or not at all; where that cannot be done, a warning says so."""
        if self.folder is None:
            return
        buffer = BytesIO()
        torch.save({"made_by": self.made_by, "encoder": asdict(encoder)}, buffer)
        content = buffer.getvalue()
        try:
            with atomic_write(self.folder / f"{key}.encoder") as draft:
                draft.write_bytes(sha256(content).digest() + content)
        except OSError as error:
            warnings.warn(f"an encoder could not be kept ({error})", stacklevel=2)

    @contextmanager
    def locked(self, name: str, on_epochs: OnEpochs) -> Iterator[None]:
        """Let one job at a time train the encoders of that name: equal jobs side by side do not train them twice."""
        if self.folder is None:
            yield
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / f"{name}.lock")
        while True:
            try:
                lock.acquire(timeout=1)
                break
            except Timeout:
                on_epochs([])  # still here
                exit_if_requested()
        try:
            yield
        finally:
            lock.release()
