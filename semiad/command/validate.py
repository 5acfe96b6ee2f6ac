"""Checks of the values in a configuration."""

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from semiad.command.arguments import MAX_SHARDS
from semiad.command.objective import check_objective
from semiad.errors import InputError

BOUNDS = {
    "epochs": (1, 1_000_000),
    "batch_size": (1, 2**31 - 1),
    "eval_every": (0, 2**31 - 1),
    "shards": (1, MAX_SHARDS),
    "shard": (0, MAX_SHARDS),
}
"""The least and the largest value of settings that are whole numbers."""
SWITCHES = ("force", "retry_failed", "dry_run", "audit", "samples", "logger.per_run")


def validate(cfg: DictConfig) -> None:
    """Refuse values of the wrong kind.

    Raises:
        InputError: a value cannot be used.
    """
    choices = HydraConfig.get().runtime.choices
    if choices["budget"] != "full" and not choices["experiment"]:
        raise InputError(f"budget={choices['budget']} is of an experiment: add experiment=NAME")
    for name, (least, largest) in BOUNDS.items():
        value = cfg[name]
        if value is None and name == "shard":
            continue
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= largest:
            raise InputError(f"{name} is {value}, expected a whole number from {least} to {largest}")
    for name in SWITCHES:
        value = OmegaConf.select(cfg, name)
        if not isinstance(value, bool):
            raise InputError(f"{name} is {value}, expected true or false")
    for name in ("results", "data_root"):
        if not isinstance(cfg[name], str) or not cfg[name]:
            raise InputError(f"{name} is {cfg[name]}, expected a folder")
    if not OmegaConf.is_list(cfg.seeds):
        raise InputError(f"seeds is {cfg.seeds}, expected a list such as seeds=[0,1,2]")
    check_objective(cfg)
    share = cfg.validation
    if share is not None and not (isinstance(share, float) and 0 < share < 1):
        raise InputError(f"validation is {share}, expected a share of the training rows above 0 and below 1, or null")
