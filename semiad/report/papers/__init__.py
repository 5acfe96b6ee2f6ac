"""The papers whose tables and figures a report shows: those of semiad, and those of installed packages."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import Any

from semiad.errors import InputError
from semiad.report.experiment import Experiment, Paper
from semiad.report.papers import aesad, esad

PAPERS = (aesad.PAPER, esad.PAPER)
GROUP = "semiad.experiments"
"""Entry points of this group name a `Paper`, or an iterable of `Experiment`."""


@dataclass(frozen=True)
class Catalogue:
    """All experiments that a report knows.

    Attributes:
        experiments: by name, in the order in which they are shown.
        warnings: what could not be loaded from installed packages, a sentence each.
    """

    experiments: dict[str, Experiment]
    warnings: Sequence[str] = ()

    def experiment(self, name: str, others: Iterable[str] = ()) -> Experiment:
        """Find an experiment.

        Args:
            name: of the experiment.
            others: names of further experiments that the user may have meant.

        Raises:
            InputError: no experiment has this name.
        """
        if name in self.experiments:
            return self.experiments[name]
        names = [*dict.fromkeys([*self.experiments, *others])]
        near = get_close_matches(name, names, n=1)
        meant = f" Did you mean {near[0]}?" if near else ""
        raise InputError(f"there is no experiment '{name}', only {', '.join(names)}.{meant}")


def catalogue() -> Catalogue:
    """Collect the experiments of semiad and of installed packages; what cannot be loaded is a warning."""
    experiments = {experiment.name: experiment for paper in PAPERS for experiment in paper.experiments}
    warnings = []
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
        try:
            paper = as_paper(entry.name, entry.load())
        except Exception as error:
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
            warnings.append(f"{described(entry)} cannot be loaded ({reason}): its experiments are not reported")
            continue
        for experiment in paper.experiments:
            if experiment.name in experiments:
                warnings.append(f"{described(entry)} has an experiment {experiment.name}: the name is taken")
            experiments.setdefault(experiment.name, experiment)
    return Catalogue(experiments, warnings)


def described(entry: Any) -> str:  # noqa: ANN401
    """Name an entry point, of whichever class it is, in words, with the installed package that it is of."""
    package = f" of {entry.dist.name}" if entry.dist and entry.dist.name else ""
    return f"entry point {entry.name} = {entry.value}{package} in group {GROUP}"


def as_paper(name: str, loaded: Any) -> Paper:  # noqa: ANN401
    """Make a paper of what an entry point names.

    Raises:
        TypeError: it is neither a `Paper` nor an iterable of `Experiment`.
    """
    if isinstance(loaded, Paper):
        return loaded
    experiments = [*loaded] if isinstance(loaded, Iterable) else [loaded]
    wrong = [type(item).__name__ for item in experiments if not isinstance(item, Experiment)]
    if wrong:
        raise TypeError(f"a Paper or an iterable of Experiment was expected, found {wrong[0]}")
    return Paper(name, experiments=experiments)
