"""Samples of a trained run, for figures: scores, some rows with their reconstructions, codes."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from semiad.data import SplitData
from semiad.engines.context import TrainingContext
from semiad.engines.evaluation import evaluating, score_test_rows, write_beside
from semiad.errors import InputError
from semiad.methods.base import Method
from semiad.runs import Run

EACH = 2
"""Rows that are shown of each class."""
ENDS = 8
"""Rows that are shown from either end of the scores."""
CODES = 1000
"""Test rows, evenly drawn, whose codes are kept."""


def sample(method: Method, data: SplitData, run: Run, context: TrainingContext) -> None:
    """Write `KEY.npz` into the job's folder for samples, if it has one.

    It has `scores`, `truth`, `classes` and, where classes are seen, `seen` of all test rows; `x`, `x_hat` (where the
    method reconstructs; images as bytes), `shown_class`, `shown_score` and `shown_kind` of some rows (`train`,
    `labelled`, `test`: the first of each class; `lowest`, `highest`: the ends of the scores); `z`, `z_hat` (where the
    method has them) and `code_class` of test rows that are evenly drawn.

    Raises:
        InputError: the file cannot be written.
    """
    if context.samples is None:
        return
    path, labels, split = context.samples / f"{run.key}.npz", context.dataset.labels, data.split
    names = np.array([str(c) for c in labels.classes])
    scores = score_test_rows(method, data).float().cpu().numpy()
    kinds = {
        "train": first_rows(split.train[split.s == 0], labels.y),
        "labelled": first_rows(split.train[split.s == 1], labels.y),
        "test": first_rows(split.test, labels.y),
        "lowest": split.test[scores.argsort(kind="stable")[:ENDS]],
        "highest": split.test[scores.argsort(kind="stable")[-ENDS:][::-1]],
    }
    shown = np.concatenate([*kinds.values()])
    drawn = split.test[np.unique(np.linspace(0, len(split.test) - 1, CODES).astype(np.int64))]
    top, (x, shown_scores, views), (_, _, codes) = (
        context.dataset.top,
        views_of(method, data, shown),
        views_of(method, data, drawn),
    )
    arrays = {
        "scores": scores,
        "truth": split.truth.astype(np.uint8),
        "classes": names[labels.y[split.test]],
        "x": pixels(x, top),
        "shown_class": names[labels.y[shown]],
        "shown_score": shown_scores.float().cpu().numpy(),
        "shown_kind": np.repeat([*kinds], [len(part) for part in kinds.values()]),
        "code_class": names[labels.y[drawn]],
    }
    if split.seen is not None:
        arrays["seen"] = split.seen.astype(np.uint8)
    if "x_hat" in views:
        arrays["x_hat"] = pixels(views["x_hat"], top)
    arrays |= {name: codes[name].flatten(1).half().cpu().numpy() for name in ("z", "z_hat") if name in codes}
    write_beside(path, lambda stream: np.savez_compressed(stream, allow_pickle=False, **arrays))


def first_rows(rows: Int64[np.ndarray, " n"], y: Int64[np.ndarray, " t"]) -> Int64[np.ndarray, " m"]:
    """Take the first rows of each class."""
    return np.concatenate([rows[:0], *(rows[y[rows] == c][:EACH] for c in np.unique(y[rows]))])


def views_of(
    method: Method, data: SplitData, numbers: Int64[np.ndarray, " n"]
) -> tuple[Float[Tensor, "n *shape"], Float[Tensor, " n"], dict[str, Float[Tensor, "n ..."]]]:
    """Give rows of the data set, scaled; their scores; and what the method makes of them.

    Raises:
        InputError: that is no dictionary.
    """
    with evaluating(method):
        x = data.scale(data.dataset.x[torch.from_numpy(numbers).to(data.dataset.x.device)])
        made = method.views(x)
        if not isinstance(made, Mapping):
            raise InputError(
                f"{type(method).__name__}.views gave a result of type {type(made).__name__}, expected a dictionary of "
                "tensors, such as x_hat"
            )
        return x, method.scores(x), dict(made)


def pixels(x: Float[Tensor, "n *shape"], top: float | None) -> np.ndarray:
    """Give images as bytes, features as they are."""
    values = x.float().cpu().numpy()
    return values if top is None else (values * 255).round().clip(0, 255).astype(np.uint8)
