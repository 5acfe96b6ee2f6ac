"""Compare a table that was just printed with that of a page: `python scripts/compare_table.py README.md PRINTED`.

Lines that begin with `digits` are the table. Words must be equal, and numbers may differ by 0.01: processors and
versions of PyTorch round differently. The exit status is 1 if the tables differ.
"""

import re
import sys
from pathlib import Path

WITHIN = 0.01
"""By which numbers of the tables may differ; labels bring 0.1 of the AUC."""


def rows(text: str) -> list[list[str]]:
    """Split the lines of the table into words."""
    return [line.split() for line in text.splitlines() if line.startswith("digits ")]


def differences(expected: str, printed: str) -> list[str]:
    """Describe what differs between the tables of two texts; empty if nothing does."""
    tables = rows(expected), rows(printed)
    if not tables[0] or [len(row) for row in tables[0]] != [len(row) for row in tables[1]]:
        return [f"expected {len(tables[0])} rows, 1 or more, but {len(tables[1])} were printed, or of another length"]
    pairs = [pair for row, other in zip(*tables, strict=True) for pair in zip(row, other, strict=True)]
    return [f"expected {a}, but {b} was printed" for a, b in pairs if not same(a, b)]


def same(expected: str, printed: str) -> bool:
    """Whether two words are equal, or two numbers nearly so."""
    decimals = all(re.fullmatch(r"\d+\.\d+", word) for word in (expected, printed))
    return abs(float(expected) - float(printed)) <= WITHIN if decimals else expected == printed


if __name__ == "__main__":
    found = differences(*(Path(name).read_text(encoding="utf-8") for name in sys.argv[1:3]))
    sys.exit("\n".join(f"error: {sentence}" for sentence in found) if found else None)
