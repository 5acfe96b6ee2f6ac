"""The data that a page's script reads to open a cell: runs, curves and samples, as small as possible."""

import base64
import io
import json
from collections.abc import Sequence
from typing import Any, NotRequired, TypedDict

import numpy as np
import polars as pl

from semiad.extras import optional_import
from semiad.ledger.reader import Ledger
from semiad.report import curves, samples
from semiad.report.result import Result

with optional_import("pillow", "report", "pages"):
    from PIL import Image

TENTHOUSANDTHS = ("auc", "ap", "auc_seen", "auc_unseen", "auc_at_min_loss")
"""Columns that are sent as whole numbers."""
WORDS = ("method", "dataset", "scenario", "status", "reason", "device", "engine", "commit", "config")
"""Columns whose few values are sent once, and then by number."""
LISTS = ("normal", "anomalous", "tested")
POINTS = 300_000
"""Of all curves together; each keeps its first and last, and those between in equal steps."""
MIN_POINTS, MAX_POINTS = 12, 120
SAMPLED = 150
"""Runs whose samples a page holds; the first seeds come first."""

Index = dict[str, int]


class Opened(TypedDict):
    """What the panel of a cell shows.

    Attributes:
        runs: spans of their indices.
        said: our value in words.
        metric: name of the metric that counts, where no column of the table of runs has it.
        values: of this metric, one a run, in the order of the runs, in ten-thousandths.
        less: the two methods of which the cell has the difference, by printed name.
    """

    runs: list[int]
    said: str
    metric: NotRequired[str]
    values: NotRequired[list[int | None]]
    less: NotRequired[dict[str, str]]


def index(results: Sequence[Result], ledger: Ledger) -> tuple[pl.DataFrame, Index]:
    """Sort the runs of some results so that those of a cell are neighbours, and index them by key."""
    keys = pl.DataFrame({"key": [key for result in results for entry in result.entries for key in entry.keys]},
                        {"key": pl.String}).unique()  # fmt: skip
    runs = ledger.runs.join(keys, on="key", how="semi").with_columns(
        pl.col(name).cast(pl.List(pl.String)).list.join(",").fill_null("") for name in LISTS
    )
    runs = runs.sort("dataset", "scenario", "method", "config", *LISTS, "fold", "seed", "key")
    return runs, {key: i for i, key in enumerate(runs["key"])}


def spans(keys: Sequence[str], at: Index) -> list[int]:
    """Compress the indices of some keys to pairs: where a row of neighbours begins, and how many they are."""
    indices = np.unique([at[key] for key in keys if key in at]).astype(int)
    if not len(indices):
        return []
    begins = np.flatnonzero(np.diff(indices, prepend=-2) != 1)
    lengths = np.diff([*begins, len(indices)])
    return [int(number) for pair in zip(indices[begins], lengths, strict=True) for number in pair]


def metric_values(keys: Sequence[str], metric: pl.Expr, ledger: Ledger, at: Index) -> list[int | None]:
    """Collect a metric of some runs, in the order of their indices, in ten-thousandths."""
    runs = ledger.runs.filter(pl.col("key").is_in([key for key in keys if key in at]))
    rounded = (metric * 10_000).round().cast(pl.Int64)
    return runs.sort(pl.col("key").replace_strict(at, return_dtype=pl.Int64)).select(rounded).to_series().to_list()


def payload(runs: pl.DataFrame, at: Index) -> dict[str, Any]:
    """Collect all that the page's script reads, ready for JSON.

    Args:
        runs: as `index` orders them.
        at: index of each key.
    """
    columns: dict[str, Any] = {
        name: runs[name].to_list() for name in ("key", "seed", "n_labelled", "n_polluted", "epochs")
    }
    columns |= {name: (runs[name] * 10_000).round().cast(pl.Int64).to_list() for name in TENTHOUSANDTHS}
    columns["seconds"] = runs["seconds"].round(1).to_list()
    cell = pl.concat_str(
        pl.col("normal"), pl.lit(" vs "), pl.col("anomalous"),
        pl.when(pl.col("tested") != "").then(pl.format(" (tested on {})", "tested")).otherwise(pl.lit("")),
        pl.when(pl.col("fold").is_not_null()).then(pl.format(", fold {}", "fold")).otherwise(pl.lit("")),
    )  # fmt: skip
    coded = runs.select(*WORDS, cell=cell)
    names = {name: coded[name].drop_nulls().unique(maintain_order=True).to_list() for name in coded.columns}
    for name, values in names.items():
        number = {value: i for i, value in enumerate(values)}
        columns[name] = [None if value is None else number[value] for value in coded[name]]
    return {"runs": columns, "words": names, "curves": drawn(runs, at), "samples": shown(runs, at)}


def drawn(runs: pl.DataFrame, at: Index) -> dict[int, dict[str, list[Any]]]:
    """Collect the curve of each run that has one: epochs, AUC in ten-thousandths, loss with four digits."""
    drawn_curves: dict[int, dict[str, list[Any]]] = {}
    every = curves.read(runs).partition_by("key", as_dict=True, maintain_order=True)
    for (key,), curve in every.items():
        length = min(MAX_POINTS, max(MIN_POINTS, POINTS // len(every)), len(curve))
        some = curve[np.unique(np.linspace(0, len(curve) - 1, length).round().astype(int))]
        finite = some.with_columns(pl.when(pl.col(name).is_finite()).then(pl.col(name)) for name in ("loss", "auc"))
        drawn_curves[at[key]] = {
            "epoch": finite["epoch"].to_list(),
            "auc": (finite["auc"] * 10_000).round().cast(pl.Int64).to_list(),
            "loss": [None if value is None else float(f"{value:.4g}") for value in finite["loss"]],
        }
    return drawn_curves


def shown(runs: pl.DataFrame, at: Index) -> dict[int, dict[str, Any]]:
    """Collect, for runs that have samples, the most normal and the most anomalous test rows: pictures with scores."""
    shown_rows: dict[int, dict[str, Any]] = {}
    for run in runs.filter(pl.col("samples").is_not_null()).sort("seed", maintain_order=True).iter_rows(named=True):
        arrays = samples.read(run["samples"])
        if arrays is None or "x" not in arrays:
            continue
        sides = {**run, **{name: run[name].split(",") for name in ("normal", "anomalous")}}
        rows = {
            kind: [tile(arrays, int(row), sides) for row in np.flatnonzero(arrays["shown_kind"] == kind)]
            for kind in ("lowest", "highest")
        }
        shown_rows[at[run["key"]]] = {**rows, "hat": "x_hat" in arrays}
        if len(shown_rows) == SAMPLED:
            break
    return shown_rows


def tile(arrays: samples.Samples, row: int, run: dict[str, Any]) -> list[Any]:
    """Describe a row: picture (the reconstruction below the original), class, kind, score."""
    parts = [samples.picture(arrays[name][row]) for name in ("x", "x_hat") if name in arrays]
    file = io.BytesIO()
    Image.fromarray(np.concatenate(parts)).save(file, "png", optimize=True)
    address = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    name = str(arrays["shown_class"][row])
    return [address, name, samples.kinds(run, arrays, [name])[0], float(f"{arrays['shown_score'][row]:.4g}")]


def script(value: object) -> str:
    """Write JSON that may stand in an HTML script element."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
