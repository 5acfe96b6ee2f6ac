"""A user's own images in experiments: `dataset=folder`."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from sklearn.datasets import load_digits

from semiad.command.recipes import load_dataset
from semiad.datasets.folder import Folder
from semiad.errors import InputError
from semiad.testing import check_dataset
from semiad.types import UNLABELLED
from tests.conftest import read

Command = Callable[..., int]
FOLDER = ("dataset=folder", "dataset.path=digits", "epochs=1", "logger=none", "results=r")


@pytest.fixture(autouse=True)
def _as_new_processes() -> Iterator[None]:
    """Read each folder anew, as a new process would."""
    load_dataset.cache_clear()
    yield
    load_dataset.cache_clear()


def write_digits(folder: Path, normal: int = 20, anomalous: int = 6, unlabelled: int = 10) -> None:
    """Write zeros of scikit-learn's digits as normal and unlabelled images, ones as anomalous images."""
    data = load_digits()
    zeros, ones = (iter(data.images[data.target == digit]) for digit in (0, 1))
    for name, count, images in (
        ("normal", normal, zeros),
        ("anomalous", anomalous, ones),
        ("unlabelled", unlabelled, zeros),
    ):
        for number in range(count):
            (folder / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray((next(images) * 255 / 16).astype(np.uint8)).save(folder / name / f"{number:03}.png")


@pytest.mark.parametrize("scenario", ["holdout", "kfold"])
def test_a_folder_is_trained_on(scenario: str, command: Command) -> None:
    write_digits(Path("digits"))
    assert command(*FOLDER, f"scenario={scenario}", "seeds=[0,1]", "scenario.labelled=2") == 0
    records = read(Path("r"))
    assert len(records) == (2 if scenario == "holdout" else 10)
    for record in records:
        assert (record["status"], record["dataset"], record["scenario"]) == ("ok", "digits", scenario)
        assert record["normal"] == [0, UNLABELLED] and record["anomalous"] == [1]
        if scenario == "holdout":
            assert (record["n_train"], record["n_labelled"], record["n_test"]) == (14 + 10 + 2, 2, 6 + 2)
        assert "path" not in record["config"]["dataset"] and 0 <= record["auc"] <= 1


def test_the_key_is_of_the_content(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    write_digits(Path("digits"))
    few = ("scenario=holdout", "seeds=[0]")
    assert command(*FOLDER, *few) == 0
    shutil.move("digits", "elsewhere/digits")
    load_dataset.cache_clear()
    capsys.readouterr()
    assert command(*FOLDER, *few, "dataset.path=elsewhere/digits") == 0
    assert "1 recorded already, 0 to train" in capsys.readouterr().out
    Path("elsewhere/digits/normal/000.png").unlink()
    load_dataset.cache_clear()
    assert command(*FOLDER, *few, "dataset.path=elsewhere/digits") == 0
    assert len(read(Path("r"))) == 2


def test_each_method_has_the_network_of_its_paper(command: Command) -> None:
    write_digits(Path("digits"), 8, 4, 0)
    few = ("scenario=holdout", "seeds=[0]", "network=papers", "dataset.size=28")
    assert command(*FOLDER, *few, "method=deep_sad", "method.pretraining.epochs=1") == 0
    (record,) = read(Path("r"))
    assert record["config"]["method"]["net"]["_target_"] == "semiad.networks.lenet.LeNet"


def test_what_a_folder_becomes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_digits(tmp_path / "digits")
    (tmp_path / "digits" / "notes.txt").write_text("x")
    dataset = Folder(str(tmp_path / "digits"), size="10x12")(tmp_path)
    check_dataset("dataset=folder", f"dataset.path={tmp_path / 'digits'}")
    assert dataset.labels.name == "digits" and dataset.labels.classes == (0, 1, UNLABELLED) and dataset.top == 1
    assert dataset.shape == (1, 10, 12) and np.bincount(dataset.labels.y).tolist() == [20, 6, 10]
    assert "has 1 file with a suffix that is of no image, left out: notes.txt" in capsys.readouterr().out
    shutil.rmtree(tmp_path / "digits" / "normal")
    dataset = Folder(str(tmp_path / "digits"))(tmp_path)
    assert dataset.labels.classes == (0, 1) and np.bincount(dataset.labels.y).tolist() == [10, 6]
    assert "has no image that is labelled normal: the 10 unlabelled ones stand for" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["dataset.path=none"], "dataset.path: none does not exist"),
        (["dataset.path=null"], "dataset.path is None, expected a folder of images"),
        (["dataset.path=labels.csv"], "but there is b: say by `anomaly` and `normal` which values mean these"),
        (["dataset.size=a"], "dataset.path: size is a, expected a number of pixels from 1 to 4096, or HEIGHTxWIDTH"),
        (
            ["network=papers", "method=deep_sad"],
            "network lenet needs images of 28x28 or 32x32, but a row has shape (1, 8",
        ),
        (["scenario=one_vs_one"], "data set digits has no official split into training and test rows"),
    ],
)
def test_a_mistake_is_a_sentence(
    words: list[str], sentence: str, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    write_digits(Path("digits"), 8, 4, 0)
    Path("labels.csv").write_text("file,label\ndigits/normal/000.png,b\n")
    given = dict(word.split("=", 1) for word in ("scenario=holdout", *FOLDER, *words))
    assert command(*(f"{name}={value}" for name, value in given.items())) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and sentence in error, error
    assert not Path("r").exists()


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ((4, 0, 2), "no image of {} is labelled anomalous, so that"),
        ((0, 4, 0), "every image of {} is labelled anomalous"),
    ],
)
def test_one_class_only(counts: tuple[int, int, int], sentence: str, tmp_path: Path) -> None:
    write_digits(tmp_path / "digits", *counts)
    with pytest.raises(InputError) as caught:
        Folder(str(tmp_path / "digits"))(tmp_path)
    assert str(caught.value).startswith(sentence.format(tmp_path / "digits"))


def test_features_of_a_pretrained_network_are_a_table(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    write_digits(Path("digits"))
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet18().state_dict(), "weights.pth")
    words = ("dataset=folder_features", *FOLDER[1:], "dataset.size=32", "scenario=holdout", "seeds=[0]", "method=ae")
    assert command(*words, "dataset.weights=weights.pth") == 0
    (record,) = read(Path("r"))
    assert record["status"] == "ok" and record["config"]["dataset"]["features"] == "resnet18"
    assert "weights" not in record["config"]["dataset"] and record["config"]["batch_size"] == 32
    dataset = Folder("digits", 32, features="resnet18", weights="weights.pth")(Path())
    assert dataset.shape == (512,) and dataset.top is None
    load_dataset.cache_clear()
    capsys.readouterr()
    assert command(*words, "dataset.weights=none.pth") == 1
    assert "error: dataset.path: the weights none.pth cannot be read (No such file" in capsys.readouterr().err
