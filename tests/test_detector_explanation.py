import sys
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from semiad import Detector
from semiad.detector.explanation import check_parts, explain_rows, typical_row
from semiad.engines.evaluation import evaluating
from semiad.errors import InputError
from semiad.methods.ae import AE
from semiad.networks.dense import Dense

QUICK: dict[str, Any] = {"ensemble": 2, "random_state": 0, "fpr": 0.05, "device": "cpu"}
COLUMNS = ("amount", "hour", "rate", "country", "when")
SHORT = {"iforest": ("method.trees=20",), "a3": ("method.hidden=[20,10]",)}


def payments(rows: int, seed: int) -> pl.DataFrame:
    """Numbers that hang together, some of them missing, a category and a date."""
    draws = np.random.default_rng(seed)
    common = draws.normal(size=rows)
    rate = common + 0.3 * draws.normal(size=rows)
    return pl.DataFrame(
        {
            "amount": 50 + 10 * common + draws.normal(size=rows),
            "hour": 12 + 2 * common + 0.3 * draws.normal(size=rows),
            "rate": np.where(draws.random(rows) < 0.1, np.nan, rate),
            "country": draws.choice(["DE", "FR", "IT"], rows),
            "when": pl.Series(draws.integers(0, 5 * 365, rows)).cast(pl.Int32).cast(pl.Date),
        }
    )


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return payments(300, 0)


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    return np.where(np.arange(300) < 5, 1.0, np.nan)


def sensors(rows: int, seed: int) -> np.ndarray:
    """Six numbers that depend on two, and noise."""
    draws, weights = np.random.default_rng(seed), np.random.default_rng(9).normal(size=(2, 6))
    return draws.normal(size=(rows, 2)) @ weights + 0.3 * draws.normal(size=(rows, 6))


@pytest.mark.parametrize("method", ["aesad", "ae", "deep_sad", "esad", "a3", "iforest", "ocsvm"])
def test_shares_and_base_sum_to_the_score(method: str, table: pl.DataFrame, labels: np.ndarray) -> None:
    detector = Detector(method, epochs=2, overrides=SHORT.get(method, ()), **QUICK).fit(table, labels)
    rows = payments(40, 1)
    told = detector.explain(rows, top=99)
    reasons = [f"{what}_{i}" for i in range(1, 6) for what in ("reason", "share")]
    assert told.columns == ["score", "spread", "base", *reasons]
    assert (told["score"].to_numpy() == detector.decision_function(rows)).all()
    shares = np.stack([told[f"share_{i}"].to_numpy() for i in range(1, 6)], axis=1)
    np.testing.assert_allclose(shares.sum(axis=1) + told["base"].to_numpy(), told["score"].to_numpy(), rtol=1e-9)
    assert (np.diff(shares, axis=1) <= 0).all(), "the largest share comes first"
    for reasons in told.select(f"reason_{i}" for i in range(1, 6)).rows():
        assert set(reasons) == set(COLUMNS), "one-hot columns, dates and missing values are put together again"
    base, typical = told["base"].to_numpy(), detector.explain(typical_row(detector.preprocessor_))["score"][0]
    if method in ("aesad", "ae"):  # the score of a row without any reconstruction error
        perfect = -(detector.ensemble_.centres / detector.ensemble_.spreads).mean()
        np.testing.assert_allclose(base, perfect, rtol=1e-4)
        assert (shares >= 0).all()
    elif method not in ("iforest", "ocsvm"):  # the score of the typical row, but for the error of the integration
        assert np.median(np.abs(base - typical)) < 0.05 * (1 + np.abs(told["score"].to_numpy() - typical).mean())


@pytest.mark.parametrize(
    "method", ["aesad", "deep_svdd", *(pytest.param(name, marks=pytest.mark.slow) for name in ("deep_sad", "iforest"))]
)
def test_the_broken_column_comes_first(method: str, labels: np.ndarray) -> None:
    x, rows, draws = sensors(300, 0), sensors(200, 2), np.random.default_rng(3)
    detector = Detector(method, epochs=30, **{**QUICK, "ensemble": 5}).fit(x, labels)
    which = draws.integers(0, 6, 200)
    rows[np.arange(200), which] = 12 * draws.choice([-1, 1], 200) * x.std(axis=0)[which]
    first = detector.explain(rows, top=1)["reason_1"].to_numpy()
    assert (first == np.array([f"x{i}" for i in which])).mean() >= 0.95


def test_a_broken_category_or_date_comes_first_as_the_column_that_it_is() -> None:
    home = pl.Series("country", ["FR" if i % 40 == 0 else "DE" for i in range(400)])
    detector = Detector("ae", epochs=30, **QUICK).fit(payments(400, 0).with_columns(home))
    new = payments(100, 1).with_columns(country=pl.lit("DE"))
    unseen = detector.explain(new.with_columns(country=pl.lit("XX")))
    assert (unseen["reason_1"] == "country").mean() >= 0.95
    late = detector.explain(new.with_columns(when=pl.lit(date(2140, 1, 1))))
    assert (late["reason_1"] == "when").mean() >= 0.95


def test_the_typical_row_has_medians_and_the_most_frequent_category(table: pl.DataFrame) -> None:
    detector = Detector("ae", epochs=1, **QUICK).fit(table)
    row = typical_row(detector.preprocessor_)
    assert row.columns == list(COLUMNS) and row["when"][0] is None
    assert row["country"][0] == detector.preprocessor_.encoders[3].values[0]  # type: ignore[union-attr]
    assert table["amount"].quantile(0.4) < row["amount"][0] < table["amount"].quantile(0.6)  # type: ignore[operator]


def test_a_column_that_was_left_out_has_no_share_and_others_may_be_there(table: pl.DataFrame) -> None:
    told = Detector("ae", epochs=1, **QUICK).fit(table.with_columns(constant=pl.lit(1.0)))
    assert explain_rows(told, table.with_columns(constant=pl.lit(1.0), more=pl.lit("x"))).columns == COLUMNS


def test_without_captum_a_sentence_names_the_extra(
    table: pl.DataFrame, labels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    detector = Detector("deep_sad", epochs=1, **QUICK).fit(table, labels)
    with pytest.raises(InputError, match="the package captum is needed for explanations of DeepSAD by integrated"):
        detector.explain(table)
    Detector("ae", epochs=1, **QUICK).fit(table).explain(table)


@pytest.mark.parametrize("top", [0, -1, 1.5, True, "3"])
def test_a_number_of_columns_that_cannot_be_used(top: Any, table: pl.DataFrame, unchecked_types: None) -> None:
    detector = Detector("iforest", overrides=["method.trees=2"], **QUICK).fit(table)
    with pytest.raises(InputError, match=f"top is {top}, expected a whole number of columns from 1 on"):
        detector.explain(table, top=top)


def test_parts_of_another_score_are_refused() -> None:
    class Doubled(AE):
        def scores(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, " b"]:
            return 2 * super().scores(x)

    method = Doubled((4,), lambda shape: Dense(shape, (3,), 2, False, True), torch.optim.Adam)
    x = torch.rand(3, 4)
    with (
        evaluating(method),
        pytest.raises(InputError, match=r"Doubled.score_parts gives parts that do not sum to the scores"),
    ):
        check_parts(method, method.score_parts(x), method.scores(x))
