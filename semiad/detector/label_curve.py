"""What more labels would bring: average precision against the number of labels, and a curve fitted to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import least_squares

from semiad.detector.candidates import Candidate
from semiad.detector.choosing import COVERAGE, Estimate, estimate
from semiad.detector.comparison import compared_so_far
from semiad.detector.comparison_jobs import Job, make_jobs
from semiad.errors import InputError
from semiad.scenarios.kfold import KFold

FACTORS = (2, 5, 10)
"""Numbers of labels that are forecast, by what there is."""
RESAMPLES = 200
STEEPEST = 3.0
"""Of the curve's power: it falls no faster."""


def numbers_of_labels(most: int) -> list[int]:
    """List the numbers of labels that are tried: powers of two, and the most that a fold can train on."""
    return [*(2**power for power in range(most.bit_length()) if 2**power < most), most]


def curve(labels: Float[np.ndarray, " p"], end: float, gain: float, power: float) -> Float[np.ndarray, " p"]:
    """Compute `end - gain labels^-power`, which rises to `end`."""
    return end - gain * labels**-power


@dataclass(frozen=True)
class LabelCurve:
    """Values at growing numbers of labels.

    Attributes:
        labels: the numbers, from the lowest.
        values: average precision for each number, on each fold of each repeat.
        known: labelled anomalies that there are in all.
    """

    labels: tuple[int, ...]
    values: Float[np.ndarray, "p r k"]
    known: int

    def fit(self, means: Float[np.ndarray, " p"]) -> tuple[float, float, float] | None:
        """Fit the curve to means by least squares; None where they do not say what it is.

        The curve ends between 0 and 1 and does not fall.
        """
        if len(self.labels) < 3:
            return None
        x = np.array(self.labels, dtype=np.float64)
        start = min(max(float(means.max()), 0.01), 0.99), max(float(means.max() - means.min()), 0.01), 0.5
        bounds = [0, 0, 0.01], [1, 10, STEEPEST]
        found = least_squares(lambda three: curve(x, *three) - means, start, bounds=bounds, max_nfev=2000)
        if found.status <= 0:
            return None
        end, gain, power = found.x.tolist()
        return end, gain, power

    def forecast(self, labels: Sequence[int]) -> list[Estimate] | None:
        """Forecast the average precision with more labels; None with too few numbers to fit a curve to.

        Intervals (80 %) are percentiles over curves that are fitted to folds drawn with replacement, the same ones for
        all numbers of labels. So few are drawn that the variance of their mean is that of `corrected_error`: folds
        share training rows. The intervals know nothing of anomalies of another kind.
        """
        flat = self.values.reshape(len(self.labels), -1)
        best = self.fit(flat.mean(axis=1))
        if best is None:
            return None
        rng, x = np.random.default_rng(0), np.array(labels, dtype=np.float64)
        count, share = flat.shape[1], 1 / (self.values.shape[2] - 1)
        size = max(round(1 / (1 / count + share)), 1)
        drawn = [flat[:, rng.integers(count, size=size)].mean(axis=1) for _ in range(RESAMPLES)]
        fitted = [made for means in drawn if (made := self.fit(means)) is not None]
        curves = np.array([curve(x, *made) for made in [*fitted, best]]).clip(0, 1)
        low, high = np.quantile(curves, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2], axis=0)
        middle, now = curve(x, *best).clip(0, 1), estimate(flat[-1], share, self.known)
        low = np.minimum(low, middle - (now.mean - now.low)).clip(0)
        high = np.maximum(high, middle + (now.high - now.mean)).clip(max=1)
        return [Estimate(*values) for values in zip(middle.tolist(), low.tolist(), high.tolist(), strict=True)]


@dataclass(frozen=True)
class CurveJobs:
    """The trainings that a curve needs.

    Attributes:
        candidate: that is trained.
        labels: numbers of labels.
        jobs: one for each number.
        known: labelled anomalies that there are in all.
    """

    candidate: Candidate
    labels: tuple[int, ...]
    jobs: tuple[Job, ...]
    known: int

    def curve(self, results: Path) -> LabelCurve:
        """Give the values at each number of labels, all of them recorded.

        Raises:
            InputError: the candidate could not be trained.
        """
        made = compared_so_far(self.jobs, results)
        assert made is not None
        if failed := next((one.reason for one in made.compared if one.reason), None):
            raise InputError(f"{self.candidate.name} could not be trained on every fold: {failed}")
        return LabelCurve(self.labels, np.stack([one.values["ap"] for one in made.compared]), self.known)


def plan_curve(
    x: Float[np.ndarray, "n d"],
    anomalous: np.ndarray,
    candidate: Candidate,
    folds: int,
    repeats: int,
    seed: int,
    device: torch.device,
    folder: Path,
    results: Path | None = None,
) -> CurveJobs:
    """Plan the trainings of a candidate with growing numbers of the labels that there are.

    Args:
        x: rows as a detector prepares them, in [0, 1].
        anomalous: whether each row is labelled anomalous.
        candidate: that is trained.
        folds: of each repeat.
        repeats: how often rows are cut anew.
        seed: of the first repeat.
        device: to train on.
        folder: for what a run leaves besides its record.
        results: the ledger, where a stopped command goes on; None for none.

    Raises:
        InputError: the candidate cannot be composed, or is none for a table.
    """
    known = int(anomalous.sum())
    labels = numbers_of_labels(known - -(-known // folds))
    cuts = [KFold(folds, labelled) for labelled in labels]
    jobs = [make_jobs(x, anomalous, [candidate], cut, repeats, seed, device, folder, results)[0] for cut in cuts]
    return CurveJobs(candidate, tuple(labels), tuple(jobs), known)
