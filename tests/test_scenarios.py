from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hydra.utils import instantiate
from hypothesis import given, settings
from hypothesis import strategies as st

from semiad.errors import InputError
from semiad.scenarios.base import Scenario, beside, half_up
from semiad.scenarios.many_vs_many import ManyVsMany
from semiad.testing import compose_config
from semiad.types import Cell, Labels, Split
from tests.conftest import CONF, ON_TABLES

NAMES = sorted(path.stem for path in (CONF / "scenario").glob("*.yaml"))
SHARES = ["labelled_classes", "labelled_ratio", "pollution_ratio"]


def scenario(name: str, **settings: Any) -> Scenario:
    return instantiate(compose_config(f"scenario={name}").scenario, **settings, _convert_="all")


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
    if name in ON_TABLES:
        few = chosen.folds if name == "kfold" else 2
        labels = table(seed, data.draw(st.integers(few, 300)), data.draw(st.integers(few, 60)))
    else:
        labels = images(seed, train=data.draw(st.integers(110, 140)), test=data.draw(st.integers(1, 20)))
    cell = data.draw(st.sampled_from(chosen.cells(labels)))
    split = chosen.split(cell, labels, seed)
    of_train, of_test = (np.array([labels.classes[i] for i in labels.y[rows]]) for rows in (split.train, split.test))
    # No row twice, none in both parts, official parts kept apart.
    assert len(np.unique(np.concatenate([split.train, split.test]))) == len(split.train) + len(split.test)
    if labels.n_train is not None:
        assert split.train.max() < labels.n_train <= split.test.min()
    # Labelled rows come from known anomalous classes, polluting ones from these or from all, the rest is normal.
    assert set(of_train[split.s == 1].tolist()) <= set(cell.anomalous)
    unlabelled = of_train[split.s == 0]
    polluting = unlabelled[~np.isin(unlabelled, cell.normal)]
    assert len(polluting) == split.n_polluted and (name in SHARES or np.isin(polluting, cell.anomalous).all())
    # Truth and seen say what they should, and nothing untested is tested.
    assert (split.truth == ~np.isin(of_test, cell.normal)).all()
    assert {0, 1} == set(split.truth.tolist())
    if split.seen is not None:
        known = of_train[split.s == 1] if name == "labelled_classes" else cell.anomalous
        assert (split.seen == np.isin(of_test, known)).all()
    if cell.tested is not None:
        assert set(of_test.tolist()) <= {*cell.normal, *cell.tested}
    # Pure, and different for another seed where there is something to draw (one row may be drawn twice).
    again = chosen.split(cell, labels, seed)
    assert again.digest == split.digest
    if split.s.sum() > 1 and name not in ON_TABLES:
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


@pytest.mark.parametrize("name", NAMES)
def test_scenarios_on_classes_need_an_official_split_and_those_on_tables_a_table(name: str) -> None:
    if name in ON_TABLES:
        with pytest.raises(InputError, match=f"{name} needs a table with classes 0 and 1"):
            SCENARIOS[name].cells(images(0, 20, 5))
    elif name != "many_vs_many":
        with pytest.raises(InputError, match="odds/toy has no official split"):
            SCENARIOS[name].cells(table(0, 20, 5))


def test_many_vs_many_tests_every_class_where_none_is_listed() -> None:
    labels = images(0, 200, 5)
    scenario = ManyVsMany(
        sets={"digits": [{"normal": [3], "anomalous": [4], "tested": None}]},
        labelled=2,
        per_class=False,
        pollution=0,
        normal=None,
        anomalous=None,
    )
    (cell,) = scenario.cells(replace(labels, name="digits"))
    assert cell == Cell((3,), (4,), None)
    assert set(labels.y[scenario.split(cell, labels, 0).test].tolist()) == set(range(10))


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


# The digits of MNIST.
TRAIN = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]


@pytest.fixture(scope="module")
def mnist() -> Labels:
    rng = np.random.default_rng(0)
    y = np.concatenate([rng.permutation(np.repeat(np.arange(10), TRAIN)), np.arange(100) % 10])
    return Labels("mnist", tuple(range(10)), y, sum(TRAIN))


@pytest.mark.parametrize(
    ("labelled", "pollution", "m", "p"),
    # Beside 5923 normal rows: 658.1 are 10 %, 1480.75 are 20 %; of 5923 + 658.1, 346.4 are 5 % with them, and so on.
    [(0, 0, 0, 0), (0.01, 0, 59, 0), (0.05, 0.1, 346, 658), (0.2, 0.1, 1645, 658), (0.05, 0.2, 389, 1480)],
)
def test_counts_of_esad(labelled: float, pollution: float, m: int, p: int, mnist: Labels) -> None:
    for name in SHARES:
        split = scenario(name, labelled=labelled, pollution=pollution).split(Cell((0,), (1,)), mnist, 0)
        assert (split.s.sum(), split.n_polluted, len(split.train), len(split.test)) == (m, p, 5923 + m + p, 100)


