from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hydra import compose, initialize_config_module
from hydra.utils import instantiate
from hypothesis import given, settings
from hypothesis import strategies as st

from semiad.errors import InputError
from semiad.scenarios.base import Scenario, half_up
from semiad.types import Cell, Labels
from tests.conftest import CONF

NAMES = sorted(path.stem for path in (CONF / "scenario").glob("*.yaml"))
CLASSES = [name for name in NAMES if name != "table_fraction"]


def scenario(name: str, **settings: Any) -> Scenario:
    with initialize_config_module("semiad.conf", version_base="1.3"):
        node = compose("train", [f"scenario={name}"]).scenario
    return instantiate(node, **settings, _convert_="all")


@pytest.fixture(scope="module", autouse=True)
def by_name() -> Iterator[dict[str, Scenario]]:
    SCENARIOS.update({name: scenario(name) for name in NAMES})
    return SCENARIOS


SCENARIOS: dict[str, Scenario] = {}


def images(seed: int, train: int, test: int) -> Labels:
    """`train` and `test` rows of each of ten classes, in random order within each part."""
    rng = np.random.default_rng(seed)
    y = np.concatenate([rng.permutation(np.repeat(np.arange(10), n)) for n in (train, test)])
    return Labels("mnist", tuple(range(10)), y, 10 * train)


def table(seed: int, normal: int, anomalous: int) -> Labels:
    y = np.random.default_rng(seed).permutation(np.repeat([0, 1], [normal, anomalous]))
    return Labels("odds/toy", (0, 1), y, None)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(data=st.data(), seed=st.integers(0, 1000))
def test_split_invariants(name: str, data: st.DataObject, seed: int) -> None:
    chosen = SCENARIOS[name]
    if name == "table_fraction":
        labels = table(seed, data.draw(st.integers(2, 300)), data.draw(st.integers(2, 60)))
    else:
        labels = images(seed, train=data.draw(st.integers(110, 140)), test=data.draw(st.integers(1, 20)))
    cell = data.draw(st.sampled_from(chosen.cells(labels)))
    split = chosen.split(cell, labels, seed)
    of_train, of_test = (np.array([labels.classes[i] for i in labels.y[rows]]) for rows in (split.train, split.test))
    # No row twice, none in both parts, official parts kept apart.
    assert len(np.unique(np.concatenate([split.train, split.test]))) == len(split.train) + len(split.test)
    if labels.n_train is not None:
        assert split.train.max() < labels.n_train <= split.test.min()
    # Labelled and polluting rows come from known anomalous classes, the rest is normal.
    assert set(of_train[split.s == 1].tolist()) <= set(cell.anomalous)
    unlabelled = of_train[split.s == 0]
    assert np.isin(unlabelled, cell.anomalous).sum() == split.n_polluted
    assert np.isin(unlabelled, cell.normal).sum() == len(unlabelled) - split.n_polluted
    # Truth and seen say what they should, and nothing untested is tested.
    assert (split.truth == ~np.isin(of_test, cell.normal)).all()
    assert {0, 1} == set(split.truth.tolist())
    if split.seen is not None:
        assert (split.seen == np.isin(of_test, cell.anomalous)).all()
    if cell.tested is not None:
        assert set(of_test.tolist()) <= {*cell.normal, *cell.tested}
    # Pure, and different for another seed where there is something to draw.
    again = chosen.split(cell, labels, seed)
    assert again.digest == split.digest
    if split.s.sum() and name != "table_fraction":
        assert chosen.split(cell, labels, seed + 1).digest != split.digest


def test_one_vs_one_has_ninety_cells() -> None:
    cells = SCENARIOS["one_vs_one"].cells(images(0, 20, 5))
    assert len(cells) == 90 and cells[:2] == [Cell((0,), (1,)), Cell((0,), (2,))] and cells[-1] == Cell((9,), (8,))


def test_one_vs_many_groups_three_consecutive_classes() -> None:
    cells = SCENARIOS["one_vs_many"].cells(images(0, 20, 5))
    assert len(cells) == 30 and [c.anomalous for c in cells if c.normal == (5,)] == [(0, 1, 2), (3, 4, 6), (7, 8, 9)]


def test_one_vs_all() -> None:
    cells = SCENARIOS["one_vs_all"].cells(images(0, 20, 5))
    assert len(cells) == 10 and cells[3] == Cell((3,), (0, 1, 2, 4, 5, 6, 7, 8, 9))


def test_counts_of_table_7() -> None:
    split = SCENARIOS["one_vs_many"].split(Cell((3,), (4, 5, 6)), images(0, 200, 5), 0)
    assert (split.s.sum(), split.n_polluted, len(split.train), len(split.test)) == (6, 300, 506, 50)


def test_share_of_pollution_is_of_the_normal_rows() -> None:
    split = scenario("one_vs_one", labelled=5, pollution=0.125).split(Cell((3,), (4,)), images(0, 100, 5), 0)
    assert (split.s.sum(), split.n_polluted, len(split.train)) == (5, 13, 118)  # 12.5 rounds up


