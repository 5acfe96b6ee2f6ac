"""Samples of runs: scores of the test rows, some rows with their reconstructions, codes."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

Samples = dict[str, Any]
"""Arrays by name, as `semiad.train samples=true` writes them."""


@lru_cache(maxsize=8)
def read(path: str | None) -> Samples | None:
    """Read the samples in a file; None if the file is absent or torn."""
    if path is None:
        return None
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, KeyError, BadZipFile):
        return None


def kinds(run: Mapping[str, Any], arrays: Samples, classes: Iterable[object]) -> list[str]:
    """Classify rows by class: `normal`, `seen` (the run knew labelled anomalies of it) or `unseen`.

    Args:
        run: a row of the ledger.
        arrays: its samples; of classes of test rows they say what was seen, since a run may know but some of a cell's.
        classes: of the rows, as text.
    """
    normal, known = ({str(name) for name in run[side]} for side in ("normal", "anomalous"))
    if "seen" in arrays:
        tested = arrays["classes"].astype(str)
        known = known - {*tested} | {*tested[arrays["seen"] == 1]}
    return ["normal" if str(c) in normal else "seen" if str(c) in known else "unseen" for c in classes]


def picture(x: np.ndarray) -> np.ndarray:
    """Make a picture of a row, bytes [h, w] or [h, w, 3]; a tabular row is a picture one pixel high.

    Args:
        x: uint8, or float in [0, 1]; channels first, if any; what lies outside is cut.
    """
    grey = x if x.dtype == np.uint8 else (np.clip(np.nan_to_num(x.astype(np.float32)), 0, 1) * 255).round()
    shaped = grey[None] if grey.ndim == 1 else grey
    if shaped.ndim == 3:
        shaped = shaped[0] if shaped.shape[0] == 1 else shaped.transpose(1, 2, 0)
    return shaped.astype(np.uint8)
