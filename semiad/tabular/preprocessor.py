"""From the columns of a table to features in [0, 1]."""

import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from typing import Any

import msgspec
import numpy as np
import polars as pl

from semiad.errors import InputError
from semiad.tabular.columns import Column, understand, without
from semiad.tabular.encoders import TEXT_HASHES, Constant, Encoder, fit_encoder, readable, was_text
from semiad.tabular.scaling import SCALINGS, Scaler, fit_scaler

FORMAT = 1
"""Of a state; another one is refused."""
ROWS = 1 << 15
"""Rows that a thread encodes at once."""
THREADS = min(os.cpu_count() or 1, 8)


class Description(msgspec.Struct, forbid_unknown_fields=True):
    """The part of a state that is text, checked when it is read."""

    format: int
    columns: list[str]
    dropped: list[str]
    kinds: dict[str, str]
    scaling: str
    margin: float
    encoders: list[dict[str, Any]]
    missing: list[str]
    complete: list[str]
    digest: str = ""


def agreed(learnt: Column, every: Column) -> Column:
    """Give what a column is by its training rows, but of the kind and format that it has in all rows, if it is used."""
    if "dropped" in (learnt.kind, every.kind):
        return learnt
    return replace(learnt, kind=every.kind, why=every.why, format=every.format)


