"""Checks of settings that are numbers: each says in one sentence what is wrong."""

from math import isfinite
from typing import TypeGuard

import numpy as np

from semiad.errors import InputError


def is_whole(value: object, least: int = 1) -> TypeGuard[int]:
    """Whether a value is a whole number from a least one on; `true` and `false` are none."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a finite number; `true` and `false` are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def check_share(name: str, value: object, what: str) -> None:
    """Check a share of something, which is neither none nor all of it.

    Args:
        name: of the parameter.
        value: that it has.
        what: the kind of share, for the sentence.

    Raises:
        InputError: it is no number above 0 and below 1.
    """
    if not isinstance(value, int | float | np.floating) or isinstance(value, bool) or not 0 < value < 1:
        raise InputError(f"{name} is {value}, expected {what} above 0 and below 1")


def check_whole(name: str, value: object, least: int = 1, *, of: str = "", null: bool = False) -> None:
    """Check a setting that is a whole number.

    Args:
        name: of the setting.
        value: that it has.
        least: of the values that it may have.
        of: what it counts, for the sentence.
        null: whether it may be null.

    Raises:
        InputError: it is no whole number, or a smaller one.
    """
    if not (is_whole(value, least) or (null and value is None)):
        counted = f" of {of}" if of else ""
        raise InputError(f"{name} is {value}, expected {or_null(null)}a whole number{counted} from {least} on")


def check_number(
    name: str,
    value: object,
    *,
    above: float | None = None,
    least: float | None = None,
    below: float | None = None,
    most: float | None = None,
    null: bool = False,
) -> None:
    """Check a setting that is a finite number.

    Args:
        name: of the setting.
        value: that it has.
        above: it must be greater.
        least: it must not be smaller.
        below: it must be smaller.
        most: it must not be greater.
        null: whether it may be null.

    Raises:
        InputError: it is no number, or out of range.
    """
    if is_number(value):
        lower = (above is None or value > above) and (least is None or value >= least)
        fits = lower and (below is None or value < below) and (most is None or value <= most)
    else:
        fits = null and value is None
    if not fits:
        bounds = {f"above {above}": above, f"from {least} on": least, f"below {below}": below, f"up to {most}": most}
        stated = " and ".join(words for words, bound in bounds.items() if bound is not None)
        raise InputError(f"{name} is {value}, expected {or_null(null)}a number {stated}")


def or_null(null: bool) -> str:
    """Write the words before a value that may be null."""
    return "null or " if null else ""
