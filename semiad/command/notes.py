"""Notes on what a command asks for and will not get."""

from collections.abc import Iterator, Sequence

import polars as pl
from omegaconf import DictConfig

from semiad.ledger.reader import Ledger
from semiad.runs import Run


def notes(cfg: DictConfig, runs: Sequence[Run], remaining: Sequence[Run], ledger: Ledger) -> Iterator[str]:
    """Say of each setting that asks for files of runs where none are written, a sentence each.

    Args:
        cfg: the configuration.
        runs: all runs of the job.
        remaining: those that are trained.
        ledger: the records at the start.
    """
    wanted = {
        "eval_every": ("curves", "curve") if cfg.eval_every else None,
        "samples=true": ("samples", "samples") if cfg.samples else None,
        "engine.checkpoints=true": ("checkpoints", None) if cfg.engine.get("checkpoints") is True else None,
    }
    asked = {setting: files for setting, files in wanted.items() if files is not None}
    if asked and runs and runs[0].recipe.engine is not None:
        what = ", ".join(files for files, _ in asked.values())
        yield f"{', '.join(asked)}: {runs[0].recipe.method_name} is trained without a network, and has no {what}"
        return
    keys = {run.key for run in runs} - {run.key for run in remaining}
    recorded = ledger.runs.filter(pl.col("key").is_in([*keys]), pl.col("status") == "ok")
    lacking = {
        files: len(recorded) if column is None else recorded[column].null_count() for files, column in asked.values()
    }
    for files, count in lacking.items():
        if count:
            yield f"{count} runs that are recorded already get no {files}: force=true trains them again"
