"""What is measured of a choice with few labels: rules by hand, a case, a query, and the page."""

from dataclasses import replace
from functools import partial
from io import StringIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from benchmarks import comparison
from benchmarks.auto_runs import beside_lines, honesty_lines
from benchmarks.cases import measure_cases
from benchmarks.choice import average_precision, measure_case
from benchmarks.choice_page import (
    RULES,
    SIMPLEST,
    best,
    case_lines,
    forecast_lines,
    make_page,
    precisions,
    probability_lines,
    query_lines,
    read_measured,
    rival_lines,
    within_error_of_best,
)
from benchmarks.forecasts import measure_case as measure_forecast
from benchmarks.forecasts import with_labels
from benchmarks.probabilities import measure_case as measure_probabilities
from benchmarks.queries import simulate
from benchmarks.rivals import measure_case as measure_rival
from benchmarks.settings import Settings
from semiad import Detector
from semiad.detector import auto
from semiad.detector.candidates import candidates
from semiad.errors import InputError
from semiad.scenarios.holdout import Holdout
from semiad.types import Cell, Dataset, Labels, Split
from tests.conftest import CONF

ROOT = CONF.parent


def toy() -> Dataset:
    """330 rows, 30 of them anomalies, far off in the first of two columns."""
    source = np.random.default_rng(0)
    y = np.repeat([0, 1], [300, 30])
    x = source.normal(size=(330, 2)) + 6 * y[:, None] * [1, 0]
    return Dataset(Labels("toy", (0, 1), y.astype(np.int64), None), torch.from_numpy(x), None)


def test_rules_choose_what_they_say() -> None:
    close = np.array([[0.5, 0.7, 0.6], [0.6, 0.8, 0.7], [0.1, 0.2, 0.3]])
    assert best(close) == 1
    # The best has 0.7 +- sqrt((1/3 + 1/4) * 0.01) = 0.076: 0.6 is outside of it, 0.63 is within.
    assert within_error_of_best(close) == 1
    assert within_error_of_best(close + np.array([[0.03], [0], [0]])) == 0
    # Always a tenth less: the difference has no error.
    assert RULES[SIMPLEST](close) == 1
    uneven = np.array([[0.5, 0.5, 0.5], [0.4, 0.4, 1.0]])
    assert best(uneven) == 1 and RULES["best mean of ranks"](uneven) == 0


def test_average_precision_has_the_share_of_training() -> None:
    # In training one row of three is labelled, in the test half are anomalies: an anomaly counts half.
    rows = np.arange(4)
    split = Split(rows[:3], np.array([1, 0, 0]), 0, rows, np.array([1, 0, 1, 0]), None)
    # Down the ranks 1, 0, 1, 0: precision 1 at the first anomaly, (.5 + .5) / (.5 + 1 + .5) = .5 at the second.
    assert average_precision(np.array([4.0, 3.0, 2.0, 1.0]), split) == 0.75


@pytest.mark.slow  # compares by 75 fits
@pytest.mark.filterwarnings("ignore:.*calibration rows allow no false alarm rate below")
def test_a_case_has_the_values_of_all_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto, "default_candidates", lambda: candidates(["logistic", "iforest"]))
    split = Holdout(0.3, 5).split(Cell((0,), (1,)), toy().labels, 0)
    case = measure_case(toy(), split, 0, Settings(device="cpu"))
    assert case["candidates"] == ["logistic", "logistic C=0.1", "logistic C=10", "iforest"]
    assert np.shape(case["folds"]) == (4, 5, 5) and case["chosen"] in case["candidates"]
    assert case["ap"][0] > 0.95 and set(case["ensembles"]) == {
        f"{way} of the best {count}" for way in ("ranks", "scores") for count in (3, 5, 8)
    }
    lines = [*case_lines({"cases": [{"table": "toy", "labels": 5, "draw": 0, **case}]}, pl.DataFrame())]
    assert "**1 cases** of 1 tables (toy), one draw of each" in lines[0]


