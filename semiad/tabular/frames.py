"""Frames, arrays and tensors as one kind of frame."""

import sys
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from semiad.errors import InputError
from semiad.extras import missing_package
from semiad.tabular.labels import is_missing

DENSE_BYTES = 4 << 30
"""What a sparse matrix may take once it is dense."""


def as_frame(X: Any) -> pl.DataFrame:  # noqa: ANN401
    """Convert a table of any usual type to a Polars frame.

    Columns of arrays are named `x0`, `x1` ...; so are those of a pandas frame whose names are numbers.

    Args:
        X: a frame of Polars, pandas or PyArrow, a NumPy array, a torch tensor, a SciPy sparse matrix, or nested lists.

    Raises:
        InputError: not two dimensions, no rows, no columns, complex numbers, equal or mixed names of columns, or a
            sparse matrix too large to be dense. For arrays the text is scikit-learn's.
        TypeError: an array of objects that are neither numbers nor text.
    """
    if isinstance(X, pl.LazyFrame):
        X = X.collect()
    if isinstance(X, pl.DataFrame):
        return checked(X)
    if nw.dependencies.is_into_dataframe(X):
        return checked(from_native(X))
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(X, torch.Tensor):
        X = X.detach().cpu()
        X = (X.float() if X.dtype == torch.bfloat16 else X).numpy()
    return from_array(X)


def from_native(frame: Any) -> pl.DataFrame:  # noqa: ANN401
    """Convert a frame of pandas, PyArrow or a like library."""
    names = list(frame.columns) if hasattr(frame, "iloc") else []
    if repeated := sorted({str(name) for name in names if names.count(name) > 1}):
        raise InputError(f"X has several columns named {', '.join(map(repr, repeated))}, expected different names")
    texts = [isinstance(name, str) for name in names]
    if any(texts) and not all(texts):
        types = ", ".join(sorted({type(name).__name__ for name in names}))
        raise InputError(f"Feature names are only supported if all input features have string names, but X has {types}")
    if names and not any(texts):
        frame = frame.set_axis([f"x{i}" for i in range(len(names))], axis=1)
    try:
        converted: pl.DataFrame = nw.from_native(frame, eager_only=True).to_polars()
        return converted
    except (ModuleNotFoundError, ImportError) as error:
        raise missing_package("pyarrow", "tables", f"a {type(frame).__module__.split('.')[0]} frame") from error
    except Exception as error:  # what PyArrow and Polars say of a column that mixes types
        raise InputError(f"X cannot be read as a table: {' '.join(str(error).split())}") from error


def from_array(values: Any) -> pl.DataFrame:  # noqa: ANN401
    """Convert an array, a sparse matrix or nested lists."""
    from scipy import sparse
    from sklearn.utils import check_array

    if sparse.issparse(values):
        size = int(np.prod(values.shape)) * 8
        if size > DENSE_BYTES:
            raise InputError(
                f"X is sparse, and would take {size / 2**30:.0f} GiB as a dense table, expected at most "
                f"{DENSE_BYTES >> 30} GiB: drop columns, or reduce them (sklearn.decomposition.TruncatedSVD)"
            )
        values = values.toarray()
    if not isinstance(values, np.ndarray) and isinstance(values, list | tuple):
        values = nested(values)
    try:
        # dtype=None keeps integers, text and objects; they are judged by column.
        array = check_array(values, dtype=None, ensure_all_finite=False)
    except ValueError as error:
        raise InputError(" ".join(str(error).split())) from None
    names = [f"x{i}" for i in range(array.shape[1])]
    if array.dtype.kind in "OV":
        return pl.DataFrame([object_column(name, array[:, i]) for i, name in enumerate(names)])
    if array.dtype.kind == "f" and array.dtype.itemsize not in (4, 8):
        array = array.astype(np.float32 if array.dtype.itemsize < 4 else np.float64)
    if array.dtype.kind == "S":
        array = array.astype(str)
    return pl.DataFrame([pl.Series(name, np.ascontiguousarray(array[:, i])) for i, name in enumerate(names)])


def nested(rows: list[Any] | tuple[Any, ...]) -> np.ndarray:
    """Convert nested lists; those that mix numbers and text become an array of objects, so that numbers stay such."""
    try:
        array = np.asarray(rows)
        return np.asarray(rows, dtype=object) if array.dtype.kind in "US" else array
    except ValueError as error:
        raise InputError("X is a list of rows of unequal length, expected as many values in each row") from error


def object_column(name: str, values: np.ndarray) -> pl.Series:
    """Convert a column of Python objects: numbers if all of them are, else text."""
    filled = [None if is_missing(value) else value for value in values]
    try:
        return pl.Series(name, np.array([np.nan if value is None else value for value in filled]).astype(np.float64))
    except ValueError:
        return pl.Series(name, [None if value is None else str(value) for value in filled], dtype=pl.String)


def checked(frame: pl.DataFrame) -> pl.DataFrame:
    """Check that a frame has rows and columns; the text is scikit-learn's."""
    if not frame.width:
        raise InputError(f"Found array with 0 feature(s) (shape={frame.shape}) while a minimum of 1 is required.")
    if not frame.height:
        raise InputError(f"Found array with 0 sample(s) (shape={frame.shape}) while a minimum of 1 is required.")
    return frame
