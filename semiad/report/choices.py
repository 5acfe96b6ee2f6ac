"""The choice of the better of several methods of ours, where a paper reports one and says that it is the better one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from semiad.report.coordinates import TOTAL, Coordinate
from semiad.report.experiment import Experiment
from semiad.report.observations import gathered, observed, placed


@dataclass(frozen=True)
class Choice:
    """The method that stands under a printed name, see `Paper.better_of`.

    Attributes:
        printed: the name in the paper.
        taken: the method of ours that stands under it.
        means: mean over the table of each method of ours that has runs.
        cells: how many cells these are over: those in which all of them have runs.
    """

    printed: str
    taken: str
    means: Mapping[str, float]
    cells: int

    def remark(self, experiment: Experiment) -> str:
        """Say in a sentence which method was taken, and why."""
        if len(self.means) == 1:
            return f"{self.printed} is {self.taken}: the paper reports the better of several, but no other has runs"
        told = ", ".join(f"{name} {mean:.{experiment.digits}f}" for name, mean in self.means.items())
        return (
            f"{self.printed} is {self.taken}, which has the greatest mean over {self.cells} cells of the table "
            f"({told}): the paper's own choice, made on test rows"
        )


def settled(experiment: Experiment, runs: pl.DataFrame) -> tuple[Experiment, Sequence[Choice]]:
    """Give each printed name that stands for the better of several methods to one of them.

    Args:
        experiment: the table.
        runs: of the table.

    Returns:
        The same table, whose coordinates call the method that was taken by the printed name, and the others by their
        own; and the choices that had runs to choose from.
    """
    better_of = experiment.paper.better_of
    if not better_of:
        return experiment, ()
    cells = gathered(experiment, placed(experiment, observed(experiment, runs)))
    made = [choose(experiment, cells, printed, names) for printed, names in better_of.items()]
    names = {choice.taken: choice.printed for choice in made}
    rows, columns = (
        tuple(renamed(coordinate, names) for coordinate in group) for group in (experiment.rows, experiment.columns)
    )
    compared = experiment.compared and renamed(experiment.compared, names)
    return replace(experiment, rows=rows, columns=columns, compared=compared), [one for one in made if one.means]


def choose(experiment: Experiment, cells: pl.DataFrame, printed: str, names: Sequence[str]) -> Choice:
    """Choose the method of the greatest mean over the cells of a table; the first one if there are no runs.

    Args:
        experiment: the table.
        cells: see `gathered`.
        printed: the name in the paper.
        names: of the methods.
    """
    values: dict[str, dict[tuple[str, ...], float]] = {}
    for *at, mean in cells.filter(pl.col("n") > 0).select(*experiment.heads, "mean").iter_rows():
        for i, text in enumerate(at):
            if text in names and TOTAL not in at:
                values.setdefault(text, {})[*at[:i], *at[i + 1 :]] = mean
    shared = set.intersection(*map(set, values.values())) if values else set()
    means = {name: sum(values[name][at] for at in shared) / len(shared) for name in names if name in values and shared}
    taken = max(means, key=lambda name: means[name], default=next((name for name in names if name in values), names[0]))
    return Choice(printed, taken, means, len(shared))


def renamed(coordinate: Coordinate, names: Mapping[str, str]) -> Coordinate:
    """Make the same coordinate with other names of some of our values."""
    known = tuple(names.get(name, name) for name in coordinate.known)
    return replace(coordinate, ours=coordinate.ours.replace(dict(names)), known=known)
