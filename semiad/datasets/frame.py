"""A user's own file of rows and columns."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl
import torch

from semiad.datasets.semi_labels import to_classes
from semiad.errors import InputError
from semiad.ledger.files import user_path
from semiad.tabular.files import read_table
from semiad.tabular.labels import semi_labels
from semiad.tabular.preprocessor import TablePreprocessor
from semiad.types import Class, Dataset, Labels

SHOWN = 10
"""Number of columns that a sentence names."""


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
    ) -> None:
        if isinstance(drop, str) or not isinstance(drop, Iterable):
            raise InputError(f"dataset.drop is {drop}, expected a list of columns such as dataset.drop=[id]")
        if kinds is not None and not isinstance(kinds, Mapping):
            raise InputError(
                f"dataset.kinds is {kinds}, expected kinds by column, such as dataset.kinds={{zip: category}}"
            )
        self.path, self.label = path, label
        self.anomaly, self.normal = anomaly, normal
        self.preprocessor = TablePreprocessor(map(str, drop), {str(k): str(v) for k, v in (kinds or {}).items()})
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
        classes, y = self.labels(rows, path, label)
        with named(str(path)):
            x = self.features(rows.drop(label))
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

    def labels(self, rows: pl.DataFrame, path: Path, label: str) -> tuple[tuple[Class, ...], np.ndarray]:
        """Read the label of each row: the classes, and the position of each row's class, int64.

        Raises:
            InputError: there is no such column or no other, a label of another value, or all or no rows are anomalous.
        """
        if label not in rows.columns:
            near = get_close_matches(label, rows.columns, n=3)
            names = near or rows.columns[:SHOWN]
            rest = f" and {len(rows.columns) - SHOWN} more" if not near and len(rows.columns) > SHOWN else ""
            raise InputError(
                f"dataset.label is '{label}', but {path} has no such column; "
                f"{'near it are' if near else 'there are'} {', '.join(names)}{rest}"
            )
        if rows.width == 1:
            raise InputError(f"dataset.label is '{label}', the only column of {path}: nothing is left to learn")
        with named(f"{path}, column '{label}'"):
            known = semi_labels(rows[label], anomaly=self.anomaly, normal=self.normal)
        return to_classes(known, str(path), prefix=f"dataset.label is '{label}', but ")

    def features(self, rows: pl.DataFrame) -> np.ndarray:
        """Encode columns without scaling them, to float32 (rows, features); infinite values become the ends of a range.

        Raises:
            InputError: no column is left, or one that is named does not exist or cannot be what it is to be.
        """
        encoded = self.preprocessor.fit(rows).encode(rows)
        x = np.empty((rows.height, len(encoded)), dtype=np.float32)
        for column, feature in enumerate(encoded):
            finite = feature[np.isfinite(feature)]
            x[:, column] = feature if len(finite) == len(feature) else feature.clip(finite.min(), finite.max())
        return x


@contextmanager
def named(where: str) -> Iterator[None]:
    """Say in errors where they come from, and by the settings' names here."""
    try:
        yield
    except InputError as error:
        sentence = re.sub(r"--(anomaly|normal) VALUE", r"dataset.\1=VALUE", str(error))
        sentence = re.sub(r"--(anomaly|normal)", r"dataset.\1", sentence)
        raise InputError(f"{where}: {sentence}") from error