def test_a_stopped_measurement_goes_on_with_what_is_left(tmp_path: Path) -> None:
    measured = []

    def measure(number: int) -> dict[str, int]:
        if number == 2 and len(measured) == 2:
            raise KeyboardInterrupt
        measured.append(number)
        return {"square": number**2}

    planned = [({"number": number}, partial(measure, number)) for number in range(3)]
    with pytest.raises(InputError, match="out=DIR is missing"):
        measure_cases(Settings(), "squares", planned)
    with pytest.raises(KeyboardInterrupt):
        measure_cases(Settings(out=tmp_path), "squares", planned)
    measured.append(-1)
    cases = measure_cases(Settings(out=tmp_path), "squares", planned)
    assert measured == [0, 1, -1, 2]
    assert cases == [{"number": number, "square": number**2} for number in range(3)]


def test_answers_become_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask_anomalies(detector: Detector, x: np.ndarray, y: np.ndarray, draws: np.random.Generator) -> np.ndarray:
        free = np.flatnonzero(np.isnan(y))
        return free[np.argsort(-x[free, 0])[:10]]  # the anomalies come first

    steps = [*simulate(toy(), "logistic", ask_anomalies, 0, "cpu")]
    assert [step["answers"] for step in steps] == [0, 10, 20, 50]
    assert [step["anomalies"] for step in steps] == [5, 15, 21, 21]  # of 30 anomalies, 21 are in the training part
    assert steps[-1]["ap"] > 0.95
    case = {"table": "toy", "method": "logistic", "draw": 0, "steps": steps}
    lines = [*query_lines([{**case, "way": "best"}, {**case, "way": "other", "draw": 1}])]
    assert len(lines) == 2  # no case has both ways
    assert [*query_lines([{**case, "way": "best"}])][-1].endswith("| 21.0 |")


@pytest.mark.filterwarnings("ignore:.*calibration rows allow no false alarm rate below")
def test_a_forecast_is_judged_by_twice_as_many_labels() -> None:
    split = Holdout(0.3, 10).split(Cell((0,), (1,)), toy().labels, 0)
    known = with_labels(split, 5, 0)
    assert known.s.sum() == 5 and len(known.train) == len(split.train) - 5
    assert {*known.train} < {*split.train} and (known.test == split.test).all()
    assert not (known.train == with_labels(split, 5, 1).train).all()
    case = measure_forecast(toy(), 5, 0, "logistic", Settings(device="cpu"))
    assert case["found"] > 0.95 and case["now"] > 0.9
    mean, low, high = case["forecast"]
    assert low <= mean <= high and mean > 0.8
    lines = [*forecast_lines([{"table": "toy", "labels": 5, "draw": 0, "method": "logistic", **case}])]
    assert (
        len(lines) == 5 and lines[2].startswith("| `logistic` | 5 | 1 | ") and lines[-1].startswith("| all | all | 1 ")
    )
    assert lines[2].split(" | ")[8] == f"{abs(mean - case['found']):.3f}"


@pytest.mark.filterwarnings("ignore:.*calibration rows allow no false alarm rate below")
def test_probabilities_are_counted_by_what_rows_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto, "default_candidates", lambda: candidates(["logistic"]))
    split = Holdout(0.3, 20).split(Cell((0,), (1,)), toy().labels, 0)
    case = measure_probabilities(toy(), split, 0, Settings(device="cpu"))
    assert case["anomalies"] == split.truth.sum() and case["rate"] == pytest.approx(split.truth.mean(), abs=1e-5)
    rows, told, found = np.sum(case["bins"], axis=0)
    assert (rows, found) == (len(split.test), case["anomalies"])
    assert told == pytest.approx(case["expected"], abs=0.01) == pytest.approx(found, rel=0.3)
    assert 0 < case["log_loss"] < case["log_loss_of_rate"] / 3
    lines = [*probability_lines([{"table": "toy", "labels": 20, "draw": 0, **case}])]
    assert lines[2].startswith("| 20 | 1 | ") and lines[3] == lines[2].replace("| 20 |", "| all |")
    counted = [int(line.split(" | ")[1]) for line in lines[5:]]
    assert sum(counted) == len(split.test) and lines[5].startswith("| 0 to 0.01 | ")


def test_the_page_is_that_of_its_runs_and_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    source, page = Path("studies/choice"), Path("docs/few_labels.md")
    made, cases = make_page(Path("studies/labels"), source, page), read_measured(source)["cases"]
    assert made == page.read_text()
    names, ap = precisions(cases)
    for rule in RULES:  # which give the AP of a candidate in each case
        assert all(value in case["ap"] for value, case in zip(ap[rule], cases, strict=True))
    assert len(names) >= 10 and f"**{len(cases)} cases**" in made


