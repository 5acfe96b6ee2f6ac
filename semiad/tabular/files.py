"""Files of rows and columns."""

import os
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError

import numpy as np
import polars as pl
import polars.selectors as cs

from semiad.errors import InputError
from semiad.extras import optional_import
from semiad.tabular.delimited import DelimitedTable
from semiad.tabular.frames import as_frame
from semiad.tabular.table import Table, file_errors


def read_table(
    path: str | os.PathLike[str], *, separator: str | None = None, decimal: str | None = None
) -> pl.DataFrame:
    """Read a table into memory, see `open_table`."""
    return open_table(path, separator=separator, decimal=decimal).read()


def open_table(
    path: str | os.PathLike[str],
    *,
    separator: str | None = None,
    decimal: str | None = None,
    texts: Collection[str] = (),
) -> Table:
    """Open a table, the rows of which are read in chunks; its suffix says which format it has.

    `.csv`, `.tsv`, `.txt` (each perhaps with `.gz`) are text with column names in the first line; `.parquet`, `.arrow`,
    `.feather` and `.ipc` are read by Polars; of `.npz` and `.mat` the array `X` becomes columns `x0`, `x1` ... and `y`
    a column `y`; `.npy` holds one array. A folder of Parquet files is one table, in the order of their names.

    Args:
        path: of the file. Arrays and Arrow streams are read into memory, other formats chunk by chunk.
        separator: of a text file; None to detect it.
        decimal: `.` or `,` in a text file; None to detect it.
        texts: columns of a text file that are text, though all of their values may look like numbers.

    Raises:
        InputError: anything that keeps the file from being read as a table of at least one row and one column.
    """
    path = Path(path)
    suffix = (path.with_suffix("") if path.suffix.lower() == ".gz" else path).suffix.lower()
    parts = parquet_files(path)
    if path.is_dir() and not parts:
        raise InputError(f"{path} is a directory without Parquet files, expected a file")
    if not parts and suffix not in (*TEXT, *READERS):
        raise InputError(f"{path} has the suffix '{path.suffix}', expected one of {', '.join((*TEXT, *READERS))}")
    table: Table
    with file_errors(path):
        if parts:
            table = ScannedTable(path, "Parquet", scan_parquet(parts))
        elif suffix in TEXT:
            table = DelimitedTable(path, separator, decimal, texts=texts)
        elif path.suffix.lower() == ".gz":
            raise InputError(f"{path} is compressed by gzip, which is read of text files ({', '.join(TEXT)}) only")
        elif not path.stat().st_size:
            raise InputError(f"{path} is empty")
        else:
            table = READERS[suffix](path)
    if not table.schema:
        raise InputError(f"{path} has no columns")
    if not table.height:
        raise InputError(f"{path} has column names but no rows")
    return table


def parquet_files(path: Path) -> list[Path]:
    """List the Parquet files of a folder, sorted by name; none if the path is no folder."""
    if not path.is_dir():
        return []
    return sorted(file for file in path.iterdir() if file.suffix.lower() in PARQUET and not file.name.startswith("."))


class ScannedTable(Table):
    """A table that Polars scans, also one in memory.

    Args:
        path: of the file.
        name: of its format.
        rows: the scan.

    Raises:
        InputError: the file is of another format, or damaged.
    """

    def __init__(self, path: Path, name: str, rows: pl.LazyFrame) -> None:
        self.path, self.name, self.rows = path, name, rows
        with polars_errors(path, name):
            self.schema = dict(rows.collect_schema())
            self.height = int(rows.select(pl.len()).collect().item())

    def frames(self, columns: Sequence[str], rows: int) -> Iterator[pl.DataFrame]:
        """Yield slices of the scan, one of which is read ahead: a slice takes less memory than a row group."""
        scan = self.rows.select(cs.by_name(columns))

        def read(start: int) -> pl.DataFrame:
            with polars_errors(self.path, self.name):
                return scan.slice(start, rows).collect(engine="streaming")

        with ThreadPoolExecutor(1) as pool:
            ahead = pool.submit(read, 0)
            for start in range(rows, self.height + rows, rows):
                frame = ahead.result()
                if start < self.height:
                    ahead = pool.submit(read, start)
                yield frame


@contextmanager
def polars_errors(path: Path, name: str) -> Iterator[None]:
    """Say in a sentence what Polars does not read.

    Raises:
        InputError: there is something.
    """
    try:
        yield
    # A damaged file may end in a panic of Polars, which is no Exception.
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit | OSError | MemoryError):
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        article = "an" if name[0] in "AEIOU" else "a"
        raise InputError(f"{path} is not {article} {name} file that can be read ({reason})") from error


def read_parquet(path: Path) -> Table:
    """Open a Parquet file."""
    return ScannedTable(path, "Parquet", scan_parquet(path))


