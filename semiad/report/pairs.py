"""Pairs of runs whose difference a claim predicts."""

import polars as pl

from semiad.ledger.reader import Ledger
from semiad.report.claims import Comparison
from semiad.report.coordinates import BLOCK, DATASET, Coordinate
from semiad.report.experiment import Experiment


def coordinates(experiment: Experiment, runs: pl.DataFrame) -> list[Coordinate]:
    """List the coordinates that tell runs apart: those of classes within a run and of opponents do not."""
    every = {c.head: c for c in (*experiment.coordinates, *filter(None, [experiment.compared]))}
    return [c for c in every.values() if {*c.ours.meta.root_names()} <= {*runs.columns}]


def unknown(comparison: Comparison, experiment: Experiment | None, ledger: Ledger) -> str:
    """Say what a comparison names that is not there; empty if all is there."""
    if experiment is None:
        return f"table {comparison.table}, which the paper does not have"
    heads = [c.head for c in coordinates(experiment, ledger.runs)]
    metrics = [comparison.metric] if comparison.head else [comparison.first, comparison.second]
    named = [comparison.head, *comparison.where, *(comparison.beside or ())[:1]]
    for head in filter(None, named):
        if head not in heads:
            return f"coordinate {head}, expected one of {', '.join(heads)} of {experiment.name}"
    for metric in metrics:
        if metric not in ledger.runs.columns or not ledger.runs.schema[metric].is_numeric():
            return f"metric {metric}, expected a number of a record"
    return ""


def paired(comparison: Comparison, experiment: Experiment, runs: pl.DataFrame) -> pl.DataFrame:
    """Pair runs by cell and seed.

    Returns:
        `difference`, `cell` (its classes and the coordinates in which the pair agrees), `others` (these coordinates
        only), `dataset`, `normal` (classes), in order of cell and seed.
    """
    known = coordinates(experiment, runs)
    heads = {c.head for c in known}
    metrics = [comparison.metric] if comparison.head else [comparison.first, comparison.second]
    frame = runs.filter(pl.col("status") == "ok").select(
        *(c.ours.alias(f"at {c.head}") for c in known),
        *metrics,
        seed="seed",
        dataset=DATASET.ours,
        normal=pl.col("normal").list.join(","),
        block=BLOCK,
    )
    for head, values in comparison.where.items():
        frame = frame.filter(pl.col(f"at {head}").is_in(values))
    beside = comparison.beside or ("", "", "")
    frame = frame.with_columns(others=names_of(heads - {comparison.head, beside[0]}))
    if not comparison.head:
        pairs = frame.with_columns(difference=pl.col(comparison.first) - pl.col(comparison.second))
    else:
        on = [*PAIRED, *([f"at {beside[0]}"] if beside[0] else [])]
        pairs = less(frame, f"at {comparison.head}", comparison.first, comparison.second, on, comparison.metric)
    if beside[0]:
        pairs = less(pairs, f"at {beside[0]}", beside[1], beside[2], [*PAIRED], "difference")
    cell = pl.concat_str("block", "others", separator="|")
    return pairs.drop_nulls("difference").with_columns(cell=cell).sort("cell", "seed")


PAIRED = ("others", "block", "seed", "dataset", "normal")
"""Columns in which two runs of a pair agree."""


def names_of(heads: set[str]) -> pl.Expr:
    """Write the values of some coordinates in one text, in order of their heads."""
    return pl.concat_str([pl.lit(""), *(pl.col(f"at {head}") for head in sorted(heads))], separator="|")


def less(frame: pl.DataFrame, column: str, first: str, second: str, on: list[str], value: str) -> pl.DataFrame:
    """Subtract a value at the second text of a column from that at the first, where all else agrees."""
    sides = [
        frame.filter(pl.col(column) == text).group_by(on, maintain_order=True).agg(pl.col(value).mean())
        for text in (first, second)
    ]
    both = sides[0].join(sides[1], on=on, suffix=" less", maintain_order="left")
    return both.with_columns(difference=pl.col(value) - pl.col(f"{value} less"))


def scope(pairs: pl.DataFrame) -> str:
    """Name the data sets of some cells, with how many cells and normal classes each has; of many, their number."""
    counts = pairs.unique("cell").group_by("dataset").agg(pl.len(), pl.col("normal").n_unique()).sort("dataset")
    if len(counts) > 3:
        return f"{len(counts)} data sets"
    return ", ".join(
        name if cells == 1 else f"{name}, normal classes: {classes}" for name, cells, classes in counts.iter_rows()
    )


def printed(comparison: Comparison, experiment: Experiment, others: set[str]) -> float | None:
    """Compute the mean difference of the published values over the cells of which runs were compared."""
    heads = experiment.heads
    if experiment.kind != "run" or comparison.head not in heads or comparison.metric != experiment.metric:
        return None
    cells = experiment.reference_cells().drop_nulls("mean").rename({head: f"at {head}" for head in heads})
    for head, values in comparison.where.items():
        cells = cells.filter(pl.col(f"at {head}").is_in(values))
    beside = comparison.beside or ("", "", "")
    cells = cells.with_columns(others=names_of({*heads} - {comparison.head, beside[0]}))
    on = ["others", *([f"at {beside[0]}"] if beside[0] else [])]
    pairs = less(cells, f"at {comparison.head}", comparison.first, comparison.second, on, "mean")
    if beside[0]:
        pairs = less(pairs, f"at {beside[0]}", beside[1], beside[2], ["others"], "difference")
    mean = pairs.filter(pl.col("others").is_in(sorted(others)))["difference"].mean()
    return float(str(mean)) / (100 if experiment.percent else 1) if mean is not None else None
