"""Computes metrics from scores and truth.

Everything is read off one quantity, the placement of each anomaly among the normal rows (the share of normal rows that
it beats, a tie counting half; DeLong et al. 1988): the AUC against any group of anomalies is the mean placement of the
group. Works on any device, in float64, and never passes scores through a sigmoid, as `torchmetrics` does with scores
outside [0, 1], which makes ties of large scores.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

Scores = Float[Tensor, " m"]


def placements(scores: Scores, truth: Bool[Tensor, " m"]) -> Float[Tensor, " p"]:
    """Give, for each anomaly, the share of normal rows with a smaller score, ties counting half."""
    normal = scores[~truth].sort().values
    below = torch.searchsorted(normal, scores[truth], side="left")
    up_to = torch.searchsorted(normal, scores[truth], side="right")
    return (below + up_to).double() / (2 * len(normal))


def average_precision(scores: Scores, truth: Bool[Tensor, " m"]) -> float:
    """Compute the mean, over anomalies, of the precision at the anomaly's own score: `sklearn`'s average precision."""
    anomalies, normal = scores[truth].sort().values, scores[~truth].sort().values
    hits = len(anomalies) - torch.searchsorted(anomalies, anomalies, side="left")
    false = len(normal) - torch.searchsorted(normal, anomalies, side="left")
    return float((hits.double() / (hits + false)).mean())


def compute_metrics(
    scores: Scores,
    truth: Int64[Tensor, " m"],
    seen: Int64[Tensor, " m"] | None,
    groups: Mapping[str, Bool[Tensor, " m"]],
) -> dict[str, float | dict[str, float] | None]:
    """Compute AUC and AP over all anomalies; AUC over seen, over unseen anomalies and by group of rows.

    Args:
        scores: larger is more anomalous.
        truth: 1 for an anomaly; both kinds must occur.
        seen: 1 where the class of a row has labelled anomalies in training; None where that makes no difference.
        groups: named groups of rows (classes, say); those without an anomaly are left out.

    Returns:
        auc, ap, auc_seen, auc_unseen, auc_by_class; None where there is nothing to measure.
    """
    anomaly = truth.bool()
    placed = torch.full_like(scores, torch.nan, dtype=torch.float64)
    placed[anomaly] = placements(scores, anomaly)

    def auc(rows: Bool[Tensor, " m"]) -> float | None:
        rows = rows & anomaly
        return float(placed[rows].mean()) if bool(rows.any()) else None

    by_class = {name: value for name, rows in groups.items() if (value := auc(rows)) is not None}
    return {
        "auc": auc(anomaly),
        "ap": average_precision(scores, anomaly),
        "auc_seen": None if seen is None else auc(seen == 1),
        "auc_unseen": None if seen is None else auc(seen == 0),
        "auc_by_class": by_class or None,
    }
