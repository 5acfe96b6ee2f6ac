from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semiad.errors import InputError
from semiad.runs import Recipe, Run, canonical, costs, key, plan, shard
from semiad.scenarios.one_vs_one import OneVsOne
from semiad.types import Cell, Labels

LABELS = Labels("t", tuple(range(10)), np.arange(20) % 10, 10)


def scenario(**narrowing: object) -> OneVsOne:
    return OneVsOne(labelled=1, per_class=False, pollution=0, **{"normal": None, "anomalous": None, **narrowing})


def recipe(config: dict, **narrowing: object) -> Recipe:
    return Recipe(config, scenario(**narrowing), lambda shape: None)


def test_plan_is_cells_times_seeds_in_order() -> None:
    runs = plan([recipe({"a": 1})], LABELS, range(10))
    assert len(runs) == 900 and len({run.key for run in runs}) == 900
    assert [(r.cell, r.seed) for r in runs[9:11]] == [(Cell((0,), (1,)), 9), (Cell((0,), (2,)), 0)]


def test_recipes_are_planned_side_by_side() -> None:
    runs = plan([recipe({"a": 1}), recipe({"a": 2})], LABELS, [0, 1])
    assert len({run.key for run in runs}) == 360
    assert [(r.cell, r.seed, r.recipe.config["a"]) for r in runs[:3]] == [
        (Cell((0,), (1,)), 0, 1), (Cell((0,), (1,)), 0, 2), (Cell((0,), (1,)), 1, 1),
    ]  # fmt: skip


def test_narrowing_changes_no_key() -> None:
    every = {run.key for run in plan([recipe({"a": 1})], LABELS, [0, 1])}
    some = [run.key for run in plan([recipe({"a": 1}, normal=8, anomalous=3)], LABELS, [1])]
    assert len(some) == 1 and set(some) < every


def test_key_of_today_is_key_of_tomorrow() -> None:
    # A change of this number orphans every record there is.
    assert key({"epochs": 5, "x": [1.5]}, asdict(Cell((8,), (1, 3))), 0) == "06cf946e835fa76bb067"


def test_numbers_have_one_key_however_written() -> None:
    cell = asdict(Cell((8,), (1,)))
    assert key({"a": {"b": [1.0, 2]}}, cell, 0) == key({"a": {"b": (1, 2.0)}}, cell, 0)
    assert repr(canonical({"a": (1.0, 2.5, True)})) == "{'a': [1, 2.5, True]}"
    assert key({"a": 1}, cell, 0) != key({"a": 1.5}, cell, 0) != key({"a": True}, cell, 0)


@pytest.mark.parametrize("count", [1, 3, 7, 10, 13, 40])
def test_shards_are_equal_disjoint_and_complete(count: int) -> None:
    runs = plan([recipe({}, normal=8)], LABELS, [0, 1])
    parts = [shard(runs, [5] * 18, i, count) for i in range(count)]
    assert [run for part in parts for run in part] == runs == shard(runs, [5] * 18, None, count)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_ten_shards_of_equal_classes_are_the_normal_classes() -> None:
    one = recipe({})
    runs = plan([one], LABELS, range(10))
    for i in range(10):
        assert {run.cell.normal for run in shard(runs, costs(runs, LABELS, {one: 7}), i, 10)} == {(i,)}


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=60), st.integers(1, 70))
def test_shards_cost_the_same_to_within_a_run(each: list[int], count: int) -> None:
    one = recipe({})
    runs = [Run(one, Cell((0,), (1,)), seed) for seed in range(len(each))]
    own = dict(zip(runs, each, strict=True))
    parts = [shard(runs, each, i, count) for i in range(count)]
    assert [run for part in parts for run in part] == runs
    for part in parts:
        assert abs(sum(own[run] for run in part) - sum(each) / count) <= max(each)


def test_a_run_costs_its_normal_rows_times_its_epochs() -> None:
    labels = Labels("t", ("a", "b", "c"), np.repeat([0, 1, 2, 0, 1, 2], [30, 20, 10, 7, 7, 7]), 60)
    short, long = recipe({"a": 1}), recipe({"a": 2})
    runs = plan([short, long], labels, [0])
    found = dict(zip(runs, costs(runs, labels, {short: 5, long: 50}), strict=True))
    assert {(run.cell.normal[0], cost) for run, cost in found.items() if run.recipe is short} == {
        ("a", 150), ("b", 100), ("c", 50),
    }  # fmt: skip
    assert {cost for run, cost in found.items() if run.recipe is long} == {1500, 1000, 500}
    # A table without an official split: all of its normal rows.
    table = Labels("t", (0, 1), np.repeat([0, 1], [90, 10]), None)
    assert costs([Run(short, Cell((0,), (1,)), 0)], table, {short: 1}) == [90]


@pytest.mark.parametrize(
    ("seeds", "message"),
    [([], "seeds is an empty list"), ([-1], "seeds has -1"), (["a"], "seeds has 'a'"), ([True], "seeds has True")],
)
def test_bad_seeds(seeds: list[object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        plan([recipe({})], LABELS, seeds)


def test_bad_shard() -> None:
    with pytest.raises(InputError, match="shard is 3, expected 0 to 2"):
        shard([Run(recipe({}), Cell((0,), (1,)), 0)], [1], 3, 3)
