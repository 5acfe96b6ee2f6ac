"""Text files in blocks of complete rows."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

from semiad.errors import InputError


def text_blocks(path: Path, size: int) -> Iterator[bytes]:
    """Yield the text of a file in blocks of complete rows, without the mark of UTF-8 and blank lines at either end.

    Args:
        path: of the file, which may be compressed by gzip.
        size: bytes that are read at once.

    Raises:
        InputError: a damaged archive.
    """
    pending: list[bytes] = []
    for block in row_blocks(path, size):
        if pending and block.strip(b"\r\n"):
            yield b"\n".join(pending)
            pending = []
        pending.append(block)
    if last := b"\n".join(pending).rstrip(b"\r\n"):
        yield last


def row_blocks(path: Path, size: int) -> Iterator[bytes]:
    """Yield blocks that end where a row ends, not within quotes; each without its last line end."""
    rest, old_line_ends = b"", None
    for data in parts_of(path, size):
        if old_line_ends is None:
            old_line_ends = b"\r" in data and b"\n" not in data  # those of old spreadsheets
            data = data.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
        rest += data.replace(b"\r", b"\n") if old_line_ends else data
        end = last_row_end(rest)
        if end >= 0:
            yield rest[:end]
            rest = rest[end + 1 :]
    yield rest


def parts_of(path: Path, size: int) -> Iterator[bytes]:
    """Yield the bytes of a file, unpacked by gzip if need be."""
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        with gzip.open(raw) if packed else nullcontext(raw) as file:
            try:
                while data := file.read(size):
                    yield data
            except (gzip.BadGzipFile, EOFError, zlib.error) as error:
                raise InputError(f"{path} is a damaged gzip archive ({error})") from error


def last_row_end(data: bytes) -> int:
    """Find the last line end that is not within quotes; -1 if there is none."""
    end = data.rfind(b"\n")
    before = data.count(b'"', 0, max(end, 0))
    while end >= 0 and before % 2:
        earlier = data.rfind(b"\n", 0, end)
        before -= data.count(b'"', max(earlier, 0), end)
        end = earlier
    return end


def without_header(block: bytes) -> bytes:
    """Take the first row, which may have line ends within quotes, off a block."""
    end = block.find(b"\n")
    while end >= 0 and block.count(b'"', 0, end) % 2:
        end = block.find(b"\n", end + 1)
    return block[end + 1 :] if end >= 0 else b""
