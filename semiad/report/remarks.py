"""Remarks that a reader of a table needs besides it."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import sqrt
from statistics import mean, stdev

import polars as pl

from semiad.ledger.reader import Ledger
from semiad.ledger.record import describe, leaves
from semiad.report.coordinates import DATASET
from semiad.report.experiment import Experiment
from semiad.report.result import Entry
from semiad.report.summary import natural_key, repeats, some
from semiad.report.uncommitted import is_uncommitted
from semiad.report.verdicts import Verdict

NETWORK = "method.net._target_"


def remarks(
    experiment: Experiment,
    ledger: Ledger,
    budget: str | None,
    planned: Sequence[str],
    frame: pl.DataFrame,
    cells: pl.DataFrame,
    entries: Sequence[Entry],
) -> Iterator[str]:
    """Describe holes, failures and conflicts, a sentence each.

    Args:
        experiment: the table.
        ledger: that it is made from.
        budget: of the runs.
        planned: budgets that the ledger has plans of.
        frame: runs with the values that count, see `observed`.
        cells: what the table is made of.
        entries: the cells of the table.
    """
    runs = frame.unique("key", keep="first", maintain_order=True)
    if experiment.absent:
        yield f"not in semiad: {experiment.absent}"
    elif not len(runs):
        of = experiment.name + (f" budget={budget}" if budget else "")
        yield f"no run of {of} is planned in {ledger.folder}"
    else:
        yield settings(runs)
    if len(planned) > 1:
        yield f"{' and '.join(planned)} are planned: this is {budget}"
    for kind in ("failed", "missing"):
        holes = runs.filter(pl.col("status") == kind)
        if len(holes):
            yield f"{kind}: {len(holes)} of {len(runs)} runs: {some(holes, describe)}"
    if experiment.needs:
        bare = runs.filter(pl.col("status") == "ok", pl.col(experiment.needs).is_null())
        if len(bare):
            yield f"{len(bare)} good runs have no {experiment.needs} to draw: train again with force=true"
    lacking = sum(entry.verdict == Verdict.MISSING and not entry.keys for entry in entries)
    if len(runs) and lacking:
        yield f"{lacking} published cells have no planned run"
    for doubt, count in Counter(entry.doubt for entry in entries if entry.doubt).items():
        yield f"no verdict on {count} cells: {doubt}"
    odd = sum("typo" in entry.flag and entry.verdict not in (Verdict.UNPUBLISHED, Verdict.MISSING) for entry in entries)
    if odd:
        yield f"{odd} published values that look misprinted are counted as printed"
    yield from breadth(experiment, frame, cells)
    yield from variants(experiment, cells)
    keys = set(runs["key"])
    yield from repeats(ledger, runs.filter(~pl.col("sensitive").fill_null(False))["key"])
    yield from sensitive(ledger, runs)
    yield from (f"error: {conflict}" for conflict in ledger.conflicts if conflict.partition(" ")[0] in keys)


def sensitive(ledger: Ledger, runs: pl.DataFrame) -> Iterator[str]:
    """Describe methods in which the last bit decides: how far one run's records lie apart, beside its seeds."""
    marked = runs.filter(pl.col("sensitive"), pl.col("status") == "ok", pl.col("auc").is_not_null())
    for (method,), of_method in marked.group_by("method", maintain_order=True):
        sentence = f"{method} is sensitive: the number of threads, the engine and the device change the AUC of a run"
        seeds = [
            stdev(part["auc"].to_list())
            for _, part in of_method.group_by("config", "dataset", "normal", "anomalous", "tested", "fold")
            if len(part) > 1
        ]
        repeats = [stdev(ledger.repeated[key]) for key in of_method["key"] if key in ledger.repeated]
        if repeats and seeds:
            again = sqrt(mean(value**2 for value in repeats))
            sentence += (
                f"; {len(repeats)} runs were trained more than once, and differ with a standard deviation of "
                f"{again:.4f}, where that over seeds is {sqrt(mean(value**2 for value in seeds)):.4f}"
            )
        yield sentence


