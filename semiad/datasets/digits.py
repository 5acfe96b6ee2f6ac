"""The digits of scikit-learn (the test part of the UCI set "Optical Recognition of Handwritten Digits")."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from semiad.datasets.files import official
from semiad.types import Dataset


def load(root: Path) -> Dataset:
    """1,797 images (1, 8, 8) of ten digits. There is no official split: always the same stratified 60:40 one."""
    data = load_digits()
    images, y = data.images[:, None].astype(np.uint8), data.target
    train, test = train_test_split(np.arange(len(y)), train_size=0.6, stratify=y, random_state=0)
    return official("digits", tuple(range(10)), (images[train], y[train]), (images[test], y[test]), top=16)
