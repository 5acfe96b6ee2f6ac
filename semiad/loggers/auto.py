"""W&B for those who use it, else csv."""

import warnings
from functools import partial
from importlib.util import find_spec

from semiad.errors import described
from semiad.loggers.base import JobLogger
from semiad.loggers.wandb import configured


def auto(wandb: partial[JobLogger], csv: partial[JobLogger]) -> partial[JobLogger]:
    """W&B where it is installed and configured, else csv; csv with a warning where W&B cannot say."""
    if find_spec("wandb") is None:
        return csv
    try:
        return wandb if configured() else csv
    except Exception as error:  # whatever W&B raises: no logger stops a run
        warnings.warn(f"W&B cannot say whether it is set up ({described(error)}): logger=auto is csv", stacklevel=2)
        return csv
