"""Files that are there as a whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def aside(path: Path) -> Iterator[Path]:
    """A file to write to, beside `path`, whose place it takes at the end; where that fails, what was there stays.

    Args:
        path: where the file is to be; its folder is made.

    Raises:
        OSError: the folder cannot be made or the file not be put in place.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{uuid4().hex[:8]}.tmp")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
