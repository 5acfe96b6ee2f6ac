"""Lightning's `Trainer`, made anew for each phase of a run with the arguments that the user gave."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from inspect import signature
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning.callbacks import Checkpoint

from semiad.errors import ConstructionError, InputError, explained

DEFAULTS = {name: value.default for name, value in signature(pl.Trainer.__init__).parameters.items() if name != "self"}
"""The arguments of a `Trainer`, and Lightning's defaults."""
OWN = {
    "accelerator": "use device=",
    "max_epochs": "use epochs=",
    "barebones": "use engine=packed",
    "num_nodes": "place jobs on other machines by a launcher",
    "reload_dataloaders_every_n_epochs": "batches are drawn anew in each epoch",
}
"""Arguments that semiad sets itself, and what a user does in place of giving them."""
ENGINE = ("strategy", "devices")
"""Arguments that the engine has read: `engine.strategy` and `engine.devices`."""
PARTIAL = ("fast_dev_run", "overfit_batches", "max_time", *(name for name in DEFAULTS if name.startswith("limit_")))
"""Arguments with which a run is a trial, or depends on the speed of the machine: such runs are not recorded."""
OBSERVING = {
    *("logger", "profiler", "log_every_n_steps", "default_root_dir", "model_registry", "enable_autolog_hparams"),
    *("enable_checkpointing", "enable_progress_bar", "enable_model_summary", "detect_anomaly", "num_sanity_val_steps"),
    *("deterministic", "benchmark", "inference_mode", "use_distributed_sampler"),
}
"""Arguments that do not change the weights."""
OBSERVERS = {
    f"{package}.callbacks.{name}"
    for package in ("pytorch_lightning", "lightning.pytorch")
    for name in (
        *("ModelCheckpoint", "OnExceptionCheckpoint", "LearningRateMonitor", "DeviceStatsMonitor", "ThroughputMonitor"),
        *("ModelSummary", "RichModelSummary", "RichProgressBar", "TQDMProgressBar"),
    )
}
"""Callbacks of Lightning that do not change the weights."""
NODES = ("logger", "profiler", "plugins")
"""Arguments that may be nodes of the configuration, besides callbacks."""
PRECISIONS: dict[Any, str] = {
    **dict.fromkeys((None, "32-true", "32", 32), "32-true"),
    **dict.fromkeys(("16-mixed", "16", 16), "16-mixed"),
    **dict.fromkeys(("bf16-mixed", "bf16"), "bf16-mixed"),
}
"""Precisions of Lightning, by all their spellings; rows are float32, so that weights are too."""


def plain(node: Any) -> Any:  # noqa: ANN401
    """Give a node of the configuration back: what makes objects from nodes if there are none to make."""
    return node


