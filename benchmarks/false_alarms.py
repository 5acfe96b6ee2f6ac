"""False alarms of thresholds on fresh normal rows, over 200 made data sets: clean, polluted, with checked rows."""

import warnings
from math import sqrt

import numpy as np
from jaxtyping import Float
from rich.table import Table
from scipy.stats import betabinom

from benchmarks.settings import Settings
from benchmarks.timing import console
from semiad.detector.estimator import Detector

SETS, ROWS, FRESH, COLUMNS = 200, 2000, 5000, 5
FPR = 0.01
CASES = {
    "clean": (0.0, 0),
    "pollution .5 %": (0.005, 0),
    "pollution 1 %": (0.01, 0),
    "pollution 2 %": (0.02, 0),
    "pollution 5 %": (0.05, 0),
    "pollution 2 %, 50 checked": (0.02, 50),
    "pollution 5 %, 200 checked": (0.05, 200),
}
"""The share of anomalies among unlabelled rows, and the number of checked normal rows."""


def measure(settings: Settings) -> None:
    """Measure each case: mean rate, its 95 % error, and the share of sets in their 95 % beta-binomial interval."""
    warnings.simplefilter("ignore")
    table = Table("case", "mean rate, %", "95 % error", "promised, %", "sets inside", "recall, %", box=None)
    for name, (pollution, checked) in CASES.items():
        results = np.array([measure_set(seed, pollution, checked) for seed in range(SETS)])
        rates, promised, inside, recalls = results.T
        table.add_row(
            name,
            f"{100 * rates.mean():.3f}",
            f"{100 * 1.96 * rates.std(ddof=1) / sqrt(SETS):.3f}",
            f"{100 * promised.mean():.3f}",
            f"{100 * inside.mean():.1f} %",
            f"{100 * recalls.mean():.0f}",
        )
    console.print(table)


def measure_set(seed: int, pollution: float, checked: int) -> tuple[float, float, bool, float]:
    """Fit a detector to a made data set.

    Returns:
        The share of fresh normal rows that are alarms, the rate that was promised, whether their number lies in its
        95 % interval, and the share of fresh anomalies that are alarms.
    """
    rng = np.random.default_rng(seed)
    x, y = normal_rows(rng, ROWS), np.full(ROWS, np.nan)
    anomalies = int(pollution * ROWS)
    x[:anomalies] += 4
    y[ROWS - checked :] = 0
    detector = Detector("iforest", ensemble=1, fpr=FPR, random_state=seed, overrides=("method.trees=20",)).fit(x, y)
    alarms = int(detector.predict(normal_rows(rng, FRESH)).sum())
    recall = float(detector.predict(normal_rows(rng, 500) + 4).mean())
    n = detector.summary_["calibration_rows"]
    k = int(FPR * (n + 1) + 1e-9)
    low, high = betabinom(FRESH, k, n + 1 - k).ppf([0.025, 0.975])
    return alarms / FRESH, k / (n + 1), bool(low <= alarms <= high), recall


def normal_rows(rng: np.random.Generator, rows: int) -> Float[np.ndarray, "n d"]:
    """Draw normal rows: skewed, with columns that depend on each other."""
    z = rng.normal(size=(rows, COLUMNS))
    z[:, 1] += z[:, 0] ** 2
    z[:, 2] = rng.gamma(2, size=rows)
    return z
