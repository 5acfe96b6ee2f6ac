"""W&B for those who use it, else csv."""

from functools import partial

from semiad.loggers.base import JobLogger
from semiad.loggers.wandb import configured


def auto(wandb: partial[JobLogger], csv: partial[JobLogger]) -> partial[JobLogger]:
    """W&B where it is configured, else csv."""
    return wandb if configured() else csv