def scan_parquet(source: Path | list[Path]) -> pl.LazyFrame:
    """Scan Parquet files as they are, whatever signs are in their names."""
    return pl.scan_parquet(source, glob=False, hive_partitioning=False)


def read_arrow(path: Path) -> Table:
    """Open an Arrow file, also called Feather (version 2); one of the stream format is read into memory."""
    with path.open("rb") as file:
        stream = file.read(6) != b"ARROW1"
    with polars_errors(path, "Arrow"):
        rows = pl.read_ipc_stream(path).lazy() if stream else pl.scan_ipc(path, glob=False, hive_partitioning=False)
    return ScannedTable(path, "Arrow", rows)


def read_npy(path: Path) -> Table:
    """Read one NumPy array."""
    try:
        with path.open("rb") as file:  # NumPy leaves a file open that it cannot read
            array = np.load(file, allow_pickle=False)
    except (ValueError, EOFError, SyntaxError, TokenError) as error:
        raise InputError(f"{path} {numpy_problem(error)}") from error
    if not isinstance(array, np.ndarray):
        array.close()
        raise InputError(f"{path} is an archive of arrays, expected one array: name it .npz")
    return from_arrays(path, {"X": array})


def read_npz(path: Path) -> Table:
    """Read an archive of NumPy arrays."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("no archive")
            arrays = {name: archive[name] for name in archive.files if name.lower() in ("x", "y")}
            return from_arrays(path, arrays, archive.files)
    except InputError:
        raise
    except (ValueError, EOFError, SyntaxError, TokenError, KeyError, zipfile.BadZipFile, NotImplementedError) as error:
        raise InputError(f"{path} {numpy_problem(error)}") from error
    except Exception as error:  # zlib.error, TypeError of an array where an archive was expected, ...
        raise InputError(f"{path} is not an archive of NumPy arrays ({error})") from error


def numpy_problem(error: Exception) -> str:
    """Say why NumPy does not read a file."""
    if "allow_pickle" in str(error) or "Object arrays" in str(error):
        return "holds pickled objects, which may run code and are not loaded: save arrays of numbers"
    return f"is not a file of NumPy that can be read ({error})"


def read_mat(path: Path) -> Table:
    """Read a MATLAB file, of version 7.3 if `h5py` is installed."""
    import scipy.io

    try:
        content = scipy.io.loadmat(path, variable_names=["X", "x", "Y", "y"])
        names = [name for name, _, _ in scipy.io.whosmat(path)]
    except NotImplementedError:
        content, names = read_hdf5(path)
    except OSError:
        raise
    except Exception as error:  # whatever scipy meets in a damaged file
        raise InputError(f"{path} is not a MATLAB file that can be read ({' '.join(str(error).split())})") from error
    return from_arrays(path, {k: v for k, v in content.items() if k.lower() in ("x", "y")}, names)


def read_hdf5(path: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """Read the arrays X and y of a MATLAB file of version 7.3, where dimensions are reversed; and the names in it."""
    with optional_import("h5py", "tables", f"{path}, a file of MATLAB 7.3 (one saved with -v7 needs no package)"):
        import h5py
    try:
        with h5py.File(path) as file:
            arrays = {k: file[k][()].T for k in file if k.lower() in ("x", "y") and isinstance(file[k], h5py.Dataset)}
            return arrays, list(file)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise InputError(f"{path} is not a MATLAB file that can be read ({error})") from error


def from_arrays(path: Path, arrays: Mapping[str, object], names: list[str] | None = None) -> Table:
    """Make a table of arrays X and y.

    Raises:
        InputError: no array X, an array of another shape or type than a table's, or another number of labels than rows.
    """
    by_name = {name.lower(): array for name, array in arrays.items()}
    if "x" not in by_name:
        raise InputError(f"{path} has no array X; it has {', '.join(names or []) or 'none'}")
    try:
        frame = as_frame(by_name["x"])
    except (InputError, TypeError) as error:
        raise InputError(f"{path}: X cannot be used: {error}") from error
    if "y" not in by_name:
        return ScannedTable(path, "NumPy", frame.lazy())
    y = np.asarray(by_name["y"])
    if y.size != frame.height:
        raise InputError(f"{path} has {frame.height} rows in X and {y.size} labels in y, expected as many")
    if y.dtype.kind not in "biufUS":
        raise InputError(f"{path}: y has the type {y.dtype}, expected numbers or text")
    return ScannedTable(path, "NumPy", frame.with_columns(pl.Series("y", y.ravel())).lazy())


TEXT, PARQUET = (".csv", ".tsv", ".txt"), (".parquet", ".pq")
READERS: dict[str, Callable[[Path], Table]] = {
    **dict.fromkeys(PARQUET, read_parquet),
    **dict.fromkeys((".arrow", ".feather", ".ipc"), read_arrow),
    **{".npz": read_npz, ".npy": read_npy, ".mat": read_mat},
}
