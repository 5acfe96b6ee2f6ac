import contextlib
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
import safetensors.torch
import skops.io

from semiad import Detector
from semiad.detector import model_folder
from semiad.detector.trust import check_config
from semiad.errors import InputError

ZEROS = "0" * 64


def rows() -> tuple[np.ndarray, np.ndarray]:
    draws = np.random.default_rng(0)
    return draws.normal(size=(120, 3)), np.where(np.arange(120) < 5, 1, -1)


@pytest.fixture(scope="module")
def detectors() -> dict[str, Detector]:
    x, y = rows()
    settings: dict[str, Any] = {"epochs": 1, "ensemble": 2, "random_state": 0, "fpr": 0.1, "device": "cpu"}
    return {
        "aesad": Detector("aesad", **settings).fit(x, y),
        "iforest": Detector("iforest", **settings, overrides=["method.trees=5"]).fit(x, y),
    }


@pytest.fixture
def folder(detectors: dict[str, Detector], tmp_path: Path) -> Path:
    detectors["aesad"].save(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def trees(detectors: dict[str, Detector], tmp_path: Path) -> Path:
    detectors["iforest"].save(tmp_path / "trees")
    return tmp_path / "trees"


def seal(folder: Path, change: Callable[[dict[str, Any]], object] = lambda config: None) -> None:
    """Write a configuration whose hashes are right, as somebody who means harm would."""
    config = json.loads((folder / "config.json").read_text())
    config["sha256"] = ZEROS
    config["files"] = {
        path.name: sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.name != "config.json"
    }
    change(config)
    (folder / "config.json").write_bytes(model_folder.sealed(config))


def test_scores_of_a_fresh_process(detectors: dict[str, Detector], folder: Path, tmp_path: Path) -> None:
    x, _ = rows()
    np.save(tmp_path / "x.npy", x)
    code = (
        "import numpy as np; from semiad import Detector; d = Detector.load('model', device='cpu');"
        "np.savez('s.npz', s=d.decision_function(np.load('x.npy')), a=d.predict(np.load('x.npy')), t=d.threshold_)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=environment)
    scored = np.load(tmp_path / "s.npz")
    detector = detectors["aesad"]
    assert (scored["s"] == detector.decision_function(x)).all() and scored["t"] == detector.threshold_
    assert (scored["a"] == detector.predict(x)).all()


def test_a_loaded_detector_has_its_parameters_and_can_be_fitted_and_saved_again(
    detectors: dict[str, Detector], folder: Path, trees: Path, tmp_path: Path
) -> None:
    x, y = rows()
    for path, detector in ((folder, detectors["aesad"]), (trees, detectors["iforest"])):
        loaded = Detector.load(path, device="cpu")
        parameters = {**detector.get_params(), "overrides": tuple(detector.overrides)}
        assert loaded.get_params() == parameters and loaded.method_ == detector.method
        assert loaded.summary_ == detector.summary_ and loaded.n_features_in_ == 3
        loaded.save(tmp_path / f"again-{path.name}")
        for file in path.iterdir():
            if file.suffix == ".safetensors":
                assert file.read_bytes() == (tmp_path / f"again-{path.name}" / file.name).read_bytes()
        assert (loaded.fit(x, y).decision_scores_ == detector.decision_scores_).all()


def test_the_card_says_what_the_model_is(folder: Path) -> None:
    card = (folder / "README.md").read_text()
    assert card.startswith("# aesad detector") and "| labelled anomalous | 5 |" in card and "{" not in card
    assert "A member took 4 steps at most" in card and "at a false alarm rate of 0.0833 (split" in card


def test_an_existing_path_is_refused(detectors: dict[str, Detector], folder: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(InputError, match="exists already"):
        detectors["aesad"].save(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot be written to .Not a directory.; nothing was left"):
        detectors["aesad"].save(tmp_path / "file" / "model")


def test_a_full_disk_leaves_nothing(
    detectors: dict[str, Detector], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if path.name == "model.safetensors":
            raise OSError(28, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="No space left on device"):
        detectors["aesad"].save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_any_changed_byte_is_refused(folder: Path, trees: Path) -> None:
    draws = np.random.default_rng(0)
    for path in (file for model in (folder, trees) for file in sorted(model.iterdir())):
        data = path.read_bytes()
        for place in {0, len(data) - 1, *draws.integers(0, len(data), 30).tolist()}:
            path.write_bytes(data[:place] + bytes([data[place] ^ 1 << int(draws.integers(8))]) + data[place + 1 :])
            with pytest.raises(InputError):
                Detector.load(path.parent)
        path.write_bytes(data)
    Detector.load(folder), Detector.load(trees)


def test_a_zip_file_is_read_as_its_folder_is(detectors: dict[str, Detector], folder: Path, tmp_path: Path) -> None:
    x, _ = rows()
    detectors["aesad"].save(tmp_path / "saved.zip")
    shutil.make_archive(str(tmp_path / "flat"), "zip", folder)
    shutil.make_archive(str(tmp_path / "whole"), "zip", tmp_path, folder.name)
    for name in ("saved", "flat", "whole"):
        loaded = Detector.load(tmp_path / f"{name}.zip")
        assert (loaded.decision_function(x) == detectors["aesad"].decision_function(x)).all()
    with pytest.raises(InputError, match="exists already"):
        detectors["aesad"].save(tmp_path / "saved.zip")
    data = bytearray((tmp_path / "saved.zip").read_bytes())
    data[data.index(b"model.safetensors") + 200] ^= 1
    (tmp_path / "saved.zip").write_bytes(data)
    with pytest.raises(InputError, match=r"saved.zip/model.safetensors .*cannot be read \(BadZipFile"):
        Detector.load(tmp_path / "saved.zip")
    shutil.copytree(folder, tmp_path / "mac" / folder.name)
    (tmp_path / "mac" / "__MACOSX").mkdir()
    (tmp_path / "mac" / "__MACOSX" / "._config.json").touch()
    shutil.make_archive(str(tmp_path / "mac"), "zip", tmp_path / "mac")
    assert Detector.load(tmp_path / "mac.zip").method_ == "aesad"
    whole = (tmp_path / "whole.zip").read_bytes()
    for at in range(60, len(whole), len(whole) // 60):
        damaged = bytearray(whole)
        damaged[at] ^= 0x5A
        (tmp_path / "damaged.zip").write_bytes(damaged)
        with contextlib.suppress(InputError):  # and nothing else; a byte may be one that nobody reads
            Detector.load(tmp_path / "damaged.zip")
    with ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a.txt", "x")
    with pytest.raises(InputError, match=r"other.zip/config.json cannot be read .* or a zip file of it"):
        Detector.load(tmp_path / "other.zip")


def test_a_missing_file_a_further_file_and_no_folder(folder: Path, tmp_path: Path) -> None:
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        path.unlink()
        with pytest.raises(InputError, match=path.name):
            Detector.load(folder)
        path.write_bytes(data)
    (folder / "model.pkl").write_bytes(b"x")
    with pytest.raises(InputError, match=r"model.pkl, which its config.json does not list"):
        Detector.load(folder)
    with pytest.raises(InputError, match="cannot be read"):
        Detector.load(tmp_path / "none")


@pytest.mark.parametrize(("version", "advice"), [(4, "install a newer semiad"), (2, "fit the detector anew")])
def test_another_format_is_refused(version: int, advice: str, folder: Path) -> None:
    seal(folder, lambda config: config.update(format=version))
    with pytest.raises(InputError, match=rf"format {version}, but semiad .* reads format 3: {advice}"):
        Detector.load(folder)


class Evil:
    """Leaves a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch executed",)


def test_pickles_are_not_executed(folder: Path, trees: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path in (folder / "model.safetensors", folder / "methods.yaml", trees / "members.skops"):
        data = path.read_bytes()
        path.write_bytes(pickle.dumps(Evil()))
        seal(path.parent)
        with pytest.raises(InputError):
            Detector.load(path.parent)
        path.write_bytes(data)
    seal(trees)
    Detector.load(trees)
    (trees / "members.skops").write_bytes(skops.io.dumps({"0": [{"forest": Path("x"), "hook": os.system}]}))
    seal(trees)
    with pytest.raises(InputError, match="which is not allowed"):
        Detector.load(trees)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    "node",
    [
        {"_target_": "os.system", "command": "touch executed"},
        {"_target_": "semiad.train.os.system", "command": "x"},
        {"_target_": "semiad.methods.base.nn.Module.load_state_dict"},
        {"_target_": "torch.nn.init.os"},
        {"_target_": "torch.optim.optimizer.functools.partial"},
        {"_target_": "semiad.methods.ae.AE", "_args_": [1]},
        {"_target_": "semiad.methods.aesad.AESAD", "net": {"_target_": "subprocess.Popen", "args": "ls"}},
        {"_target_": "semiad.methods.aesad.AESAD", "net": ["${oc.env:HOME}"]},
        {"_target_": ["os.system"]},
        {"_target_": "semiad.methods.none.Method"},
    ],
)
def test_configurations_that_name_other_objects(node: dict[str, Any], folder: Path) -> None:
    with pytest.raises(InputError):
        check_config(node, ())
    (folder / "methods.yaml").write_text(json.dumps([node]))
    seal(folder)
    with pytest.raises(InputError):
        Detector.load(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"methods": [{"name": "aesad", "overrides": [], "members": 3}]},
        {"methods": [{"name": "aesad", "overrides": [], "members": "a"}]},
        {"methods": [{"name": "aesad", "overrides": [], "members": 0}]},
        {"methods": [{"name": "aesad", "overrides": [], "members": -1}]},
        {"calibration": {"rows": 0}},
        {"methods": []},
        {"methods": [{"name": "aesad"}]},
        {"methods": [{"name": "aesad", "overrides": [], "members": 2}] * 2},
        {"shape": [4]},
        {"shape": None},
        {"parameters": {"nonsense": 1}},
        {"preprocessing": {}},
        {"training": None, "features": None},
    ],
)
def test_contents_that_do_not_fit(change: dict[str, Any], folder: Path, unchecked_types: None) -> None:
    seal(folder, lambda config: config.update(change))
    with pytest.raises(InputError):
        Detector.load(folder)


@pytest.mark.parametrize("name", ["ensemble.centres", "ensemble.spreads", "calibration.scores"])
def test_numbers_of_another_shape_are_refused(name: str, folder: Path) -> None:
    path = folder / "model.safetensors"
    tensors = safetensors.torch.load(path.read_bytes())
    for wrong in (tensors[name][:1], tensors[name][:0], tensors[name][None], tensors[name] * float("nan")):
        path.write_bytes(safetensors.torch.save({**tensors, name: wrong.contiguous()}))
        seal(folder)
        with pytest.raises(InputError, match=rf"{name} in model.safetensors has the shape .*, expected \d+ numbers"):
            Detector.load(folder)


def test_methods_and_members_are_as_many_as_the_configuration_says(folder: Path, trees: Path) -> None:
    text = (folder / "methods.yaml").read_text()
    (folder / "methods.yaml").write_text(text * 2)
    seal(folder)
    with pytest.raises(InputError, match=r"methods\.yaml has 2 methods, but config.json has 1"):
        Detector.load(folder)
    (trees / "members.skops").unlink()
    seal(trees)
    with pytest.raises(InputError, match=r"config\.json has 2 members of iforest, which the files do not have"):
        Detector.load(trees)
