"""The value of a job: the mean of a metric over its runs, for a person to read and for a sweeper to choose by."""

from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from semiad.errors import InputError

DIRECTIONS = {"auc": "maximize", "ap": "maximize", "loss": "minimize"}
"""The direction in which each objective is better."""
TEST_ROWS = "objective={} is of test rows, which are no validation: measure what is chosen on other data"


def check_objective(cfg: DictConfig) -> None:
    """Refuse an unknown objective, and a sweeper that chooses by the value of a job without one or by its opposite.

    Raises:
        InputError: the objective cannot be used.
    """
    name = cfg.objective
    if name is not None and name not in DIRECTIONS:
        raise InputError(f"objective is {name}, expected {', '.join(DIRECTIONS)} or null")
    if name == "loss" and not cfg.eval_every:
        raise InputError("objective=loss is the last training loss of the curves: add eval_every=N")
    hydra: Any = HydraConfig.get()
    if not chooses(hydra):
        return
    if name is None:
        raise InputError(f"{sweeper(hydra)} chooses by the value of a job: add objective={', '.join(DIRECTIONS)}")
    if cfg.dry_run or cfg.audit:
        raise InputError(f"{sweeper(hydra)} chooses by the value of a job, but dry_run and audit train nothing")
    direction = hydra.sweeper.get("direction")
    if direction is not None and str(getattr(direction, "name", direction)) != DIRECTIONS[name]:
        raise InputError(f"objective={name} is to {DIRECTIONS[name]}: add hydra.sweeper.direction={DIRECTIONS[name]}")


def chooses(hydra: Any) -> bool:  # noqa: ANN401
    """Whether the sweeper of a command chooses its jobs by the values of others; Hydra's own one does not."""
    return hydra.mode == RunMode.MULTIRUN and not hydra.sweeper._target_.endswith("BasicSweeper")


def sweeper(hydra: Any) -> str:  # noqa: ANN401
    """Name the sweeper of a command."""
    return f"hydra/sweeper={hydra.runtime.choices['hydra/sweeper']}"
