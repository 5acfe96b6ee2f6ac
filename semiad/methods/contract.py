"""What is asked of a class of a method: the arguments of its functions, and what these give."""

import copy
import inspect
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from semiad.errors import InputError, RunFailed
from semiad.seeding import seeded

HOOKS = (
    *(name for name in dir(pl.LightningModule) if name.startswith("on_")),
    *("training_step", "backward", "configure_optimizers", "configure_gradient_clipping"),
    *("optimizer_step", "optimizer_zero_grad", "lr_scheduler_step"),
)
"""What Lightning's `Trainer` calls, and a pack does not."""
FUNCTIONS = (
    *("losses", "scores", "score_parts", "views", "noise", "draw_rows", "targets", "lr_factor"),
    *("earlier_phases", "prepare"),
)
"""What semiad calls, and a class may override."""
CHANGES = "which a pack does once for many steps: keep it in a buffer that is changed in place"


def has_own_hooks(kind: type, base: type) -> bool:
    """Whether a class has a hook of its own that Lightning's `Trainer` calls, and a pack does not.

    Args:
        kind: the class.
        base: of all methods.
    """
    return any(getattr(kind, name) is not getattr(base, name) for name in HOOKS)


def check_functions(method: object, base: type) -> None:
    """Check that the functions of a method can be called with as many arguments as those of its base.

    Args:
        method: of whatever class.
        base: of all methods.

    Raises:
        InputError: one cannot.
    """
    for name in FUNCTIONS:
        own = inspect.signature(getattr(method, name), follow_wrapped=False)
        _, *expected = inspect.signature(getattr(base, name)).parameters
        try:
            own.bind(*expected)
        except TypeError:
            takes, wanted = ", ".join(own.parameters), ", ".join(expected)
            raise InputError(
                f"{type(method).__name__}.{name} takes ({takes}), expected ({wanted}): see docs/own_method.md"
            ) from None


def check_sized(method: nn.Module) -> None:
    """Check that all layers of a method have a size, as an optimiser needs it.

    Raises:
        InputError: one has none.
    """
    for parameter, value in method.named_parameters():
        if is_lazy(value):
            raise InputError(
                f"{type(method).__name__} has the lazy parameter {parameter}, expected one of a size taken from `shape`"
            )


def check_factors(method: object, factors: Sequence[object]) -> None:
    """Check what `lr_factor` gave for each epoch.

    Raises:
        InputError: a factor is no number from 0 on.
    """
    for epoch, factor in enumerate(factors):
        try:
            usable = not isinstance(factor, str) and 0 <= float(factor) < np.inf  # type: ignore[arg-type]
        except (TypeError, ValueError, RuntimeError):
            usable = False
        if not usable:
            name = type(method).__name__
            raise InputError(f"{name}.lr_factor gave {factor!r} for epoch {epoch}, expected a number from 0 on")


def check_packable(method: nn.Module, name: str, argument: object) -> None:
    """Check that a function of a method does nothing that a pack, which traces it once for many steps, would lose.

    It is called on copies of the method.

    Args:
        method: of whatever class.
        name: of the function.
        argument: of the function.

    Raises:
        InputError: it reads an attribute that it changes, binds a buffer to another tensor, or draws from the global
            generator of NumPy.
    """
    where, cure = f"{type(method).__name__}.{name}", "or set packable = False in the class"
    probe = copy.deepcopy(method)
    kept = {at: (attributes(module), {**module._buffers}) for at, module in probe.named_modules()}
    with seeded(0):
        started = repr(np.random.get_state())
        getattr(probe, name)(argument)
        if repr(np.random.get_state()) != started:
            raise InputError(f"{where} draws from NumPy's global generator: draw by `noise`, {cure}")
    changed: list[tuple[str, str]] = []
    for at, (before, buffers) in kept.items():
        module = probe.get_submodule(at)
        if bound := [key for key, value in buffers.items() if module._buffers.get(key) is not value]:
            raise InputError(f"{where} binds the buffer {bound[0]} to another tensor: change it in place, {cure}")
        after = attributes(module)
        if hidden := [key for key in after if key not in before and hasattr(type(module), key)]:
            raise InputError(f"{where} changes {hidden[0]}, {CHANGES}, {cure}")
        changed += [(at, key) for key, value in before.items() if not same(after.get(key), value)]
    if not changed:
        return
    probe = copy.deepcopy(method)  # without what changes: who writes it before reading it does not miss it
    for at, key in changed:
        del vars(probe.get_submodule(at))[key]
    try:
        with seeded(0):
            getattr(probe, name)(argument)
    except AttributeError as error:
        if error.name not in [key for _, key in changed]:
            raise
        raise InputError(f"{where} changes {error.name}, {CHANGES}, {cure}") from error


