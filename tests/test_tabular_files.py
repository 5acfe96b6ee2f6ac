import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import scipy.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from semiad.errors import InputError
from semiad.tabular.files import read_table

FRAME = pl.DataFrame({"a": [1.5, -2.0, None], "n": [1, 2, 3], "kind": ["x", "y z", None], "fraud": [1, None, 0]})


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("suffix", ["csv", "tsv", "txt", "csv.gz"])
def test_text_of_any_separator_is_read_as_written(tmp_path: Path, separator: str, suffix: str) -> None:
    path, text = tmp_path / f"table.{suffix}", FRAME.write_csv(separator=separator).encode()
    path.write_bytes(gzip.compress(text) if suffix.endswith("gz") else text)
    assert read_table(path).equals(FRAME)


def test_binary_formats_are_read_as_written(tmp_path: Path) -> None:
    FRAME.write_parquet(tmp_path / "t.parquet")
    FRAME.write_ipc(tmp_path / "t.arrow")
    FRAME.write_ipc(tmp_path / "t.feather")
    FRAME.write_ipc_stream(tmp_path / "t.ipc")
    for suffix in ("parquet", "arrow", "feather", "ipc"):
        assert read_table(tmp_path / f"t.{suffix}").equals(FRAME)


def test_arrays_become_named_columns(tmp_path: Path) -> None:
    x, y = np.arange(6.0).reshape(3, 2), np.array([1, 0, -1])
    np.savez(tmp_path / "t.npz", X=x, y=y, other=np.array([object()]))
    scipy.io.savemat(tmp_path / "t.mat", {"X": x, "y": y[:, None]})
    np.save(tmp_path / "t.npy", x)
    expected = pl.DataFrame({"x0": [0.0, 2.0, 4.0], "x1": [1.0, 3.0, 5.0], "y": [1, 0, -1]})
    assert read_table(tmp_path / "t.npz").equals(expected)
    assert read_table(tmp_path / "t.mat").equals(expected)
    assert read_table(tmp_path / "t.npy").equals(expected.drop("y"))


