"""Writes files completely or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary file beside `path` that replaces `path` when the body ends; on an error `path` stays as it was.

    Args:
        path: the path of the file; its folder is made if it does not exist.

    Raises:
        OSError: the folder cannot be made, or the file cannot be replaced.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{uuid4().hex[:8]}.tmp")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
