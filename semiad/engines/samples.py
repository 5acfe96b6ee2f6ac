"""What is kept of a trained run to be looked at: scores, some rows with their reconstructions, codes."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from semiad.aside import aside
from semiad.data import Rows
from semiad.engines.base import Job, score
from semiad.errors import InputError
from semiad.methods.base import Method
from semiad.runs import Run
from semiad.types import Split

EACH = 2
"""Rows that are shown of each class."""
ENDS = 8
"""Rows that are shown from either end of the scores."""
CODES = 1000
"""Test rows, evenly drawn, whose codes are kept."""


def sample(method: Method, rows: Rows, run: Run, split: Split, job: Job) -> None:
    """Write `KEY.npz` into the job's folder for samples.

    It has `scores`, `truth`, `classes` and, where classes are seen, `seen` of all test rows; `x`, `x_hat` (where the
    method reconstructs; images as bytes), `shown_class`, `shown_score` and `shown_kind` of some rows (`train`,
    `labelled`, `test`: the first of each class; `lowest`, `highest`: the ends of the scores); `z`, `z_hat` (where the
    method has them) and `code_class` of test rows that are evenly drawn.

    Raises:
        InputError: it cannot be written.
    """
    if job.samples is None:
        return
    path, labels = job.samples / f"{run.key}.npz", job.table.labels
    names = np.array([str(c) for c in labels.classes])
    scores = score(method, rows).float().cpu().numpy()
    kinds = {
        "train": first(split.train[split.s == 0], labels.y),
        "labelled": first(split.train[split.s == 1], labels.y),
        "test": first(split.test, labels.y),
        "lowest": split.test[scores.argsort(kind="stable")[:ENDS]],
        "highest": split.test[scores.argsort(kind="stable")[-ENDS:][::-1]],
    }
    shown = np.concatenate([*kinds.values()])
    drawn = split.test[np.unique(np.linspace(0, len(split.test) - 1, CODES).astype(np.int64))]
    top, (x, own, views), (_, _, codes) = job.table.top, seen_by(method, rows, shown), seen_by(method, rows, drawn)
    kept = {
        "scores": scores,
        "truth": split.truth.astype(np.uint8),
        "classes": names[labels.y[split.test]],
        "x": pixels(x, top),
        "shown_class": names[labels.y[shown]],
        "shown_score": own.float().cpu().numpy(),
        "shown_kind": np.repeat([*kinds], [len(part) for part in kinds.values()]),
        "code_class": names[labels.y[drawn]],
    }
    if split.seen is not None:
        kept["seen"] = split.seen.astype(np.uint8)
    if "x_hat" in views:
        kept["x_hat"] = pixels(views["x_hat"], top)
    kept |= {name: codes[name].flatten(1).half().cpu().numpy() for name in ("z", "z_hat") if name in codes}
    write(path, kept)


def first(rows: Int64[np.ndarray, " n"], y: Int64[np.ndarray, " t"]) -> Int64[np.ndarray, " m"]:
    """The first rows of each class."""
    return np.concatenate([rows[:0], *(rows[y[rows] == c][:EACH] for c in np.unique(y[rows]))])


@torch.no_grad()
def seen_by(
    method: Method, rows: Rows, numbers: Int64[np.ndarray, " n"]
) -> tuple[Float[Tensor, "n *shape"], Float[Tensor, " n"], dict[str, Float[Tensor, "n ..."]]]:
    """Rows of the table, scaled; their scores; what the method makes of them."""
    training = method.training
    method.eval()
    x = rows.scale(rows.table.x[torch.from_numpy(numbers).to(rows.table.x.device)])
    result = x, method.scores(x), dict(method.views(x))
    method.train(training)
    return result


def pixels(x: Float[Tensor, "n *shape"], top: float | None) -> np.ndarray:
    """Images as bytes, features as they are."""
    values = x.float().cpu().numpy()
    return values if top is None else (values * 255).round().clip(0, 255).astype(np.uint8)


def write(path: Path, kept: dict[str, np.ndarray]) -> None:
    """Write an archive as a whole or not at all."""
    try:
        with aside(path) as draft, draft.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **kept)
    except OSError as error:
        raise InputError(f"{path} cannot be written to ({error.strerror}); what was recorded before is kept") from error
