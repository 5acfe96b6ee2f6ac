"""Files of rows and columns."""

import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from tokenize import TokenError

import numpy as np
import polars as pl

from semiad.errors import InputError
from semiad.tabular.delimited import read_delimited
from semiad.tabular.frames import as_frame


def read_table(
    path: str | os.PathLike[str], *, separator: str | None = None, decimal: str | None = None
) -> pl.DataFrame:
    """Read a table; its suffix says which format it has.

    `.csv`, `.tsv`, `.txt` (each perhaps with `.gz`) are text with column names in the first line; `.parquet`, `.arrow`,
    `.feather` and `.ipc` are read by Polars; of `.npz` and `.mat` the array `X` becomes columns `x0`, `x1` ... and `y`
    a column `y`; `.npy` holds one array.

    Args:
        path: of the file, which is read into memory.
        separator: of a text file; None to detect it.
        decimal: `.` or `,` in a text file; None to detect it.

    Raises:
        InputError: anything that keeps the file from being read as a table of at least one row and one column.
    """
    path = Path(path)
    suffix = (path.with_suffix("") if path.suffix.lower() == ".gz" else path).suffix.lower()
    if path.is_dir():
        raise InputError(f"{path} is a directory, expected a file")
    if suffix not in (*TEXT, *READERS):
        raise InputError(f"{path} has the suffix '{path.suffix}', expected one of {', '.join((*TEXT, *READERS))}")
    try:
        if suffix in TEXT:
            frame = read_delimited(path, separator, decimal)
        elif path.suffix.lower() == ".gz":
            raise InputError(f"{path} is compressed by gzip, which is read of text files ({', '.join(TEXT)}) only")
        elif not path.stat().st_size:
            raise InputError(f"{path} is empty")
        else:
            frame = READERS[suffix](path)
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error})") from error
    except MemoryError as error:
        raise InputError(f"{path} does not fit into memory") from error
    if not frame.width:
        raise InputError(f"{path} has no columns")
    if not frame.height:
        raise InputError(f"{path} has column names but no rows")
    return frame


def read_parquet(path: Path) -> pl.DataFrame:
    """Read a Parquet file."""
    return by_polars(path, "a Parquet", pl.read_parquet)


def read_arrow(path: Path) -> pl.DataFrame:
    """Read an Arrow file, also called Feather (version 2), of the file or the stream format."""
    with path.open("rb") as file:
        stream = file.read(6) != b"ARROW1"
    return by_polars(path, "an Arrow", pl.read_ipc_stream if stream else pl.read_ipc)


def by_polars(path: Path, name: str, read: Callable[[Path], pl.DataFrame]) -> pl.DataFrame:
    """Read a file by a function of Polars, whose errors become a sentence."""
    try:
        return read(path)
    # A damaged file may end in a panic of Polars, which is no Exception.
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit | OSError | MemoryError):
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path} is not {name} file that can be read ({reason})") from error


def read_npy(path: Path) -> pl.DataFrame:
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


def read_npz(path: Path) -> pl.DataFrame:
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


def read_mat(path: Path) -> pl.DataFrame:
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
    try:
        import h5py
    except ImportError as error:
        raise InputError(f"{path} is of MATLAB 7.3, which needs h5py: pip install h5py, or save it with -v7") from error
    try:
        with h5py.File(path) as file:
            arrays = {k: file[k][()].T for k in file if k.lower() in ("x", "y") and isinstance(file[k], h5py.Dataset)}
            return arrays, list(file)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise InputError(f"{path} is not a MATLAB file that can be read ({error})") from error


def from_arrays(path: Path, arrays: Mapping[str, object], names: list[str] | None = None) -> pl.DataFrame:
    """Make a frame of arrays X and y.

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
        return frame
    y = np.asarray(by_name["y"])
    if y.size != frame.height:
        raise InputError(f"{path} has {frame.height} rows in X and {y.size} labels in y, expected as many")
    if y.dtype.kind not in "biufUS":
        raise InputError(f"{path}: y has the type {y.dtype}, expected numbers or text")
    return frame.with_columns(pl.Series("y", y.ravel()))


TEXT = (".csv", ".tsv", ".txt")
READERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    **{".parquet": read_parquet, ".pq": read_parquet},
    **dict.fromkeys((".arrow", ".feather", ".ipc"), read_arrow),
    **{".npz": read_npz, ".npy": read_npy, ".mat": read_mat},
}
