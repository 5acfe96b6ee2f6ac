"""The names under which runs are recorded."""

from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser

from semiad.errors import InputError


def recorded_names(dataset: str, grid: Any) -> dict[str, str]:  # noqa: ANN401
    """Give the names of method, data set and scenario: the choices of their groups.

    A class that the command names itself (`method._target_=package.Class`) is recorded by the name of the class, since
    it is not what the group's file holds.

    Args:
        dataset: the name that the data set gives itself.
        grid: the settings that a job varies.

    Raises:
        InputError: `grid` varies a class.
    """
    hydra = HydraConfig.get()
    given: dict[str, Any] = {}
    for override in OverridesParser.create().parse_overrides([*hydra.overrides.task]):
        group, _, setting = override.key_or_group.partition(".")
        value = override.value()
        if setting == "_target_":
            given[group] = value
        elif not setting and isinstance(value, dict):
            for target in (target for key, target in value.items() if str(key) == "_target_"):
                given[group] = target
    for group in ("method", "scenario"):
        if grid and (f"{group}._target_" in grid or "_target_" in (grid.get(group) or ())):
            raise InputError(f"grid.{group}._target_ would record several classes by one name: give each with -m")
    names = {group: str(given.get(group, hydra.runtime.choices[group])) for group in ("method", "scenario")}
    names = {group: name.rpartition(".")[2] if group in given else name for group, name in names.items()}
    return {"method": names["method"], "dataset": dataset, "scenario": names["scenario"]}
