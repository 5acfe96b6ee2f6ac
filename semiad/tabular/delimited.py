"""Text files of rows and columns: CSV, TSV and the like."""

import csv
import io
import re
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import polars.selectors as cs

from semiad.errors import InputError
from semiad.tabular.columns import MISSING
from semiad.tabular.table import Table, Types
from semiad.tabular.text_blocks import text_blocks, without_header

SEPARATORS = ",;\t|"
SAMPLE_ROWS = 200
BLOCK = 1 << 24
"""Bytes of text that are read at once."""
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")
DECIMAL_POINT = re.compile(r"[+-]?\d+\.\d+(?:[eE][+-]?\d+)?")
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
NUMBER = re.compile(r"[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][+-]?\d+)?")


class DelimitedTable(Table):
    """A text file whose first line names the columns.

    The file is read twice, block by block: first all of it is checked, and the type of each column is inferred from all
    of its values, so that it does not depend on where a block ends.

    Args:
        path: of the file, which may be compressed by gzip.
        separator: between columns; None to detect it.
        decimal: `.` or `,`; None to detect it.
        block: bytes that are read at once; None for `BLOCK`.
        texts: columns that are text, though all of their values may look like numbers.

    Raises:
        InputError: text that is not UTF-8, no header, equal names, lines of unequal length, a damaged archive.
    """

    def __init__(
        self,
        path: Path,
        separator: str | None,
        decimal: str | None,
        block: int | None = None,
        texts: Collection[str] = (),
    ) -> None:
        self.path, self.block = path, BLOCK if block is None else block
        head = first_lines(path, next(text_blocks(path, self.block), b""))
        self.separator = checked_separator(head, separator)
        if decimal not in (None, ".", ","):
            raise InputError(f"decimal is {decimal!r}, expected '.' or ','")
        if decimal == "," == self.separator:
            raise InputError(f"{path}: decimal and separator are both ',', expected two different characters")
        try:
            rows = [row for row in islice(read_rows(head, self.separator), SAMPLE_ROWS) if row]
        except csv.Error as error:
            raise InputError(f"{path} cannot be read as text with columns ({error})") from error
        self.names = [name.strip() for name in rows[0]]
        check_header(path, self.names)
        if decimal is None:
            fields = [field.strip() for row in rows[1:] for field in row]
            decimal = "." if self.separator == "," else detect_decimal(path, fields)
        self.decimal = decimal
        schema, self.height = self.inspect()
        self.schema: Types = {name: pl.String() if name in texts else kind for name, kind in schema.items()}

    def inspect(self) -> tuple[Types, int]:
        """Check all lines; give the types of the columns, and the number of rows."""
        schema: Types = {}
        lines = height = 0
        for number, block in enumerate(text_blocks(self.path, self.block)):
            check_text(self.path, block, lines)
            check_lengths(self.path, block, self.separator, len(self.names), lines)
            lines += block.count(b"\n") + 1
            if body := without_header(block) if not number else block:
                frame = self.parse(body, {})
                height += frame.height
                widen(schema, frame)
        return {name: schema.get(name, pl.String()) for name in self.names}, height

    def frames(self, columns: Sequence[str], rows: int) -> Iterator[pl.DataFrame]:
        """Yield a frame for each block of text."""
        for number, block in enumerate(text_blocks(self.path, self.block)):
            if body := without_header(block) if not number else block:
                yield self.parse(body, self.schema).select(cs.by_name(columns))

    def parse(self, body: bytes, schema: Types) -> pl.DataFrame:
        """Read lines, as columns of known types, or without any of those that fit these lines."""
        try:
            return pl.read_csv(
                io.BytesIO(body),
                has_header=False,
                separator=self.separator,
                new_columns=None if schema else self.names,
                schema=schema or None,
                null_values=list(MISSING),
                infer_schema_length=None,
                decimal_comma=self.decimal == ",",
            )
        except pl.exceptions.PolarsError as error:
            raise InputError(
                f"{self.path} cannot be read as text with columns: "
                + (stray_quote(body.decode(), self.separator) or str(error).splitlines()[0])
            ) from error


