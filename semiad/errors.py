"""The ways in which a user meets a problem."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

LIBRARIES = frozenset(
    {"semiad", "torch", "pytorch_lightning", "lightning_fabric", "torchmetrics", "hydra", "omegaconf", "importlib"}
    | {"numpy", "scipy", "sklearn", "joblib", "functools", "jaxtyping", "beartype", "antlr4", "yaml"}
)
"""Packages whose lines do not tell a user where a mistake is."""


class InputError(ValueError):
    """Something the user gave cannot be used: one sentence that names it, what was expected and what was found."""


@contextmanager
def named(where: str) -> Iterator[None]:
    """Say in errors where they come from."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


class ConstructionError(InputError):
    """An object cannot be made with its settings; the cause is an exception of any kind, perhaps in a user's code."""


class RunFailed(RuntimeError):
    """One run came to nothing (say, a loss that is not finite); the others go on. The message is the reason."""


class WorkerLost(RuntimeError):
    """A process that worked for this one was ended from outside. What is recorded stays, and the rest can go on."""


def described(error: BaseException) -> str:
    """Describe an exception on one line, by its type and message."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": ")


def user_line(error: BaseException) -> str | None:
    """Find the last line of a user's own code that an exception went through: "FILE, line N"; None if there is none."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}"
    lines = [
        f"{frame.f_code.co_filename}, line {number}"
        for frame, number in traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__")).split(".")[0] not in LIBRARIES
    ]
    return lines[-1] if lines else None


def root_cause(error: BaseException) -> BaseException:
    """Follow the causes of an exception that only wraps another: Hydra's, those of imports, and semiad's own."""
    wraps = isinstance(error, ImportError | ConstructionError) or type(error).__module__.startswith("hydra.")
    return root_cause(error.__cause__) if wraps and error.__cause__ is not None else error


def explained(error: BaseException) -> str:
    """Describe the cause of an exception, and the line of a user's code at which it was raised."""
    root = root_cause(error)
    line = user_line(root)
    return described(root) + (f", raised in {line}" if line else "")
