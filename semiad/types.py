"""The nouns that all modules share: class, labels, data set, cell, split, batch."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, Shaped
from torch import Tensor

Class = int | str
"""A class as the papers name it: 8 for a digit, "A" for a letter."""
UNLABELLED = "unlabelled"
"""The class of rows of a table of which nobody knows whether they are normal (0) or anomalous (1)."""


class Batch(NamedTuple):
    """Rows that go through a method together.

    Where a method draws groups of rows, such as pairs (see `Method.draw_rows`), `x`, `s` and `target` have a second
    axis for the rows of a group.

    Attributes:
        x: rows, in [0, 1].
        s: semi-labels, 1 for a labelled anomaly, 0 for an unlabelled row.
        noise: random numbers for the objective, if it needs any.
        target: what each row is to be reconstructed as, if the objective needs that: the row itself, but for labelled
            anomalies (see `Method.targets`).
        weight: by which the mean over these rows is multiplied: with several processes, which have parts of unequal
            size, the mean of what they get is that over the whole batch.
    """

    x: Float[Tensor, "b *shape"]
    s: Float[Tensor, "b *p"]
    noise: Float[Tensor, "b ..."] | None = None
    target: Float[Tensor, "b *shape"] | None = None
    weight: float = 1.0

    def part(self, rank: int, ranks: int) -> "Batch":
        """Take every `ranks`-th row, from row `rank` on, as the part of one of `ranks` processes."""
        x, s = self.x[rank::ranks], self.s[rank::ranks]
        noise, target = (None if v is None else v[rank::ranks] for v in (self.noise, self.target))
        return Batch(x, s, noise, target, len(s) * ranks / len(self.s))


class EvaluationBatch(NamedTuple):
    """Rows that are scored together.

    Attributes:
        x: rows, in [0, 1].
        truth: 1 for an anomaly, else 0.
    """

    x: Float[Tensor, "b *shape"]
    truth: Int64[Tensor, " b"]


@dataclass(frozen=True)
class Labels:
    """The class of every row of a data set: all that a scenario sees.

    Attributes:
        name: of the data set, for messages.
        classes: the classes in the order of the paper.
        y: for each row the position of its class in `classes`.
        n_train: the official training rows are the first `n_train`, the official test rows the rest; None where a
            data set has no official split.
    """

    name: str
    classes: tuple[Class, ...]
    y: Int64[np.ndarray, " n"]
    n_train: int | None

    def rows(self, classes: tuple[Class, ...], train: bool) -> Int64[np.ndarray, " m"]:
        """The official training (or test) rows of some classes, in order."""
        wanted: Int64[np.ndarray, " k"] = np.flatnonzero(np.isin(self.y, [self.classes.index(c) for c in classes]))
        assert self.n_train is not None
        rows: Int64[np.ndarray, " m"] = wanted[(wanted < self.n_train) == train]
        return rows


@dataclass(frozen=True)
class Dataset:
    """A data set in memory.

    Attributes:
        labels: the class of every row.
        x: rows: images as uint8 (channels first), or float features.
        top: the value of `x` that stands for 1; None if each split scales by the range of its own training rows.
        checked: whether `semiad.dataset_checks.checked_dataset` has made it; nobody else sets it.
    """

    labels: Labels
    x: Shaped[Tensor, "n *shape"]
    top: float | None
    checked: bool = field(default=False, repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one row."""
        return tuple(self.x.shape[1:])

    @cached_property
    def digest(self) -> str:
        """A hash of rows and labels: data sets with the same digest are the same."""
        x = self.x.cpu().contiguous()
        labels = self.labels
        facts = (labels.classes, labels.n_train, self.top, str(x.dtype), tuple(x.shape))
        hashed = sha256(repr(facts).encode())
        hashed.update(labels.y.astype("<i8").tobytes())
        hashed.update(x.numpy().data)
        return hashed.hexdigest()[:16]

    def to(self, device: torch.device) -> "Dataset":
        """The same data set with its rows on a device."""
        return replace(self, x=self.x.to(device))


@dataclass(frozen=True)
class Cell:
    """One point of a scenario.

    Attributes:
        normal: the normal class(es).
        anomalous: the known anomalous class(es), from which labelled and polluting rows come.
        tested: the anomalous classes of the test set; None for every class that is not normal.
        fold: which part of the rows is tested, from 0, in cross-validation; None where there are no folds.
    """

    normal: tuple[Class, ...]
    anomalous: tuple[Class, ...]
    tested: tuple[Class, ...] | None = None
    fold: int | None = field(default=None, kw_only=True)

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of a record and of a key."""
        return with_fold(asdict(self))

    def entropy(self, seed: int) -> int:
        """The number from which all randomness of this cell's run with `seed` comes.

        The counts of a scenario do not enter, so that draws of different size are nested, and neither does the method,
        so that methods are compared on the same rows in the same order. The folds of a seed share it too, so that each
        of them is a part of the same order of rows.
        """
        text = repr((seed, self.normal, self.anomalous))
        return int.from_bytes(sha256(text.encode()).digest()[:8]) >> 1


def with_fold(cell: Mapping[str, Any]) -> dict[str, Any]:
    """Leave `fold`, which came later, out of the fields of a cell that has none."""
    return {name: value for name, value in cell.items() if name != "fold" or value is not None}


@dataclass(frozen=True)
class Split:
    """The rows of one cell and seed, as row numbers of the data set.

    Attributes:
        train: training rows: normal, polluting, labelled.
        s: their semi-labels, 1 for a labelled anomaly.
        n_polluted: how many of the training rows are anomalies that are not labelled.
        test: test rows.
        truth: 1 where a test row is an anomaly, else 0.
        seen: 1 where a test row is of a class with labelled anomalies; None where there is no such difference.
        n_validation: how many more training rows there were, which are held out for validation.
        scaling: the rows whose ranges of features become [0, 1], without clipping what lies outside; None for the
            training rows, with clipping.
    """

    train: Int64[np.ndarray, " n"]
    s: Int64[np.ndarray, " n"]
    n_polluted: int
    test: Int64[np.ndarray, " m"]
    truth: Int64[np.ndarray, " m"]
    seen: Int64[np.ndarray, " m"] | None
    n_validation: int = 0
    scaling: Int64[np.ndarray, " k"] | None = None

    @cached_property
    def digest(self) -> str:
        """A hash of the row numbers and labels: two runs with the same digest saw the same rows."""
        scaling = () if self.scaling is None else (self.scaling,)
        parts = (self.train, self.s, self.test, self.truth, self.seen, *scaling)
        return sha256(b"|".join(b"" if p is None else p.astype("<i8").tobytes() for p in parts)).hexdigest()[:16]

    @property
    def label_odds(self) -> float:
        """Labelled anomalies for each other training row; 0 without labels."""
        labelled = int(self.s.sum())
        return labelled / max(len(self.s) - labelled, 1)

    def of_training(self, kept: Bool[np.ndarray, " n"]) -> "Split":
        """The same split with some of its training rows only, the others held out; `n_polluted` stays."""
        return replace(self, train=self.train[kept], s=self.s[kept], n_validation=int((~kept).sum()))
