"""Fashion-MNIST (Xiao, Rasul, Vollgraf, 2017)."""

from pathlib import Path

from semiad.datasets.files import official, read_images
from semiad.datasets.mnist import fetch_idx
from semiad.types import Dataset

DIGESTS = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package `dataset-fashion-mnist` puts the files."""


def load(root: Path) -> Dataset:
    """60,000 and 10,000 images (1, 28, 28) of ten kinds of clothing, numbered 0 to 9 as in the papers.

    Debian's files are taken where they are installed, else those in `root/FashionMNIST/raw`, else torchvision's.
    """
    folder = DEBIAN if DEBIAN.is_dir() else root / "FashionMNIST" / "raw"
    if folder != DEBIAN:
        fetch_idx(folder, "FashionMNIST")
    return official(
        "fmnist", tuple(range(10)), read_images(folder, "train", DIGESTS), read_images(folder, "t10k", DIGESTS)
    )
