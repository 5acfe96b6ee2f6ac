import datetime as dt
import json
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from semiad.errors import InputError
from semiad.tabular.comparison import Comparison, compare
from semiad.tabular.preprocessor import ROWS, TablePreprocessor
from semiad.tabular.scaling import MARGIN

WORDS = ("red", "green", "blue", "car", "dog", "tree", "house", "sky")


def mixed(rows: int = 200) -> pl.DataFrame:
    rng = np.random.default_rng(1)
    start = dt.datetime(2020, 1, 1)
    return pl.DataFrame(
        {
            "id": range(rows),
            "amount": np.exp(2 * rng.normal(size=rows)),
            "gap": [None if i % 5 == 0 else float(i * i % 17) for i in range(rows)],
            "shop": rng.choice(["a", "b", "c"], rows),
            "ok": rng.random(rows) > 0.5,
            "born": [start + dt.timedelta(days=int(i)) for i in rng.integers(0, 3000, rows)],
            "seen": [f"{i % 28 + 1:02d}.03.2024 {i % 24:02d}:30" for i in range(rows)],
            "note": [" ".join(rng.choice(WORDS, 5)) for _ in range(rows)],
            "constant": [7] * rows,
        }
    )


FITTED = TablePreprocessor().fit(mixed())


def test_every_kind_of_column_becomes_bounded_features() -> None:
    features = FITTED.transform(mixed())
    assert features.dtype == np.float32
    assert features.shape == (200, len(FITTED.feature_names_out_))
    assert np.isfinite(features).all()
    assert features.min() >= 0
    assert features.max() <= 1
    assert len(FITTED.source_of_feature) == features.shape[1]
    assert set(FITTED.source_of_feature) == {"amount", "gap", "shop", "ok", "born", "seen", "note"}
    assert "shop=a" in FITTED.feature_names_out_
    assert FITTED.feature_names_in_ == tuple(mixed().columns)


