"""Looks at the splits of a job before anything is written."""

from collections.abc import Iterator, Sequence

import numpy as np

from semiad.engines.context import TrainingContext
from semiad.errors import InputError
from semiad.ledger.record import short
from semiad.runs import Run
from semiad.types import Split


def check_splits(runs: Sequence[Run], context: TrainingContext) -> Iterator[str]:
    """Draw a split of each cell and scenario, and look at it.

    Yields:
        A sentence for each scenario in whose splits test rows are training rows too.

    Raises:
        InputError: a class has too few rows, a split is none, or differs when it is drawn again, or has nothing to
            train on or to measure.
    """
    drawn_again, leaking = set[str](), set[str]()
    for run in first_of_size(runs).values():
        name, scenario, settings = short(run.identity), run.recipe.scenario, repr(run.recipe.config["scenario"])
        split = context.split(run)
        check_split(split, name, len(context.dataset.labels.y))
        if settings not in drawn_again:
            drawn_again.add(settings)
            labels = context.dataset.labels
            first = split if context.validation is None else scenario.split(run.cell, labels, run.seed)
            if scenario.split(run.cell, labels, run.seed).digest != first.digest:
                raise InputError(
                    f"the split {name} is another one when {type(scenario).__name__} draws it again: draw by a "
                    "generator that the seed starts"
                )
        if settings not in leaking and (both := int(np.isin(split.test, split.train).sum())):
            leaking.add(settings)
            yield (
                f"{both} of the {len(split.test)} test rows of the split {name} are training rows too; audit=true says "
                "more"
            )


def check_split(split: Split, name: str, rows: int) -> None:
    """Check what a split holds.

    Args:
        split: of a scenario of whatever kind.
        name: the cell and seed, in words.
        rows: of the data set.

    Raises:
        InputError: its numbers of rows do not agree, or are none of the data set, a label is neither 0 nor 1, or it has
            nothing to train on or to measure.
    """
    parts = {"train": split.train, "s": split.s, "test": split.test, "truth": split.truth, "seen": split.seen}
    for part, values in parts.items():
        kinds, what = ("iu", "whole") if part in ("train", "test") else ("biuf", "0 and 1 as")
        if isinstance(values, np.ndarray) and values.dtype.kind in kinds and values.ndim == 1:
            continue
        if values is not None or part != "seen":
            found = f"of type {type(values).__name__}"
            if isinstance(values, np.ndarray):
                found = f"an array of {values.dtype}, {values.shape}"
            raise InputError(f"{part} of the split {name} is {found}, expected an array of {what} numbers, (rows,)")
    for numbers, of in ((split.train, "train"), (split.test, "test"), (split.scaling, "scaling")):
        if numbers is not None and len(numbers) and not 0 <= numbers.min() <= numbers.max() < rows:
            raise InputError(f"{of} of the split {name} has a row outside 0 to {rows - 1}, those of the data set")
    for part, of, numbers in (("s", "train", split.train), ("truth", "test", split.test), ("seen", "test", split.test)):
        values = parts[part]
        if values is None:
            continue
        if len(values) != len(numbers):
            raise InputError(f"the split {name} has {len(values)} {part} for {len(numbers)} {of}, expected one a row")
        if not np.isin(values, (0, 1)).all():
            raise InputError(f"{part} of the split {name} has {set(values.tolist()) - {0, 1}}, expected 0 and 1")
    if not (split.s == 0).any():
        raise InputError(f"the split {name} has no training row without a label, so that nothing can be learnt")
    for kind, what in ((0, "normal"), (1, "anomalous")):
        if not (split.truth == kind).any():
            raise InputError(
                f"the split {name} has no {what} test row (of {len(split.truth)}), so that no AUC can be measured"
            )


def first_of_size(runs: Sequence[Run]) -> dict[str, Run]:
    """Give, for each cell and scenario, the first run: the sizes of its split are those of every other seed."""
    first: dict[str, Run] = {}
    for run in runs:
        first.setdefault(split_size_key(run), run)
    return first


def split_size_key(run: Run) -> str:
    """Text that is equal for runs whose splits have equal sizes."""
    return repr((run.cell, run.recipe.config["scenario"]))