def stray_quote(text: str, separator: str) -> str | None:
    """Say which quote is part of a field and not around it; None if there is none."""
    inside = f'[^"{re.escape(separator)}\\r\\n]'
    found = re.search(
        f'(?m)(?:^|{re.escape(separator)})({inside}+".*?|"{inside}*"{inside}.*?)(?={re.escape(separator)}|$)', text
    )
    if found is None:
        return None
    field = found[1].strip()
    written = field.strip('"').replace('"', '""')
    return f'the field {field} holds a quote that is part of its text, which is written "{written}"'


def widen(schema: Types, frame: pl.DataFrame) -> None:
    """Change the types of columns so that they hold the values of a further block; missing values fit into any."""
    for series in frame:
        if series.null_count() < len(series):
            types = (schema.get(series.name, series.dtype), series.dtype)
            if types[0] == types[1]:
                schema[series.name] = types[0]
            elif not all(dtype.is_numeric() for dtype in types):
                schema[series.name] = pl.String()
            else:
                schema[series.name] = next((dtype for dtype in types if dtype.is_float()), pl.Int128())


def first_lines(path: Path, block: bytes) -> str:
    """Give the first lines of a file as text."""
    check_text(path, block, 0)
    if not block.strip():
        raise InputError(f"{path} is empty, expected a line of column names and rows")
    return b"".join(islice(io.BytesIO(block), SAMPLE_ROWS + 1)).decode()


def check_text(path: Path, block: bytes, lines: int) -> None:
    """Check that a block is text in UTF-8; `lines` are before it.

    Raises:
        InputError: it is not.
    """
    if not lines and block[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise InputError(f"{path} is in UTF-16, expected text in UTF-8: save it as 'CSV UTF-8'")
    try:
        block.decode("utf-8")
    except UnicodeDecodeError as error:
        line = lines + block[: error.start].count(b"\n") + 1
        raise InputError(f"{path} is not in UTF-8 (line {line}, byte {block[error.start]:#04x})") from error
    if b"\x00" in block:
        raise InputError(f"{path} holds bytes of value 0, expected text in UTF-8")


def checked_separator(head: str, separator: str | None) -> str:
    """Give the separator that a user names, or detect it.

    Raises:
        InputError: it is no single character.
    """
    if separator is not None and len(separator) != 1:
        raise InputError(f"separator is {separator!r}, expected a single character")
    return detect_separator(head) if separator is None else separator


def read_rows(text: str, separator: str) -> Any:  # noqa: ANN401 # csv names no type
    """Make a reader of the rows of a text, in which a carriage return alone ends no line and is an error."""
    return csv.reader(io.StringIO(text), delimiter=separator)


def detect_separator(head: str) -> str:
    """Take the separator that cuts most of the first lines into equally many, and the most, fields; else a comma."""

    def fields(separator: str) -> tuple[float, int]:
        try:
            widths = [len(row) for row in read_rows(head, separator) if row]
        except csv.Error:
            return 0, 0
        agreeing = sum(width == widths[0] for width in widths) / len(widths)
        return (agreeing, widths[0]) if widths[0] > 1 else (0, 0)

    return max(SEPARATORS, key=fields)


def detect_decimal(path: Path, fields: Sequence[str]) -> str:
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


def check_lengths(path: Path, data: bytes, separator: str, width: int, lines: int) -> None:
    """Check that every line of a block has as many fields as the first of the file.

    Args:
        path: of the file.
        data: the block.
        separator: between fields.
        width: number of fields.
        lines: number of lines before the block.

    Raises:
        InputError: a line has more or fewer; the sentence names it.
    """
    if b'"' in data:
        try:
            reader = csv.reader(io.StringIO(data.decode(), newline=""), delimiter=separator)
            for row in reader:
                if len(row) != width and (row or width > 1):
                    refuse_line(path, lines + reader.line_num, len(row), width)
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
        refuse_line(path, lines + line + 1, int(counts[line]) if data[starts[line] : ends[line]].strip() else 0, width)


def refuse_line(path: Path, line: int, fields: int, width: int) -> None:
    """Raise the error of a line of another length."""
    count = f"{fields} field{'' if fields == 1 else 's'}" if fields else "no fields"
    raise InputError(f"{path}, line {line} has {count}, expected {width} as in the first line")
