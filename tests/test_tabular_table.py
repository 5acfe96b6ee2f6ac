from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from semiad.errors import InputError
from semiad.tabular.delimited import MISSING, DelimitedTable
from semiad.tabular.files import open_table, read_table
from semiad.tabular.table import chunk_rows

FRAME = pl.DataFrame(
    {
        "number": [1.5, None, -2.0, 4.0, 5.0, 6.5, None],
        "*": [1, 2, 3, 4, 5, 6, 7],
        "kind": ["x", "a, b", None, 'say "so"', "two\nlines", "x", "é"],
        "late": [None, None, None, None, None, 1, None],
        "mixed": ["1", "2", "3", "4", "5", "6", "new"],
    }
)


@pytest.mark.parametrize("suffix", ["csv", "parquet", "arrow"])
@pytest.mark.parametrize("rows", [1, 2, 3, 7, 100])
def test_chunks_have_the_rows_of_the_file_in_order(tmp_path: Path, suffix: str, rows: int) -> None:
    path = tmp_path / f"t.{suffix}"
    {"csv": FRAME.write_csv, "parquet": FRAME.write_parquet, "arrow": FRAME.write_ipc}[suffix](path)
    table = open_table(path)
    chunks = list(table.chunks(rows=rows))
    assert table.height == 7 and table.schema == dict(FRAME.schema)
    assert [len(chunk) for chunk in chunks] == [min(rows, 7 - start) for start in range(0, 7, rows)]
    assert pl.concat(chunks).equals(FRAME) and all(chunk.schema == FRAME.schema for chunk in chunks)
    assert pl.concat(table.chunks(["*", "kind"], rows)).equals(FRAME.select(FRAME["*"], FRAME["kind"]))


# No whole number beyond 64 bits: beside a fraction Polars takes it for a number or for text by which comes first.
TEXTS = ["1", "-2", "0.5", "1e3", "x", '"a\nb"', '"say ""so"""', "true", "", "NA", "9223372036854775807"]
FIELDS = st.tuples(st.sampled_from(TEXTS), st.sampled_from(TEXTS))


@given(st.lists(FIELDS, min_size=1, max_size=30), st.integers(8, 40), st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_text_is_read_alike_in_blocks_of_any_size(
    tmp_path: Path, rows: list[tuple[str, str]], block: int, end: str
) -> None:
    path, text = tmp_path / "t.csv", end.join(["a,b", *map(",".join, rows)]).encode()
    path.write_bytes(text + 2 * end.encode())
    expected = pl.read_csv(text, null_values=list(MISSING), infer_schema_length=None)
    table = DelimitedTable(path, ",", ".", block)
    assert table.schema == dict(expected.schema) and table.height == len(rows)
    assert table.read().equals(expected)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"1", "line 5002 has 1 field, expected 2"),
        (b"1,2,3", "line 5002 has 3 fields"),
        (b'"1"', "line 5002 has 1 field, expected 2"),
        (b"1,\xe9", r"not in UTF-8 \(line 5002, byte 0xe9\)"),
        (b"", "line 5002 has no fields"),
    ],
)
def test_lines_of_later_blocks_have_their_numbers(tmp_path: Path, line: bytes, sentence: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n" + b"1,2\n" * 5000 + line + b"\n1,2\n")
    with pytest.raises(InputError, match=sentence):
        DelimitedTable(path, None, None, 512)


def test_a_folder_of_parquet_files_is_one_table(tmp_path: Path) -> None:
    for number in (2, 10, 1):
        FRAME.with_columns(file=number).write_parquet(tmp_path / f"part-{number:02}.parquet")
    (tmp_path / "_SUCCESS").touch()
    assert read_table(tmp_path)["file"].to_list() == [1] * 7 + [2] * 7 + [10] * 7


def test_a_damaged_row_group_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pl.DataFrame({"a": np.random.default_rng(0).normal(size=50_000)}).write_parquet(path, row_group_size=5_000)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2 : -1000] = b"\xff" * (len(raw) - 1000 - len(raw) // 2)
    path.write_bytes(bytes(raw))
    with pytest.raises(InputError, match=r"t\.parquet is not a Parquet file that can be read"):
        list(open_table(path).chunks(rows=1000))


def test_chunks_of_wide_tables_have_few_rows() -> None:
    assert [chunk_rows(columns) for columns in (0, 30, 1000, 10**7)] == [1 << 17, 1 << 17, 4096, 2048]
