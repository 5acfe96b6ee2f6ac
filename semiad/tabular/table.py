"""Tables that are read chunk by chunk, so that a file may have more rows than fit into memory."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from semiad.errors import InputError

Types = dict[str, Any]
"""Types of columns by name, in order: Polars' own, which jaxtyping's checker cannot name."""
CELLS = 1 << 22
"""Values of a chunk: 32 MiB of float64."""
STEP, MOST_ROWS = 1 << 11, 1 << 17
"""Rows of a chunk are a multiple of the one, and at most the other."""


class Table(ABC):
    """A file of rows and columns.

    Attributes:
        path: of the file.
        schema: types of the columns by name, the same in every chunk.
        height: number of rows.
    """

    path: Path
    schema: Types
    height: int

    @abstractmethod
    def frames(self, columns: Sequence[str], rows: int) -> Iterator[pl.DataFrame]:
        """Yield frames of some columns, in the order of rows; `rows` is how many each should have, about."""

    def chunks(self, columns: Sequence[str] | None = None, rows: int | None = None) -> Iterator[pl.DataFrame]:
        """Yield frames of the same number of rows, the last of which may have fewer.

        Args:
            columns: that the frames have, in the order of the file; None for all.
            rows: of a frame; None for a number that keeps a frame small.

        Raises:
            InputError: the file cannot be read.
        """
        columns = list(self.schema) if columns is None else list(columns)
        rows = chunk_rows(len(columns)) if rows is None else rows
        with file_errors(self.path):
            yield from of_size(self.frames(columns, rows), rows)

    def take(self, taken: np.ndarray, columns: Sequence[str]) -> pl.DataFrame:
        """Read some rows into memory, in the order of the file.

        Args:
            taken: which rows, a boolean for each.
            columns: that the frame has.

        Raises:
            InputError: the file cannot be read.
        """
        start, parts = 0, []
        for frame in self.chunks(columns):
            parts.append(frame.filter(taken[start : start + len(frame)]))
            start += len(frame)
        return pl.concat(parts, rechunk=True)

    def read(self) -> pl.DataFrame:
        """Read all rows into memory.

        Raises:
            InputError: the file cannot be read.
        """
        return pl.concat(self.chunks())


def chunk_rows(columns: int) -> int:
    """Compute how many rows of a number of columns a chunk has."""
    return min(max(CELLS // max(columns, 1) // STEP, 1) * STEP, MOST_ROWS)


def of_size(frames: Iterable[pl.DataFrame], rows: int) -> Iterator[pl.DataFrame]:
    """Cut frames, and put them together, so that all but the last have a number of rows."""
    parts: list[pl.DataFrame] = []
    missing = rows
    for frame in frames:
        rest = frame
        while rest.height:
            parts.append(rest.head(missing))
            rest, missing = rest.slice(missing), missing - parts[-1].height
            if not missing:
                yield joined(parts)
                parts, missing = [], rows
    if parts:
        yield joined(parts)


def joined(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Join frames of the same columns."""
    return parts[0] if len(parts) == 1 else pl.concat(parts, rechunk=True)


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Say in a sentence why a file cannot be read.

    Raises:
        InputError: it cannot.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error})") from error
    except MemoryError as error:
        raise InputError(f"{path} does not fit into memory") from error
