"""Explanations: the share of each column of a table in the score of a row."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl
import torch
from jaxtyping import Float
from torch import Tensor

from semiad.data import CHUNK
from semiad.detector.ensemble import score_chunk
from semiad.detector.inputs import table_preprocessor
from semiad.engines.evaluation import evaluating
from semiad.errors import InputError
from semiad.extras import optional_import
from semiad.methods.base import Method
from semiad.methods.classical import ClassicalMethod
from semiad.tabular.encoders import Category, Number
from semiad.tabular.preprocessor import TablePreprocessor

if TYPE_CHECKING:
    from semiad.detector.estimator import Detector

STEPS = 64
"""Points on the line from the typical row to a row at which gradients are taken."""
TOLERANCE = 1e-3
"""Difference between a score and the sum of its parts, relative to the score, up to which it is taken for rounding."""


class Explanation(NamedTuple):
    """What the scores of `n` rows are made of.

    Attributes:
        columns: names of the `c` columns that were trained on.
        scores: of the rows.
        spreads: how far the members of the detector disagree, as a standard deviation of their scores.
        shares: of the columns in them.
    """

    columns: tuple[str, ...]
    scores: Float[np.ndarray, " n"]
    spreads: Float[np.ndarray, " n"]
    shares: Float[np.ndarray, "n c"]

    @property
    def base(self) -> Float[np.ndarray, " n"]:
        """The rest of each score, which is of no column: the shares and the base sum to the score."""
        rest: Float[np.ndarray, " n"] = self.scores - self.shares.sum(axis=1)
        return rest

    def frame(self, top: int) -> pl.DataFrame:
        """Give `score`, `spread`, `base`, and of the columns with the largest shares `reason_1`, `share_1` ...

        Args:
            top: number of columns that are named for each row; all of them if the table has fewer.

        Raises:
            InputError: `top` is no whole number from 1 on.
        """
        check_top(top)
        order = np.argsort(-self.shares, axis=1, kind="stable")[:, :top]
        names = pl.Series(self.columns, dtype=pl.String)
        table: dict[str, pl.Series | np.ndarray] = {
            "score": self.scores,
            "spread": self.spreads,
            "base": self.base,
        }
        for place, column in enumerate(order.T, start=1):
            table[f"reason_{place}"] = names.gather(column)
            table[f"share_{place}"] = self.shares[np.arange(len(column)), column]
        return pl.DataFrame(table)


def check_top(top: int) -> None:
    """Check a number of columns.

    Raises:
        InputError: it is no whole number from 1 on.
    """
    if not isinstance(top, int | np.integer) or isinstance(top, bool) or top < 1:
        raise InputError(f"top is {top}, expected a whole number of columns from 1 on")


def explain_rows(detector: "Detector", frame: pl.DataFrame) -> Explanation:
    """Compute the share of each column in the score of each row.

    The share is the mean over the members, each on its scale, as the score is.

    Raises:
        InputError: a column is gone or of another type than in training, or a library that is needed is not installed.
    """
    preprocessor, ensemble = table_preprocessor(detector.preprocessor_), detector.ensemble_
    x = preprocessor.transform(frame)
    typical = preprocessor.transform(typical_row(preprocessor))
    columns = preprocessor.needed
    sources = np.array(preprocessor.source_of_feature)
    belongs = np.stack([sources == column for column in columns], axis=1).astype(np.float64)
    shares = np.zeros((len(x), len(columns)))
    for method, scale in zip(ensemble.methods, ensemble.weights / ensemble.spreads, strict=True):
        for start in range(0, len(x), CHUNK):
            rows = x[start : start + CHUNK]
            shares[start : start + CHUNK] += member_shares(method, rows, typical, belongs, ensemble.device) * scale
    scores = ensemble.member_scores(x)
    return Explanation(columns, ensemble.combine(scores), ensemble.spread(scores), shares)


def typical_row(preprocessor: TablePreprocessor) -> pl.DataFrame:
    """Make the row that other rows are compared with.

    It has the median of each column of numbers and the most frequent category; dates and texts are missing, which is
    in the middle of what they can be.
    """
    values: dict[str, list[object]] = {}
    for encoder in preprocessor.encoders:
        if isinstance(encoder, Number):
            values[encoder.name] = [encoder.filled]
        elif encoder.name in preprocessor.needed:
            values[encoder.name] = [encoder.values[0] if isinstance(encoder, Category) else None]
    return pl.DataFrame(values)


def member_shares(
    method: Method | ClassicalMethod,
    x: Float[np.ndarray, "b d"],
    typical: Float[np.ndarray, "1 d"],
    belongs: Float[np.ndarray, "d c"],
    device: torch.device,
) -> Float[np.ndarray, "b c"]:
    """Compute the share of each column in the scores of a member, on the member's own scale.

    Args:
        method: the member.
        x: rows.
        typical: the row that they are compared with, unless the method says by itself what its score is the sum of.
        belongs: 1 where a feature comes from a column, else 0.
        device: to compute on.
    """
    if isinstance(method, ClassicalMethod):
        return occlusion(lambda rows: score_chunk(method, rows, device), x, typical, belongs)
    rows = torch.from_numpy(x).to(device)
    with evaluating(method):
        parts = method.score_parts(rows)
        if parts is not None:
            check_parts(method, parts, method.scores(rows))
    if parts is None:
        with evaluating(method):
            parts = torch.cat(
                [
                    integrated_gradients(method.scores, chunk, torch.from_numpy(typical).to(device), type(method))
                    for chunk in torch.split(rows, CHUNK // STEPS)
                ]
            )
    shares: Float[np.ndarray, "b c"] = parts.double().cpu().numpy() @ belongs
    return shares


def check_parts(method: Method, parts: Float[Tensor, "b *shape"], scores: Float[Tensor, " b"]) -> None:
    """Check that the parts of a score sum to it.

    Raises:
        InputError: they do not; say because a subclass has another score.
    """
    difference = (parts.flatten(1).sum(1) - scores).abs()
    if bool((difference > TOLERANCE * scores.abs() + 1e-6).any()):
        raise InputError(
            f"{type(method).__name__}.score_parts gives parts that do not sum to the scores: they differ by "
            f"{float(difference.max()):.3g}"
        )


def integrated_gradients(
    scores: Callable[[Tensor], Tensor],
    x: Float[Tensor, "b *shape"],
    typical: Float[Tensor, "1 *shape"],
    method: type,
    steps: int = STEPS,
    batch_size: int | None = None,
) -> Float[Tensor, "b *shape"]:
    """Compute integrated gradients (Sundararajan, Taly, Yan, 2017) of the score, from the typical row to each row.

    They sum to the difference between the scores of the two, but for the error of the integration.

    Args:
        scores: computes the score of each row.
        x: rows.
        typical: the row that they are compared with.
        method: that the scores are of, for the sentence of the error.
        steps: points on the line between the two.
        batch_size: rows of which gradients are taken at once; None for all.

    Raises:
        InputError: captum is not installed.
    """
    with optional_import("captum", "explain", f"explanations of {method.__name__} by integrated gradients"):
        from captum.attr import IntegratedGradients
    parts: Tensor = IntegratedGradients(scores).attribute(
        x, baselines=typical.expand_as(x), n_steps=steps, internal_batch_size=batch_size
    )
    return parts.detach()


def occlusion(
    score: Callable[[np.ndarray], np.ndarray],
    x: Float[np.ndarray, "b d"],
    typical: Float[np.ndarray, "1 d"],
    belongs: Float[np.ndarray, "d c"],
) -> Float[np.ndarray, "b c"]:
    """Compute by how much the score falls if a column has its typical value in place of that of the row."""
    scores = score(x)
    fallen = [scores - score(np.where(column > 0, typical, x).astype(x.dtype)) for column in belongs.T]
    return np.stack(fallen, axis=1)
