"""What a go is given, its time, and tables of results that grow row by row."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from benchmarks.settings import Settings

UNFINISHED = 75
"""The exit status of a part that has more to do (EX_TEMPFAIL)."""


class OutOfTime(Exception):
    """The time of a part is over; what it has measured is kept."""


@dataclass(frozen=True)
class Go:
    """What a part is run with.

    Attributes:
        folder: of the tables and ledgers.
        seconds: the time that the part may take.
        device: `cuda`, or `cpu` for toy sizes.
        data_root: the folder of the data sets.
    """

    folder: Path
    seconds: float = 600
    device: str = "cuda"
    data_root: Path = Path("data")
    start: float = field(default_factory=perf_counter)

    @property
    def toy(self) -> bool:
        """Whether sizes are such that a CPU takes seconds."""
        return self.device == "cpu"

    @property
    def settings(self) -> Settings:
        """The same as settings of other measurements."""
        return Settings(data_root=self.data_root, device=self.device)

    def left(self) -> float:
        """Give the seconds that are left.

        Raises:
            OutOfTime: there are none.
        """
        left = self.seconds - (perf_counter() - self.start)
        if left <= 0:
            raise OutOfTime
        return left

    def table(self, name: str, keys: Sequence[str], columns: Sequence[str]) -> "ResultTable":
        """Open a table."""
        return ResultTable(self.folder / f"{name}.csv", [*keys], [*columns])


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read the rows of a table; none if it is not there."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [*csv.DictReader(file)]


@dataclass(frozen=True)
class ResultTable:
    """A table of results in a CSV file, to which each row is written as soon as it is measured.

    Attributes:
        path: of the file.
        keys: the columns that name a row.
        columns: the other ones.
    """

    path: Path
    keys: Sequence[str]
    columns: Sequence[str]

    def has(self, *key: object, **expected: str) -> bool:
        """Whether the table has a row of this key, and with these values in other columns."""
        named = dict(zip(self.keys, map(str, key), strict=True)) | expected
        return any(named.items() <= row.items() for row in read_rows(self.path))

    def add(self, *key: object, **values: object) -> None:
        """Write a row, and print it."""
        row: Mapping[str, object] = dict(zip(self.keys, key, strict=True)) | values
        new = not self.path.exists()
        with self.path.open("a", newline="") as file:
            writer = csv.DictWriter(file, [*self.keys, *self.columns])
            if new:
                writer.writeheader()
            writer.writerow(row)
        print(", ".join(f"{name} {value}" for name, value in row.items() if value != ""), flush=True)


@contextmanager
def timed() -> Iterator[list[float]]:
    """Append the seconds that the body took to the list that is given."""
    seconds: list[float] = []
    start = perf_counter()
    try:
        yield seconds
    finally:
        seconds.append(perf_counter() - start)
