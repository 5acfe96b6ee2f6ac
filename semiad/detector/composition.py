"""From the names of a method and a network to their configuration: that of `semiad.train`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.errors import HydraException
from hydra.utils import get_object, instantiate

from semiad.checks import check_whole
from semiad.command.compose import composed
from semiad.command.recipes import resolved
from semiad.engines.base import Engine
from semiad.errors import InputError, explained
from semiad.methods.base import Method
from semiad.methods.classical import ClassicalMethod

DEFAULTS = ("logger=none", "engine.devices=1")
KINDS = {"table": ("dataset=odds",), "image": ("dataset=folder",)}
"""Overrides: the settings of a kind of data, whose rows the detector itself gives, and one device."""
SETTINGS = "training", "networks", "design", "network", "batch_size"
"""What further settings may change besides those below method and engine."""


@dataclass(frozen=True)
class Composition:
    """What a configuration says of a method and of its training.

    Attributes:
        method: its configuration as plain data, network and optimiser included.
        epochs: to train for, at most.
        batch_size: rows in a training batch.
        engine: that trains methods with a network.
    """

    method: dict[str, Any]
    epochs: int
    batch_size: int
    engine: Engine

    @property
    def is_classical(self) -> bool:
        """Whether the method has no network, and is fitted in one go."""
        return issubclass(self.target, ClassicalMethod)

    @property
    def draws_rows(self) -> bool:
        """Whether the method itself draws the rows of an epoch."""
        return issubclass(self.target, Method) and self.target.draw_rows is not Method.draw_rows

    @property
    def target(self) -> type:
        """The class of the method."""
        return method_class(self.method)


def method_class(config: Mapping[str, Any]) -> type:
    """Give the class that the configuration of a method names."""
    target = get_object(config["_target_"])
    return target if isinstance(target, type) else type(None)


def compose_method(
    method: str,
    network: str | None,
    epochs: int | None,
    batch_size: int | None,
    overrides: Sequence[str],
    kind: str = "table",
) -> Composition:
    """Compose the configuration of `semiad.train` for a method on a table or on images.

    Args:
        method: the name of a yaml file in `method/`, of semiad or of an installed package.
        network: the name of one in `network/`; None for the method's own: for images, that of its paper.
        epochs: to train for; None for the method's own.
        batch_size: rows in a training batch; None for the method's own.
        overrides: further ones, as on the command line of `semiad.train`, below method, network, training or engine.
        kind: `table` or `image`.

    Raises:
        InputError: there is no such method, network or setting, a value cannot be used, or an override would change
            what a parameter or the detector itself decides.
    """
    check_overrides(overrides)
    if network is None and kind == "image" and not any(word.startswith("network=") for word in overrides):
        network = "papers"
    given = {"method": method, "network": network, "epochs": epochs, "batch_size": batch_size}
    words = [
        *KINDS[kind],
        *DEFAULTS,
        *(f"{name}={value}" for name, value in given.items() if value is not None),
        *overrides,
    ]
    with composed(words) as cfg:
        for name in ("epochs", "batch_size"):
            check_whole(name, cfg[name])
        return Composition(resolved(cfg.method), cfg.epochs, cfg.batch_size, instantiate(cfg.engine))


def check_overrides(overrides: Sequence[str]) -> None:
    """Check that overrides change settings of the method, its network, its training or the engine only.

    Raises:
        InputError: one changes something else, which would be ignored, or would contradict a parameter.
    """
    if isinstance(overrides, str):
        raise InputError(f"overrides is the text '{overrides}', expected a list such as ['method.lam.alpha=1']")
    for word in overrides:
        root, dot, _ = str(word).partition("=")[0].lstrip("+~").partition(".")
        if root not in SETTINGS and not (root in ("method", "engine") and dot):
            raise InputError(
                f"'{word}' is no setting of a method, expected one below method, network, training or engine, such as "
                "method.lam.alpha=1: a detector's own parameters and options decide all else"
            )


def method_factory(config: Mapping[str, Any]) -> Callable[..., Method | ClassicalMethod]:
    """Make the maker of a method, which takes the shape of a row (`shape=`), from its configuration.

    Raises:
        InputError: there is no such class.
    """
    try:
        factory: Callable[..., Method | ClassicalMethod] = instantiate(dict(config), _convert_="all")
    except HydraException as error:
        raise InputError(f"the method cannot be made from its configuration ({explained(error)})") from error
    return factory
