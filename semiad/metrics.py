"""Computes metrics from scores and truth.

Everything is read off the sorted scores of the anomalies and those of the normal rows. The AUC comes from the placement
of each anomaly among the normal rows (the share of normal rows that it beats, a tie counting half; DeLong et al. 1988):
the AUC against any group of anomalies is the mean placement of the group. All other metrics come from counts of rows at
or above a threshold; rows of equal score are flagged together, as in `sklearn`. Works on any device, in float64, and
never passes scores through a sigmoid, as `torchmetrics` does with scores outside [0, 1], which makes ties of large
scores.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

Scores = Float[Tensor, " m"]


def placements(
    anomalies: Float[Tensor, " p"], normal: Float[Tensor, " n"]
) -> tuple[Float[Tensor, " p"], Int64[Tensor, " p"]]:
    """Compute the place of each anomaly among the normal rows.

    Args:
        anomalies: scores of the anomalies.
        normal: sorted scores of the normal rows.

    Returns:
        The share of normal rows with a smaller score, ties counting half; and how many have an equal or a larger one.
    """
    below = torch.searchsorted(normal, anomalies, side="left")
    up_to = torch.searchsorted(normal, anomalies, side="right")
    return (below + up_to).double() / (2 * len(normal)), len(normal) - below


def threshold_metrics(
    anomalies: Float[Tensor, " p"],
    normal: Float[Tensor, " n"],
    hits: Int64[Tensor, " p"],
    false: Int64[Tensor, " p"],
) -> dict[str, float]:
    """Compute the metrics that depend on a threshold at which rows are flagged; see `compute_metrics`.

    Args:
        anomalies: sorted scores of the anomalies.
        normal: sorted scores of the normal rows.
        hits: how many anomalies have the score of each anomaly or a larger one.
        false: how many normal rows do.
    """
    p, n = len(anomalies), len(normal)
    wanted = -(-95 * p // 100)

    def recall(percent: int) -> float:
        # With `allowed` false alarms a threshold must lie above the next normal row, and so above all that equal it.
        allowed = percent * n // 100
        return float(p - torch.searchsorted(anomalies, normal[n - 1 - allowed], side="right")) / p

    # The best F1 is at the score of an anomaly: up to there a higher threshold only loses false alarms.
    f1 = 2 * hits.double() / (hits + false + p)
    best = p - 1 - int(f1.flip(0).argmax())  # of equal ones that with the fewest alarms
    return {
        "fpr_at_95_tpr": int(false[p - wanted]) / n,
        "recall_at_1_fpr": recall(1),
        "recall_at_5_fpr": recall(5),
        "f1_best": float(f1[best]),
        "precision_at_f1_best": int(hits[best]) / int(hits[best] + false[best]),
        "recall_at_f1_best": int(hits[best]) / p,
    }


def compute_metrics(
    scores: Scores,
    truth: Int64[Tensor, " m"],
    seen: Int64[Tensor, " m"] | None,
    groups: Mapping[str, Bool[Tensor, " m"]],
    odds: float | None = None,
) -> dict[str, float | dict[str, float] | None]:
    """Compute all metrics of a run; each is a share from 0 to 1.

    Args:
        scores: larger is more anomalous.
        truth: 1 for an anomaly; both kinds must occur.
        seen: 1 where the class of a row has labelled anomalies in training; None where that makes no difference.
        groups: named groups of rows (classes, say); those without an anomaly are left out.
        odds: labelled anomalies for each other training row; None or 0 for no labels.

    Returns:
        auc: area under the ROC curve.
        ap: average precision: the mean, over anomalies, of the precision at the anomaly's own score.
        ap_at_label_rate: average precision where each anomaly counts by a weight, so that anomalies are as rare among
            the rows as labelled ones in training; None without labels.
        auc_seen: AUC against the anomalies that were seen; None if there are none.
        auc_unseen: AUC against the other anomalies; None if there are none.
        auc_by_class: AUC against the anomalies of each group; None if there are none.
        fpr_at_95_tpr: the smallest false positive rate of a threshold that flags at least 95 % of the anomalies.
        recall_at_1_fpr: the largest recall of a threshold that flags at most 1 % of the normal rows.
        recall_at_5_fpr: the same for 5 %.
        f1_best: the largest F1 of any threshold. Since the threshold is chosen on the test labels, it is an upper
            bound on what a user would get.
        precision_at_f1_best: precision at that threshold; of several with the largest F1, the highest counts.
        recall_at_f1_best: recall at that threshold.
    """
    anomaly = truth.bool()
    normal = scores[~anomaly].sort().values
    anomalies, order = scores[anomaly].sort()
    shares, false = placements(anomalies, normal)
    placed = torch.full_like(scores, torch.nan, dtype=torch.float64)
    placed[anomaly.nonzero()[order, 0]] = shares
    hits = len(anomalies) - torch.searchsorted(anomalies, anomalies, side="left")

    def average_precision(weight: float) -> float:
        weighted = weight * hits.double()
        return float((weighted / (weighted + false)).mean())

    def auc(rows: Bool[Tensor, " m"]) -> float | None:
        rows = rows & anomaly
        return float(placed[rows].mean()) if bool(rows.any()) else None

    by_class = {name: value for name, rows in groups.items() if (value := auc(rows)) is not None}
    return {
        "auc": auc(anomaly),
        "ap": average_precision(1.0),
        "ap_at_label_rate": average_precision(odds * len(normal) / len(anomalies)) if odds else None,
        "auc_seen": None if seen is None else auc(seen == 1),
        "auc_unseen": None if seen is None else auc(seen == 0),
        "auc_by_class": by_class or None,
        **threshold_metrics(anomalies, normal, hits, false),
    }
