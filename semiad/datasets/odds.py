"""Tables of the ODDS library (Rayana, 2016), those of AE-SAD's Dataset 2."""

import csv
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import numpy as np
import pooch
import scipy.io
import torch

from semiad.datasets.files import AGAIN, fetch
from semiad.errors import InputError
from semiad.types import Dataset, Labels


def catalogue() -> dict[str, dict[str, str]]:
    """What `odds.csv` says of each table, by name: rows, features, outliers, bytes, sha256, url."""
    text = (files("semiad.datasets") / "odds.csv").read_text()
    return {row["name"]: row for row in csv.DictReader(text.splitlines())}


def load(root: Path, name: str) -> Dataset:
    """A table from `root/odds/NAME.mat`, or downloaded there: classes 0 (normal) and 1 (anomaly), no official split.

    Raises:
        InputError: unknown name; a file that cannot be had, is damaged, or has other rows than the catalogue says.
    """
    known = catalogue()
    if name not in known:
        raise InputError(f"dataset.name is '{name}', expected one of {', '.join(known)}")
    facts, path = known[name], root / "odds" / f"{name}.mat"

    def download(scratch: Path) -> Path:
        if not facts["url"]:
            raise ValueError("there is no address with a known checksum")
        pooch.retrieve(facts["url"], known_hash=f"sha256:{facts['sha256']}", fname=path.name, path=scratch)
        return scratch

    pooch.get_logger().setLevel("WARNING")  # semiad says what there is to say
    fetch([path], download)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from error
    if facts["sha256"] and (found := sha256(raw).hexdigest()) != facts["sha256"]:
        raise InputError(f"{path} has the wrong content (sha256 {found}, expected {facts['sha256']}): {AGAIN}")
    return read(path, name, (int(facts["rows"]), int(facts["features"])))


def read(path: Path, name: str, expected: tuple[int, int]) -> Dataset:
    """Read a MATLAB 5 file with `X` (n x d) and `y` (1 for an anomaly).

    Raises:
        InputError: not such a file, another shape than expected, values that are not finite, labels other than 0 and 1.
    """
    try:
        data = scipy.io.loadmat(path)
        x, y = np.asarray(data["X"], dtype=np.float32), np.asarray(data["y"]).ravel().astype(np.int64)
    # scipy raises whatever its parser meets in a damaged file; a file of MATLAB 7.3 is NotImplementedError.
    except Exception as error:
        raise InputError(f"{path} is not a MATLAB 5 file with X and y ({type(error).__name__}: {error})") from error
    if x.shape != expected or y.shape != x.shape[:1]:
        raise InputError(f"{path} holds X {x.shape} and y {y.shape}, expected X {expected}")
    if not np.isfinite(x).all():
        row, column = np.argwhere(~np.isfinite(x))[0]
        raise InputError(f"{path}: X is not finite at row {row}, column {column}")
    if set(np.unique(y).tolist()) != {0, 1}:
        raise InputError(f"{path}: labels are {np.unique(y)[:5].tolist()}, expected 0 (normal) and 1 (anomaly)")
    return Dataset(
        labels=Labels(name=f"odds/{name}", classes=(0, 1), y=y, n_train=None), x=torch.from_numpy(x), top=None
    )
