"""Checks of a data set."""

from pathlib import Path

import numpy as np
import torch
from hydra.utils import instantiate

from semiad.testing.runs import compose_config


def check_dataset(*words: str, root: Path = Path("data")) -> None:
    """Check that a data set loads the same each time, and that its rows and labels agree.

    Args:
        words: overrides that choose the data set, such as `dataset=mine`.
        root: the folder of the data.

    Raises:
        AssertionError: something does not hold.
    """
    cfg = compose_config(*words)
    first, again = (instantiate(cfg.dataset)(root) for _ in range(2))
    labels = first.labels
    assert isinstance(cfg.kind, str), "the yaml does not say of which kind the data are: image or table"
    assert len(first.x) == len(labels.y), f"{len(first.x)} rows, but {len(labels.y)} labels"
    assert torch.equal(first.x, again.x) and (labels.y == again.labels.y).all(), "loading twice gives other rows"
    positions = set(np.unique(labels.y).tolist())
    assert positions == set(range(len(labels.classes))), f"labels are {positions} of {len(labels.classes)} classes"
    assert labels.n_train is None or 0 < labels.n_train < len(labels.y), f"n_train is {labels.n_train}"
    if first.top is None:
        assert first.x.dtype == torch.float32 and first.x.isfinite().all(), "features are not finite float32"
    else:
        assert 0 <= float(first.x.min()) and float(first.x.max()) <= first.top, f"rows are not in 0 to {first.top:g}"