def test_features_do_not_depend_on_the_rows_beside() -> None:
    frame = pl.concat([mixed()] * (ROWS // 200 + 2))
    assert (FITTED.transform(frame)[-200:] == FITTED.transform(mixed())).all()


def test_the_order_of_columns_and_further_columns_do_not_matter() -> None:
    frame = mixed().select(reversed(mixed().columns)).with_columns(more=1)
    np.testing.assert_array_equal(FITTED.transform(frame), FITTED.transform(mixed()))


def test_light_tails_are_scaled_by_a_line_and_outside_by_a_curve() -> None:
    frame = pl.DataFrame({"a": np.linspace(-5, 5, 101)[np.random.default_rng(0).permutation(101)]})
    fitted = TablePreprocessor().fit(frame)
    values = pl.DataFrame({"a": [-5.0, 0.0, 5.0, 5.001, 6.0, 100.0, 1e300, np.inf, -np.inf]})
    low, middle, high, near, far, farther, huge, top, bottom = fitted.transform(values)[:, 0]
    assert (low, middle, high) == pytest.approx((MARGIN, 0.5, 1 - MARGIN))
    assert near - high == pytest.approx((1 - 2 * MARGIN) * 1e-4, rel=0.01)
    assert high < near < far < farther < huge <= top <= 1
    assert bottom == pytest.approx(0, abs=1e-5)


def test_one_huge_value_does_not_squeeze_the_others() -> None:
    values = np.random.default_rng(0).normal(size=500)
    values[3] = 1e12
    robust = TablePreprocessor().fit(pl.DataFrame({"a": values}))
    plain = TablePreprocessor(scaling="minmax").fit(pl.DataFrame({"a": values}))
    frame = pl.DataFrame({"a": values})
    without = frame.with_row_index().filter(pl.col("index") != 3).select("a")
    spread = TablePreprocessor().fit(without).transform(without).std()
    assert robust.transform(without).std() > 0.6 * spread
    assert np.delete(plain.transform(frame)[:, 0], 3).std() < 1e-6


def test_mostly_equal_values_are_scaled_by_the_others() -> None:
    values = np.zeros(500)
    values[:50] = np.linspace(1, 2, 50)
    values[0] = 1e9
    features = TablePreprocessor().fit(pl.DataFrame({"a": values})).transform(pl.DataFrame({"a": values}))[:, 0]
    assert features[49] - features[499] > 0.1


def test_minmax_is_the_scaling_of_the_papers() -> None:
    values = np.random.default_rng(0).normal(size=(50, 2))
    frame = pl.DataFrame(values)
    features = TablePreprocessor(scaling="minmax").fit(frame).transform(frame)
    np.testing.assert_allclose(features, (values - values.min(0)) / np.ptp(values, axis=0), atol=1e-6)
    assert TablePreprocessor(scaling="minmax").fit(frame).transform(frame * 100).max() == 1


def test_large_offsets_keep_their_differences() -> None:
    values = 1e9 + np.random.default_rng(0).normal(size=300)
    features = TablePreprocessor().fit(pl.DataFrame({"a": values})).transform(pl.DataFrame({"a": values}))[:, 0]
    assert len(np.unique(features)) > 295


def test_missing_and_unseen_values_have_a_meaning() -> None:
    frame = (
        mixed()
        .head(3)
        .with_columns(
            gap=pl.lit(None, dtype=pl.Float64),
            shop=pl.Series(["a", "never seen", None]),
            amount=pl.Series([np.nan, 1.0, 1e9]),
            note=pl.lit(None, dtype=pl.String),
            seen=pl.lit(None, dtype=pl.String),
        )
    )
    names, features = FITTED.feature_names_out_, FITTED.transform(frame)
    by_name = {name: features[:, i] for i, name in enumerate(names)}
    low, high = np.float32(MARGIN), pytest.approx(1 - MARGIN)
    assert by_name["gap is missing"].tolist() == [high] * 3
    assert by_name["shop=a"].tolist() == [high, low, low]
    assert by_name["shop=(other)"].tolist() == [low, high, low]
    assert by_name["shop is missing"].tolist() == [low, low, high]
    median = TablePreprocessor.transform(FITTED, mixed().head(1).with_columns(amount=mixed()["amount"].median()))
    assert by_name["amount"][0] == median[0, names.index("amount")]


def outside(preprocessor: TablePreprocessor, frame: pl.DataFrame) -> dict[str, float]:
    compared = compare(preprocessor, frame)
    return compared.shares(compared.outside)


def test_columns_that_leave_the_range_of_training_are_named() -> None:
    assert outside(FITTED, mixed()) == {}
    frame = mixed().with_columns(
        amount=pl.when(pl.col("id") < 50).then(1e9).otherwise("amount"),
        shop=pl.when(pl.col("id") < 20).then(pl.lit("z")).otherwise("shop"),
        constant=pl.when(pl.col("id") < 2).then(8).otherwise("constant"),
    )
    assert outside(FITTED, frame) == {"amount": 0.25, "shop": 0.1, "constant": 0.01}
    assert outside(FITTED, mixed().with_columns(amount=pl.lit(np.nan)))["amount"] == 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda f: f.drop("shop", "ok"), "no column 'shop', 'ok'; the columns are"),
        (lambda f: f.with_columns(amount=pl.lit("much")), "'amount' is of numbers, but holds 'much'"),
        (
            lambda f: f.with_columns(seen=pl.lit("2024-01-01")),
            "'seen' is of dates written as .*, but holds '2024-01-01'",
        ),
        (lambda f: f.with_columns(born=pl.lit(5)), "'born' is of dates, but holds '5'"),
        (lambda f: f.with_columns(amount=pl.col("born")), "'amount' was of type number in training"),
        (
            lambda f: f.with_columns(shop=pl.concat_list("id")),
            "'shop' was of type category in training, but holds List",
        ),
        (lambda f: f.with_columns(shop=pl.lit(5)), "'shop' was of type category in training, but holds Int"),
    ],
)
def test_columns_that_changed_are_a_sentence(change: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        FITTED.transform(change(mixed()))


def test_arrays_of_another_width_are_told_as_scikit_learn_tells_it() -> None:
    fitted = TablePreprocessor().fit(pl.DataFrame({"x0": [1.0, 2.0], "x1": [1.0, 2.0]}))
    with pytest.raises(InputError, match="X has 1 features, but TablePreprocessor is expecting 2 features as input"):
        fitted.transform(pl.DataFrame({"x0": [1.0]}))


def test_numbers_written_as_text_and_whole_categories_are_the_same_values() -> None:
    frame = pl.DataFrame({"n": [1.5, 2.5, 3.5], "zip": [8000, 3000, 8000]})
    fitted = TablePreprocessor(kinds={"zip": "category"}).fit(frame)
    text = pl.DataFrame({"n": ["1.5", "2.5", "3.5"], "zip": [8000.0, 3000.0, 8000.0]})
    np.testing.assert_array_equal(fitted.transform(text), fitted.transform(frame))


def test_texts_for_missing_values_are_missing_in_training_and_after() -> None:
    numbers = [*(str(i % 7) for i in range(40)), "ERR", " - "]
    frame = pl.DataFrame({"a": numbers, "b": range(42), "c": ["x", "y"] * 20 + ["-", "x"]})
    fitted = TablePreprocessor(missing=("ERR", "-")).fit(frame)
    assert [column.kind for column in fitted.columns_] == ["number", "dropped", "category"]
    assert [column.missing for column in fitted.columns_] == [2, 0, 1]
    expected = TablePreprocessor().fit(
        frame.with_columns(a=pl.Series([*numbers[:40], None, None]), c=frame["c"].replace("-", None))
    )
    assert (
        fitted.transform(frame)
        == expected.transform(frame.with_columns(a=pl.Series([*numbers[:40], "", ""]), c=frame["c"].replace("-", "")))
    ).all()
    restored = TablePreprocessor.from_state(*fitted.state())
    assert restored.missing == ("ERR", "-") and (restored.transform(frame) == fitted.transform(frame)).all()


def test_missing_values_of_any_kind_are_told_where_training_had_none() -> None:
    days = [f"2024-01-{1 + i % 28:02}" for i in range(40)]
    frame = pl.DataFrame({"n": np.arange(40) % 7 / 7, "c": ["x", "y"] * 20, "d": days, "m": [None, 1.5, 2, 2.5] * 10})
    fitted = TablePreprocessor().fit(frame)
    assert outside(fitted, frame) == {} and compare(fitted, frame).empty == 0
    gone = frame.with_columns(pl.when(pl.int_range(40) < 10).then(None).otherwise(pl.all()).name.keep())
    assert outside(fitted, gone) == {"n": 0.25, "c": 0.25, "d": 0.25} and compare(fitted, gone).empty == 10


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_comparisons_of_parts_add_up(rows: int) -> None:
    frame = mixed().with_columns(
        amount=pl.when(pl.col("id") % 3 == 0).then(None).otherwise(pl.col("amount") * 3),
        shop=pl.when(pl.col("id") > 190).then(pl.lit("z")).otherwise("shop"),
    )
    parts = [compare(FITTED, frame[start : start + rows]) for start in range(0, len(frame), rows)]
    assert sum(parts, Comparison()) == compare(FITTED, frame)


def test_nothing_to_learn_from_is_a_sentence() -> None:
    with pytest.raises(InputError, match=r"no column is left to learn from .*constant"):
        TablePreprocessor().fit(pl.DataFrame({"a": [1, 1], "b": [None, None]}))
    with pytest.raises(InputError, match="scaling is 'best', expected one of fences, minmax"):
        TablePreprocessor(scaling="best").fit(mixed())
    with pytest.raises(InputError, match="call fit first"):
        TablePreprocessor().transform(mixed())


def stored() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    config, arrays = FITTED.state()
    return json.loads(json.dumps(config)), {name: array.copy() for name, array in arrays.items()}


def test_a_state_gives_the_same_features_to_the_last_bit() -> None:
    restored = TablePreprocessor.from_state(*stored())
    assert (restored.transform(mixed()) == FITTED.transform(mixed())).all()
    assert restored.feature_names_in_ == FITTED.feature_names_in_
    assert restored.feature_names_out_ == FITTED.feature_names_out_
    assert restored.state()[0] == FITTED.state()[0]


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_changed_byte_of_a_state_is_refused(data: st.DataObject) -> None:
    config, arrays = stored()
    if data.draw(st.booleans()):
        text = bytearray(json.dumps(config).encode())
        place = data.draw(st.integers(0, len(text) - 1))
        text[place] ^= data.draw(st.integers(1, 255))
        try:
            changed = json.loads(bytes(text))
        except ValueError:  # the JSON itself is broken, which its reader tells
            return
        if changed == config or not isinstance(changed, dict):
            return
        config = changed
    else:
        array = arrays[data.draw(st.sampled_from(sorted(arrays)))]
        raw = array.reshape(-1).view(np.uint8)
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= np.uint8(data.draw(st.integers(1, 255)))
    with pytest.raises(InputError, match=r"damaged|format") as caught:
        TablePreprocessor.from_state(config, arrays)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda config, arrays: config.update(format=2),
        lambda config, arrays: config.pop("encoders"),
        lambda config, arrays: config.update(more=1),
        lambda config, arrays: config["encoders"].pop(),
        lambda config, arrays: config["encoders"][0].update(type="os.system"),
        lambda config, arrays: arrays.pop("low"),
        lambda config, arrays: arrays.update(low=arrays["low"][:-1]),
        lambda config, arrays: arrays.update(more=np.zeros(2)),
    ],
)
def test_a_state_with_other_content_is_a_sentence(spoil: Any) -> None:
    config, arrays = stored()
    spoil(config, arrays)
    with pytest.raises(InputError, match=r"damaged|format"):
        TablePreprocessor.from_state(config, arrays)


