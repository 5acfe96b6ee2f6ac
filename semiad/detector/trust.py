"""What a model folder may name: classes of semiad and of packages with configurations for it, and no other object."""

from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from inspect import isclass
from pkgutil import resolve_name
from typing import Any

from torch import nn
from torch.optim import Optimizer

from semiad.command.search_path import GROUP
from semiad.errors import InputError
from semiad.methods.classical import ClassicalMethod

KINDS = (nn.Module, ClassicalMethod, Optimizer)
"""What a configuration of a method makes: methods and networks, classical methods, optimisers."""
MODULES = ("semiad.methods", "semiad.networks", "torch.optim", "torch.nn")
"""Modules whose classes may be made."""
TYPES = ("sklearn.tree._tree.Tree",)
"""Types in fitted classical methods besides those that skops trusts by itself."""
WORDS = ("_target_", "_partial_")
"""Keys with a meaning for Hydra that may be there."""


def trusted_modules(trusted: Sequence[str]) -> tuple[str, ...]:
    """List the modules whose classes may be made."""
    packages = {entry.value.partition(".")[0] for entry in entry_points(group=GROUP)}
    return (*MODULES, *sorted(packages), *trusted)


def is_within(name: str, modules: Sequence[str]) -> bool:
    """Whether a dotted name is of one of the modules, or of a module below it."""
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def check_config(node: Any, trusted: Sequence[str]) -> None:  # noqa: ANN401
    """Check a configuration before anything is made from it.

    Args:
        node: the configuration: nested mappings and lists.
        trusted: packages whose classes may be made besides.

    Raises:
        InputError: it names something else than a class of the trusted modules, or has interpolations.
    """
    if isinstance(node, Mapping):
        if unknown := [name for name in node if str(name).startswith("_") and name not in WORDS]:
            raise InputError(f"the configuration has the key {unknown[0]}, which no method needs")
        if "_target_" in node:
            check_target(node["_target_"], trusted)
        for value in node.values():
            check_config(value, trusted)
    elif isinstance(node, list | tuple):
        for value in node:
            check_config(value, trusted)
    elif isinstance(node, str) and "${" in node:
        raise InputError(f"the configuration has {node!r}, expected a value")


def check_target(name: Any, trusted: Sequence[str]) -> None:  # noqa: ANN401
    """Check that a name is that of a class of the trusted modules.

    A path may lead out of a module through what that imports, so the place where the class is defined counts too.

    Raises:
        InputError: it is not.
    """
    modules = trusted_modules(trusted)
    refusal = (
        f"the configuration names {name!r}, which is no class of a method, network or optimiser in {', '.join(modules)}"
    )
    if not isinstance(name, str) or not is_within(name, modules):
        raise InputError(refusal)
    try:
        target = resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"the configuration names {name}, which is not installed here") from error
    if not isclass(target) or not issubclass(target, KINDS) or not is_within(target.__module__, modules):
        raise InputError(refusal)


def check_types(names: Sequence[str], trusted: Sequence[str]) -> None:
    """Check the types in a file of skops that it does not trust by itself.

    Raises:
        InputError: one is not on the list.
    """
    modules = trusted_modules(trusted)[len(MODULES) :]
    for name in names:
        if name not in TYPES and not is_within(name, modules):
            raise InputError(f"members.skops holds an object of type {name}, which is not allowed")
