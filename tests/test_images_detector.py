"""Detectors of images: in Python, and by the command `semiad`."""

import json
import pickle
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import safetensors.torch
import torch
import torchvision
from PIL import Image
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

from semiad import Detector
from semiad.detector.composition import compose_method
from semiad.errors import InputError
from semiad.images import backbone, read_images
from semiad.images.backbone import Backbone, cached_weights, load_backbone
from semiad.images.preprocessor import ImagePreprocessor
from tests.test_cli import refused, run

QUICK = ("--epochs", "20", "--ensemble", "2", "--fpr", "0.05", "--device", "cpu")


def write(folder: Path, digit: int, rows: slice, channels: int = 1) -> None:
    """Write some of scikit-learn's digits as images."""
    data = load_digits()
    folder.mkdir(parents=True)
    for number in np.flatnonzero(data.target == digit)[rows]:
        pixels = (data.images[number] * 255 / 16).astype(np.uint8)
        Image.fromarray(pixels if channels == 1 else np.dstack([pixels] * channels)).save(folder / f"{number:04}.png")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with zeros as normal and unlabelled images, and few ones as anomalous ones; and others to test."""
    path = tmp_path_factory.mktemp("images")
    for name, digit, rows in (
        ("train/normal", 0, slice(0, 30)),
        ("train/unlabelled", 0, slice(30, 90)),
        ("train/anomalous", 1, slice(0, 8)),
        ("test/normal", 0, slice(90, 178)),
        ("test/anomalous", 1, slice(8, 60)),
        ("new", 1, slice(60, 70)),
    ):
        write(path / name, digit, rows)
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet18().state_dict(), path / "weights.pth")
    return path


@pytest.fixture(scope="module")
def model(folder: Path) -> Path:
    """A detector of pixels that a command has trained."""
    path = folder / "pixels.semiad"
    told = run("fit", folder / "train", "--out", path, *QUICK)
    assert "98 images (png: 98) of 8x8 pixels, grey; 8 anomalous, 30 checked normal, 60 unlabelled" in told
    assert "aesad: 2 members on 79 images, 20 epochs of 3 steps; 19 checked normal images for the threshold" in told
    assert f"semiad score {path} NEW_FOLDER --out scored.csv" in told
    return path


@pytest.fixture(scope="module")
def features(folder: Path) -> Path:
    """A detector of the features of a network with random weights."""
    path = folder / "features.semiad"
    words = ("--features", "resnet18", "--weights", folder / "weights.pth", "--size", "32")
    told = run("fit", folder / "train", "--out", path, *words, *QUICK)
    assert "98 images (png: 98), resized to 32x32 pixels" in told and "on the resnet18 features of 79 images" in told
    assert f"{path} holds the weights of resnet18, 45 MB" in told
    return path


def test_a_folder_is_scored_a_row_a_file(folder: Path, model: Path, tmp_path: Path) -> None:
    told = run("score", model, folder / "test", "--out", tmp_path / "scored.csv")
    assert f"{folder / 'test'}: 140 images, " in told
    scored = pl.read_csv(tmp_path / "scored.csv")
    assert scored.columns == ["file", "score", "p_value", "alarm"]
    files = sorted(path.relative_to(folder / "test").as_posix() for path in (folder / "test").rglob("*.png"))
    assert scored["file"].to_list() == files
    truth = scored["file"].str.starts_with("anomalous").to_numpy()
    assert roc_auc_score(truth, scored["score"].to_numpy()) > 0.97
    detector = Detector.load(model)
    np.testing.assert_array_equal(detector.decision_function(read_images(folder / "test")), scored["score"].to_numpy())
    assert (scored["alarm"].to_numpy() == (scored["p_value"].to_numpy() <= 0.05)).all()
    alone = pl.read_csv(run("score", model, folder / "new", "--out", "-").encode())
    assert len(alone) == 10 and "/" not in alone["file"][0]


def test_labels_of_subfolders_and_manifests_are_evaluated(folder: Path, model: Path, tmp_path: Path) -> None:
    told = run("evaluate", model, folder / "test")
    assert "52 anomalies, 88 normal images" in told and "AUC" in told
    shutil.copytree(folder / "test", tmp_path / "set")
    names = sorted(path.relative_to(tmp_path / "set").as_posix() for path in (tmp_path / "set").rglob("*.png"))
    lines = [f"{name},{'bad' if name.startswith('anomalous') else 'ok'}" for name in names]
    (tmp_path / "set" / "manifest.csv").write_text("\n".join(["file,label", *lines]))
    words = ("--anomaly", "bad", "--normal", "ok")
    assert "140 images" in run("score", model, tmp_path / "set", "--out", tmp_path / "scored.csv")  # reads no label
    for path in (tmp_path / "set", tmp_path / "set" / "manifest.csv"):
        again = run("evaluate", model, path, *words)
        assert again.splitlines()[1:] == told.splitlines()[1:]


def test_features_of_a_network_are_kept_with_the_model(folder: Path, features: Path, tmp_path: Path) -> None:
    weights = folder / "weights.pth"
    hidden = weights.rename(folder / "elsewhere.pth")
    try:  # the model needs no weights besides those in it
        run("score", features, folder / "test", "--out", tmp_path / "scored.csv")
    finally:
        hidden.rename(weights)
    scored = pl.read_csv(tmp_path / "scored.csv")
    preprocessor = ImagePreprocessor("resnet18", weights)
    options: dict[str, Any] = {"epochs": 20, "ensemble": 2, "fpr": 0.05, "device": "cpu", "random_state": 0}
    fitted = Detector(preprocessor=preprocessor, **options).fit(read_images(folder / "train", size=32))
    expected = fitted.decision_function(read_images(folder / "test", size=32))
    np.testing.assert_allclose(scored["score"].to_numpy(), expected, rtol=1e-4, atol=1e-4)
    config = json.loads((features / "config.json").read_text())["preprocessing"]
    assert config["features"] == "resnet18" and len(config["weights_sha256"]) == 64
    assert fitted.ensemble_.shape == (512,) and "by the features of resnet18" in (features / "README.md").read_text()
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.decision_function(read_images(folder / "test", size=32)), expected)


def test_features_are_those_of_torchvision(folder: Path) -> None:
    network = torchvision.models.resnet18()
    network.load_state_dict(torch.load(folder / "weights.pth", weights_only=True))
    images = read_images(folder / "new", size=32)
    made = load_backbone("resnet18", folder / "weights.pth").features(images)
    mean, std = (np.array(v).reshape(3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    x = torch.from_numpy(((images.x - mean) / std).astype(np.float32))
    with torch.inference_mode():
        logits = network.eval()(x)
        expected = network.fc(torch.from_numpy(made.astype(np.float32)))
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)


def test_arrays_of_images(tmp_path: Path) -> None:
    data = load_digits()
    x = data.images[data.target < 2] / 16
    y = np.where(data.target[data.target < 2] == 1, 1.0, np.nan)
    y[np.flatnonzero(y == 1)[10:]] = np.nan
    detector = Detector(epochs=3, ensemble=1, fpr=0.05, random_state=0, device="cpu")
    detector.fit(x, y)
    assert detector.ensemble_.shape == (1, 8, 8) and detector.n_features_in_ == 64
    scores = detector.decision_function(x[:, None].astype(np.float32))
    np.testing.assert_array_equal(scores, detector.decision_scores_)
    np.testing.assert_array_equal(clone(detector).fit(torch.from_numpy(x), y).decision_scores_, scores)
    assert detector.decision_function(x[:1]) == pytest.approx(scores[:1], abs=1e-5)
    detector.save(tmp_path / "m")
    np.testing.assert_array_equal(Detector.load(tmp_path / "m").decision_function(x), scores)
    assert "on images of 1x8x8" in (tmp_path / "m" / "README.md").read_text()
    table = detector.set_params(method="aesad").fit(x.reshape(len(x), -1), y)
    assert table.ensemble_.shape[0] <= 64 and len(table.ensemble_.shape) == 1


def test_methods_without_networks_take_pixels(folder: Path, tmp_path: Path) -> None:
    images = read_images(folder / "train")
    detector = Detector("iforest", ensemble=2, fpr=0.05, random_state=0).fit(images)
    expected = detector.decision_function(read_images(folder / "test"))
    detector.save(tmp_path / "m")
    np.testing.assert_array_equal(
        Detector.load(tmp_path / "m").decision_function(read_images(folder / "test")), expected
    )
    assert roc_auc_score(read_images(folder / "test").labels, expected) > 0.9


def test_of_images_auto_is_the_default_method(folder: Path, tmp_path: Path) -> None:
    assert "\naesad: 2 members on " in run("fit", folder / "train", "--out", tmp_path / "m", *QUICK)
    assert Detector.load(tmp_path / "m").method_ == "aesad"


def test_a_detector_refuses_what_it_was_not_fitted_to(folder: Path, model: Path, tmp_path: Path) -> None:
    detector = Detector.load(model)
    for x, sentence in (
        (np.zeros((2, 9, 9)), "X has images of 1x9x9, but the detector was fitted to 1x8x8 (channels x height x"),
        (np.zeros((2, 64)), "X has the rows of a table, but the detector was fitted to images"),
        (np.zeros((2, 3, 8, 8)), "X has images of 3x8x8, but the detector was fitted to 1x8x8"),
    ):
        with pytest.raises(InputError) as caught:
            detector.decision_function(x)
        assert sentence in str(caught.value)
    table = Detector("iforest", ensemble=1, fpr=0.05).fit(np.random.default_rng(0).random((60, 3)))
    with pytest.raises(InputError, match="X has images, but the detector was fitted to the rows of a table"):
        table.decision_function(read_images(folder / "new"))
    table.save(tmp_path / "table")
    assert "is a folder of images, but the detector was fitted to a table" in refused(
        "score", tmp_path / "table", folder / "new", "--out", "-"
    )
    with pytest.raises(InputError, match="preprocessor is of type ImagePreprocessor, but X has the rows of a table"):
        Detector(preprocessor=ImagePreprocessor()).fit(np.zeros((60, 3)))


def test_new_images_are_brought_to_the_size_and_channels_of_training(folder: Path, model: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    name = next((folder / "new").iterdir()).name
    with Image.open(folder / "new" / name) as image:
        image.convert("RGB").save(tmp_path / "new" / name)  # the same pixels in three channels
        larger = image.resize((9, 9))
    scores = {
        row["file"]: row["score"]
        for row in pl.read_csv(run("score", model, folder / "new", "--out", "-").encode()).rows(named=True)
    }
    again = pl.read_csv(run("score", model, tmp_path / "new", "--out", "-").encode())
    assert again["score"][0] == pytest.approx(scores[name], abs=1e-5)
    larger.save(tmp_path / "new" / "larger.png")
    assert refused("score", model, tmp_path / "new", "--out", "-").endswith(
        "larger.png has the size 9x9, expected 8x8 (height x width)"
    )
    run("fit", folder / "train", "--out", tmp_path / "resized", "--size", "8", *QUICK)
    assert len(run("score", tmp_path / "resized", tmp_path / "new", "--out", "-").splitlines()) == 3


def test_check_tells_what_may_be_wrong(folder: Path, tmp_path: Path) -> None:
    told = run("check", folder / "train")
    assert "98 images (png: 98) of 8x8 pixels, grey; 8 anomalous, 30 checked normal, 60 unlabelled" in told
    assert "--out MODEL` would train on 68 images and hold out 30 checked normal images for the threshold" in told
    assert "warning" not in told
    shutil.copytree(folder / "train", tmp_path / "set")
    first = min((tmp_path / "set" / "normal").iterdir())
    shutil.copy(first, tmp_path / "set" / "anomalous" / "copy.png")
    told = run("check", tmp_path / "set")
    assert "warning: 1 of 99 images are copies of others, such as normal/" in told
    assert f"warning: anomalous/copy.png and normal/{first.name} are equal, but one is normal and one anomalous" in told
    for number in range(3):
        path = tmp_path / "dark" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((8, 8), 4000 + number, dtype=np.uint16)).save(path)
    assert "warning: no image is brighter than 0.061, where 1 is white" in run("check", tmp_path / "dark")


def test_mistakes_are_sentences(folder: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train, out = folder / "train", tmp_path / "m"
    monkeypatch.chdir(tmp_path)
    Path("x.csv").write_text("a,b\n1,2\n")
    for words, sentence in (
        (("fit", train, "--out", out, "--label", "y"), "is a folder of images, and --label is an option for tables"),
        (("fit", "x.csv", "--out", out, "--size", "8"), "x.csv is no folder, and --size is an option for folders of"),
        (("fit", train, "--out", out, "--weights", "w.pth"), "weights is w.pth, but features names no network"),
        (("fit", train, "--out", out, "--features", "resnt"), "features is resnt, expected the name of a network for"),
        (("fit", train, "--out", out, "--features", "squeezenet1_0"), "which ends in no linear layer"),
        (("fit", train, "--out", out, "--method", "deep_sad"), "network lenet needs images of 28x28 or 32x32"),
        (("fit", train / "anomalous", "--out", out, "--size", "x"), "size is x, expected a number of pixels from 1"),
        (("fit", tmp_path, "--out", out), "has no images; it has 1 other file, such as x.csv"),
        (("evaluate", model, folder / "new"), "has no labelled images, expected anomalies"),
        (("evaluate", model, "x.csv"), "name the column of labels of x.csv: --label COLUMN"),
        (("score", model, "x.csv", "--out", "-"), "the detector was fitted to images, which a table cannot stand for"),
        (("score", model, train, "--out", "-", "--keep"), "is a folder of images, and --keep is an option for tables"),
    ):
        assert sentence in refused(*words)
        assert not out.exists()
    (tmp_path / "one").mkdir()
    shutil.copytree(train / "anomalous", tmp_path / "one" / "anomalous")
    assert f"every image of {tmp_path / 'one'} is anomalous" in refused("fit", tmp_path / "one", "--out", out)
    shutil.copytree(folder / "new", tmp_path / "new")
    (tmp_path / "new" / "broken.png").write_bytes(
        (tmp_path / "new" / min((tmp_path / "new").iterdir()).name).read_bytes()[:60]
    )
    assert "broken.png cannot be read as an image" in refused("score", model, tmp_path / "new", "--out", "-")


def test_normal_images_alone_can_be_learnt_from(folder: Path, tmp_path: Path) -> None:
    told = run("fit", folder / "train" / "unlabelled", "--out", tmp_path / "m", *QUICK)
    assert "60 images (png: 60) of 8x8 pixels, grey; 0 anomalous, 0 checked normal, 60 unlabelled" in told
    with pytest.warns(UserWarning, match="no image is labelled anomalous"):
        Detector(epochs=1, ensemble=1, fpr=0.1).fit(read_images(folder / "train" / "normal"))


def test_networks_of_the_papers_and_others(folder: Path, tmp_path: Path) -> None:
    words = ("--out", tmp_path / "m", "--size", "28", "--epochs", "1", "--ensemble", "1", "--fpr", "0.05")
    run("fit", folder / "train", *words, "--method", "deep_sad", "method.pretraining.epochs=1")
    assert "LeNet" in (tmp_path / "m" / "methods.yaml").read_text()
    composition = compose_method("deep_sad", None, None, None, ["network=vgg"], "image")
    assert composition.method["net"]["_target_"].endswith("VGG")
    assert compose_method("deep_sad", None, None, None, [], "table").method["net"]["_target_"].endswith("MLP")


def test_weights_that_cannot_be_had(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))

    def offline(*args: object, **options: object) -> None:
        raise OSError("no network")

    with pytest.raises(InputError) as caught:
        cached_weights("resnet18", offline)
    expected = tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    assert str(caught.value).startswith(f"the weights of resnet18 are not at {expected}, and cannot be downloaded from")
    assert "put the file there, or name one with --weights FILE" in str(caught.value)
    shutil.copy(folder / "weights.pth", expected)
    assert load_backbone("resnet18").name == "resnet18"


def test_files_that_are_no_weights(folder: Path, tmp_path: Path) -> None:
    state = torch.load(folder / "weights.pth", weights_only=True)
    path = tmp_path / "w.pth"
    for content, sentence in (
        ([1, 2], "w.pth: it holds no state dict, expected tensors by name"),
        ({"x": torch.zeros(1)}, "w.pth: the weights are not those of resnet18: there is no "),
        ({**state, "conv1.weight": torch.zeros(1)}, "w.pth: the weights are not those of resnet18 (size mismatch for"),
        (print, "w.pth: it is no file of weights that can be read"),
    ):
        torch.save(content, path)
        with pytest.raises(InputError) as caught:
            load_backbone("resnet18", path)
        assert sentence in str(caught.value)
    safetensors.torch.save_file({k: v for k, v in state.items() if not k.startswith("fc.")}, tmp_path / "w.safetensors")
    assert isinstance(load_backbone("resnet18", tmp_path / "w.safetensors"), Backbone)
    assert len(backbone.networks()) > 50


def test_a_network_of_timm(folder: Path, tmp_path: Path) -> None:
    timm = pytest.importorskip("timm", reason="timm is an extra: pip install semiad[timm]")
    network = timm.create_model("resnet10t", pretrained=False).eval()
    torch.save(network.state_dict(), tmp_path / "w.pth")
    images = read_images(folder / "new", size=32)
    made = load_backbone("timm/resnet10t", tmp_path / "w.pth").features(images)
    mean, std = (np.array(network.pretrained_cfg[key]).reshape(3, 1, 1) for key in ("mean", "std"))
    with torch.inference_mode():
        logits = network(torch.from_numpy(((images.x - mean) / std).astype(np.float32)))
        torch.testing.assert_close(logits, network.fc(torch.from_numpy(made).float()), rtol=1e-4, atol=1e-4)
    with pytest.raises(InputError, match=r"features is timm/local-dir:x, but timm .* has no network local-dir:x"):
        load_backbone("timm/local-dir:x")


def test_without_timm_a_sentence_says_how_to_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(InputError, match=r"the package timm is needed for features=timm/resnet10t: pip install"):
        load_backbone("timm/resnet10t")


def test_a_state_that_was_changed_is_refused(features: Path) -> None:
    config, arrays = Detector.load(features).preprocessor_.state()
    for changed, sentence in (
        ({"format": 2}, "the preprocessing has format 2, expected 1"),
        ({"shape": [1, 2]}, "the preprocessing is damaged (its images have the shape (1, 2))"),
        ({"shape": "x"}, "the preprocessing is damaged (Expected `array`"),
        ({"features": "resnet34"}, "the weights are not those of resnet34"),
    ):
        with pytest.raises(InputError) as caught:
            ImagePreprocessor.from_state({**config, **changed}, arrays)
        assert sentence in str(caught.value)
