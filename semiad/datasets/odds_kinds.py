"""Tables of the ODDS library whose anomalies fall into kinds: clusters of their features."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from semiad.checks import check_whole
from semiad.datasets import odds
from semiad.errors import InputError
from semiad.types import Dataset, Labels


def load(root: Path, name: str, kinds: int) -> Dataset:
    """Load a table of ODDS with a class for each kind of anomaly: 0 (normal), and 1 (the largest) to `kinds`.

    ODDS has merged the classes of the data that its tables were made of, so the kinds are found again: k-means on the
    anomalies, by features that are standardised over the table. There is no official split: always the same one,
    stratified, 70 % of the rows.

    Args:
        root: see `semiad.datasets.odds.load`.
        name: likewise.
        kinds: how many, from 2 on.

    Raises:
        InputError: as `semiad.datasets.odds.load`; or so many kinds cannot be had, two rows of each.
    """
    table = odds.load(root, name)
    check_whole("dataset.kinds", kinds, 2)
    y, x = table.labels.y, StandardScaler().fit_transform(table.x.double().numpy())
    anomalies = np.flatnonzero(y == 1)
    if len(anomalies) < 2 * kinds:
        raise InputError(f"odds/{name} has {len(anomalies)} anomalies, too few for dataset.kinds={kinds}")
    clusters = KMeans(kinds, n_init=10, random_state=0).fit_predict(x[anomalies])
    sizes = np.bincount(clusters, minlength=kinds)
    if sizes.min() < 2:
        raise InputError(f"odds/{name}: with dataset.kinds={kinds} a kind has {sizes.min()} rows, expected two or more")
    y = y.copy()
    y[anomalies] = 1 + np.argsort(np.argsort(-sizes, kind="stable"))[clusters]
    train, test = train_test_split(np.arange(len(y)), train_size=0.7, stratify=y, random_state=0)
    rows = np.concatenate([train, test])
    labels = Labels(f"odds_kinds/{name}", tuple(range(kinds + 1)), y[rows], n_train=len(train))
    return replace(table, labels=labels, x=table.x[rows])