def departures(ledger: Ledger, chosen: pl.DataFrame) -> Iterator[str]:
    """Describe where the commands departed from the experiment, a sentence each.

    Args:
        ledger: of all plans.
        chosen: plans of the experiment that count; those with changes may have been left out.
    """
    every = ledger.plans.join(chosen.select("experiment", "budget").unique(), on=["experiment", "budget"], how="semi")
    out = every.join(chosen, on="key", how="anti")
    yield from with_changes(chosen, "not the experiment as it stands")
    yield from with_changes(out, "left out")


def with_changes(plans: pl.DataFrame, words: str) -> Iterator[str]:
    """Count the runs of each set of changes, a sentence each that begins with these words."""
    counts = plans.drop_nulls("changes").group_by("changes").agg(pl.col("key").n_unique()).sort("changes")
    yield from (f"{words}: {count} runs with {changes}" for changes, count in counts.iter_rows())


def settings(runs: pl.DataFrame) -> str:
    """Describe the settings of runs, in a line."""
    configs = [dict(leaves(json.loads(config))) for config in runs["config"].unique(maintain_order=True)]
    networks = (str(config[NETWORK]).rpartition(".")[2] for config in configs if NETWORK in config)
    parts: dict[str, Iterable[str]] = {
        "epochs": (str(config["epochs"]) for config in configs if "epochs" in config),
        "seeds": map(str, runs["seed"]),
        "data sets": runs.select(DATASET.ours).to_series(),
        "networks": networks,
    }
    said = {name: sorted({*values}, key=natural_key) for name, values in parts.items()}
    return "settings: " + "; ".join(f"{name} {', '.join(values)}" for name, values in said.items() if values)


def breadth(experiment: Experiment, frame: pl.DataFrame, cells: pl.DataFrame) -> Iterator[str]:
    """Say over how many cells our means are, where the paper's are over others."""
    counts = cells.filter(pl.col("n") > 0).select(pl.col("cells").list.len()).to_series().unique().sort()
    if experiment.pooled and len(counts) and counts.to_list() != [experiment.pooled[0]]:
        ours = f"{counts[0]}" + (f" to {counts[-1]}" if len(counts) > 1 else "")
        named = frame.drop_nulls("value").select(DATASET.ours).to_series().unique(maintain_order=True)
        of = "" if DATASET.head in experiment.heads else f" of {', '.join(named)}"
        yield f"means over {ours} cells{of}; the paper's are over {' '.join(map(str, experiment.pooled))}"


def variants(experiment: Experiment, cells: pl.DataFrame) -> Iterator[str]:
    """Tell which cells of the table hold runs that differ in more than their seed."""
    several = cells.filter(pl.col("mixed") != "")
    if len(several):
        where = ", ".join(several.select(experiment.heads).row(0))
        first = f"{where}: {several['mixed'][0]}"
        yield f"settings differ between the runs of {len(several)} cells of the table, first {first}"


def made_by(runs: pl.DataFrame) -> list[str]:
    """List versions, commit and device of the runs, a line each combination, the most frequent first."""
    what = ("versions", "distributions", "commit", "device")
    made = runs.filter(pl.col("status") != "missing").group_by(what).len()
    made = made.sort("len", *what, descending=[True, *[False] * len(what)])
    return [
        f"{count} runs: {', '.join(f'{name} {version}' for name, version in merged(versions, others).items())}; "
        f"commit {commit or 'unknown'}{' (with uncommitted changes)' if is_uncommitted(commit) else ''}; "
        f"{device or 'unknown device'}"
        for versions, others, commit, device, count in made.iter_rows()
    ]


def merged(*texts: str | None) -> dict[str, str]:
    """Merge versions that stand as JSON text."""
    return {name: version for text in texts for name, version in json.loads(text or "{}").items()}
