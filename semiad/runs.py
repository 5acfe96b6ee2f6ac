"""Plans: which runs there are, and the key by which each is known."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import accumulate
from typing import Any

import numpy as np

from semiad.errors import InputError
from semiad.ledger.record import MAX_INTEGER
from semiad.methods.base import Method
from semiad.methods.classical import ClassicalMethod
from semiad.methods.hybrid import Hybrid
from semiad.scenarios.base import Scenario
from semiad.scenarios.untested import Untested
from semiad.types import Cell, Labels, with_fold


@dataclass(frozen=True, eq=False)
class Recipe:
    """A configuration, and what it makes.

    Attributes:
        config: all that decides metrics besides cell and seed, without what only selects or places runs.
        scenario: draws the splits.
        method: makes a method from the shape of a row (`shape=`).
    """

    config: Mapping[str, Any]
    scenario: Scenario
    method: Callable[..., Method | ClassicalMethod]

    @property
    def method_class(self) -> Any:  # noqa: ANN401
        """The class of the method, or the function that makes it; a configuration gives a partial of it."""
        return getattr(self.method, "func", self.method)

    @property
    def method_name(self) -> str:
        """The name of the class of the method."""
        return str(getattr(self.method_class, "__name__", self.method_class))

    @property
    def engine(self) -> str | None:
        """The engine that the method names; None for the one that the user chose."""
        engine: str | None = getattr(self.method_class, "engine", None)
        return engine

    @property
    def has_network(self) -> bool:
        """Whether a network is trained, be it that of the method or the encoder of a hybrid."""
        return self.engine in (None, Hybrid.engine)

    @cached_property
    def encoder(self) -> "Recipe | None":
        """The recipe of the autoencoder whose codes a hybrid takes, without test rows; None for other methods.

        All that the head has is left out of its configuration, so that hybrids share it.
        """
        if self.engine != Hybrid.engine:
            return None
        arguments, config = getattr(self.method, "keywords", {}), dict(self.config)
        if "method" in config:
            config |= {"method": config["method"]["encoder"], "batch_size": arguments["batch_size"]}
        return Recipe(config, Untested(self.scenario), arguments["encoder"])


@dataclass(frozen=True)
class Run:
    """One model, trained and tested once.

    Attributes:
        recipe: its configuration, and what that makes.
        cell: of the scenario.
        seed: of the draw of rows, of the initial weights and of the order of rows.
    """

    recipe: Recipe
    cell: Cell
    seed: int

    @cached_property
    def entropy(self) -> int:
        """The number from which all of its randomness comes."""
        return self.cell.entropy(self.seed)

    @cached_property
    def encoder(self) -> "Run":
        """The run that trains the encoder of a hybrid."""
        assert self.recipe.encoder is not None
        return Run(self.recipe.encoder, self.cell, self.seed)

    @cached_property
    def key(self) -> str:
        """The identity of the run: a hash of all that decides its metrics."""
        return key(self.recipe.config, self.cell.fields, self.seed)

    @property
    def identity(self) -> dict[str, Any]:
        """The fields of a record and of a plan that say which run it is."""
        cell = {name: list(value) if isinstance(value, tuple) else value for name, value in self.cell.fields.items()}
        return {"key": self.key, **cell, "seed": self.seed}


def key(config: Mapping[str, Any], cell: Mapping[str, Any], seed: int) -> str:
    """Hash a run's configuration, cell and seed; the key can be computed again from a record."""
    text = json.dumps(canonical({"config": config, "cell": with_fold(cell), "seed": seed}), sort_keys=True)
    return sha256(text.encode()).hexdigest()[:20]


def canonical(node: Any) -> Any:  # noqa: ANN401
    """Write 1.0 as 1, so that what a user may write in two ways is one configuration."""
    if isinstance(node, Mapping):
        return {str(name): canonical(value) for name, value in node.items()}
    if isinstance(node, list | tuple):
        return [canonical(value) for value in node]
    return int(node) if isinstance(node, float) and node.is_integer() else node


def plan(recipes: Sequence[Recipe], labels: Labels, seeds: Sequence[Any]) -> list[Run]:
    """List all runs of a job: for each cell, in the scenario's order, the seeds, and for each of those the recipes.

    Raises:
        InputError: no seeds, or what is not one.
    """
    if not seeds:
        raise InputError("seeds is an empty list, expected whole numbers such as seeds=[0,1,2]")
    for seed in seeds:
        if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= MAX_INTEGER:
            raise InputError(f"seeds has {seed!r}, expected whole numbers from 0 to {MAX_INTEGER}")
    cells = list(dict.fromkeys(cell for recipe in recipes for cell in recipe.scenario.cells(labels)))
    runs = [Run(recipe, cell, seed) for cell in cells for seed in seeds for recipe in recipes]
    return [*{run.key: run for run in runs}.values()]


def costs(runs: Sequence[Run], labels: Labels, epochs: Mapping[Recipe, int]) -> list[int]:
    """Estimate what each run takes, beside the others: the training rows of its normal classes, times epochs.

    Known before anything is drawn; the anomalies beside them are few, or a share of them.
    """
    counts = np.bincount(labels.y[: labels.n_train], minlength=len(labels.classes))
    rows = dict(zip(labels.classes, map(int, counts), strict=True))
    return [epochs[run.recipe] * max(sum(rows[c] for c in run.cell.normal), 1) for run in runs]


def shard(runs: Sequence[Run], costs: Sequence[int], index: int | None, count: int) -> Sequence[Run]:
    """Take part `index` of `count` parts of a plan, of about equal cost and in its order; all of it for None.

    Raises:
        InputError: there is no such part.
    """
    if index is None:
        return runs
    if not 0 <= index < count:
        raise InputError(f"shard is {index}, expected 0 to {count - 1} (shards is {count})")
    # A run belongs to the part in which its middle lies.
    ends = list(accumulate(costs))
    parts = [count * (2 * end - own) // (2 * ends[-1]) for end, own in zip(ends, costs, strict=True)]
    return [run for run, part in zip(runs, parts, strict=True) if part == index]
