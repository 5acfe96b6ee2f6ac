"""Heat maps of images: what they show, the pictures of alarms, and the page of a fit."""

import re
import shutil
import sys
from base64 import b64decode
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
import torchvision
from PIL import Image
from selenium.webdriver import Chrome

from semiad import Detector
from semiad.detector.heatmaps import explain_images
from semiad.errors import InputError
from semiad.images import read_images
from semiad.images.drawing import draw_heatmap, heat, overlay
from semiad.images.preprocessor import ImagePreprocessor
from tests import browser as chromium
from tests.test_cli import refused, run

SIDE, SQUARE = 16, 4
QUICK: dict[str, Any] = {"ensemble": 2, "random_state": 0, "fpr": 0.1, "device": "cpu"}


def parts(number: int, seed: int) -> np.ndarray:
    """Pictures of the same part: two waves that shift a little, and noise."""
    draws, place = np.random.default_rng(seed), np.arange(SIDE) / SIDE
    down, right = 0.04 * draws.normal(size=(2, number, 1, 1))
    waves = np.sin(2 * np.pi * (place[:, None] + down)) + np.sin(2 * np.pi * (place + right))
    x: np.ndarray = (0.5 + 0.2 * waves + 0.02 * draws.normal(size=(number, SIDE, SIDE))).clip(0, 1)
    return x.astype(np.float32)


