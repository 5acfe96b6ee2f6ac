"""The commands that train the runs of a table, and the command that reports them."""

import json
import re
import shlex
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import polars as pl


def commands(experiment: str, budget: str | None, plans: pl.DataFrame, folder: Path) -> list[str]:
    """Write a training command for each set of changes that the plans have, and the command of the report.

    Args:
        experiment: name of the experiment; empty for runs of none, whose training command is not known.
        budget: of the plans.
        plans: rows of `Ledger.plans` of the experiment.
        folder: of the ledger.
    """
    named = [shlex.quote(f"experiment={experiment}")] if experiment else []
    named += [shlex.quote(f"budget={budget}")] if budget else []
    results = shlex.quote(f"results={folder}")
    for column in ("config_dir", "search_path"):
        if column not in plans.columns:
            plans = plans.with_columns(pl.lit(None, pl.String).alias(column))
    by = ("changes", "config_dir", "search_path")
    alike = sorted(plans.partition_by(by), key=lambda part: [part[name][0] or "" for name in by])
    train = [
        [
            *configs(part["config_dir"][0], part["search_path"][0]),
            *named,
            *map(shlex.quote, narrowed(part)),
            *filter(None, [part["changes"][0]]),
        ]
        for part in alike
    ]
    made = [" ".join(["python -m semiad.train", *words, results, "-m"]) for words in train or [named] if experiment]
    return [*made, " ".join(["python -m semiad.report", *named, results])]


def configs(config_dir: str | None, search_path: str | None) -> Iterator[str]:
    """Write the words that let Hydra find configurations outside of semiad.

    Args:
        config_dir: argument of `--config-dir`, if it was given.
        search_path: JSON text of a list, the further entries of Hydra's search path.
    """
    if config_dir:
        yield f"--config-dir {shlex.quote(config_dir)}"
    if search_path and (places := json.loads(search_path)):
        yield shlex.quote(f"hydra.searchpath=[{','.join(map(hydra_quoted, places))}]")


def hydra_quoted(text: str) -> str:
    """Quote an element of a list for Hydra's grammar of overrides, where that is needed."""
    return text if re.fullmatch(r"[\w/:.@+%-]+", text) else '"' + text.replace('"', r"\"") + '"'


def narrowed(plans: pl.DataFrame) -> Iterator[str]:
    """Write the words that narrow an experiment's sweep to what is planned of it; none where a plan names no part.

    Plans of another day may name other values of a setting: the sweep has what any of them names.
    """
    if plans["job"].null_count():
        return
    jobs = [json.loads(job) for job in plans["job"].unique()]
    sweeps = sorted((json.loads(sweep) for sweep in plans["sweep"].drop_nulls().unique()), key=json.dumps)
    for name in dict.fromkeys(name for sweep in sweeps for name in sweep):
        values = sorted((sweep.get(name, []) for sweep in sweeps), key=len, reverse=True)
        every = [*dict.fromkeys(chain.from_iterable(values))]
        planned = [value for value in every if any(job.get(name) == value for job in jobs)]
        if planned and len(planned) < len(every):
            yield f"{name}={','.join(planned)}"
