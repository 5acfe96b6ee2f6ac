"""Measurements that go on where they were stopped: a case is a line of a file, and is not measured again."""

import gzip
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.settings import Settings
from benchmarks.timing import console
from semiad.errors import InputError

Case = Mapping[str, Any]


def read_cases(path: Path) -> list[Case]:
    """Read the cases of a file, which may be compressed; none if it is not there."""
    if not path.exists():
        return []
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
    return [json.loads(line) for line in text.splitlines()]


def measure_cases(settings: Settings, name: str, planned: Iterable[tuple[Case, Callable[[], Case]]]) -> list[Case]:
    """Measure the cases that are not in `out` yet, and write each there as it ends.

    Args:
        settings: of the measurement.
        name: of the file, without its suffix.
        planned: what names a case, and a function that measures it.

    Returns:
        All cases in `out`.

    Raises:
        InputError: `out` is not given.
    """
    if settings.out is None:
        raise InputError("out=DIR is missing: the folder of the cases")
    settings.out.mkdir(parents=True, exist_ok=True)
    path = settings.out / f"{name}.jsonl"
    before = read_cases(path)
    for named, measure in planned:
        if not any(named.items() <= case.items() for case in before):
            with path.open("a") as file:
                file.write(json.dumps({**named, **measure()}) + "\n")
            console.print(", ".join(f"{key} {value}" for key, value in named.items()), soft_wrap=True)
    return read_cases(path)
