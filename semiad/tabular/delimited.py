"""Text files of rows and columns: CSV, TSV and the like."""

import csv
import gzip
import io
import re
import zlib
from itertools import islice
from pathlib import Path

import numpy as np
import polars as pl

from semiad.errors import InputError

MISSING = ("", "NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL")
"""What stands for a missing value in a text file."""
SEPARATORS = ",;\t|"
SAMPLE_ROWS = 200
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")
DECIMAL_POINT = re.compile(r"[+-]?\d+\.\d+(?:[eE][+-]?\d+)?")
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
NUMBER = re.compile(r"[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][+-]?\d+)?")


def read_delimited(path: Path, separator: str | None, decimal: str | None) -> pl.DataFrame:
    """Read a text file whose first line names the columns.

    Args:
        path: of the file, which may be compressed by gzip.
        separator: between columns; None to detect it.
        decimal: `.` or `,`; None to detect it.

    Raises:
        InputError: text that is not UTF-8, no header, equal names, lines of unequal length, a damaged archive.
    """
    data = decompressed(path)
    head = checked_head(path, data)
    if separator is None:
        separator = detect_separator(head)
    elif len(separator) != 1:
        raise InputError(f"separator is {separator!r}, expected a single character")
    if decimal not in (None, ".", ","):
        raise InputError(f"decimal is {decimal!r}, expected '.' or ','")
    if decimal == "," == separator:
        raise InputError(f"{path}: decimal and separator are both ',', expected two different characters")
    rows = [row for row in islice(csv.reader(io.StringIO(head), delimiter=separator), SAMPLE_ROWS) if row]
    names = [name.strip() for name in rows[0]]
    check_header(path, names)
    check_lengths(path, data, separator, len(names))
    if decimal is None:
        decimal = (
            "." if separator == "," else detect_decimal(path, [field.strip() for row in rows[1:] for field in row])
        )
    try:
        return pl.read_csv(
            io.BytesIO(data),
            separator=separator,
            new_columns=names,
            null_values=list(MISSING),
            infer_schema_length=None,
            decimal_comma=decimal == ",",
            raise_if_empty=False,
        )
    except pl.exceptions.PolarsError as error:
        raise InputError(f"{path} cannot be read as text with columns: {str(error).splitlines()[0]}") from error


def decompressed(path: Path) -> bytes:
    """Read the bytes of a file, unpacked by gzip if need be, without blank lines at its ends and the mark of UTF-8."""
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"{path} is a damaged gzip archive ({error})") from error
    if b"\r" in data and b"\n" not in data:  # the line ends of old spreadsheets
        data = data.replace(b"\r", b"\n")
    return data.removeprefix(b"\xef\xbb\xbf").strip(b"\r\n")


def checked_head(path: Path, data: bytes) -> str:
    """Check that a file is text in UTF-8, and give its first lines."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise InputError(f"{path} is in UTF-16, expected text in UTF-8: save it as 'CSV UTF-8'")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(f"{path} is not in UTF-8 (line {line}, byte {data[error.start]:#04x})") from error
    if b"\x00" in data:
        raise InputError(f"{path} holds bytes of value 0, expected text in UTF-8")
    if not data.strip():
        raise InputError(f"{path} is empty, expected a line of column names and rows")
    return b"".join(islice(io.BytesIO(data), SAMPLE_ROWS + 1)).decode()


def detect_separator(head: str) -> str:
    """Take the separator that cuts most of the first lines into equally many, and the most, fields; else a comma."""

    def fields(separator: str) -> tuple[float, int]:
        widths = [len(row) for row in csv.reader(io.StringIO(head), delimiter=separator) if row]
        agreeing = sum(width == widths[0] for width in widths) / len(widths)
        return (agreeing, widths[0]) if widths[0] > 1 else (0, 0)

    return max(SEPARATORS, key=fields)


def detect_decimal(path: Path, fields: list[str]) -> str:
    """Tell a decimal comma from a decimal point by the numbers of the first rows.

    Raises:
        InputError: both occur, or commas may as well stand between thousands.
    """
    commas = [field for field in fields if DECIMAL_COMMA.fullmatch(field)]
    point = next((field for field in fields if DECIMAL_POINT.fullmatch(field)), None)
    if not commas:
        return "."
    if point is not None:
        raise InputError(
            f"{path} has numbers with a comma ('{commas[0]}') and with a point ('{point}'): remove the marks between "
            "thousands, or name the decimal sign (decimal, --decimal)"
        )
    if all(map(THOUSANDS.fullmatch, commas)):
        raise InputError(
            f"{path}: the comma of '{commas[0]}' may be a decimal sign or a mark between thousands, since three digits "
            "follow it in all of the first rows: remove the mark, or name the decimal sign (decimal, --decimal)"
        )
    return ","


def check_header(path: Path, names: list[str]) -> None:
    """Check that the first line names the columns.

    Raises:
        InputError: an empty name, equal names, or values in place of names.
    """
    if "" in names:
        raise InputError(f"{path}: column {names.index('') + 1} has no name in the first line")
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"{path} has several columns named {', '.join(map(repr, repeated))}, expected different names")
    if all(map(NUMBER.fullmatch, names)) and names != [str(i) for i in range(len(names))]:
        raise InputError(f"{path}: the first line holds numbers only ({', '.join(names[:3])}), expected column names")


def check_lengths(path: Path, data: bytes, separator: str, width: int) -> None:
    """Check that every line has as many fields as the first.

    Raises:
        InputError: a line has more or fewer; the sentence names it.
    """
    if b'"' in data:
        try:
            reader = csv.reader(io.StringIO(data.decode(), newline=""), delimiter=separator)
            for row in reader:
                if len(row) != width and (row or width > 1):
                    refuse_line(path, reader.line_num, len(row), width)
        except csv.Error as error:
            raise InputError(f"{path} cannot be read as text with columns ({error})") from error
        return
    codes = np.frombuffer(data, dtype=np.uint8)
    ends = np.append(np.flatnonzero(codes == 10), len(codes))
    starts = np.append(0, ends[:-1] + 1)
    if separator.isascii():
        cuts = np.flatnonzero(codes == ord(separator))
        counts = np.diff(np.searchsorted(cuts, ends), prepend=0) + 1
    else:
        counts = np.array([line.count(separator) + 1 for line in data.decode().split("\n")])
    wrong = np.flatnonzero(counts != width)
    if len(wrong):
        line = int(wrong[0])
        refuse_line(path, line + 1, int(counts[line]) if data[starts[line] : ends[line]].strip() else 0, width)


def refuse_line(path: Path, line: int, fields: int, width: int) -> None:
    """Raise the error of a line of another length."""
    count = f"{fields} field{'' if fields == 1 else 's'}" if fields else "no fields"
    raise InputError(f"{path}, line {line} has {count}, expected {width} as in the first line")
