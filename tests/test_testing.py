"""The checks of `semiad.testing` pass for what semiad has, and fail for what breaks the contract."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from semiad.errors import InputError
from semiad.methods.ae import AE
from semiad.methods.aesad import AESAD
from semiad.methods.devnet import DevNet
from semiad.scenarios.one_vs_one import OneVsOne
from semiad.scenarios.table_fraction import TableFraction
from semiad.testing import check_dataset, check_method, check_scenario, make_recipe
from semiad.testing.method import check_labels_enter
from semiad.types import Batch, Cell, Dataset, Labels, Split
from tests.conftest import CONF, ON_TABLES

SCENARIOS = sorted(path.stem for path in CONF.glob("scenario/*.yaml"))
TABLE = Labels("odds/toy", (0, 1), np.repeat([0, 1], [200, 60]), None)


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenarios_keep_the_contract(name: str) -> None:
    share = name in ON_TABLES or any(word in name for word in ("ratio", "classes"))
    labels = TABLE if name in ON_TABLES else None
    check_scenario(f"scenario={name}", f"scenario.labelled={0.1 if share else 1}", labels=labels)


def test_digits_keep_the_contract() -> None:
    check_dataset("dataset=digits")


class Coupled(AE):
    """The loss of a row depends on the batch."""

    def losses(self, batch: Batch) -> Float[Tensor, " b"]:
        return super().losses(batch) * batch.x.mean()


class Normalised(AE):
    """Scores depend on the rows beside them."""

    def scores(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, " b"]:
        scores = super().scores(x)
        return scores / scores.max()


class Forgetful(AE):
    """What `prepare` sets is in no state."""

    def __init__(self, shape: Sequence[int], **rest: object) -> None:
        super().__init__(shape, **rest)  # type: ignore[arg-type]
        self._shift = torch.zeros(())

    def prepare(self, x: Float[Tensor, "n *shape"], s: Float[Tensor, " n"]) -> None:
        self._shift = x.sum()

    def scores(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, " b"]:
        return super().scores(x) * (1 + self._shift)


class Blind(AE):
    """Says that it looks at labels, and does not."""

    unsupervised = False


class Untaught(Blind):
    """Adds to the loss what depends on labels and teaches nothing."""

    def losses(self, batch: Batch) -> Float[Tensor, " b"]:
        return super().losses(batch) + batch.s * batch.x.flatten(1).mean(1)


class Broadcast(DevNet):
    """Sets each score against every label, as (b, 1) against (b,) does."""

    def losses(self, batch: Batch) -> Float[Tensor, " b"]:
        deviations = ((self.scores(batch.x) - self.mean) / self.std)[:, None]
        return torch.where(batch.s == 1, (self.margin - deviations).clamp(min=0), deviations.abs()).mean(1)


class Branching(AE):
    """Chooses in Python what a pack cannot."""

    def losses(self, batch: Batch) -> Float[Tensor, " b"]:
        errors = super().losses(batch)
        return errors * 2 if bool((batch.x.sum() > 0).any()) else errors


class Moody(AE):
    """Draws from torch's global generator."""

    def losses(self, batch: Batch) -> Float[Tensor, " b"]:
        return super().losses(batch) * (1 + torch.rand(()))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "match"),
    [
        (Coupled, "depends on the other rows of its batch, but batch_coupled is False"),
        (Normalised, "scores depend on the rows that are scored with them"),
        (Forgetful, "a loaded method scores otherwise: a buffer lacks"),
        (Branching, r"a pack cannot step it .*: choose rows by torch.where"),
        (Moody, "the loss of a row depends|the same seed gives other metrics"),
        (Blind, "the loss of a batch stays .* if other rows of it are labelled"),
        (Untaught, r"AUC is 0\.\d+ where 40 labels tell anomalies by one feature"),
    ],
)
def test_methods_that_break_the_contract_are_found(kind: type, match: str) -> None:
    with pytest.raises(AssertionError, match=match):
        check_method("method=ae", f"method._target_={__name__}.{kind.__name__}")


def test_a_deviation_network_that_sets_each_score_against_every_label_is_found() -> None:
    with pytest.raises(AssertionError, match=r"the loss of a (batch stays|row depends)"):
        check_method("method=devnet", f"method._target_={__name__}.Broadcast")
    made = make_recipe("method=devnet", f"method._target_={__name__}.Broadcast").method(shape=(1, 8, 8))
    with pytest.raises(AssertionError, match=r"scores of shape \(b, 1\) set against labels of shape \(b,\)"):
        check_labels_enter(made)


def test_an_equation_by_hand_is_held_against_the_losses() -> None:
    def wrong(method: AESAD, batch: Batch) -> Tensor:
        return (batch.x - method.net(batch.x)).square().flatten(1).mean(1)

    with pytest.raises(AssertionError, match="by the equation"):
        check_method("method=aesad", equation=wrong)


class Leaky(OneVsOne):
    """Tests on a training row."""

    def split(self, cell: Cell, labels: Labels, seed: int) -> Split:
        split = super().split(cell, labels, seed)
        test = split.test.copy()
        test[np.flatnonzero(split.truth == 0)[0]] = split.train[0]
        return Split(split.train, split.s, split.n_polluted, test, split.truth, split.seen)


class Global(OneVsOne):
    """Draws from numpy's global generator."""

    def split(self, cell: Cell, labels: Labels, seed: int) -> Split:
        np.random.rand()
        return super().split(cell, labels, seed)


@pytest.mark.parametrize(("kind", "match"), [(Leaky, "a test row is a training row too"), (Global, "numpy's global")])
def test_scenarios_that_break_the_contract_are_found(kind: type, match: str) -> None:
    with pytest.raises(AssertionError, match=match):
        check_scenario(f"scenario._target_={__name__}.{kind.__name__}")


def toy_table(root: Path) -> Dataset:
    """A table, which is normal or not; digits have ten classes."""
    y = np.repeat([0, 1], [200, 60])
    return Dataset(Labels("own/toy", (0, 1), y, None), torch.rand(260, 3), None)


class LeakyTable(TableFraction):
    """Tests on a training row."""

    def split(self, cell: Cell, labels: Labels, seed: int) -> Split:
        split = super().split(cell, labels, seed)
        return replace(split, test=np.append(split.test, split.train[0]), truth=np.append(split.truth, split.s[0]))


def test_a_scenario_is_checked_on_the_data_set_that_is_named() -> None:
    words = (f"dataset._target_={__name__}.toy_table", "scenario=table_fraction", "scenario.labelled=0.2")
    check_scenario(*words)
    with pytest.raises(AssertionError, match="a test row is a training row too"):
        check_scenario(*words, f"scenario._target_={__name__}.LeakyTable")
    with pytest.raises(InputError, match="digits"):
        check_scenario(*words[1:])


class Infinite(AE):
    def losses(self, batch: Batch) -> Tensor:
        return super().losses(batch) * torch.inf


def test_losses_that_are_not_finite_are_told_as_such() -> None:
    with pytest.raises(AssertionError, match="losses are not finite: "):
        check_method("method=ae", f"method._target_={__name__}.Infinite")


def test_data_that_break_the_contract_are_found() -> None:
    with pytest.raises(AssertionError, match="loading twice gives other rows"):
        check_dataset(f"dataset._target_={__name__}.restless")


def restless(root: Path) -> object:
    """Rows that differ each time."""
    from semiad.types import Dataset

    return Dataset(Labels("restless", (0, 1), np.repeat([0, 1], 5), 6), torch.rand(10, 3), 1.0)
