"""Testing a trained method."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from semiad.data import SplitData
from semiad.errors import InputError, RunFailed
from semiad.ledger.atomic import atomic_write
from semiad.methods.base import Method
from semiad.methods.contract import check_rows
from semiad.metrics import compute_metrics
from semiad.seeding import seeded
from semiad.types import Dataset, Split


def check_loss(loss: float, epoch: int) -> None:
    """Refuse a mean training loss that is not finite.

    Raises:
        RunFailed: the loss of this epoch (from 1) is not finite.
    """
    if not math.isfinite(loss):
        raise RunFailed(f"the training loss is {loss} in epoch {epoch}")


def check_scores(scores: Float[Tensor, " m"], truth: Int64[np.ndarray, " m"]) -> None:
    """Refuse scores that are not finite, or all equal, or of test rows of one kind.

    Raises:
        RunFailed: they are, so that no metric would be a number, or mean anything.
    """
    if len(np.unique(truth)) < 2:
        raise RunFailed(f"all {len(truth)} test rows are {'anomalies' if truth.all() else 'normal'}")
    if not bool(scores.isfinite().all()):
        raise RunFailed(f"{int((~scores.isfinite()).sum())} of {len(scores)} test scores are not finite")
    if bool((scores == scores[0]).all()):
        raise RunFailed(f"all {len(scores)} test scores equal {float(scores[0]):g}")


@contextmanager
def evaluating(method: Method) -> Iterator[None]:
    """Put a method into evaluation mode, without gradients, while the body runs."""
    training = method.training
    method.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        method.train(training)


def score_test_rows(method: Method, data: SplitData) -> Float[Tensor, " m"]:
    """Score all test rows, in evaluation mode, with global generators that the run's seed starts.

    Raises:
        InputError: the method does not give one score for each row.
    """
    scored = []
    with evaluating(method), seeded(data.entropy, data.test.device):
        for x in data.test_chunks():
            scored.append(method.scores(x))
            check_rows(method, "scores", scored[-1], len(x))
    return torch.cat(scored) if scored else torch.zeros(0)


def evaluate(scores: Float[Tensor, " m"], split: Split, dataset: Dataset, file: Path | None = None) -> dict[str, Any]:
    """Compute the metrics of a run; by class where there are several anomalous ones, none without test rows.

    Args:
        scores: of the test rows.
        split: the rows of the run.
        dataset: that they are of.
        file: to write the scores to; None for none.

    Raises:
        RunFailed: see `check_scores`.
        InputError: the file cannot be written.
    """
    if not len(split.test):
        return {}
    scores = scores.cpu()
    check_scores(scores, split.truth)
    if file is not None:
        write_beside(file, lambda stream: np.save(stream, scores.numpy(), allow_pickle=False))
    y = torch.from_numpy(dataset.labels.y[split.test])
    truth = torch.from_numpy(split.truth)
    seen = None if split.seen is None else torch.from_numpy(split.seen)
    groups = {str(c): y == i for i, c in enumerate(dataset.labels.classes)} if seen is not None else {}
    return dict(compute_metrics(scores, truth, seen, groups, split.label_odds))


def write_beside(file: Path, write: Callable[[BinaryIO], None]) -> None:
    """Write what a run leaves besides its record, completely or not at all.

    Args:
        file: its path.
        write: writes the content into the open file.

    Raises:
        InputError: the file cannot be written.
    """
    try:
        with atomic_write(file) as draft, draft.open("wb") as stream:
            write(stream)
    except OSError as error:
        raise InputError(f"{file} cannot be written to ({error.strerror}); what was recorded before is kept") from error
