"""AUC of folders of PNGs through `semiad fit` and `score` against `semiad.train`, and of random features (minutes)."""

import subprocess
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
import torch
import torchvision
from PIL import Image
from rich.table import Table
from sklearn.metrics import roc_auc_score

from benchmarks.settings import Settings
from benchmarks.timing import console
from semiad.cli.app import app
from semiad.datasets import digits, fmnist
from semiad.detector.estimator import Detector
from semiad.images import read_images
from semiad.ledger.reader import read
from semiad.scenarios.one_vs_one import OneVsOne
from semiad.types import Cell, Dataset

LABELLED, DRAWS = 8, (0, 1, 2)
CASES = {"digits": (digits.load, 8, (0, 1, 2, 3, 4, 5, 6, 7, 9), 100), "fmnist": (fmnist.load, 0, (2, 3, 6), 5)}
"""The loader, the normal class, the known anomalous ones, and the epochs."""
HEADINGS = ("semiad.train", "fit and score", "almost all rows train", "random features")


def measure(settings: Settings) -> None:
    """Measure each data set: one normal class, some known anomalous ones; means over draws."""
    table = Table("data set", "known anomalies", *HEADINGS, box=None)
    with TemporaryDirectory() as name:
        scratch = Path(name)
        torch.manual_seed(0)
        torch.save(torchvision.models.resnet18().state_dict(), scratch / "weights.pth")
        for case, (load, normal, anomalous, epochs) in CASES.items():
            dataset = load(settings.data_root)
            expected = train(case, normal, anomalous, epochs, scratch, settings)
            rows = []
            for known in anomalous:
                cell = Cell((normal,), (known,))
                values = [
                    (expected[known, draw], *measure_draw(dataset, cell, draw, epochs, scratch, settings.device))
                    for draw in DRAWS
                ]
                rows.append(np.mean(values, axis=0))
                table.add_row(case, f"{known} (normal: {normal})", *(f"{value:.4f}" for value in rows[-1]))
            table.add_row(case, "mean", *(f"{value:.4f}" for value in np.mean(rows, axis=0)))
    console.print(table)


def measure_draw(
    dataset: Dataset, cell: Cell, draw: int, epochs: int, scratch: Path, device: str
) -> tuple[float, float, float]:
    """Give the AUC of `fit` and `score`, of a detector that holds 2 % of its rows out, and of random features."""
    weights = ("--features", "resnet18", "--weights", str(scratch / "weights.pth"), "--size", "32")
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_split(dataset, cell, draw, folder)
        pixels = score(folder, "pixels", epochs, device)
        random = score(folder, "features", epochs, device, *weights)
        warnings.simplefilter("ignore")
        detector = Detector(epochs=epochs, calibration=0.02, device=device, random_state=0)
        test = read_images(folder / "test")
        scores = detector.fit(read_images(folder / "train")).decision_function(test)
    return pixels, float(roc_auc_score(test.labels, scores)), random


def train(
    case: str, normal: int, anomalous: tuple[int, ...], epochs: int, scratch: Path, settings: Settings
) -> dict[tuple[int, int], float]:
    """Give the AUC of each known anomalous class and draw, as `semiad.train` records it."""
    words = (
        *(f"dataset={case}", "scenario=one_vs_one", f"scenario.labelled={LABELLED}", f"scenario.normal={normal}"),
        *(f"scenario.anomalous={','.join(map(str, anomalous))}", f"epochs={epochs}", "logger=none"),
        *(f"seeds=[{','.join(map(str, DRAWS))}]", f"results={scratch / case}", f"device={settings.device}"),
        *(f"data_root={settings.data_root.absolute()}", "shards=1", "-m"),
    )
    subprocess.run([sys.executable, "-m", "semiad.train", *words], check=True, stdout=subprocess.DEVNULL, cwd=scratch)
    rows = read(scratch / case).runs.iter_rows(named=True)
    return {(int(row["anomalous"][0]), row["seed"]): float(row["auc"]) for row in rows}


def write_split(dataset: Dataset, cell: Cell, draw: int, folder: Path) -> None:
    """Write the rows of a split as images: `train` and `test`, with subfolders that say what they are."""
    scenario = OneVsOne(LABELLED, False, 0, None, None)
    split = scenario.split(cell, dataset.labels, draw)
    assert dataset.top is not None
    pixels = (dataset.x[:, 0].numpy() * (255 / dataset.top) + 0.5).astype(np.uint8)
    parts = (("train", split.train, split.s, "unlabelled"), ("test", split.test, split.truth, "normal"))
    for part, rows, anomalous, rest in parts:
        for name in (rest, "anomalous"):
            (folder / part / name).mkdir(parents=True)
        for row, is_anomalous in zip(rows, anomalous, strict=True):
            Image.fromarray(pixels[row]).save(folder / part / ("anomalous" if is_anomalous else rest) / f"{row}.png")


def score(folder: Path, name: str, epochs: int, device: str, *words: str) -> float:
    """Give the AUC of `semiad fit` and `semiad score` on a split that was written."""
    model, scored = folder / name, folder / f"{name}.csv"
    common = ("--device", device)
    run("fit", folder / "train", "--out", model, "--epochs", epochs, *common, *words)
    run("score", model, folder / "test", "--out", scored, *common)
    rows = pl.read_csv(scored)
    return float(roc_auc_score(rows["file"].str.starts_with("anomalous").to_numpy(), rows["score"].to_numpy()))


def run(*words: object) -> None:
    """Run the command `semiad`, without what it prints."""
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        app([str(word) for word in words], standalone_mode=False)
