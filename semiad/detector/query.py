"""Which rows are worth a label."""

import warnings
from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int64
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from semiad.errors import InputError

WAYS = ("score", "margin", "diverse")
POOL = 10
"""Rows of the largest scores among which `diverse` chooses, for each row that is asked for."""


def choose_rows(
    scores: Float[np.ndarray, " n"],
    count: int,
    by: str,
    threshold: float,
    transform: Callable[[Int64[np.ndarray, " m"]], Float[np.ndarray, "m ..."]],
) -> Int64[np.ndarray, " k"]:
    """Choose rows to label.

    By `score` those of the largest scores, which find the most anomalies; by `margin` those nearest to the threshold,
    of which the detector is least sure; by `diverse` the largest score of each of `count` clusters of rows with large
    scores, so that copies of one case are not labelled one after the other.

    Args:
        scores: of all rows that may be chosen.
        count: how many to choose.
        by: one of `WAYS`.
        threshold: above which a row is an alarm.
        transform: gives rows by their number, as the detector's networks see them.

    Returns:
        Row numbers, the one most worth a label first.

    Raises:
        InputError: there is no such way, or a number that is no number of rows.
    """
    if by not in WAYS:
        raise InputError(f"by is '{by}', expected one of {', '.join(WAYS)}")
    if not isinstance(count, int | np.integer) or isinstance(count, bool) or count < 1:
        raise InputError(f"n is {count}, expected a whole number of rows from 1 on")
    if by == "margin":
        return np.argsort(np.abs(scores - threshold), kind="stable")[:count]
    order = np.argsort(-scores, kind="stable")
    if by == "score" or len(scores) <= count:
        return order[:count]
    pool = order[: POOL * count]
    x = transform(np.sort(pool)).reshape(len(pool), -1)[np.argsort(np.argsort(pool))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of fewer distinct rows than clusters
        clusters = KMeans(count, n_init=1, random_state=0).fit_predict(x)
    firsts = np.unique(clusters, return_index=True)[1]
    # Rows that are equal share a cluster, so that there may be fewer clusters than rows that are asked for.
    rest = np.setdiff1d(np.arange(len(pool)), firsts)[: count - len(firsts)]
    chosen: Int64[np.ndarray, " k"] = pool[np.sort(np.concatenate([firsts, rest]))]
    return chosen
