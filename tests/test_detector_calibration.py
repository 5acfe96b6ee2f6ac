import warnings

import numpy as np
import pytest
from scipy.stats import betabinom

from semiad import Detector
from semiad.detector.calibration import Calibration, rows_needed
from semiad.detector.rows import divide_rows
from semiad.errors import InputError


def test_thresholds_by_hand() -> None:
    calibration = Calibration(np.array([5.0, 1, 4, 2, 3, 9, 8, 7, 6]))  # nine: a tenth each
    assert calibration.threshold(0.1) == 9 and calibration.threshold(0.2) == 8 and calibration.threshold(0.29) == 8
    assert calibration.p_values(np.array([10.0, 9, 8.5, 0])).tolist() == [0.1, 0.2, 0.2, 1.0]
    with pytest.warns(UserWarning, match="9 calibration rows allow no false alarm rate below 0.1.*99 rows are needed"):
        calibration.warn_of_few_rows(0.01)
    assert calibration.threshold(0.01) == 9
    calibration.warn_of_few_rows(0.1)  # warnings are errors here


def test_the_rate_in_force_is_what_the_number_of_rows_allows() -> None:
    calibration = Calibration(np.arange(32.0))
    assert [calibration.rate(fpr) for fpr in (0.05, 0.001, 0.5, 0.999)] == [1 / 33, 1 / 33, 16 / 33, 32 / 33]


def test_p_values_and_thresholds_agree_with_ties() -> None:
    draws = np.random.default_rng(0)
    calibration, scores = Calibration(draws.integers(0, 9, 50) / 8), draws.integers(0, 9, 200) / 8
    for fpr in (0.02, 0.1, 0.29, 0.3, 0.5, 0.99):
        assert ((scores > calibration.threshold(fpr)) == (calibration.p_values(scores) <= fpr)).all()


@pytest.mark.parametrize(("fpr", "rows"), [(0.01, 99), (0.05, 19), (0.3, 3), (0.5, 1)])
def test_rows_that_a_rate_needs(fpr: float, rows: int) -> None:
    assert rows_needed(fpr) == rows


@pytest.mark.parametrize("fpr", [0, 1, -0.1, np.nan, "a", None, True])
def test_rates_that_cannot_be(fpr: object, unchecked_types: None) -> None:
    with pytest.raises(InputError, match="fpr is"):
        rows_needed(fpr)  # type: ignore[arg-type]


def labels(anomalies: int, checked: int, unlabelled: int) -> np.ndarray:
    return np.repeat([1, 0, np.nan], [anomalies, checked, unlabelled])


@pytest.mark.parametrize(
    ("counts", "share", "held_out", "checked"),
    [
        ((10, 0, 1000), None, 200, False),  # a fifth
        ((10, 0, 400), None, 99, False),  # as many as the rate needs
        ((10, 0, 90), None, 30, False),  # a third at most
        ((0, 150, 850), None, 150, True),  # checked rows are enough, and nothing else calibrates
        ((0, 50, 950), None, 200, False),  # they are too few, and calibrate all the same
        ((0, 500, 500), None, 200, True),
        ((5, 0, 100), 0.5, 50, False),
        ((3, 1, 1), None, 1, True),
    ],
)
def test_calibration_rows(counts: tuple[int, int, int], share: float | None, held_out: int, checked: bool) -> None:
    y = labels(*counts)
    use = divide_rows(y, share, 0.01, np.random.RandomState(0))
    assert len(use.calibration) == held_out and use.checked == checked
    assert not (y[use.calibration] == 1).any()
    assert sorted([*use.train, *use.calibration]) == list(range(len(y)))
    assert (y[use.calibration] == 0).sum() == min(counts[1], held_out)


def test_rows_that_leave_nothing() -> None:
    for y in (labels(5, 0, 0), labels(5, 1, 0), labels(0, 0, 1)):
        with pytest.raises(InputError, match="not labelled anomalous"):
            divide_rows(y, None, 0.01, np.random.RandomState(0))


def test_too_few_rows_for_the_rate_are_a_warning() -> None:
    x = np.random.default_rng(0).normal(size=(90, 3))
    with pytest.warns(UserWarning, match="30 calibration rows allow no false alarm rate below 0.0323"):
        detector = Detector("ocsvm", random_state=0).fit(x)
    assert detector.calibration_.least_rate == 1 / 31
    detector.predict(x)  # which says it no more, as it was not asked for a rate
    with pytest.warns(UserWarning, match="30 calibration rows allow no"):
        detector.predict(x, fpr=0.02)


@pytest.mark.slow
def test_false_alarms_over_200_data_sets() -> None:
    """The rate that is promised holds on average, and for single data sets as the beta-binomial law says."""
    rows, fresh, fpr = 300, 1000, 0.05
    rates, inside = [], []
    for seed in range(200):
        draws = np.random.default_rng(seed)
        detector = Detector("ocsvm", fpr=fpr, random_state=seed).fit(draws.gamma(2, size=(rows, 3)))
        alarms = int(detector.predict(draws.gamma(2, size=(fresh, 3))).sum())
        n = detector.summary_["calibration_rows"]
        k = int(fpr * (n + 1))
        low, high = betabinom(fresh, k, n + 1 - k).ppf([0.025, 0.975])
        rates.append(alarms / fresh)
        inside.append(low <= alarms <= high)
    assert np.mean(rates) <= fpr + 1.96 * np.std(rates) / np.sqrt(200)
    assert 0.9 <= np.mean(inside) <= 0.98


def test_checked_normal_rows_keep_anomalies_from_the_threshold() -> None:
    """With 5 % of anomalies among unlabelled rows, a threshold of unlabelled rows lies among their scores."""
    recalls = {0: [], 200: []}
    for checked, recalled in recalls.items():
        for seed in range(5):
            draws = np.random.default_rng(seed)
            x, y = draws.normal(size=(1000, 4)), np.full(1000, np.nan)
            x[:50] += 4
            y[1000 - checked :] = 0
            settings = {"ensemble": 1, "overrides": ["method.trees=30"]}
            detector = Detector("iforest", random_state=seed, **settings).fit(x, y)
            recalled.append(detector.predict(draws.normal(size=(200, 4)) + 4).mean())
            false_alarms = detector.predict(draws.normal(size=(2000, 4))).mean()
            assert false_alarms < 0.04
    assert np.mean(recalls[200]) > np.mean(recalls[0]) + 0.3


def test_no_warning_where_there_are_enough_rows() -> None:
    x = np.random.default_rng(0).normal(size=(600, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Detector("ocsvm", random_state=0).fit(x, np.where(np.arange(600) < 5, 1, -1))
