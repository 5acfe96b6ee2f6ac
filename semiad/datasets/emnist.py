"""E-MNIST, the split "letters" (Cohen, Afshar, Tapson, van Schaik, 2017)."""

from pathlib import Path
from string import ascii_uppercase

from semiad.datasets.files import Part, fetch, official, read_images
from semiad.extras import optional_import
from semiad.types import Dataset

LETTERS = tuple(ascii_uppercase)


def load(root: Path) -> Dataset:
    """124,800 and 20,800 images (1, 28, 28) of the letters A to Z, upper and lower case as one class."""
    train, test = letters(root)
    return official("emnist", LETTERS, train, test)


def letters(root: Path) -> tuple[Part, Part]:
    """Training and test part, from `root/EMNIST/raw` or downloaded there by torchvision (which checks the archive)."""
    folder = root / "EMNIST" / "raw"
    names = [
        f"emnist-letters-{part}-{kind}-ubyte" for part in ("train", "test") for kind in ("images-idx3", "labels-idx1")
    ]

    def download(scratch: Path) -> Path:
        with optional_import("torchvision", "images"):
            from torchvision.datasets import EMNIST
        EMNIST(scratch, split="letters", download=True)
        return scratch / "EMNIST" / "raw"

    fetch([folder / name for name in names if not (folder / f"{name}.gz").exists()], download)
    return read_letters(folder, "train"), read_letters(folder, "test")


def read_letters(folder: Path, part: str) -> Part:
    """One part; in the files images are transposed and labels count from 1."""
    images, y = read_images(folder, f"emnist-letters-{part}", {})
    return images.transpose(0, 1, 3, 2), y - 1