def test_draws_are_nested_and_paired() -> None:
    labels, cell = images(0, 100, 5), Cell((3,), (4, 5))
    few, many = (
        scenario("one_vs_many", labelled=n, per_class=False, pollution=0).split(cell, labels, 4) for n in (8, 32)
    )
    polluted = scenario("one_vs_many", labelled=8, per_class=False, pollution=20).split(cell, labels, 4)
    assert set(few.train[few.s == 1]) < set(many.train[many.s == 1])
    assert set(few.train[few.s == 1]) == set(polluted.train[polluted.s == 1])


def test_narrowing() -> None:
    labels = images(0, 20, 5)
    assert scenario("one_vs_one", normal=8, anomalous=[9, 5, 3, 1]).cells(labels) == [Cell((8,), (1, 3, 5, 9))]
    assert [c.anomalous for c in scenario("one_vs_many", normal=5).cells(labels)] == [(0, 1, 2), (3, 4, 6), (7, 8, 9)]
    assert len(scenario("one_vs_one", anomalous="3").cells(labels)) == 9


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"normal": 10}, "scenario.normal: data set mnist has no class 10, only 0, 1"),
        ({"normal": 3, "anomalous": 3}, "no cell is left"),
        ({"anomalous": []}, "scenario.anomalous is an empty list"),
        ({"labelled": -1}, "scenario.labelled is -1"),
        ({"labelled": 2.5}, "scenario.labelled is 2.5"),
        ({"pollution": 1.5}, "scenario.pollution is 1.5"),
    ],
)
def test_bad_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(Exception) as caught:  # Hydra wraps what a constructor raises
        scenario("one_vs_one", **settings).cells(images(0, 20, 5))
    error = caught.value if isinstance(caught.value, InputError) else caught.value.__cause__
    assert isinstance(error, InputError) and message in str(error)


def test_too_few_rows_names_class_asked_and_available() -> None:
    cell, labels = Cell((3,), (4, 5)), images(0, 20, 5)
    with pytest.raises(InputError, match=r"100000 labelled rows asked for of classes 4, 5, but only 40 are available"):
        scenario("one_vs_many", labelled=100000, per_class=False).split(cell, labels, 0)
    with pytest.raises(InputError, match="19 polluting rows asked for of class 4, but only 18 are available"):
        scenario("one_vs_many", labelled=2, pollution=19).split(cell, labels, 0)


def test_class_scenarios_need_an_official_split_and_fractions_a_table() -> None:
    with pytest.raises(InputError, match="odds/toy has no official split"):
        SCENARIOS["one_vs_one"].cells(table(0, 20, 5))
    with pytest.raises(InputError, match="table_fraction needs a table with classes 0 and 1"):
        SCENARIOS["table_fraction"].cells(images(0, 20, 5))


def test_many_vs_many_tests_listed_classes_only() -> None:
    cells = SCENARIOS["many_vs_many"].cells(images(0, 200, 5))
    assert len(cells) == 4 and cells[2] == Cell((0, 1, 2, 3, 4, 5), (6, 7), (6, 7, 8, 9))
    letters = Labels("mnist_letters", (*range(10), *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"), np.arange(72) % 36, 36)
    assert [cell.anomalous[0] for cell in SCENARIOS["many_vs_many"].cells(letters)] == ["A", "A", "V", "V"]
    fashion = Labels("fmnist", tuple(range(10)), np.arange(20) % 10, 10)
    with pytest.raises(InputError, match=r"scenario.sets lists mnist, digits, mnist_letters, but not .* fmnist"):
        SCENARIOS["many_vs_many"].cells(fashion)


@pytest.mark.parametrize(
    ("normal", "anomalous", "n", "s"),
    # cardio: 52.3 beside 993 are 5 %; thyroid: 116 would be, but half of 93 is 46; wine: 71.4 and 3.7.
    [(1655, 176, 993, 52), (3679, 93, 2207, 46), (119, 10, 71, 4), (142, 6, 85, 3), (10, 2, 6, 1), (5, 9, 3, 1)],
)
def test_counts_of_table_2(normal: int, anomalous: int, n: int, s: int) -> None:
    split = SCENARIOS["table_fraction"].split(Cell((0,), (1,)), table(1, normal, anomalous), 0)
    assert (len(split.train) - split.s.sum(), split.s.sum()) == (n, s)
    assert len(split.train) + len(split.test) == normal + anomalous and split.seen is None


def test_rounds_half_up() -> None:
    assert [half_up(v) for v in (0.49, 0.5, 1.5, 2.5)] == [0, 1, 2, 3]


def test_digest_tells_every_part() -> None:
    labels = images(0, 120, 5)
    splits = [SCENARIOS["one_vs_one"].split(Cell((3,), (a,)), labels, seed) for a in (4, 5) for seed in (0, 1)]
    assert len({split.digest for split in splits}) == 4
