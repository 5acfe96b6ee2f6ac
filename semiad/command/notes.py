"""Notes on what a command asks for and will not get."""

from collections.abc import Iterator, Sequence

from omegaconf import DictConfig

from semiad.ledger.records import ChosenRecords
from semiad.runs import Run


def notes(cfg: DictConfig, runs: Sequence[Run], remaining: Sequence[Run], ledger: ChosenRecords) -> Iterator[str]:
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
        yield f"{', '.join(asked)}: {runs[0].recipe.method_name} is a classical method, and has no {what}"
        return
    keys = {run.key for run in runs} - {run.key for run in remaining}
    recorded = [record for record in ledger.records if record.key in keys and record.status == "ok"]
    lacking = {
        files: sum(field is None or getattr(record, field) is None for record in recorded)
        for files, field in asked.values()
    }
    for files, count in lacking.items():
        if count:
            yield f"{count} runs that are recorded already get no {files}: force=true trains them again"
