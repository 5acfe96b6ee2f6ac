"""Coordinates of the cells of a published table: how each is read from the transcription, and from a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from semiad.report.summary import natural_key

DATASETS = {
    "mnist": "MNIST",
    "fmnist": "Fashion-MNIST",
    "cifar10": "CIFAR-10",
    "mnist_letters": "E-MNIST",
}
METHODS: Mapping[str, str] = {
    "aesad": "AE-SAD",
    "ae": "AE",
    "ocsvm": "OC-SVM",
    "a3": "A3",
    "deep_sad": "Deep-SAD",
    "esad": "ESAD",
    "deep_svdd": "Deep SVDD",
    "iforest": "IF",
    "cae": "CAE",
}
"""Printed names of methods by ours, unless a paper has its own."""
BLOCK = pl.concat_str(
    pl.col("dataset", "scenario"),
    pl.col("normal", "anomalous", "tested").list.join(",").fill_null(""),
    pl.col("fold").cast(pl.String).fill_null(""),
    separator="|",
)
"""The cell of a run: runs that agree in it and in the seed were given the same rows."""
TOTAL = "mean"
"""The coordinate of a mean over all others."""
ALL = "all"
"""The coordinate of runs that name no classes: all of the rest are tested."""
UNKNOWN = "unknown"
"""The coordinate of a published value of which the text has lost where it stood."""


@dataclass(frozen=True, eq=False)
class Coordinate:
    """One coordinate of the cells of a table; two of one head are the same coordinate.

    Attributes:
        head: its name.
        published: the coordinate as text, over the columns of the transcribed table.
        ours: the same, over the columns of a ledger's runs.
        known: the coordinates that ours can have, if these are a fixed set, in order: others are not in semiad.
    """

    head: str
    published: pl.Expr
    ours: pl.Expr
    known: tuple[str, ...] = ()

    def order(self, text: str) -> tuple[Any, ...]:
        """Give the sort key of a coordinate."""
        return (self.known.index(text),) if text in self.known else (len(self.known), *natural_key(text))


def number(value: pl.Expr) -> pl.Expr:
    """Write a number as text, 0.10 and .1 alike."""
    return value.cast(pl.Float64, strict=False).round(6).cast(pl.String).str.replace(r"\.0$", "").fill_null(UNKNOWN)


def config_value(path: str) -> pl.Expr:
    """Read a setting of a run, as text."""
    return pl.col("config").str.json_path_match(f"$.{path}")


def classes(head: str, column: str, published: str | None = None) -> Coordinate:
    """Make the coordinate of a list of classes."""
    text = pl.col(published or column).str.replace_all(";", ", ")
    return Coordinate(head, text, pl.col(column).list.join(", ").fill_null(ALL))


def method(names: Mapping[str, str], column: str = "method", published: str = "method") -> Coordinate:
    """Make the coordinate of the method, by its printed name."""
    ours = pl.col(column).replace(dict(names))
    return Coordinate(column, pl.col(published), ours, (*names.values(), TOTAL))


def swept(head: str, path: str, scale: float = 1) -> Coordinate:
    """Make the coordinate of a setting that the table varies.

    Args:
        head: its name.
        path: of ours, into the configuration.
        scale: the printed value divided by ours.
    """
    return Coordinate(
        head, number(pl.col("param_value")), number(config_value(path).cast(pl.Float64, strict=False) * scale)
    )


def always(head: str, text: str) -> Coordinate:
    """Make a coordinate that all cells share."""
    return Coordinate(head, pl.lit(text), pl.lit(text))


DATASET = Coordinate("data set", pl.col("dataset"), pl.col("dataset").str.strip_prefix("odds/").replace(DATASETS))
NORMAL = classes("normal", "normal")
ANOMALOUS = classes("anomalous", "anomalous")
TESTED = classes("tested", "tested", "test_class")
CLASS = Coordinate("class", pl.col("test_class"), pl.col("class"))
SEEN = Coordinate(
    "seen",
    pl.col("seen"),
    pl.when(pl.col("anomalous").list.contains(pl.col("class"))).then(pl.lit("seen")).otherwise(pl.lit("unseen")),
)
POLLUTION = swept("pollution, %", "scenario.pollution", 100)
LABELLED = swept("labelled", "scenario.labelled")
SCENARIO = Coordinate("scenario", pl.lit(""), pl.col("scenario"))
AUC = always("metric", "AUC")
