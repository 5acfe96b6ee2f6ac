"""Where a figure stands in a published table: found in a row of the transcribed table, and in a run of ours."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from semiad.report.summary import natural

DATASETS = {
    "mnist": "MNIST",
    "fmnist": "Fashion-MNIST",
    "cifar10": "CIFAR-10",
    "mnist_letters": "E-MNIST",
}
AESAD_METHODS = {
    "aesad": "AE-SAD",
    "ae": "AE",
    "ocsvm": "OC-SVM",
    "a3": "A3",
    "deep_sad": "Deep-SAD",
    "esad": "ESAD",
    "deep_svdd": "Deep SVDD",
    "iforest": "IF",
}
ESAD_METHODS = {**AESAD_METHODS, "ae": "CAE", "deep_sad": "Deep SAD"}
"""How each paper prints the names of methods, by ours."""
TOTAL = "mean"
"""The place of a mean over all others."""
ALL = "all"
"""The place of runs that name no classes: all of the rest are tested."""
UNKNOWN = "unknown"
"""The place of a figure of which the text has lost where it stood."""


@dataclass(frozen=True)
class Place:
    """One coordinate of the cells of a table.

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
        """A key of order of its coordinates."""
        return (self.known.index(text),) if text in self.known else (len(self.known), *natural(text))


def number(value: pl.Expr) -> pl.Expr:
    """A number as text, 0.10 and .1 alike."""
    return value.cast(pl.Float64, strict=False).round(6).cast(pl.String).str.replace(r"\.0$", "").fill_null(UNKNOWN)


def setting(path: str) -> pl.Expr:
    """A setting of a run, as text."""
    return pl.col("config").str.json_path_match(f"$.{path}")


def classes(head: str, column: str, published: str | None = None) -> Place:
    """A list of classes."""
    text = pl.col(published or column).str.replace_all(";", ", ")
    return Place(head, text, pl.col(column).list.join(", ").fill_null(ALL))


def method(names: Mapping[str, str], column: str = "method", published: str = "method") -> Place:
    """The method, by its printed name."""
    ours = pl.col(column).replace(dict(names))
    return Place(column, pl.col(published), ours, (*names.values(), TOTAL))


def swept(head: str, path: str, scale: float = 1) -> Place:
    """A setting that the table varies.

    Args:
        head: its name.
        path: of ours, into the configuration.
        scale: printed figure by ours.
    """
    return Place(head, number(pl.col("param_value")), number(setting(path).cast(pl.Float64, strict=False) * scale))


def always(head: str, text: str) -> Place:
    """A place that all cells share."""
    return Place(head, pl.lit(text), pl.lit(text))


DATASET = Place("data set", pl.col("dataset"), pl.col("dataset").str.strip_prefix("odds/").replace(DATASETS))
NORMAL = classes("normal", "normal")
ANOMALOUS = classes("anomalous", "anomalous")
TESTED = classes("tested", "tested", "test_class")
CLASS = Place("class", pl.col("test_class"), pl.col("class"))
SEEN = Place(
    "seen",
    pl.col("seen"),
    pl.when(pl.col("anomalous").list.contains(pl.col("class"))).then(pl.lit("seen")).otherwise(pl.lit("unseen")),
)
ALPHA = swept("alpha", "method.lam.alpha")
POLLUTION = swept("pollution, %", "scenario.pollution", 100)
LABELLED = swept("labelled", "scenario.labelled")
AESAD = method(AESAD_METHODS)
ESAD = method(ESAD_METHODS)
OPPONENT = method(AESAD_METHODS, "opponent", "param_value")
AUC = always("figure", "AUC")

UNSUPERVISED = number(setting("scenario.labelled")) == "0"
VERSION = Place(
    "method",
    pl.col("method"),
    pl.when(pl.col("method") != "esad")
    .then(ESAD.ours)
    .when(UNSUPERVISED)
    .then(pl.lit("ESAD (unsupervised)"))
    .otherwise(pl.lit("ESAD (full)")),
    ("ESAD (unsupervised)", "ESAD (full)", *ESAD_METHODS.values()),
)
"""ESAD Table 2: its runs without labelled anomalies beside those with."""

PARTS = (
    ("enc2", setting("method.second") == "true"),
    ("ass", number(setting("method.lam2")) != "0"),
    ("gaussian", number(setting("method.gaussian")) != "0"),
    ("permutation", setting("method.permutation") == "true"),
)
DESIGN = Place(
    "design",
    pl.col("param_value"),
    pl.concat_str(
        [pl.when(there).then(pl.lit(name)) for name, there in PARTS], separator="+", ignore_nulls=True
    ).replace("", "none"),
)
"""ESAD Table 5: the parts of the design that a run has."""
