"""`method="auto"`: the methods that a comparison on the training rows chooses."""

import copy
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from semiad.datasets.frame import encode_rows
from semiad.detector.candidates import AUTO, DEFAULT, Candidate, default_candidates
from semiad.detector.comparison import Comparison, compare
from semiad.detector.comparison_jobs import FEWEST, check_labels, epochs_of, make_jobs, too_few
from semiad.detector.inputs import Preprocessor, Rows, frame_of, kind_of, table_preprocessor
from semiad.detector.training import Bar
from semiad.scenarios.kfold import KFold


class Chosen(NamedTuple):
    """Methods, and the comparison that they were chosen by; None where there was none."""

    candidates: tuple[Candidate, ...]
    comparison: Comparison | None


def choose_methods(
    preprocessor: Preprocessor,
    rows: Rows,
    labels: Float[np.ndarray, " n"],
    train: np.ndarray,
    folds: int,
    repeats: int,
    best: int,
    seed: int,
    device: torch.device,
    verbose: bool,
) -> Chosen:
    """Compare the default candidates on the training rows. Calibration rows have no part in it.

    Of images, and with few labelled anomalies, no method is chosen: it is `DEFAULT`, and a warning says why.

    Args:
        preprocessor: not fitted; it is left as it is.
        rows: all rows.
        labels: 1, 0 and NaN.
        train: numbers of the training rows.
        folds: of each repeat.
        repeats: how often rows are cut anew.
        best: how many candidates to choose, see `Comparison.taken`.
        seed: of all that is random.
        device: to train on.
        verbose: whether progress is shown.

    Raises:
        InputError: a number of folds that cannot be had, or no candidate could be trained.
    """
    anomalous = labels[train] == 1
    count = int(anomalous.sum())
    if kind_of(preprocessor) == "image":
        return by_default("of images no method is chosen by comparison")
    if count < FEWEST:
        return by_default(too_few(count))
    folds = check_labels(count, len(train) - count, folds)
    x = encode_rows(copy.deepcopy(table_preprocessor(preprocessor)), frame_of(rows)[train])
    with TemporaryDirectory() as folder, Bar(verbose, "choosing a method") as bar:
        jobs = make_jobs(x, anomalous, default_candidates(), KFold(folds, "all"), repeats, seed, device, Path(folder))
        bar.begin(epochs_of(jobs))
        made = compare(jobs, lambda job: bar)
    return Chosen(tuple(one.candidate for one in made.taken(best)), made)


def by_default(why: str) -> Chosen:
    """Take the default method, and say why."""
    warnings.warn(f"method={AUTO} is {DEFAULT}: {why}", stacklevel=4)
    return Chosen((Candidate(DEFAULT),), None)