def attributes(module: nn.Module) -> dict[str, Any]:
    """Give the attributes of a module that are not torch's or Lightning's, copies of lists, sets and dictionaries."""
    own = {key: value for key, value in vars(module).items() if key not in internal()}
    return {key: copy.copy(value) if isinstance(value, list | set | dict) else value for key, value in own.items()}


@cache
def internal() -> frozenset[str]:
    """Name the attributes that torch and Lightning keep in a module."""
    return frozenset(vars(pl.LightningModule()))


def same(value: object, before: object) -> bool:
    """Whether an attribute has not changed."""
    if isinstance(value, list) and isinstance(before, list):
        return len(value) == len(before) and all(map(same, value, before))
    if isinstance(value, dict) and isinstance(before, dict):
        return value.keys() == before.keys() and all(same(value[key], before[key]) for key in before)
    return value is before or (isinstance(value, bool | int | float | str | set) and value == before)


def check_rows(method: object, name: str, values: object, rows: int) -> None:
    """Check that a function of a method gives one value for each row.

    Args:
        method: of whatever kind.
        name: of the function, `losses` or `scores`.
        values: what it gave.
        rows: how many rows it was given.

    Raises:
        InputError: it gave something else, a mean for example.
    """
    if not isinstance(values, Tensor):
        kind = f"type {type(values).__name__}"
    elif values.shape != (rows,):
        kind = f"shape {tuple(values.shape)}"
    elif not values.is_floating_point():
        kind = f"type {values.dtype}"
    else:
        return
    raise InputError(
        f"{type(method).__name__}.{name} gave a result of {kind} for {rows} rows, expected a tensor of shape "
        f"({rows},): one number for each row, whose mean semiad takes where it needs one"
    )


def check_labelled(method: object, s: Float[Tensor, " n"] | Float[np.ndarray, " n"]) -> None:
    """Check that a method that learns from labelled anomalies has one.

    Args:
        method: of whatever kind.
        s: semi-labels of the training rows.

    Raises:
        RunFailed: no row is labelled.
    """
    if not bool((s == 1).any()):
        raise RunFailed(
            f"none of the {len(s)} training rows is a labelled anomaly, and {type(method).__name__} needs one at least"
        )


def check_learns(method: object, losses: Tensor) -> None:
    """Check that losses depend on a weight.

    Args:
        method: of whatever kind.
        losses: what its `losses` gave, or their sum.

    Raises:
        InputError: they do not.
    """
    if torch.is_grad_enabled() and not losses.requires_grad:
        raise InputError(
            f"{type(method).__name__}.losses gave a result that depends on no weight, so that nothing can be learnt: "
            "was it detached, or made by NumPy?"
        )


def check_noise(method: object, drawn: object, rows: int) -> None:
    """Check that a method draws random numbers for each row.

    Args:
        method: of whatever kind.
        drawn: what its `noise` gave.
        rows: for how many rows.

    Raises:
        InputError: it gave something else.
    """
    if drawn is None or (isinstance(drawn, Tensor) and drawn.shape[:1] == (rows,)):
        return
    kind = f"shape {tuple(drawn.shape)}" if isinstance(drawn, Tensor) else f"type {type(drawn).__name__}"
    raise InputError(
        f"{type(method).__name__}.noise gave a result of {kind} for {rows} rows, expected a tensor of shape "
        f"({rows}, ...)"
    )
