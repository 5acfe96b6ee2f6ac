"""What is asked of a class of a method: the arguments of its functions, and what these give."""

import inspect
from collections.abc import Sequence

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from semiad.errors import InputError, RunFailed

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


def has_own_hooks(kind: type, base: type) -> bool:
    """Whether a class has a hook of its own that Lightning's `Trainer` calls, and a pack does not.

    Args:
        kind: the class.
        base: of all methods.
    """
    return any(getattr(kind, name) is not getattr(base, name) for name in HOOKS)


def check_functions(kind: type, base: type) -> None:
    """Check that the functions of a class can be called with as many arguments as those of its base.

    Args:
        kind: the class.
        base: of all methods.

    Raises:
        InputError: one cannot.
    """
    for name in FUNCTIONS:
        own, known = (inspect.signature(getattr(of, name)) for of in (kind, base))
        try:
            own.bind(*known.parameters)
        except TypeError:
            raise InputError(
                f"{kind.__name__}.{name} takes {words(own)}, expected {words(known)}: see docs/own_method.md"
            ) from None


def words(signature: inspect.Signature) -> str:
    """Write the arguments of a function, without types."""
    plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    return str(inspect.Signature(plain))


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
        if isinstance(factor, bool) or not isinstance(factor, int | float | np.number) or not 0 <= factor < np.inf:
            name = type(method).__name__
            raise InputError(f"{name}.lr_factor gave {factor!r} for epoch {epoch}, expected a number from 0 on")


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