class TablePreprocessor:
    """Learns from training rows how columns become features, and does the same to later rows.

    Args:
        drop: columns to leave out.
        kinds: what a column is whatever it looks like, by name, see `semiad.tabular.columns.understand`.
        scaling: `fences` or `minmax`, see `semiad.tabular.scaling.fit_scaler`.
        missing: texts that stand for a missing value, in any column.

    Attributes:
        columns_: what each column was taken for.
        feature_names_in_: the columns of the training rows.
        feature_names_out_: the features.
        source_of_feature: the column that each feature comes from.
    """

    def __init__(
        self,
        drop: Iterable[str] = (),
        kinds: Mapping[str, str] | None = None,
        scaling: str = "fences",
        missing: Iterable[str] = (),
    ) -> None:
        self.drop, self.kinds, self.scaling, self.missing = tuple(drop), dict(kinds or {}), scaling, tuple(missing)
        self.columns_: tuple[Column, ...] = ()
        self.encoders: tuple[Encoder, ...] = ()
        self.complete: frozenset[str] = frozenset()

    def fit(self, frame: pl.DataFrame, train: np.ndarray | None = None) -> "TablePreprocessor":
        """Learn from training rows.

        Args:
            frame: rows.
            train: numbers of those that are learnt from; None for all. What a column is (numbers, dates of a format) is
                decided by all rows, since others may hold what shows it.

        Raises:
            InputError: an unknown scaling, a name that the table does not have, or no column to learn from.
        """
        if self.scaling not in SCALINGS:
            raise InputError(f"scaling is '{self.scaling}', expected one of {', '.join(SCALINGS)}")
        frame = frame.select(without(series, self.missing) for series in frame)
        self.columns_ = every = understand(frame, drop=self.drop, kinds=self.kinds)
        if train is not None:
            frame = frame[train]
            learnt = understand(frame, drop=self.drop, kinds=self.kinds)
            self.columns_ = tuple(map(agreed, learnt, every))
        if all(column.kind == "dropped" for column in self.columns_):
            reasons = "; ".join(f"{column.name}: {column.why}" for column in self.columns_[:5])
            raise InputError(f"no column is left to learn from ({reasons})")
        fitted = (fit_encoder(column, frame[column.name]) for column in self.columns_)
        self.encoders = tuple(encoder for encoder in fitted if encoder is not None)
        self.feature_names_in_ = tuple(frame.columns)
        self.complete = frozenset(column.name for column in self.columns_ if not column.missing)
        self.scaler = fit_scaler(self.encode(frame), self.scaling)
        return self

    @property
    def feature_names_out_(self) -> tuple[str, ...]:
        """Name the features."""
        return tuple(chain.from_iterable(encoder.features() for encoder in self.encoders))

    @property
    def source_of_feature(self) -> tuple[str, ...]:
        """Name the column that each feature comes from."""
        return tuple(encoder.name for encoder in self.encoders for _ in encoder.features())

    def transform(self, frame: pl.DataFrame) -> np.ndarray:
        """Compute the features of rows.

        Returns:
            Float32 in [0, 1], (rows, features). A missing number is the median of training; see
            `semiad.tabular.encoders` for the others.

        Raises:
            InputError: a column is gone or of another type than in training. Further columns are left alone.
        """
        self.check(frame.columns)
        out = np.empty((frame.height, len(self.feature_names_out_)), dtype=np.float32)

        def fill(start: int) -> None:
            self.scaler(self.encode(frame[start : start + ROWS]), out[start : start + ROWS])

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(fill, range(0, frame.height, ROWS)))
        return out

    def encode(self, frame: pl.DataFrame) -> list[np.ndarray]:
        """Compute the features of rows before they are scaled, a float64 array (rows,) each."""
        watched = (e for e in self.encoders if not isinstance(e, Constant))
        return [feature for encoder in watched for feature in encoder.encode(self.values(frame, encoder))]

    def values(self, frame: pl.DataFrame, encoder: Encoder) -> pl.Series:
        """Take the values that an encoder reads out of a table.

        Raises:
            InputError: they have another type than in training.
        """
        return readable(encoder, without(frame[encoder.name], self.missing))

    def check(self, columns: Sequence[str]) -> None:
        """Check that a table has the columns of training.

        Raises:
            InputError: a column is gone.
        """
        if not self.encoders:
            raise InputError("the preprocessor is not fitted yet: call fit first")
        if gone := [name for name in self.needed if name not in columns]:
            if all(re.fullmatch(r"x\d+", name) for name in (*self.feature_names_in_, *columns)):
                raise InputError(
                    f"X has {len(columns)} features, but TablePreprocessor is expecting {len(self.feature_names_in_)} "
                    "features as input"
                )
            raise InputError(
                "The feature names should match those that were passed during fit: there is no column "
                f"{', '.join(map(repr, gone))}; the columns are {', '.join(columns)}"
            )

    @property
    def watched(self) -> tuple[str, ...]:
        """Name the columns that rows are scored by or compared in."""
        return tuple(encoder.name for encoder in self.encoders)

    @property
    def texts(self) -> tuple[str, ...]:
        """Name the columns that were text in training, and are text in a file where all values look like numbers."""
        return tuple(encoder.name for encoder in self.encoders if was_text(encoder))

    @property
    def needed(self) -> tuple[str, ...]:
        """Name the columns that rows must have to be scored."""
        return tuple(encoder.name for encoder in self.encoders if not isinstance(encoder, Constant))

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Give all that was learnt: values for JSON, and arrays."""
        arrays = {"low": self.scaler.low, "span": self.scaler.span}
        encoders = []
        for i, encoder in enumerate(self.encoders):
            encoders.append({**describe(encoder), "type": encoder.__struct_config__.tag})
            arrays |= {f"{i}.{name}": getattr(encoder, name) for name in encoder.arrays}
        description = Description(
            format=FORMAT,
            columns=list(self.feature_names_in_),
            dropped=list(self.drop),
            kinds=self.kinds,
            scaling=self.scaling,
            margin=self.scaler.margin,
            encoders=encoders,
            missing=list(self.missing),
            complete=sorted(self.complete),
        )
        description.digest = digest(description, arrays)
        return msgspec.to_builtins(description), arrays

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> "TablePreprocessor":
        """Make a fitted preprocessor of what `state` gave; `columns_` is not kept.

        Raises:
            InputError: a state of another version, or one that is damaged in any way.
        """
        try:
            description = msgspec.convert(dict(config), Description)
            if description.format != FORMAT:
                raise InputError(f"the preprocessing has format {description.format}, expected {FORMAT}")
            if description.digest != digest(description, arrays):
                raise InputError("the preprocessing is damaged: its content has another checksum")
            encoders = [rebuild(i, dict(values), arrays) for i, values in enumerate(description.encoders)]
            restored = cls(description.dropped, description.kinds, description.scaling, description.missing)
            restored.complete = frozenset(description.complete)
            restored.encoders, restored.feature_names_in_ = tuple(encoders), tuple(description.columns)
            restored.scaler = Scaler(arrays["low"], arrays["span"], description.margin)
            check_scaler(restored.scaler, len(restored.feature_names_out_))
        except InputError:
            raise
        except (msgspec.ValidationError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"the preprocessing is damaged ({' '.join(str(error).split())})") from error
        return restored


def describe(encoder: Encoder) -> dict[str, Any]:
    """Give the fields of an encoder that are no arrays."""
    return {name: getattr(encoder, name) for name in encoder.__struct_fields__ if name not in encoder.arrays}


def rebuild(index: int, values: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> Encoder:
    """Make an encoder of its fields, the types of which are checked."""
    if values.get("type") == "text":
        directions = arrays[f"{index}.directions"]
        if directions.dtype != np.float64 or directions.ndim != 2 or directions.shape[1] != TEXT_HASHES:
            raise ValueError(f"{index}.directions has the shape {directions.shape}")
        values["directions"] = directions
    encoder: Encoder = msgspec.convert(values, Encoder)
    return encoder


def check_scaler(scaler: Scaler, features: int) -> None:
    """Check shapes and values of a scaler that was read."""
    for name, array in (("low", scaler.low), ("span", scaler.span)):
        if array.dtype != np.float64 or array.shape != (features,) or not np.isfinite(array).all():
            raise ValueError(f"{name} is no array of {features} finite numbers")
    if not (scaler.span > 0).all() or not 0 <= scaler.margin < 0.5:
        raise ValueError("the scaler has a span that is not above 0, or a margin that is not below 1/2")


def digest(description: Description, arrays: Mapping[str, np.ndarray]) -> str:
    """Compute the checksum of a state, its own aside."""
    content = msgspec.structs.replace(description, digest="")
    total = hashlib.sha256(msgspec.json.encode(content, order="sorted"))
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name} {array.dtype.str} {array.shape}".encode())
        total.update(array.tobytes())
    return total.hexdigest()
