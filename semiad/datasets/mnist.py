"""MNIST (LeCun, Cortes, Burges)."""

from pathlib import Path

from semiad.datasets.files import fetch, official, read_images
from semiad.extras import optional_import
from semiad.types import Dataset

DIGESTS = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


def load(root: Path) -> Dataset:
    """60,000 and 10,000 images (1, 28, 28) of ten digits, from `root/MNIST/raw` or downloaded there by torchvision."""
    folder = root / "MNIST" / "raw"
    fetch_idx(folder, "MNIST")
    return official(
        "mnist", tuple(range(10)), read_images(folder, "train", DIGESTS), read_images(folder, "t10k", DIGESTS)
    )


def fetch_idx(folder: Path, name: str) -> None:
    """Have torchvision download those of the four files that are in `folder` neither gzipped nor unpacked."""

    def download(scratch: Path) -> Path:
        with optional_import("torchvision", "images"):
            from torchvision import datasets
        getattr(datasets, name)(scratch, download=True)
        return scratch / name / "raw"

    fetch([folder / f"{file}.gz" for file in DIGESTS if not (folder / file).exists()], download)
