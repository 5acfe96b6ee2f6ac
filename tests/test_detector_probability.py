"""Probabilities of anomalies are those that scores have, at the share of anomalies that is given."""

import copy
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from jaxtyping import Float, Int64
from sklearn.exceptions import NotFittedError
from typer.testing import CliRunner

from semiad import Detector
from semiad.cli.app import app
from semiad.detector.choosing import Fold
from semiad.detector.probability import Probability, fit_probability
from semiad.errors import InputError

RATE, SLOPE = 0.05, 2.0
POOL = np.random.default_rng(0).standard_t(6, 400_000)
POOL = (POOL - POOL.mean()) / POOL.std()
"""Scores of normal rows."""


def drawn(truth: Int64[np.ndarray, " n"], slope: float, draws: np.random.Generator) -> Float[np.ndarray, " n"]:
    """Draw scores; those of anomalies so that their log odds grow by `slope` with arcsinh of the score."""
    weights = np.exp(slope * np.arcsinh(POOL))
    anomalies = draws.choice(POOL, len(truth), p=weights / weights.sum())
    return np.where(truth == 1, anomalies, draws.choice(POOL, len(truth)))


def some(rows: int) -> Int64[np.ndarray, " n"]:
    return (np.arange(rows) < RATE * rows).astype(np.int64)


def folds(rows: int, slope: float, seed: int) -> list[list[Fold]]:
    """Make the folds of two repeats, with scores on a scale of their own."""
    draws, truth = np.random.default_rng(seed), some(rows)
    return [[Fold(3 * drawn(truth, slope, draws)[None] + 7, truth) for _ in range(5)] for _ in range(2)]


def posterior(scores: Float[np.ndarray, " n"], rate: float) -> Float[np.ndarray, " n"]:
    odds = np.exp(SLOPE * np.arcsinh(scores)) / np.exp(SLOPE * np.arcsinh(POOL)).mean() * rate / (1 - rate)
    return odds / (1 + odds)


def test_probabilities_are_the_true_ones_at_any_share_of_anomalies() -> None:
    fitted = fit_probability(folds(4000, SLOPE, seed=0), 0.1 * POOL - 4)
    assert fitted is not None and fitted.rate == RATE
    at = np.linspace(-2, 8, 21)
    for rate in (0.005, RATE, 0.3):
        assert fitted.of(0.1 * at - 4, rate) == pytest.approx(posterior(at, rate), abs=0.05)
    assert (fitted.of(at) == fitted.of(at, RATE)).all()
    truth = some(20_000)
    told = fitted.of(0.1 * drawn(truth, SLOPE, np.random.default_rng(2)) - 4)
    assert told.sum() == pytest.approx(truth.sum(), rel=0.1)


@pytest.mark.parametrize("slope", [0.0, -SLOPE])
def test_scores_that_say_nothing_leave_the_share_of_anomalies(slope: float) -> None:
    fitted = fit_probability(folds(400, slope, seed=3), np.arange(9.0))
    assert fitted is not None
    told = fitted.of(np.array([-100.0, 0.0, 100.0]))
    assert (np.diff(told) >= 0).all()
    if slope < 0:
        assert told == pytest.approx([RATE] * 3)


def test_scores_that_part_all_anomalies_have_probabilities_below_one() -> None:
    truth = some(100)
    apart = [[Fold((POOL[:100] + 1000 * truth)[None], truth) for _ in range(5)]]
    fitted = fit_probability(apart, POOL[:50])
    assert fitted is not None
    normal, anomaly = fitted.of(np.array([0.0, 1000.0]))
    assert 0 < normal < 0.01 and 0.9 < anomaly < 1


def test_a_calibration_without_spread_is_taken() -> None:
    fitted = fit_probability(folds(400, SLOPE, seed=5), np.zeros(9))
    assert fitted is not None and np.isfinite(fitted.of(np.array([0.0, 1.0]))).all()


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize("rate", [0, 1, -0.1, True, "0.1", float("nan")])
def test_a_share_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(InputError, match="expected a share of anomalies above 0 and below 1"):
        Probability(0.0, 1.0, 0.1, 0.0, 1.0).of(np.zeros(1), rate)


def rows(anomalies: int) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, " n"]]:
    draws = np.random.default_rng(0)
    y = np.where(np.arange(300) < anomalies, 1.0, np.nan)
    return draws.normal(np.where(y == 1, 1.5, 0)[:, None], 1, (300, 3)), y


@pytest.mark.usefixtures("quick_candidates")
def test_a_detector_tells_probabilities_and_keeps_them(tmp_path: Path) -> None:
    x, y = rows(30)
    detector = Detector(ensemble=1, repeats=2, random_state=0, device="cpu", fpr=0.05).fit(x, y)
    fresh, _ = rows(30)
    told = detector.predict_proba(fresh)
    assert told.shape == (300, 2) and told.sum(axis=1) == pytest.approx(np.ones(300))
    order = np.argsort(detector.decision_function(fresh), kind="stable")
    assert (np.diff(told[order, 1]) >= 0).all()
    assert told[y == 1, 1].mean() > 0.4 > 0.1 > told[y != 1, 1].mean()
    assert (detector.predict_proba(fresh, rate=0.001)[:, 1] < told[:, 1]).all()
    detector.save(tmp_path / "kept")
    assert (Detector.load(tmp_path / "kept", device="cpu").predict_proba(fresh) == told).all()
    assert (
        detector.probabilities(detector.decision_function(fresh), 0.001) == detector.predict_proba(fresh, 0.001)[:, 1]
    ).all()
    pl.DataFrame(fresh, ["x0", "x1", "x2"]).write_csv(tmp_path / "fresh.csv")
    words = [*map(str, ("score", tmp_path / "kept", tmp_path / "fresh.csv", "--out", tmp_path / "scored.csv"))]
    done = CliRunner().invoke(app, [*words, "--device", "cpu", "--rate", "0.01"])
    assert done.exit_code == 0, done.output
    scored = pl.read_csv(tmp_path / "scored.csv")
    assert scored.columns == ["score", "p_value", "probability", "alarm"]
    assert scored["probability"].to_numpy() == pytest.approx(detector.predict_proba(fresh, 0.01)[:, 1], rel=1e-4)
    done = CliRunner().invoke(app, [*words[:-1], "-", "--rate", "1"])
    assert done.exit_code and "rate is 1" in " ".join(done.output.split())
    assert not hasattr(copy.deepcopy(detector).set_params(method="logistic").fit(x, y), "predict_proba")


@pytest.mark.usefixtures("quick_candidates")
def test_a_detector_without_probabilities_says_why(tmp_path: Path) -> None:
    x, y = rows(9)
    few = Detector(ensemble=1, repeats=2, random_state=0, device="cpu", fpr=0.05).fit(x, y)
    with pytest.raises(AttributeError, match=r"on 10 labelled anomalies or more; this one is .* with 9: p_values"):
        few.predict_proba(x)
    named = Detector("logistic", random_state=0, device="cpu", fpr=0.05).fit(*rows(30))
    with pytest.raises(AttributeError, match="this one is logistic with 30"):
        named.predict_proba(x)
    named.save(tmp_path / "named")
    words = [*map(str, ("score", tmp_path / "named", tmp_path / "no.csv", "--out", tmp_path / "s.csv", "--rate", 0.1))]
    done = CliRunner().invoke(app, words)
    assert done.exit_code and "this one is logistic with 30" in " ".join(done.output.split())
    with pytest.raises(NotFittedError):
        Detector().predict_proba(x)
