"""`method="auto"`: the methods that a comparison on the training rows chooses."""

import copy
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from semiad.detector.candidates import AUTO, DEFAULT, Candidate, default_candidates
from semiad.detector.comparison import Comparison, compared_so_far
from semiad.detector.comparison_jobs import (
    FEWEST,
    check_labels,
    epochs_of,
    make_jobs,
    seconds_of,
    too_few,
    train_jobs,
    unrecorded,
)
from semiad.detector.inputs import Preprocessor, Rows, frame_of, table_preprocessor
from semiad.detector.training import Bar
from semiad.images.preprocessor import ImagePreprocessor
from semiad.ledger.progress import clock
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
    memory: Path | None,
    verbose: bool,
) -> Chosen:
    """Compare the default candidates on the training rows. Calibration rows have no part in it.

    Of images, and with few labelled anomalies, no method is chosen: it is `DEFAULT`. A warning says so where there are
    labelled anomalies in a table.

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
        memory: a folder where the comparison is kept, and goes on if it was stopped; None for none.
        verbose: whether progress is shown.

    Raises:
        InputError: a number of folds that cannot be had, or no candidate could be trained.
    """
    anomalous = labels[train] == 1
    count = int(anomalous.sum())
    images = isinstance(preprocessor, ImagePreprocessor)
    if images or count < FEWEST:
        if count and not images:
            warnings.warn(f"method={AUTO} is {DEFAULT}: {too_few(count)}", stacklevel=4)
        return Chosen((Candidate(DEFAULT),), None)
    folds = check_labels(count, len(train) - count, folds)
    frame = frame_of(rows)[train]
    x = copy.deepcopy(table_preprocessor(preprocessor)).fit(frame).transform(frame)
    chosen = default_candidates()
    with TemporaryDirectory() as folder:
        results = memory or Path(folder) / "results"
        shared = (KFold(folds, "all"), repeats, seed, device, Path(folder), memory)
        jobs = make_jobs(x, anomalous, chosen, *shared)
        left = unrecorded(jobs, results)
        if verbose:
            models = sum(len(job.runs) for job in left)
            print(f"choosing among {len(chosen)} candidates: {models:,} models, about {clock(seconds_of(left))}")
        with Bar(verbose, "choosing a method") as bar:
            bar.begin(epochs_of(left))
            train_jobs(jobs, results, lambda job: bar)
        made = compared_so_far(jobs, results)
    assert made is not None
    return Chosen(tuple(one.candidate for one in made.taken(best)), made)
