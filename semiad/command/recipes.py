"""From a configuration to the recipes of its runs, and to the objects that it names."""

import json
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from itertools import product
from pathlib import Path
from typing import Any

from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf

from semiad.dataset_checks import checked_dataset
from semiad.engines.base import Engine
from semiad.engines.classical import ClassicalEngine
from semiad.engines.hybrid import HybridEngine
from semiad.engines.trainer import TrainerFactory
from semiad.errors import InputError
from semiad.ledger.provenance import targets
from semiad.ledger.record import leaves
from semiad.runs import Recipe, canonical
from semiad.scenarios.base import Scenario
from semiad.types import Dataset

ENGINES: Mapping[str, Callable[[Engine], Engine]] = {
    "classical": lambda networks: ClassicalEngine(),
    "hybrid": HybridEngine,
}
"""Engines that methods name; each is made with the one of the configuration."""


def resolved(node: Any) -> Any:  # noqa: ANN401
    """Give a part of the configuration as plain data."""
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


def recipes(cfg: DictConfig, content: str | None = None) -> list[Recipe]:
    """Make the recipes of a job: one, or one for each combination of the values that `grid` lists.

    Args:
        cfg: the configuration.
        content: see `own_content`.

    Raises:
        InputError: `grid` names something else than settings of the method, its network or the scenario.
    """
    grid = dict(leaves(resolved(cfg.grid))) if cfg.grid else {}
    for path, values in grid.items():
        known = OmegaConf.select(cfg, path, default=grid) is not grid  # what is null is known
        if path.split(".")[0] not in ("method", "design", "network", "scenario") or not known:
            raise InputError(f"grid.{path} is no setting of method, network or scenario")
        if not isinstance(values, list) or not values:
            raise InputError(f"grid.{path} is {values}, expected a list of values")
    made = []
    for values in product(*grid.values()):
        for path, value in zip(grid, values, strict=True):
            OmegaConf.update(cfg, path, value)
        scenario: Scenario = instantiate(cfg.scenario, _convert_="all")
        recipe = Recipe({}, scenario, instantiate(cfg.method, _convert_="all"))
        made.append(Recipe(identity(cfg, scenario, recipe, content), scenario, recipe.method))
    return made


def own_content(cfg: DictConfig, dataset: Dataset) -> str | None:
    """Hash the content of a user's own data set; None for one of semiad's, which is known by its name and checked."""
    packages = {target.partition(".")[0] for target in targets(resolved(cfg.dataset))}
    return None if packages == {"semiad"} and not located_by(cfg) else dataset.digest


def located_by(cfg: DictConfig) -> tuple[str, ...]:
    """Give the settings of a loader that only say where its rows are: not they enter the key, but the content."""
    settings: tuple[str, ...] = getattr(get_object(cfg.dataset._target_), "located_by", ())
    return settings


def identity(cfg: DictConfig, scenario: Scenario, recipe: Recipe, content: str | None = None) -> dict[str, Any]:
    """Collect all that decides the metrics of a run besides its cell and seed.

    A method with an engine of its own has no epochs and the like (a hybrid has those of its encoder in its own
    configuration). What was added later enters only where it is set, so that keys stay what they were.
    """
    kept = {
        key: value
        for key, value in resolved(cfg.scenario).items()
        if key not in scenario.narrows and (key not in scenario.later or value != scenario.later[key])
    }
    places = () if content is None else located_by(cfg)
    dataset = {key: value for key, value in resolved(cfg.dataset).items() if key not in places}
    fields = {"method": resolved(cfg.method), "dataset": dataset, "scenario": kept}
    if recipe.engine is None:
        fields |= {"epochs": cfg.epochs, "batch_size": cfg.batch_size}
    if recipe.has_network:
        precision = cfg.engine.get("precision", "fp32")
        fields |= {} if precision == "fp32" else {"precision": precision}
        changes = trainer(cfg).changes
        fields |= {"trainer": changes} if changes else {}
    fields |= {} if cfg.validation is None else {"validation": cfg.validation}
    fields |= {} if content is None else {"content": content}
    same: dict[str, Any] = canonical(fields)
    return same


def trainer(cfg: DictConfig) -> TrainerFactory:
    """Make the factory of Lightning's trainers.

    Raises:
        InputError: an argument is unknown, or set by semiad.
    """
    return TrainerFactory(resolved(cfg.trainer), partial(instantiate, _convert_="all"))


def engine(cfg: DictConfig, recipe: Recipe) -> Engine:
    """Make the engine that the method names, or else the one of the configuration."""
    without = cfg.dry_run or recipe.engine is not None  # which has no checkpoints
    made: Engine = instantiate(cfg.engine, **({"checkpoints": False} if without else {}))
    return made if recipe.engine is None else ENGINES[recipe.engine](made)


@lru_cache(maxsize=4)
def load_dataset(config: str, root: Path) -> Dataset:
    """Load and check the data set of a configuration, given as JSON; it is read once a process.

    Raises:
        InputError: it cannot be had, or is none that can be trained on.
    """
    node = json.loads(config)
    loader: Callable[[Path], Dataset] = instantiate(node)
    return checked_dataset(loader(root), str(node.get("_target_")))