COLUMNS = st.sampled_from(
    [
        st.floats(width=64),
        st.integers(-(2**63), 2**63 - 1),
        st.booleans(),
        st.text(max_size=30),
        st.dates(),
        st.datetimes(),
        st.sampled_from(["a", "b", ""]),
        st.sampled_from([0.0, 1.0, 1e308, -1e308, 5e-324]),
        st.none(),
    ]
)


@given(st.data(), st.integers(1, 25))
@settings(max_examples=100, phases=[Phase.generate], deadline=None, suppress_health_check=list(HealthCheck))
def test_any_table_becomes_bounded_features_or_a_sentence(data: st.DataObject, rows: int) -> None:
    kinds = data.draw(st.lists(COLUMNS, min_size=1, max_size=4))

    def table(kinds: list[Any]) -> pl.DataFrame:
        values = [data.draw(st.lists(st.none() | kind, min_size=rows, max_size=rows)) for kind in kinds]
        return pl.DataFrame({f"c{i}": pl.Series(column) for i, column in enumerate(values)})

    try:
        fitted = TablePreprocessor().fit(table(kinds))
        features = fitted.transform(table(kinds))
        empty = fitted.transform(pl.DataFrame({f"c{i}": [None] for i in range(len(kinds))}))
    except InputError as error:
        assert "\n" not in str(error)
        return
    for values in (features, empty):
        assert np.isfinite(values).all()
        assert ((values >= 0) & (values <= 1)).all()
    again = TablePreprocessor.from_state(*fitted.state())
    assert again.feature_names_out_ == fitted.feature_names_out_
