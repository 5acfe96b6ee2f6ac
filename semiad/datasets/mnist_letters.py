"""MNIST digits and E-MNIST letters as one data set: the "E-MNIST" rows of AE-SAD's Dataset 8, after A3."""

from pathlib import Path

import numpy as np

from semiad.datasets import emnist, mnist
from semiad.datasets.files import Part, official
from semiad.types import Dataset


def load(root: Path) -> Dataset:
    """184,800 and 30,800 images (1, 28, 28) of 36 classes: the digits 0 to 9 and the letters A to Z."""
    digits = mnist.load(root)
    images, y, n = digits.x.numpy(), digits.labels.y, digits.labels.n_train
    train, test = emnist.letters(root)
    return official(
        "mnist_letters",
        (*range(10), *emnist.LETTERS),
        join((images[:n], y[:n]), train),
        join((images[n:], y[n:]), test),
    )


def join(digits: Part, letters: Part) -> Part:
    """Digits, then letters, whose classes follow the ten digits."""
    return np.concatenate([digits[0], letters[0]]), np.concatenate([digits[1], letters[1] + 10])
