"""The candidates of a comparison: methods with their settings, from the simplest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from semiad.errors import InputError

SETTINGS: Mapping[str, Sequence[Sequence[str]]] = {
    "logistic": [[], ["method.C=0.1"], ["method.C=10"]],
    "iforest": [[]],
    "xgboost": [[]],
    "ae": [[]],
    "aesad": [[], ["method.lam.alpha=1"]],
    "supervised": [[]],
    "devnet": [[]],
    "deep_sad": [[], ["method.eta=10"]],
    "prenet": [[]],
}
"""Settings of each method, as words of the command line, the method's own first; methods from the simplest."""
AUTO = "auto"
"""The name that stands for a choice among methods."""
BEST = 5
"""Methods that are chosen, unless another number is asked for."""
DEFAULT = "aesad"
"""The method where none can be chosen."""
NEEDS = {"xgboost": "xgboost"}
"""Packages that candidates need and semiad does not."""


@dataclass(frozen=True)
class Candidate:
    """A method with settings.

    Attributes:
        method: its name.
        overrides: settings, as words of the command line.
    """

    method: str
    overrides: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Give the name of the method, and its settings without their path."""
        pairs = (word.partition("=") for word in self.overrides)
        return " ".join([self.method, *(f"{path.rpartition('.')[2]}={value}" for path, _, value in pairs)])


def default_candidates() -> list[Candidate]:
    """List the candidates for a table, from the simplest: methods whose packages are installed."""
    return candidates([name for name in SETTINGS if name not in NEEDS or find_spec(NEEDS[name])])


def candidates(methods: Sequence[str], overrides: Sequence[str] = ()) -> list[Candidate]:
    """List the candidates of some methods, in the order in which these are given.

    Args:
        methods: names; one without settings of its own here has one candidate.
        overrides: settings of all of them.

    Raises:
        InputError: no method is named, or one twice, or the choice among methods.
    """
    if AUTO in methods:
        raise InputError(f"{AUTO} is the choice among methods that are compared: name methods, or none for a selection")
    if not methods:
        raise InputError("no method is named, expected names such as aesad,devnet,logistic")
    if twice := next((name for name in methods if [*methods].count(name) > 1), None):
        raise InputError(f"the method {twice} is named twice")
    return [
        Candidate(name, (*overrides, *words))
        for name in methods
        for words in (SETTINGS.get(name, [[]]) if not overrides else [[]])
    ]
