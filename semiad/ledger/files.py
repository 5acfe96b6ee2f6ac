"""Paths that a user gives, and the files below a folder."""

import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from semiad.errors import InputError


def user_path(name: str, value: str) -> Path:
    """Give the path that a setting names; a leading `~` stands for the home folder.

    Raises:
        InputError: there is no home folder.
    """
    try:
        return Path(value).expanduser()
    except RuntimeError as error:
        raise InputError(f"{name} is {value}, but this user has no home folder: give the path in full") from error


class FileTree:
    """The files below a folder and below the folders that links in it lead to; each folder and file is listed once.

    Args:
        folder: the folder; an absent one has no files.

    Attributes:
        files: the files, in order of their paths.
        problems: links that lead nowhere, folders that cannot be read, and what is no file (a pipe), each a sentence.
    """

    def __init__(self, folder: Path) -> None:
        self.problems: list[str] = []
        files: list[Path] = []
        linked: list[Path] = []
        seen: set[tuple[int, int]] = set()
        pending = [folder] if folder.is_dir() else []
        while pending:  # links wait for what is reached without them, so that a folder goes by its own name
            links: list[Path] = []
            for path in (path for start in pending for path in self._walk(start, seen)):
                if not path.is_symlink():
                    if path.is_file():
                        files.append(path)
                    else:  # a pipe would be waited for
                        self.problems.append(f"{path} is no file: set aside")
                elif path.is_dir():
                    links.append(path)
                elif path.is_file():
                    linked.append(path)
                else:
                    self.problems.append(f"{path} is a link to no file: set aside")
            pending = sorted(links)
        if linked:
            targets = {path.resolve() for path in files}
            for path in linked:
                if path.resolve() not in targets:
                    targets.add(path.resolve())
                    files.append(path)
        self.files = sorted(files)

    def named(self, pattern: str, parent: str | None = None) -> Sequence[Path]:
        """Select the files whose name matches a pattern, in folders of a name; None for any."""
        return [path for path in self.files if fnmatch(path.name, pattern) and parent in (None, path.parent.name)]

    def _walk(self, start: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
        """Yield the files of a folder and those below it, and every link; folders that were seen are left out."""

        def unreadable(error: OSError) -> None:
            self.problems.append(f"{error.filename} cannot be read ({error.strerror}): set aside")

        for place, folders, names in os.walk(start, onerror=unreadable):
            try:
                status = Path(place).stat()
            except FileNotFoundError:  # deleted meanwhile
                continue
            if (status.st_dev, status.st_ino) in seen:
                folders.clear()
                continue
            seen.add((status.st_dev, status.st_ino))
            links = [name for name in folders if Path(place, name).is_symlink()]
            folders[:] = [name for name in folders if name not in links]
            yield from (Path(place, name) for name in (*links, *names))
