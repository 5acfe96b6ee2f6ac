"""What more labels would bring: the curve, its forecast, and the command."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from semiad.detector.choosing import estimate
from semiad.detector.label_curve import LabelCurve, curve, numbers_of_labels
from tests.conftest import read, run_semiad


def made(end: float, gain: float, power: float, noise: float = 0.0, most: int = 32) -> LabelCurve:
    labels = numbers_of_labels(most)
    rng = np.random.default_rng(0)
    means = curve(np.array(labels, dtype=float), end, gain, power)
    return LabelCurve(tuple(labels), means[:, None, None] + rng.normal(0, noise, size=(len(labels), 5, 5)), 40)


def test_numbers_of_labels_double_up_to_the_most() -> None:
    assert numbers_of_labels(16) == [1, 2, 4, 8, 16] and numbers_of_labels(20) == [1, 2, 4, 8, 16, 20]
    assert numbers_of_labels(1) == [1] and numbers_of_labels(4) == [1, 2, 4]


@pytest.mark.parametrize(("end", "gain", "power"), [(0.9, 0.5, 0.7), (0.8, 0.2, 1.5), (0.95, 0.6, 0.3)])
def test_a_curve_is_found_again_and_goes_on(end: float, gain: float, power: float) -> None:
    curves = made(end, gain, power)
    forecast = curves.forecast([80, 200, 400])
    assert forecast is not None
    truth = curve(np.array([80.0, 200.0, 400.0]), end, gain, power)
    assert [one.mean for one in forecast] == pytest.approx(truth.tolist(), abs=1e-3)


def test_noise_widens_the_interval_and_the_truth_lies_in_it() -> None:
    calm, rough = (made(0.9, 0.5, 0.7, noise).forecast([80]) for noise in (0.01, 0.1))
    assert calm is not None and rough is not None
    assert rough[0].high - rough[0].low > 3 * (calm[0].high - calm[0].low)
    truth = float(curve(np.array([80.0]), 0.9, 0.5, 0.7)[0])
    assert rough[0].low < truth < rough[0].high and 0 <= rough[0].low and rough[0].high <= 1


def test_values_that_fall_are_forecast_to_stay() -> None:
    labels = (1, 2, 4, 8)
    values = np.array([0.8, 0.7, 0.75, 0.7])[:, None, None] + np.zeros((4, 5, 5))
    forecast = LabelCurve(labels, values, 10).forecast([20])
    assert forecast is not None and forecast[0].mean == pytest.approx(0.7375, abs=1e-3)


def test_a_forecast_is_no_surer_than_what_it_begins_with() -> None:
    curves = made(0.9, 0.5, 0.7, 0.1)
    now, forecast = estimate(curves.values[-1].ravel(), 1 / 4), curves.forecast([80])
    assert forecast is not None
    assert forecast[0].mean - forecast[0].low >= now.mean - now.low - 1e-9
    # Where all of five anomalies come first, at least so many of them do as often as the interval says.
    perfect = LabelCurve((1, 2, 4), np.ones((3, 5, 5)), 5).forecast([10])
    assert perfect is not None and perfect[0].low == pytest.approx(0.1 ** (1 / 5), abs=1e-3)


def test_two_numbers_are_too_few() -> None:
    assert LabelCurve((1, 2), np.zeros((2, 5, 5)), 3).forecast([6]) is None


def test_the_command_measures_and_forecasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, 6)), np.arange(200) < 12
    x[y, :2] += 2
    pl.DataFrame(x).with_columns(bad=pl.Series([1 if one else None for one in y])).write_csv("t.csv")
    words = ("plan", "t.csv", "--label", "bad", "--method", "logistic", "--folds", "4", "--repeats", "2")
    assert run_semiad(*words) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "logistic with 1, 2, 4, 8, 9 labelled anomalies on 4 folds, 2 times: 40 models, about 0:00:0" in said
    assert said.count("measured") == 5 and said.count("forecast") == 4 and " 24 0." in said and " 120 0." in said
    assert "twice as many labels would bring logistic about +0." in said
    records = read(Path("t.plan/results"))
    assert sorted({r["n_labelled"] for r in records}) == [1, 2, 4, 8, 9] and len(records) == 40
    # The same rows are tested whatever the number of labels.
    tested = {(r["seed"], r["fold"], r["n_test"]) for r in records}
    assert len(tested) == 8
    assert run_semiad(*words) == 0
    assert "40 models, all of them recorded" in " ".join(capsys.readouterr().out.split())
    assert run_semiad("plan", "t.csv") == 2
    assert "--label is missing: what more labels bring is measured by those that there are" in capsys.readouterr().err


def test_a_column_that_is_the_label_is_told_and_a_perfect_ranking_has_an_interval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    y = np.arange(100) < 6
    frame = pl.DataFrame(np.random.default_rng(0).normal(size=(100, 2))).with_columns(leak=pl.Series(y * 9.0))
    frame.with_columns(bad=pl.Series([1 if one else None for one in y])).write_csv("t.csv")
    words = ("plan", "t.csv", "--label", "bad", "--method", "logistic", "--folds", "3", "--repeats", "1")
    assert run_semiad(*words) == 0
    out, err = (" ".join(text.split()) for text in capsys.readouterr())
    assert "column 'leak' may be the label in other words" in err
    assert f"1.000 {0.1 ** (1 / 6):.3f} to 1.000 measured" in out