def broken(number: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Such pictures with a square that is black where it was bright and white where it was dark, and where it is."""
    x, draws = parts(number, seed), np.random.default_rng(seed + 1)
    inside = np.zeros(x.shape, dtype=bool)
    for image, mask in zip(x, inside, strict=True):
        top, left = draws.integers(0, SIDE - SQUARE + 1, 2)
        mask[top : top + SQUARE, left : left + SQUARE] = True
        image[mask] = 1 - image[mask].round()
    return x, inside


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "w.pth"
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet18().state_dict(), path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of pictures of parts, `train` and `new`; one of a name that is hard to write."""
    path = tmp_path_factory.mktemp("parts")
    for name, x in (
        ("train/normal", parts(40, 1)),
        ("train/unlabelled", np.concatenate([parts(30, 2), broken(1, 3)[0]])),
        ("train/anomalous", broken(5, 4)[0]),
        ("new", np.concatenate([parts(20, 5), broken(6, 6)[0]])),
    ):
        (path / name).mkdir(parents=True)
        for number, pixels in enumerate(x):
            Image.fromarray((pixels * 255).astype(np.uint8)).save(path / name / f"{number:02}.png")
    shutil.move(path / "new" / "25.png", path / "new" / ("25 ö\n<b>&" + "x" * 120 + ".png"))
    return path


@pytest.fixture(scope="module")
def model(folder: Path) -> Path:
    path = folder / "parts.semiad"
    words = ("--ensemble", "2", "--epochs", "40", "--fpr", "0.05", "--method", "ae", "--device", "cpu")
    assert f"{path} is saved, with report.html" in run("fit", folder / "train", "--out", path, *words)
    return path


@pytest.mark.parametrize(("method", "network"), [("ae", None), ("deep_svdd", "mlp")])
def test_the_heat_lies_in_the_broken_square(method: str, network: str | None) -> None:
    """`ae` by the parts of its score, `deep_svdd` by integrated gradients."""
    detector = Detector(method, network=network, epochs=30, **QUICK).fit(parts(300, 0))
    x, inside = broken(100, 77)
    told = detector.explain(x)
    shares = told["shares"].to_numpy()
    hottest = shares.reshape(100, -1).argmax(axis=1)
    assert inside.reshape(100, -1)[np.arange(100), hottest].mean() >= 0.95
    mass = (shares.clip(0) * inside).sum(axis=(1, 2)) / shares.clip(0).sum(axis=(1, 2))
    assert (mass > 5 * inside.mean()).mean() >= 0.95, "five times what the area of the square would have"


@pytest.mark.parametrize(("method", "network"), [("aesad", None), ("deep_svdd", "mlp"), ("iforest", None)])
def test_shares_and_base_sum_to_the_score(method: str, network: str | None) -> None:
    colours = np.stack([parts(100, seed) for seed in range(3)], axis=1)
    detector = Detector(method, network=network, epochs=2, **QUICK).fit(colours, np.where(np.arange(100) < 5, 1, -1))
    told = detector.explain(colours[:20])
    assert told.columns == ["score", "base", "shares"] and told["shares"].to_numpy().shape == (20, SIDE, SIDE)
    np.testing.assert_array_equal(told["score"].to_numpy(), detector.decision_function(colours[:20]))
    total = told["shares"].to_numpy().sum(axis=(1, 2)) + told["base"].to_numpy()
    np.testing.assert_allclose(total, told["score"].to_numpy(), rtol=1e-9)
    if method == "deep_svdd":  # the base is the score of the mean image, but for the error of the integration
        typical = detector.decision_function(detector.preprocessor_.typical[None])[0]
        assert np.median(np.abs(told["base"].to_numpy() - typical)) < 0.05 * (1 + abs(typical))


@pytest.mark.slow  # the gradients of a network of 18 layers
def test_gradients_go_through_a_backbone(folder: Path, weights: Path, tmp_path: Path) -> None:
    detector = Detector("ae", epochs=2, preprocessor=ImagePreprocessor("resnet18", weights), **QUICK)
    detector.fit(read_images(folder / "train", size=32), np.where(np.arange(76) < 5, 1, -1))
    detector.save(tmp_path / "m")
    images = read_images(folder / "new", size=32)[:3]
    told = Detector.load(tmp_path / "m", device="cpu").explain(images)
    shares, typical = told["shares"].to_numpy(), detector.decision_function(detector.preprocessor_.typical[None])[0]
    assert shares.shape == (3, 32, 32) and (np.abs(shares).max(axis=(1, 2)) > 0).all()
    np.testing.assert_allclose(told["score"].to_numpy(), detector.decision_function(images), rtol=1e-4, atol=1e-4)
    rise = told["score"].to_numpy() - typical
    assert (np.abs(shares.sum(axis=(1, 2)) - rise) < 0.1 * (1 + np.abs(rise))).all()
    trees = Detector("iforest", preprocessor=ImagePreprocessor("resnet18", weights), **QUICK | {"fpr": 0.5})
    shares = explain_images(trees.fit(images), images[:1]).shares
    assert shares.shape == (1, 32, 32) and (shares[0, :4, :4] == shares[0, 0, 0]).all(), "patches of 4 x 4 are hidden"


def test_alarms_are_drawn_the_largest_score_first(folder: Path, model: Path, tmp_path: Path) -> None:
    run("score", model, folder / "new", "--out", tmp_path / "s.csv", "--heatmaps", tmp_path / "maps")
    scored = pl.read_csv(tmp_path / "s.csv")
    alarms = scored.filter(scored["alarm"] == 1).sort("score", descending=True)
    assert len(alarms) >= 6 and scored["heatmap"].null_count() == len(scored) - len(alarms)
    assert alarms["heatmap"].to_list() == sorted(path.name for path in (tmp_path / "maps").iterdir())
    assert any(name.endswith("-25 ö_<b>&" + "x" * 90 + ".png") for name in alarms["heatmap"])
    plain = pl.read_csv(run("score", model, folder / "new", "--out", "-").encode())
    assert plain.columns == ["file", "score", "p_value", "alarm"] and plain.equals(scored.drop("heatmap"))
    with Image.open(tmp_path / "maps" / alarms["heatmap"][0]) as picture:
        drawn = np.asarray(picture.convert("L"))
    with Image.open(folder / "new" / alarms["file"][0]) as image:
        expected = np.asarray(image).repeat(16, axis=0).repeat(16, axis=1)
    np.testing.assert_array_equal(drawn[:256, :256], expected)


def test_a_picture_has_the_size_of_the_file_and_a_scale() -> None:
    draws = np.random.default_rng(0)
    photo = draws.integers(0, 255, (300, 500, 3), dtype=np.uint8)
    shares = np.zeros((8, 8))
    shares[2, 6], shares[0, 0] = 3.0, -5.0
    np.testing.assert_array_equal(np.asarray(draw_heatmap(photo, shares))[:300, :500], photo)
    laid = overlay(photo, shares).astype(int)
    colour = np.abs(laid - laid.mean(axis=2, keepdims=True)).sum(axis=2)
    assert colour[80:110, 380:440].mean() > 3 * colour[200:, :200].mean(), "the colour lies where the share is"
    assert heat(shares).max() == 1 and heat(shares)[0, 0] == 0 and (heat(-np.ones((2, 2))) == 0).all()
    for size in ((1, 1), (1, 3000), (3000, 1)):
        drawn = draw_heatmap(np.zeros((*size, 3), dtype=np.uint8), np.ones((4, 4)))
        assert drawn.height >= max(size[0], 120) and drawn.width >= 2 * size[1]


def test_heatmaps_that_cannot_be_are_sentences(
    folder: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "s.csv"
    assert "exists already" in refused("score", model, folder / "new", "--out", out, "--heatmaps", folder)
    assert "expected a folder of another name" in refused(
        "score", model, folder / "new", "--out", out, "--heatmaps", out
    )
    (tmp_path / "t.csv").write_text("a\n1\n2\n")
    assert "is no folder, and --heatmaps is an option for folders of images" in refused(
        "score", model, tmp_path / "t.csv", "--out", out, "--heatmaps", tmp_path / "maps"
    )
    assert "--explain is an option for tables: take --heatmaps FOLDER" in refused(
        "score", model, folder / "new", "--out", out, "--explain", "5"
    )
    image = folder / "new" / "00.png"
    for words in (("check", image), ("fit", image, "--out", out), ("score", model, image, "--out", out)):
        assert f"{image} is one image: name the folder that it is in, or a manifest.csv" in refused(*words)
    assert "fitted to images" in refused("evaluate", model, tmp_path / "t.csv", "--label", "a")
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    words = ("--out", tmp_path / "m", "--epochs", "1", "--ensemble", "1", "--method", "deep_svdd", "network=mlp")
    run("fit", folder / "train", *words, "--fpr", "0.1")
    page = (tmp_path / "m" / "report.html").read_text()
    assert "There are no heat maps: the package captum is needed for explanations of DeepSVDD" in page
    said = refused("score", tmp_path / "m", folder / "new", "--out", out, "--heatmaps", tmp_path / "maps")
    assert "by integrated gradients: pip install 'semiad[explain]'" in said
    assert not out.exists() and not (tmp_path / "maps").exists()
    detector = Detector.load(tmp_path / "m")
    detector.preprocessor_.typical = None
    with pytest.raises(InputError, match="the model has no typical image"):
        detector.explain(read_images(folder / "new"))


def test_the_page_shows_images(folder: Path, model: Path) -> None:
    page = (model / "report.html").read_text()
    text = " ".join(re.sub(r"<style.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL).split())
    assert "ae detector of train" in text and "An image with a score above" in text
    assert "unlabelled/30.png score" in text and ", alarm; label: none" in text, "the broken one"
    for fact in ("anomalous 5", "checked normal 40", "unlabelled 31", "files png: 76", "16x16: 76", "grey: 76"):
        assert fact in text
    rest = text.replace("--budget ROWS", "")
    assert not re.search(r"\b[Rr]ows?\b|\btable", rest), "no word of tables"
    assert f"semiad score {model} NEW_FOLDER --out scored.csv --heatmaps maps" in text
    pictures = re.findall(r'<img src="data:image/jpeg;base64,([^"]+)"', page)
    assert len(pictures) == 20 and len(page) < 1_000_000
    for picture in pictures:
        with Image.open(BytesIO(b64decode(picture))) as image:
            assert image.size == (192, 192)
    assert not re.search(r"https?:", page) and "<script" not in page


def test_messages_speak_of_images(folder: Path, tmp_path: Path) -> None:
    detector = Detector("ae", epochs=1, ensemble=1, device="cpu")
    with pytest.warns(UserWarning, match=r"calibration images allow no false alarm rate .* 99 images are needed"):
        detector.fit(read_images(folder / "train"))
    detector.save(tmp_path / "m")
    with pytest.warns(UserWarning, match=r"calibration images allow no"):
        Detector.load(tmp_path / "m").predict(read_images(folder / "new"), fpr=0.001)
    with pytest.raises(InputError, match="1 of the images is not labelled anomalous"):
        Detector("ae").fit(parts(2, 0), [1, -1])
    said = refused("evaluate", tmp_path / "m", folder / "new")
    assert "has no labelled images, expected anomalies, checked normal images or both: images without" in said


@pytest.mark.slow  # starts Chromium
def test_the_page_fits_a_desk_and_a_phone(started: Chrome, model: Path) -> None:
    for width in (1280, 390):
        chromium.look(started, model / "report.html", width=width)
        assert started.execute_script("return document.documentElement.scrollWidth") <= width
        loaded = "return [...document.querySelectorAll('.pictures img')].map(i => i.naturalWidth * i.width)"
        assert all(started.execute_script(loaded)), "every picture is shown"
        pair = "const [a, b] = document.querySelectorAll('.pictures img'); return [a.y, b.y, a.x < b.x]"
        top, beside, right = started.execute_script(pair)
        assert top == beside and right, "the heat map is beside its image"
    assert started.get_log("browser") == []