def test_matlab_7_3(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    with h5py.File(tmp_path / "t.mat", "w", userblock_size=512) as file:
        file["X"], file["y"] = np.arange(6.0).reshape(2, 3), np.zeros((1, 3))
    with (tmp_path / "t.mat").open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    assert read_table(tmp_path / "t.mat").columns == ["x0", "x1", "y"]


def test_line_ends_of_old_spreadsheets_are_read(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b'a,"b"\r1,2\r3,4\r')
    assert read_table(tmp_path / "t.csv").rows() == [(1, 2), (3, 4)]


def test_decimal_comma_is_detected_and_can_be_named(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a;b\n1,5;x\n-2,25;y\n")
    assert read_table(path)["a"].to_list() == [1.5, -2.25]
    assert read_table(path, decimal=",", separator=";")["a"].to_list() == [1.5, -2.25]
    assert read_table(path, decimal=".")["a"].dtype == pl.String


def test_separators_within_quotes_and_marks_of_missing_values(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b'\xef\xbb\xbfname,v\r\n"a, b\nc",NA\r\n"d ""e""",3\r\n\r\n')
    assert read_table(path).rows() == [("a, b\nc", None), ('d "e"', 3)]


def test_a_late_value_of_another_type_makes_a_column_text(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a\n" + "1\n" * 5000 + "late\n")
    assert read_table(path)["a"].dtype == pl.String


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("t.csv", b"", "is empty"),
        ("t.csv", b"\n \n", "is empty"),
        ("t.csv", b"a,b\n", "has column names but no rows"),
        ("t.csv", "a,b\n1,é\n".encode("latin-1"), r"not in UTF-8 \(line 2, byte 0xe9\)"),
        ("t.csv", "a,b\n1,2\n".encode("utf-16"), "is in UTF-16"),
        ("t.csv", b"a,b\n1,\x002\n", "bytes of value 0"),
        ("t.csv", b"a,b\n1,2\n1,2,3\n", "line 3 has 3 fields, expected 2"),
        ("t.csv", b"a,b\n1,2\n1\n", "line 3 has 1 field, expected 2"),
        ("t.csv", b'a,b\n1,"2"\n1\n', "line 3 has 1 field, expected 2"),
        ("t.csv", b'a,b\n1,5" pipe\n1,2\n', r't.csv cannot .*: the field 5" pipe holds a quote .* written "5"" pipe"'),
        ("t.csv", b'a,b\n1,"5" pipe\n1,2\n', r'the field "5" pipe holds a quote .* is written "5"" pipe"'),
        ("t.csv", b"a,b\n1,2\n\n1,2\n", "line 3 has no fields, expected 2"),
        ("t.csv", b'a,b\n1,"2"\n\n1,2\n', "line 3 has no fields, expected 2"),
        ("t.csv", b"a,b,a\n1,2,3\n", "several columns named 'a'"),
        ("t.csv", b"a,,b\n1,2,3\n", "column 2 has no name"),
        ("t.csv", b"1.5,2,3\n1,2,3\n", "the first line holds numbers only"),
        ("t.tsv", b"a\tb\n999\t0\n1,234\t1\n", "may be a decimal sign or a mark between thousands"),
        ("t.tsv", b"a\tb\n1,2345\t2.5\n", r"a comma \('1,2345'\) and with a point \('2.5'\)"),
        ("t.csv.gz", gzip.compress(b"a,b\n1,2\n" * 99, mtime=0)[:-20], "damaged gzip"),
        ("t.parquet", b"PAR1 and then nothing", "not a Parquet file"),
        ("t.parquet", b"", "is empty"),
        ("t.arrow", b"ARROW1 and then nothing", "not an Arrow file"),
        ("t.npy", b"nothing of the kind", "pickled objects|not a file of NumPy"),
        ("t.npz", b"nothing of the kind", "NumPy|pickled"),
        ("t.mat", b"nothing of the kind", "not a MATLAB file"),
        ("t.xlsx", b"PK", "has the suffix '.xlsx', expected one of .csv"),
        ("t", b"a,b", "has the suffix ''"),
        ("t.parquet.gz", b"PAR1", "text files"),
    ],
)
def test_bad_files_are_a_sentence(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=sentence) as caught:
        read_table(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_and_directories_are_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_table(tmp_path / "no.csv")
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(InputError, match="is a directory"):
        read_table(tmp_path / "d.csv")


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_pickled_objects_are_not_loaded(tmp_path: Path, suffix: str) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return Path.touch, (tmp_path / "ran",)

    trap = np.array([[Trap()]], dtype=object)
    path = tmp_path / f"t.{suffix}"
    np.save(path, trap) if suffix == "npy" else np.savez(path, X=trap)
    with pytest.raises(InputError, match="pickled objects"):
        read_table(path)
    assert not (tmp_path / "ran").exists()


def test_arrays_that_are_no_table_are_a_sentence(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", data=np.zeros((2, 2)))
    np.savez(tmp_path / "b.npz", X=np.zeros((2, 2)), y=np.zeros(3))
    np.save(tmp_path / "c.npy", np.zeros(3))
    for name, sentence in (
        ("a.npz", "no array X; it has data"),
        ("b.npz", "2 rows in X and 3 labels"),
        ("c.npy", "1D"),
    ):
        with pytest.raises(InputError, match=sentence):
            read_table(tmp_path / name)


def test_a_lone_carriage_return_ends_a_line(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n1,2\n3,\r4,5\n6,7\n")
    with pytest.raises(InputError) as caught:
        read_table(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_is_read_or_a_sentence(tmp_path: Path, data: st.DataObject) -> None:
    suffix = data.draw(st.sampled_from(["csv", "parquet", "arrow", "npz", "npy", "mat"]))
    path = tmp_path / f"t.{suffix}"
    numbers = np.arange(12.0).reshape(6, 2)
    writers = {
        "csv": lambda: FRAME.write_csv(path),
        "parquet": lambda: FRAME.write_parquet(path),
        "arrow": lambda: FRAME.write_ipc(path),
        "npz": lambda: np.savez(path, X=numbers, y=np.ones(6)),
        "npy": lambda: np.save(path, numbers),
        "mat": lambda: scipy.io.savemat(path, {"X": numbers}),
    }
    writers[suffix]()
    raw = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(bytes(raw[: data.draw(st.sampled_from([len(raw), place]))]))
    try:
        read_table(path)
    except InputError as error:
        assert "\n" not in str(error)
