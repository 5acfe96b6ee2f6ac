"""Runs for tests: recipes from overrides, contexts, and methods that are trained."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig

from semiad.command.compose import composed
from semiad.console import silence_libraries
from semiad.data import SplitData
from semiad.datasets import digits
from semiad.engines.context import Outcome, TrainingContext
from semiad.engines.lightning import LightningEngine
from semiad.methods.base import Method
from semiad.runs import Recipe, Run
from semiad.types import Cell, Dataset

CELLS = (Cell((8,), (3,)), Cell((1,), (0,)), Cell((4,), (9,)), Cell((0,), (6,)))
"""Cells of scikit-learn's digits with different numbers of rows."""


def compose_config(*words: str) -> DictConfig:
    """Compose the configuration of `semiad.train` from overrides, with those of installed packages.

    Interpolations can be resolved until the next configuration is composed.

    Raises:
        InputError: Hydra does not find what the overrides name, or a value cannot be used.
    """
    with composed(words) as cfg:
        pass
    HydraConfig.instance().set_config(cfg)
    return cfg


def make_recipe(*words: str) -> Recipe:
    """Make the recipe of overrides; its configuration is the overrides."""
    cfg = compose_config(*words)
    return Recipe({"words": [*words]}, *(instantiate(node, _convert_="all") for node in (cfg.scenario, cfg.method)))


def make_context(epochs: int, dataset: Dataset | None = None, **settings: Any) -> TrainingContext:  # noqa: ANN401
    """Make a context for runs on the CPU, in batches of 32 rows, by default of scikit-learn's digits."""
    dataset = dataset or digits.load(Path())
    context = TrainingContext(dataset, epochs, 32, 0, Path(), torch.device("cpu"), 2, None)
    return replace(context, **settings)


@dataclass(frozen=True)
class TrainedRun:
    """A run that was trained with Lightning.

    Attributes:
        method: the trained method.
        data: its rows.
        outcome: what came of it.
    """

    method: Method
    data: SplitData
    outcome: Outcome


def train_alone(context: TrainingContext, run: Run) -> TrainedRun:
    """Train a run with Lightning."""
    silence_libraries()
    outcome = LightningEngine(False, "auto", 1).train_run(run, replace(context, keep_methods=True), lambda points: None)
    method = outcome.method
    assert isinstance(method, Method), f"training fails: {outcome.reason}"
    return TrainedRun(method, context.data(run, method), outcome)


@contextmanager
def default_float64() -> Iterator[None]:
    """Make new tensors double while the body runs."""
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)
