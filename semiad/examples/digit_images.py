"""Writes folders of images of scikit-learn's digits: `python -m semiad.examples.digit_images`.

An image is a handwritten digit, and an anomaly is one that is no eight. `digits` has 60 eights that were checked
(`normal`), 60 that were not (`unlabelled`), and 10 threes that are known to be wrong (`anomalous`). `new` has other
images, 54 eights and 20 threes and nines each, with the truth in the names of its subfolders. `random.pth` has random
weights for the network resnet18, to try what trained ones are for.
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from semiad.cli.messages import sentences
from semiad.extras import optional_import


def write_images() -> None:
    """Write the folders and the weights into the current folder.

    Raises:
        InputError: if the extra `images` is not installed.
    """
    import torch

    with optional_import("torchvision", "images", "images"):
        import torchvision
        from PIL import Image

    data = load_digits()

    def write(folder: str, digit: int, first: int, last: int) -> None:
        """Write some images of a digit."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        rows = np.random.default_rng(0).permutation(np.flatnonzero(data.target == digit))
        for row in rows[first:last]:
            Image.fromarray((data.images[row] * 255 / 16).astype(np.uint8)).save(f"{folder}/{digit}-{row:04}.png")

    write("digits/normal", 8, 0, 60)
    write("digits/unlabelled", 8, 60, 120)
    write("digits/anomalous", 3, 0, 10)
    write("new/normal", 8, 120, 174)
    write("new/anomalous", 3, 10, 30)
    write("new/anomalous", 9, 0, 20)
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet18().state_dict(), "random.pth")
    print("digits (130 images), new (94 images) and random.pth are written")


if __name__ == "__main__":
    with sentences():
        write_images()
