"""CIFAR-10 (Krizhevsky, 2009)."""

from pathlib import Path

import numpy as np

from semiad.datasets.files import AGAIN, Part, fetch, official
from semiad.errors import InputError
from semiad.extras import optional_import
from semiad.types import Dataset


def load(root: Path) -> Dataset:
    """50,000 and 10,000 images (3, 32, 32), from `root/cifar-10-batches-py` or downloaded there by torchvision."""
    with optional_import("torchvision", "images", "dataset=cifar10"):
        from torchvision.datasets import CIFAR10
        from torchvision.datasets.utils import check_md5
    folder = root / CIFAR10.base_folder

    def download(scratch: Path) -> Path:
        CIFAR10(scratch, download=True)
        return scratch

    fetch([folder], download)
    for name, md5 in [*CIFAR10.train_list, *CIFAR10.test_list]:
        if not (folder / name).is_file():
            raise InputError(f"{folder / name} is not there: delete {folder}, and it will be downloaded again")
        if not check_md5(str(folder / name), md5):
            raise InputError(f"{folder / name} has the wrong content (its md5 is not {md5}): {AGAIN}")
    return official("cifar10", tuple(range(10)), read(root, train=True), read(root, train=False))


def read(root: Path, train: bool) -> Part:
    """One part, channels first."""
    from torchvision.datasets import CIFAR10

    part = CIFAR10(root, train=train)
    return np.ascontiguousarray(part.data.transpose(0, 3, 1, 2)), np.array(part.targets, dtype=np.int64)
