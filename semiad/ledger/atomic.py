"""Writes files and folders completely or not at all, and files that replace no other."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from uuid import uuid4

from semiad.errors import InputError


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


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder beside `path`, which becomes `path` when the body ends.

    Raises:
        OSError: a folder cannot be made, or `path` is there by now.
    """
    draft = path.with_name(f".{path.name}.{uuid4().hex[:8]}.tmp")
    try:
        draft.mkdir(parents=True)
        yield draft
        draft.rename(path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def check_absent(path: Path) -> None:
    """Check that nothing is at a path.

    Raises:
        InputError: something is, if only a link that leads nowhere.
    """
    if path.exists() or path.is_symlink():
        raise InputError(f"{path} exists already: name another path, or remove it first")


def new_file(path: Path) -> Path:
    """Create an empty file with the name of `path`, or with a number added (`curves-2.csv`) where that is taken.

    A job's folder may hold files of other jobs, or of the user.

    Raises:
        OSError: the file cannot be created.
    """
    for number in count(1):
        new = path if number == 1 else path.with_stem(f"{path.stem}-{number}")
        try:
            new.open("x").close()
        except FileExistsError:
            continue
        return new
    raise AssertionError("numbers do not end")