@dataclass(frozen=True)
class TrainerFactory:
    """Makes `Trainer`s.

    Args:
        arguments: of `pytorch_lightning.Trainer`, as plain data; callbacks and loggers are nodes with a `_target_`.
        instantiate: makes objects from such nodes.

    Raises:
        InputError: an argument is unknown, or one that semiad sets itself.
    """

    arguments: Mapping[str, Any] = field(default_factory=dict)
    instantiate: Callable[[Any], Any] = plain

    def __post_init__(self) -> None:
        """Check names, and the values that Lightning does not check in time."""
        for name, value in self.arguments.items():
            if name not in DEFAULTS:
                raise InputError(f"trainer.{name} is no argument of Lightning's Trainer, only {', '.join(DEFAULTS)}")
            if name in OWN and value not in (DEFAULTS[name], None):
                raise InputError(f"trainer.{name} is set by semiad: {OWN[name]}")
        precision, every = self.arguments.get("precision"), self.arguments.get("accumulate_grad_batches", 1)
        if precision not in PRECISIONS:
            raise InputError(f"trainer.precision is {precision}, expected 32-true, 16-mixed or bf16-mixed")
        if not isinstance(every, int) or every < 1:
            raise InputError(f"trainer.accumulate_grad_batches is {every}, expected a whole number from 1 on")
        if isinstance(self.arguments.get("profiler"), int | float | list | tuple):
            raise InputError(f"trainer.profiler is {self.arguments['profiler']}, expected a name or a node")
        if not isinstance(self.arguments.get("callbacks") or [], Mapping | list | tuple):
            raise InputError(f"trainer.callbacks is {self.arguments['callbacks']}, expected a list of nodes")

    @property
    def callbacks(self) -> list[Any]:
        """The nodes of the callbacks, which may be given one by one, as a list, or under names."""
        given = self.arguments.get("callbacks") or []
        if isinstance(given, Mapping):
            return [given] if "_target_" in given else [*given.values()]
        return [*given]

    @property
    def changing_callbacks(self) -> list[Any]:
        """The nodes of the callbacks that may change the weights."""
        return [node for node in self.callbacks if target(node) not in OBSERVERS]

    @property
    def changes(self) -> dict[str, Any]:
        """The arguments that change the weights of a run, where they differ from the default."""
        changed = {
            name: value
            for name, value in self.arguments.items()
            if name not in {*OBSERVING, *PARTIAL, *OWN, *ENGINE, "callbacks"} and value != DEFAULTS[name]
        }
        if "precision" in changed:
            changed["precision"] = PRECISIONS[changed["precision"]]
        same = {"precision": "32-true", "gradient_clip_algorithm": "norm"}  # as the defaults do
        changed = {name: value for name, value in changed.items() if same.get(name) != value}
        interval = changed.pop("val_check_interval", 1.0)
        if isinstance(interval, int):
            changed["val_check_interval"] = f"{interval} batches"  # 1 is each batch, and 1.0 once an epoch
        elif interval != 1.0:
            changed["val_check_interval"] = interval
        return {**changed, **({"callbacks": self.changing_callbacks} if self.changing_callbacks else {})}

    @property
    def partial(self) -> list[str]:
        """The arguments that make a run a trial, which is not recorded."""
        return [name for name in PARTIAL if not is_unset(name, self.arguments.get(name))]

    def without_observers(self) -> "TrainerFactory":
        """The same factory without loggers, profilers and callbacks that do not change the weights."""
        rest = {"callbacks": self.changing_callbacks, "logger": False, "profiler": None}
        return replace(self, arguments={**self.arguments, **rest})

    @property
    def strategy(self) -> str:
        """The strategy of several processes."""
        return str(self.arguments.get("strategy", "auto"))

    @property
    def devices(self) -> Any:  # noqa: ANN401
        """How many processes train a run."""
        return self.arguments.get("devices", 1)

    @property
    def given(self) -> list[str]:
        """The arguments that the user has given and that need a `Trainer`."""
        observers = [name for name in ("callbacks", "logger", "profiler", "detect_anomaly") if self.arguments.get(name)]
        spread = [name for name, value in (("strategy", "auto"), ("devices", 1)) if getattr(self, name) != value]
        return [*dict.fromkeys([*self.changes, *self.partial, *observers, *spread])]

    def check_environment(self) -> None:
        """Refuse Lightning's variables: a record could not tell that they were set.

        Raises:
            InputError: there is one.
        """
        if names := sorted(name for name in os.environ if name.startswith("PL_TRAINER_")):
            argument = names[0].removeprefix("PL_TRAINER_").lower()
            instead = OWN.get(argument, f"use trainer.{argument}=")
            raise InputError(f"{names[0]} is set in the environment, which no record can tell: unset it; {instead}")

    def check(self) -> None:
        """Make callbacks and a trainer once.

        Raises:
            InputError: a callback cannot be made, or Lightning refuses an argument.
        """
        for node in self.callbacks:
            try:
                self.instantiate(node)
            except Exception as error:  # whatever a constructor raises, or Hydra that does not find it
                raise ConstructionError(
                    f"trainer.callbacks has {node}, which cannot be made ({explained(error)})"
                ) from error
        try:
            self.make([], Path(), logger=False, accelerator="cpu", devices=1)
        except Exception as error:  # Lightning's own, and whatever torch raises at a value of the wrong type
            raise InputError(f"trainer: {' '.join(str(error).split())}") from error

    def make(self, callbacks: Sequence[pl.Callback], folder: Path, **own: Any) -> pl.Trainer:  # noqa: ANN401
        """Make a trainer.

        Args:
            callbacks: semiad's own, before the user's.
            folder: for what callbacks and loggers of Lightning write, unless they were told another.
            own: arguments that semiad sets.
        """
        made = {name: value for name, value in self.arguments.items() if name not in {*OWN, *ENGINE, "callbacks"}}
        made |= own
        made |= {name: self.instantiate(made[name]) for name in NODES if isinstance(made.get(name), Mapping | list)}
        every = [*callbacks, *map(self.instantiate, self.callbacks)]
        quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
        made = {**quiet, "enable_checkpointing": False, **made, "callbacks": every}
        made["enable_checkpointing"] = made["enable_checkpointing"] or any(isinstance(c, Checkpoint) for c in every)
        made["default_root_dir"] = made.get("default_root_dir") or folder
        if not made["logger"]:
            made["log_every_n_steps"] = 0  # else metrics would be collected at each step for nobody
        # In a Slurm job Lightning would catch its signals.
        made["plugins"] = [LightningEnvironment(), *(made.get("plugins") or [])]
        return pl.Trainer(**made)


def is_unset(name: str, value: Any) -> bool:  # noqa: ANN401
    """Whether an argument leaves a run as it is; 1 is one batch, and 1.0 all of them."""
    if value is None or value is False:
        return True
    if name.startswith("limit_"):
        return isinstance(value, float) and value == 1
    return name in ("fast_dev_run", "overfit_batches") and value is not True and value == 0


def target(node: Any) -> str:  # noqa: ANN401
    """The path of the class that a node makes."""
    return str(node.get("_target_")) if isinstance(node, Mapping) else str(node)
