"""Lightning's `Trainer`, made anew for each phase of a run with the arguments that the user gave."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning.callbacks import Checkpoint

from semiad.errors import InputError

DEFAULTS = {name: value.default for name, value in signature(pl.Trainer.__init__).parameters.items() if name != "self"}
"""The arguments of a `Trainer`, and Lightning's defaults."""
OWN = {
    "accelerator": "device=",
    "max_epochs": "epochs=",
    "barebones": "engine=packed",
    "reload_dataloaders_every_n_epochs": "nothing: batches are drawn anew in each epoch",
}
"""Arguments that semiad sets itself, and what a user gives in place of them."""
ENGINE = ("strategy", "devices")
"""Arguments that the engine has read: `engine.strategy` and `engine.devices`."""
PARTIAL = ("fast_dev_run", "overfit_batches", "max_time", *(name for name in DEFAULTS if name.startswith("limit_")))
"""Arguments with which a run is a trial, or depends on the speed of the machine: such runs are not recorded."""
OBSERVING = {
    *("logger", "profiler", "log_every_n_steps", "default_root_dir", "model_registry", "enable_autolog_hparams"),
    *("enable_checkpointing", "enable_progress_bar", "enable_model_summary", "detect_anomaly", "num_sanity_val_steps"),
    *("deterministic", "benchmark", "inference_mode", "use_distributed_sampler", "num_nodes"),
}
"""Arguments that do not change the weights."""
OBSERVERS = {
    *("ModelCheckpoint", "OnExceptionCheckpoint", "LearningRateMonitor", "DeviceStatsMonitor", "ThroughputMonitor"),
    *("ModelSummary", "RichModelSummary", "RichProgressBar", "TQDMProgressBar"),
}
"""Callbacks of Lightning that do not change the weights."""
HYDRA_HINT = ", set env var HYDRA_FULL_ERROR=1 to see chained exception."
FULL_PRECISION = (None, "32-true", "32", 32)


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
        """Check the names."""
        for name, value in self.arguments.items():
            if name not in DEFAULTS:
                raise InputError(f"trainer.{name} is no argument of Lightning's Trainer, only {', '.join(DEFAULTS)}")
            if name in OWN and value != DEFAULTS[name]:
                raise InputError(f"trainer.{name} is set by semiad: use {OWN[name]}")

    @property
    def callbacks(self) -> list[Any]:
        """The nodes of the callbacks, which may be given one by one, as a list, or under names."""
        given = self.arguments.get("callbacks") or []
        if isinstance(given, Mapping):
            return [given] if "_target_" in given else [*given.values()]
        return [*given]

    @property
    def changes(self) -> dict[str, Any]:
        """The arguments that change the weights of a run, where they differ from the default."""
        changed = {
            name: value
            for name, value in self.arguments.items()
            if name not in {*OBSERVING, *PARTIAL, *OWN, *ENGINE, "callbacks"} and value != DEFAULTS[name]
        }
        if changed.get("precision") in FULL_PRECISION:
            changed.pop("precision", None)
        callbacks = [node for node in self.callbacks if class_name(node) not in OBSERVERS]
        return {**changed, **({"callbacks": callbacks} if callbacks else {})}

    @property
    def partial(self) -> list[str]:
        """The arguments that make a run a trial, which is not recorded."""
        unset = (None, False, 0, 0.0, 1.0)
        return [name for name in PARTIAL if self.arguments.get(name) not in unset or self.arguments.get(name) is True]

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
            instead = OWN.get(argument, f"trainer.{argument}=")
            raise InputError(
                f"{names[0]} is set in the environment, which no record can tell: unset it, and use {instead}"
            )

    def check_callbacks(self) -> None:
        """Make the callbacks once, as a check.

        Raises:
            InputError: one cannot be made.
        """
        for node in self.callbacks:
            try:
                self.instantiate(node)
            except Exception as error:  # whatever a constructor raises, or Hydra that does not find it
                sentence = " ".join(str(error).split()).removesuffix(HYDRA_HINT)
                raise InputError(f"trainer.callbacks has {node}, which cannot be made ({sentence})") from error

    def make(self, callbacks: Sequence[pl.Callback], folder: Path, **own: Any) -> pl.Trainer:  # noqa: ANN401
        """Make a trainer.

        Args:
            callbacks: semiad's own, before the user's.
            folder: for what callbacks and loggers of Lightning write, unless they were told another.
            own: arguments that semiad sets.
        """
        given = {name: value for name, value in self.arguments.items() if name not in {*OWN, *ENGINE, "callbacks"}}
        made = {
            name: self.instantiate(value) if isinstance(value, Mapping | list) else value
            for name, value in given.items()
        }
        every = [*callbacks, *map(self.instantiate, self.callbacks)]
        quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "log_every_n_steps": 1}
        made = {**quiet, "enable_checkpointing": False, **made, **own, "callbacks": every}
        made["enable_checkpointing"] = made["enable_checkpointing"] or any(isinstance(c, Checkpoint) for c in every)
        made["default_root_dir"] = made.get("default_root_dir") or folder
        if not made["logger"]:
            made["log_every_n_steps"] = 0  # else metrics would be collected at each step for nobody
        # In a Slurm job Lightning would catch its signals.
        made["plugins"] = [LightningEnvironment(), *(made.get("plugins") or [])]
        return pl.Trainer(**made)


def class_name(node: Any) -> str:  # noqa: ANN401
    """The name of the class that a node makes."""
    return str(node["_target_"]).rpartition(".")[2] if isinstance(node, Mapping) else type(node).__name__
