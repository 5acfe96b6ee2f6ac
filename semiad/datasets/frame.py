"""A user's own file of rows and columns."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl
import torch

from semiad.datasets.semi_labels import to_classes
from semiad.errors import InputError, named
from semiad.ledger.files import user_path
from semiad.tabular.files import read_table
from semiad.tabular.labels import semi_labels, take_label
from semiad.tabular.preprocessor import TablePreprocessor
from semiad.types import Class, Dataset, Labels

FAR = 1_000
"""A feature lies far from zero if its smallest value is this many times its range, or more."""
HUGE = 1e37
"""What a value may be, so that differences of two are finite in float32."""


class Frame:
    """Loads a table: classes 0 (checked normal), 1 (anomaly) and `UNLABELLED`, no official split.

    Without checked normal rows, unlabelled ones stand for them. What columns are, their categories and what stands for
    a missing number come from all rows, never from labels; ranges come from the training rows of each split.

    Args:
        path: of the file, see `semiad.tabular.files.read_table`.
        label: name of the column of labels.
        anomaly: value that stands for an anomaly; None for 1.
        normal: value that stands for a checked normal row; None for 0.
        drop: columns to leave out.
        kinds: what a column is whatever it looks like, by name, see `semiad.tabular.columns.understand`.
        missing: texts that stand for a missing value.
        separator: of a text file; None to detect it.
        decimal: `.` or `,` in a text file; None to detect it.
    """

    located_by: ClassVar[tuple[str, ...]] = ("path", "separator", "decimal")
    """Settings that only say where the rows are and how they are read: not they enter the key, but the content."""

    def __init__(
        self,
        path: object,
        label: object,
        anomaly: object = None,
        normal: object = None,
        drop: object = (),
        kinds: object = None,
        separator: str | None = None,
        decimal: str | None = None,
        missing: object = (),
    ) -> None:
        if kinds is not None and not isinstance(kinds, Mapping):
            raise InputError(
                f"dataset.kinds is {kinds}, expected kinds by column, such as dataset.kinds={{zip: category}}"
            )
        self.path, self.label = path, label
        self.anomaly, self.normal = anomaly, normal
        by_column = {str(column): str(kind) for column, kind in (kinds or {}).items()}
        self.preprocessor = TablePreprocessor(
            texts("drop", drop, "columns such as dataset.drop=[id]"),
            by_column,
            missing=texts("missing", missing, "texts such as dataset.missing=[ERR]"),
        )
        self.separator, self.decimal = separator, decimal

    def __call__(self, root: Path) -> Dataset:
        """Read and encode the rows.

        Raises:
            InputError: the file, a column or a label cannot be used, or there are no anomalies or no others.
        """
        path = user_path("dataset.path", self.given("path", "a file"))
        label = self.given("label", "the name of a column")
        with named("dataset.path"):
            rows = read_table(path, separator=self.separator, decimal=self.decimal)
        rows, classes, y = self.labelled(rows, path, label)
        with named(str(path)):
            x = encode_rows(self.preprocessor, rows)
        name = re.sub(r"\.gz$", "", path.name, flags=re.IGNORECASE)
        return Dataset(Labels(Path(name).stem, classes, y, n_train=None), torch.from_numpy(x), top=None)

    def given(self, key: str, what: str) -> str:
        """Give a setting that must be set.

        Raises:
            InputError: it is not.
        """
        value = getattr(self, key)
        if value is None or not str(value):
            raise InputError(f"dataset.{key} is {value}, expected {what}")
        return str(value)

    def labelled(
        self, rows: pl.DataFrame, path: Path, label: str
    ) -> tuple[pl.DataFrame, tuple[Class, ...], np.ndarray]:
        """Take the labels out of a table: its other columns, the classes, and the position of each row's class, int64.

        Raises:
            InputError: there is no such column or no other, a label of another value, or all or no rows are anomalous.
        """
        with named(f"dataset.label of {path}"):
            rows, labels = take_label(rows, label)
            known = semi_labels(labels, anomaly=self.anomaly, normal=self.normal)
        return rows, *to_classes(known, str(path), prefix=f"dataset.label is '{label}', but ")


def encode_rows(preprocessor: TablePreprocessor, rows: pl.DataFrame) -> np.ndarray:
    """Encode columns without scaling them, to float32 (rows, features); infinite values become the ends of a range.

    A feature whose values lie close together and far from zero, such as a time in seconds, counts from its smallest
    value, since float32 could not tell them apart; one that float32 cannot hold ends at +-`HUGE`.

    Raises:
        InputError: no column is left, or one that is named does not exist or cannot be what it is to be.
    """
    encoded = preprocessor.fit(rows).encode(rows)
    x = np.empty((rows.height, len(encoded)), dtype=np.float32)
    for column, feature in enumerate(encoded):
        finite = feature[np.isfinite(feature)].clip(-HUGE, HUGE)
        low, high = finite.min(), finite.max()
        start = low if 0 < high - low < abs(low) / FAR else 0
        x[:, column] = feature.clip(low, high) - start
    return x


def texts(key: str, words: object, example: str) -> list[str]:
    """Give the texts of a setting that is a list.

    Raises:
        InputError: it is none.
    """
    if isinstance(words, str) or not isinstance(words, Iterable):
        raise InputError(f"dataset.{key} is {words}, expected a list of {example}")
    return [str(word) for word in words]