def test_shares_are_exact_and_truncated() -> None:
    # In floats 0.2 * 172 / (1 - 0.2) is 42.99999999999999 and 0.15 * 119 / (1 - 0.15) is 20.999999999999996.
    assert [int(beside(share, n)) for share, n in ((0.01, 9900), (0.2, 172), (0.15, 119))] == [100, 43, 21]
    assert beside(0.05, 4) == Fraction(4, 19) and beside(0, 7) == 0


def test_cells_of_esad(mnist: Labels) -> None:
    for name in ("labelled_ratio", "pollution_ratio"):
        assert SCENARIOS[name].cells(mnist) == SCENARIOS["one_vs_one"].cells(mnist)
    assert SCENARIOS["labelled_classes"].cells(mnist) == SCENARIOS["one_vs_all"].cells(mnist)
    assert scenario("labelled_ratio", normal=8, anomalous=[1, 3]).cells(mnist) == [Cell((8,), (1, 3))]


def parts(split: Split, labels: Labels) -> tuple[set[int], set[int]]:
    """The labelled and the polluting rows."""
    unlabelled = split.train[split.s == 0]
    return set(split.train[split.s == 1].tolist()), set(unlabelled[labels.y[unlabelled] != 0].tolist())


def test_pollution_is_of_all_anomalous_classes_and_labels_of_the_known_one(mnist: Labels) -> None:
    labelled, polluting = parts(SCENARIOS["pollution_ratio"].split(Cell((0,), (3,)), mnist, 0), mnist)
    assert {mnist.y[row] for row in labelled} == {3} and {mnist.y[row] for row in polluting} == set(range(1, 10))


@pytest.mark.parametrize("variant", ["clean", "published"])
def test_draws_of_esad_are_nested(variant: str, mnist: Labels) -> None:
    cell = Cell((0,), (3,))
    few, labelled, polluted = (
        parts(scenario("pollution_ratio", labelled=m, pollution=p, variant=variant).split(cell, mnist, 2), mnist)
        for m, p in ((0.05, 0.1), (0.1, 0.1), (0.05, 0.2))
    )
    assert few[0] < labelled[0] and few[0] < polluted[0]
    if variant == "clean":  # in the published one, rows that get a label are counted as polluting no more
        assert few[1] == labelled[1] and few[1] < polluted[1]
    assert few[1] - polluted[0] < polluted[1] and labelled[1] <= few[1]


def test_labelled_rows_are_those_of_the_clean_variant(mnist: Labels) -> None:
    clean, published = (
        parts(scenario("pollution_ratio", variant=variant).split(Cell((0,), (3,)), mnist, 0), mnist)
        for variant in ("clean", "published")
    )
    assert clean[0] == published[0] and clean[1] != published[1]


def test_published_rows_that_are_drawn_twice_stand_twice_and_are_labelled(mnist: Labels) -> None:
    chosen = scenario("pollution_ratio", labelled=0.2, pollution=0.1, variant="published")
    twice = []
    for seed in range(10):
        split = chosen.split(Cell((0,), (3,)), mnist, seed)
        rows, counts = np.unique(split.train, return_counts=True)
        assert len(split.train) == 5923 + 658 + 1645 and set(counts.tolist()) == {1, 2}
        assert (split.s[np.isin(split.train, rows[counts == 2])] == 1).all()
        twice.append((counts == 2).sum())
        assert (split.s.sum(), split.n_polluted) == (1645 + twice[-1], 658 - twice[-1])
    # 658 of 54077 anomalies pollute: of 1645 labelled ones 20 are expected to (Deep SAD's code: 20).
    assert 15 < np.mean(twice) < 25