def test_auto_stands_beside_the_methods_that_have_its_cases() -> None:
    cases = pl.DataFrame(
        {
            "dataset": ["odds/a", "odds/a", "odds/b"],
            "labels": [5, 10, 20],
            "seed": [0, 0, 0],
            "auto": [0.6, 0.8, 1.0],
            "worse": [0.5, 0.7, 0.9],
            "mixed": [0.9, 0.7, 0.2],
        }
    )
    head, rule, *lines = beside_lines(cases)
    assert head.count("|") == rule.count("|") == 8
    assert lines == [
        "| `auto` | 0.800 | 1.3 | 0.600 | 0.800 | 1.000 |  |",
        "| `worse` | 0.700 | 2.5 | 0.500 | 0.700 | 0.900 | +0.100 [+0.100, +0.100] |",
        "| `mixed` | 0.600 | 2.2 | 0.900 | 0.700 | 0.200 | +0.200 [-0.100, +0.800] |",
    ]


def test_an_expectation_is_honest_if_its_interval_holds_what_is_found() -> None:
    cases = pl.DataFrame(
        {
            "labels": [5, 5, 10, 20],
            "ap_expected": [0.5, 0.5, 0.7, 0.9],
            "ap_expected_low": [0.4, 0.4, 0.6, 0.8],
            "ap_expected_high": [0.6, 0.6, 0.8, 1.0],
            "ap_at_label_rate": [0.6, 0.7, 0.5, 0.9],
        }
    )
    assert [*honesty_lines(cases)][2:] == [
        "| 5 | 2 | 50% | 0% | 0.500 | 0.650 | 0.150 | 0.20 |",
        "| 10 | 1 | 0% | 100% | 0.700 | 0.500 | 0.200 | 0.20 |",
        "| 20 | 1 | 100% | 0% | 0.900 | 0.900 | 0.000 | 0.20 |",
        "| all | 4 | 50% | 25% | 0.650 | 0.675 | 0.125 | 0.20 |",
    ]


def test_a_comparison_is_timed_beside_models_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "SETTINGS", {"supervised": comparison.RATES[:2]})
    monkeypatch.setattr(comparison, "REPEATS", 1)
    monkeypatch.setattr(comparison.console, "file", output := StringIO())
    comparison.measure(Settings(rows=200, device="cpu"))
    row, summary = output.getvalue().splitlines()[2:]
    assert row.split()[:2] == ["supervised", "10"] and summary.startswith("10 models in 0.")
    assert all(float(value) > 0 for value in (row.split()[4], row.split()[5]))


def test_rivals_are_judged_on_the_cases_that_have_them_all() -> None:
    own = pl.DataFrame(
        {
            "dataset": ["odds/a", "odds/b", "odds/c"],
            "labels": [5, 5, 10],
            "seed": [0, 0, 0],
            "ap_at_label_rate": [0.6, 0.8, 0.1],
        }
    )
    measured = [
        {"table": table, "labels": 5, "draw": 0, "rival": rival, "ap": ap, "seconds": 2.0}
        for table, rival, ap in (("a", "x", 0.5), ("b", "x", 0.5), ("a", "y", 0.9), ("b", "y", 0.9))
    ]
    lines = [*rival_lines(own, [*measured, {**measured[0], "table": "c", "labels": 10}])]
    assert lines[2].startswith("| `auto` | 0.700 | 0.700 |")
    assert lines[-1] == "\nThe 2 cases of `auto` that have all of these, of 2 tables."
    assert lines[3].startswith("| x | 0.500 | 0.500 |") and "| +0.200 [" in lines[3] and lines[3].endswith("| 2.0 |")
    assert lines[4].startswith("| y | 0.900 | 0.900 |") and "| -0.200 [" in lines[4]


def test_a_rival_is_fitted_to_the_training_rows() -> None:
    pytest.importorskip("catboost")
    split = Holdout(0.3, 5).split(Cell((0,), (1,)), toy().labels, 0)
    case = measure_rival(toy(), split, "CatBoost", 0)
    assert case["ap"] > 0.9
    swapped = replace(split, s=np.random.default_rng(0).permutation(split.s))
    assert measure_rival(toy(), swapped, "CatBoost", 0)["ap"] < 0.5