def test_known_classes_are_nested_random_and_seen(mnist: Labels) -> None:
    cell = SCENARIOS["labelled_classes"].cells(mnist)[0]
    known = []
    for k in (0, 1, 2, 3, 5):
        split = scenario("labelled_classes", classes=k).split(cell, mnist, 3)
        known.append({mnist.y[row] for row in parts(split, mnist)[0]})
        assert len(known[-1]) == k and split.s.sum() == (346 if k else 0) and split.n_polluted == 658
        assert set(mnist.y[split.test[split.seen == 1]].tolist()) == known[-1]
    assert all(few < many for few, many in pairwise(known))
    drawn = [SCENARIOS["labelled_classes"].split(cell, mnist, seed).seen for seed in range(10)]
    assert len({tuple(seen) for seen in drawn}) > 3
    among = scenario("labelled_classes", classes=2, anomalous=[4, 7])
    split = among.split(*among.cells(mnist)[:1], mnist, 0)
    assert {mnist.y[row] for row in parts(split, mnist)[0]} == {4, 7}


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("labelled_ratio", {"labelled": 1.0}, "scenario.labelled is 1.0, expected a share of at least 0 and below 1"),
        ("labelled_ratio", {"labelled": True}, "scenario.labelled is True, expected a share of at least 0 and below 1"),
        ("pollution_ratio", {"pollution": -0.1}, "scenario.pollution is -0.1, expected a share"),
        ("pollution_ratio", {"pollution": float("nan")}, "scenario.pollution is nan, expected a share"),
        ("labelled_classes", {"classes": 1.5}, "scenario.classes is 1.5, expected a whole number of classes"),
        ("labelled_classes", {"classes": 10}, "scenario.classes is 10, but only 9 anomalous classes are available"),
        ("labelled_classes", {"variant": "leaky"}, "scenario.variant is leaky, expected clean or published"),
        ("labelled_ratio", {"labelled": 0.8}, "80 labelled rows asked for of class 1, but only 20 are available"),
        (
            "pollution_ratio",
            {"labelled": 0, "pollution": 0.95},
            "380 polluting rows asked for of classes 1, 2, 3, 4, 5, 6, 7, 8, 9",
        ),
        ("table_stratified", {"variant": "leaky"}, "scenario.variant is leaky, expected clean or published"),
        ("table_stratified", {"scaling": "none"}, "scenario.scaling is none, expected clean or published"),
        ("table_stratified", {"train": 1}, "scenario.train is 1, expected a share above 0 and below 1"),
        ("table_stratified", {"labelled": 0.5}, "12 labelled rows asked for of class 1, but only 6 are available"),
    ],
)
def test_bad_settings_of_esad(name: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(Exception) as caught:
        chosen = scenario(name, **settings)
        labels = table(0, 20, 10) if name.startswith("table") else images(0, 20, 5)
        chosen.split(chosen.cells(labels)[0], labels, 0)
    error = caught.value if isinstance(caught.value, InputError) else caught.value.__cause__
    assert isinstance(error, InputError) and message in str(error)


@pytest.mark.parametrize(
    ("normal", "anomalous", "n", "m", "rest"),
    # cardio: 993 train and 1 % with them are 10.03; thyroid: 2207 and 22.3; wine: 71 and 0.7, which is at least 1.
    [(1655, 176, 993, 10, 662 + 71), (3679, 93, 2207, 22, 1472 + 38), (119, 10, 71, 1, 48 + 4), (2, 2, 1, 1, 2)],
)
def test_counts_of_the_stratified_table(normal: int, anomalous: int, n: int, m: int, rest: int) -> None:
    for variant in ("clean", "published"):
        labels = table(1, normal, anomalous)
        split = scenario("table_stratified", variant=variant).split(Cell((0,), (1,)), labels, 0)
        assert (len(split.train) - m, split.s.sum(), len(split.test)) == (n, m, rest) and split.seen is None
        assert split.truth.sum() == anomalous - int(0.6 * anomalous) and split.n_polluted == 0
        assert normal == 2 or np.isin(split.test, split.train).any() == (variant == "published")
    assert scenario("table_stratified", labelled=0).split(Cell((0,), (1,)), labels, 0).s.sum() == 0


def test_published_tables_test_mostly_rows_that_train() -> None:
    chosen = scenario("table_stratified", variant="published")
    splits = [chosen.split(Cell((0,), (1,)), table(1, 1655, 176), seed) for seed in range(10)]
    shared = [np.isin(split.test[split.truth == 0], split.train).mean() for split in splits]
    assert 0.57 < np.mean(shared) < 0.63  # 993 of 1655 train
    clean = [scenario("table_stratified").split(Cell((0,), (1,)), table(1, 1655, 176), s).train for s in range(10)]
    assert all((split.train == train).all() for split, train in zip(splits, clean, strict=True))


def test_published_tables_are_scaled_by_the_whole_training_part() -> None:
    labels = table(1, 1655, 176)
    clean, published, kept, part = (
        scenario("table_stratified", **settings).split(Cell((0,), (1,)), labels, 0)
        for settings in (
            {},
            {"variant": "published"},
            {"variant": "published", "scaling": "clean"},
            {"scaling": "published"},
        )
    )
    assert clean.scaling is None and kept.scaling is None
    for split in (published, part):
        rows = split.scaling
        assert rows is not None and [int((labels.y[rows] == c).sum()) for c in (0, 1)] == [993, int(0.6 * 176)]
        assert set(split.train) < set(rows) and (rows == np.unique(rows)).all()
    assert (kept.test == published.test).all() and (part.test == clean.test).all()
    assert not np.isin(part.test, part.scaling).any()


def test_stratified_tables_are_nested() -> None:
    few, many = (
        scenario("table_stratified", labelled=share).split(Cell((0,), (1,)), table(1, 1655, 176), 0)
        for share in (0.01, 0.05)
    )
    assert set(few.train) < set(many.train) and (few.test == many.test).all() and many.s.sum() == 52
