"""A detector as a folder, or a zip file of it: weights, configuration, preprocessing and a model card.

Loading runs no code of the folder's.

`config.json` has the sha256 of every other file, and its own with that field left as zeros.
"""

import json
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile, is_zipfile
from zipfile import Path as ZipPath

import numpy as np
import safetensors
import safetensors.torch
import skops.io
import torch
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import Tensor
from yaml import YAMLError

import semiad
from semiad.detector.calibration import Calibration
from semiad.detector.candidates import AUTO, Candidate
from semiad.detector.ensemble import Ensemble, Group, State
from semiad.detector.inputs import noun_of, restore_preprocessor
from semiad.detector.model_card import model_card
from semiad.detector.probability import Probability
from semiad.detector.trust import check_config, check_types
from semiad.errors import InputError, described
from semiad.ledger.atomic import atomic_folder, atomic_write, check_absent
from semiad.ledger.provenance import distributions, versions

if TYPE_CHECKING:
    from semiad.detector.estimator import Detector

UNREADABLE = (OSError, BadZipFile, RuntimeError, zlib.error)
"""What reading a file raises, in a folder or in a zip file (damaged, encrypted, of a newer version)."""
FORMAT = 3
"""The version of the format; a folder of another one is refused."""
CONFIG, METHODS, WEIGHTS, MEMBERS, CARD, REPORT = (
    "config.json",
    "methods.yaml",
    "model.safetensors",
    "members.skops",
    "README.md",
    "report.html",
)
NAMES = (METHODS, WEIGHTS, MEMBERS, CARD, REPORT)
"""Files that a folder may have besides its configuration."""
ZEROS = "0" * 64
PARAMETERS = (
    "network",
    "epochs",
    "batch_size",
    "ensemble",
    "folds",
    "repeats",
    "calibration",
    "fpr",
    "device",
    "verbose",
)
"""Parameters of the detector that are kept as they are."""


@dataclass(frozen=True)
class Content:
    """The files of a model folder, read and checked.

    Attributes:
        config: `config.json`.
        tensors: `model.safetensors`.
        files: the other files.
    """

    config: dict[str, Any]
    tensors: dict[str, Tensor]
    files: dict[str, bytes]


# Writing


def save_model(detector: "Detector", path: Path, report: str | None = None) -> None:
    """Write a fitted detector into a new folder, or a zip file of the folder, completely or not at all.

    Args:
        detector: to write.
        path: of the folder; of the file, if it ends in `.zip`.
        report: the page `report.html`; None for no page.

    Raises:
        InputError: the path exists, or cannot be written to.
    """
    check_absent(path)
    files = model_files(detector, report)
    try:
        if path.suffix == ".zip":
            with atomic_write(path) as draft, ZipFile(draft, "w") as archive:
                for name, content in files.items():
                    archive.writestr(name, content)
            return
        with atomic_folder(path) as draft:
            for name, content in files.items():
                (draft / name).write_bytes(content)
    except OSError as error:
        raise InputError(f"{path} cannot be written to ({error.strerror}); nothing was left there") from error


def model_files(detector: "Detector", report: str | None) -> dict[str, bytes]:
    """Make the files of the folder."""
    ensemble = detector.ensemble_
    columns, arrays = detector.preprocessor_.state()
    tensors = {
        "calibration.scores": torch.from_numpy(detector.calibration_.scores),
        "ensemble.centres": torch.from_numpy(np.asarray(ensemble.centres)),
        "ensemble.spreads": torch.from_numpy(np.asarray(ensemble.spreads)),
        **{f"preprocessing.{name}": torch.from_numpy(np.asarray(value)) for name, value in arrays.items()},
    }
    groups = ensemble.groups
    files = {METHODS: OmegaConf.to_yaml(OmegaConf.create([dict(group.config) for group in groups])).encode()}
    classical = {str(k): list(group.states) for k, group in enumerate(groups) if group.is_classical}
    if classical:
        files[MEMBERS] = skops.io.dumps(classical)
    for k, group in enumerate(groups):
        for member, state in enumerate(() if group.is_classical else group.states):
            tensors |= {f"member.{k}.{member}.{name}": value for name, value in state.items()}
    files[WEIGHTS] = safetensors.torch.save({name: value.contiguous() for name, value in tensors.items()})
    config = {
        "format": FORMAT,
        "sha256": ZEROS,
        "versions": {**versions(), **{k: v for group in groups for k, v in distributions(group.config).items()}},
        "methods": [
            {"name": candidate.method, "overrides": list(candidate.overrides), "members": len(group.states)}
            for candidate, group in zip(detector.candidates_, groups, strict=True)
        ],
        "shape": list(ensemble.shape),
        "parameters": parameters(detector),
        "features": {
            "count": detector.n_features_in_,
            "names": [str(name) for name in getattr(detector, "feature_names_in_", ())],
        },
        "preprocessing": columns,
        "labels": {"anomaly": 1, "checked normal": 0, "unlabelled": [-1, None]},
        "training": detector.summary_,
        "calibration": {"rows": len(detector.calibration_.scores), "threshold": detector.threshold_},
        "probability": None if detector.probability_ is None else asdict(detector.probability_),
    }
    files[CARD] = model_card(config).encode()
    if report is not None:
        files[REPORT] = report.encode()
    config["files"] = {name: sha256(content).hexdigest() for name, content in sorted(files.items())}
    return {**files, CONFIG: sealed(config)}


def parameters(detector: "Detector") -> dict[str, Any]:
    """Give the parameters of a detector that can be written as JSON."""
    kept = {name: getattr(detector, name) for name in PARAMETERS}
    kept = {name: value.item() if isinstance(value, np.generic) else value for name, value in kept.items()}
    state = detector.random_state
    return {
        **kept,
        "random_state": int(state) if isinstance(state, int | np.integer) else None,
    }


def sealed(config: Mapping[str, Any]) -> bytes:
    """Write `config.json`, with its own hash in place of the zeros."""
    text = json.dumps(config, indent=2, allow_nan=False).encode()
    return text.replace(ZEROS.encode(), sha256(text).hexdigest().encode(), 1)


# Reading


def load_model(detector: "Detector", path: Path, device: torch.device, trusted: Sequence[str]) -> None:
    """Read a folder, or a zip file of it, into a detector.

    Raises:
        InputError: the folder is no model, is damaged, or is of a newer format.
    """
    content = read_folder(path)
    try:
        restore(detector, content, device, trusted)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError) as error:
        raise InputError(f"{path} holds no detector that can be used ({described(error)})") from error


def restore(detector: "Detector", content: Content, device: torch.device, trusted: Sequence[str]) -> None:
    """Set what `fit` would have set, but for what belongs to its rows."""
    config, tensors = content.config, content.tensors
    configs = read_methods(content.files[METHODS])
    for method in configs:
        check_config(method, trusted)
    candidates = tuple(Candidate(one["name"], tuple(one["overrides"])) for one in config["methods"])
    arrays = {name: value.numpy() for name, value in with_prefix(tensors, "preprocessing.").items()}
    groups = member_groups(content, configs, trusted)
    members = sum(len(group.states) for group in groups)
    detector.set_params(**config["parameters"])
    if len(candidates) == 1:
        detector.set_params(method=candidates[0].method, overrides=candidates[0].overrides)
    else:
        detector.set_params(method=AUTO, best=len(candidates))
    detector.preprocessor_ = restore_preprocessor(config["preprocessing"], arrays, device)
    detector.ensemble_ = Ensemble(
        groups,
        config["shape"],
        device,
        numbers(tensors, "ensemble.centres", members),
        numbers(tensors, "ensemble.spreads", members),
    )
    scores = numbers(tensors, "calibration.scores", config["calibration"]["rows"])
    detector.calibration_ = Calibration(scores, noun_of(detector.preprocessor_))
    detector.candidates_, detector.comparison_, detector.summary_ = candidates, None, config["training"]
    odds = config.get("probability")  # older folders have none
    detector.probability_ = None if odds is None else Probability(**{name: float(odds[name]) for name in odds})
    detector.n_features_in_ = config["features"]["count"]
    if config["features"]["names"]:
        detector.feature_names_in_ = np.array(config["features"]["names"], dtype=object)


def read_methods(text: bytes) -> list[dict[str, Any]]:
    """Read the configurations of the methods, without interpolations being looked up.

    Raises:
        InputError: it is no configuration.
    """
    try:
        configs = OmegaConf.to_container(OmegaConf.create(text.decode()), resolve=False)
    except (OmegaConfBaseException, YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{METHODS} is no configuration ({described(error)})") from error
    if not isinstance(configs, list) or not configs or not all(isinstance(config, dict) for config in configs):
        raise InputError(f"{METHODS} is no list of configurations")
    return [{str(name): value for name, value in config.items()} for config in configs]


def numbers(tensors: Mapping[str, Tensor], name: str, count: int) -> np.ndarray:
    """Take a tensor that is a list of numbers.

    Raises:
        InputError: it is none, or has another length.
    """
    values: np.ndarray = tensors[name].numpy()
    if count < 1 or values.shape != (count,) or np.isnan(values).any():
        raise InputError(f"{name} in {WEIGHTS} has the shape {list(values.shape)}, expected {count} numbers")
    return values


def member_groups(content: Content, configs: Sequence[dict[str, Any]], trusted: Sequence[str]) -> list[Group]:
    """Take what each member has learnt out of the files.

    Raises:
        InputError: the files have other methods, or another number of members, than the configuration says.
    """
    methods = content.config["methods"]
    if len(configs) != len(methods):
        raise InputError(f"{METHODS} has {len(configs)} methods, but {CONFIG} has {len(methods)}")
    classical = read_members(content.files[MEMBERS], trusted) if MEMBERS in content.files else {}
    groups = []
    for k, (config, said) in enumerate(zip(configs, methods, strict=True)):
        states = classical.get(str(k)) or [
            with_prefix(content.tensors, f"member.{k}.{member}.") for member in range(said["members"])
        ]
        group = Group(config, states)
        if not states or len(states) != said["members"] or group.is_classical != (str(k) in classical):
            raise InputError(f"{CONFIG} has {said['members']} members of {said['name']}, which the files do not have")
        groups.append(group)
    return groups


def read_members(data: bytes, trusted: Sequence[str]) -> dict[str, list[State]]:
    """Read the attributes of fitted classical methods; no type that is not allowed is made.

    Raises:
        InputError: there is such a type, or the file is damaged.
    """
    try:
        types = skops.io.get_untrusted_types(data=data)
        check_types(types, trusted)
        states: dict[str, list[State]] = skops.io.loads(data, trusted=types)
    except InputError:
        raise
    except Exception as error:  # whatever zip, JSON and skops say of a damaged file
        raise InputError(f"{MEMBERS} cannot be read ({described(error)})") from error
    return states


def with_prefix(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Take the tensors whose names begin with a prefix, by the rest of their names."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def read_folder(path: Path) -> Content:
    """Read the files of a folder, and check them against their hashes.

    Raises:
        InputError: the folder is no model, is damaged, or is of a newer format.
    """
    folder = unpacked(path)
    config = read_config(folder)
    names = {*config["files"]}
    present = {entry.name for entry in folder.iterdir() if not entry.name.startswith(".")} - {CONFIG}
    if unlisted := sorted(present - names):
        raise InputError(f"{path} has the file {unlisted[0]}, which its {CONFIG} does not list: remove it")
    files = {}
    for name, expected in config["files"].items():
        if name != os.path.basename(name) or name not in NAMES:  # noqa: PTH119
            raise InputError(f"{folder / CONFIG} lists the file {name}, which no model has")
        try:
            files[name] = (folder / name).read_bytes()
        except UNREADABLE as error:
            raise InputError(f"{folder / name} cannot be read ({reason(error)})") from error
        if sha256(files[name]).hexdigest() != expected:
            raise InputError(f"{folder / name} is damaged: its sha256 is not the one in {CONFIG}")
    for name in (METHODS, WEIGHTS):
        if name not in files:
            raise InputError(f"{folder / CONFIG} lists no {name}")
    try:
        tensors = safetensors.torch.load(files.pop(WEIGHTS))
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise InputError(f"{folder / WEIGHTS} is no file of safetensors ({described(error)})") from error
    return Content(config, tensors, files)


def unpacked(path: Path) -> Path | ZipPath:
    """Give the folder to read: of a zip file what it holds, or the one folder in it.

    Raises:
        InputError: the zip file is damaged.
    """
    if not is_zipfile(path):
        return path
    try:
        inside = ZipPath(path)
        entries = [entry for entry in inside.iterdir() if not entry.name.startswith((".", "__MACOSX"))]
    except UNREADABLE as error:
        raise InputError(f"{path} cannot be read ({reason(error)})") from error
    return entries[0] if len(entries) == 1 and entries[0].is_dir() else inside


def reason(error: Exception) -> str:
    """Say why a file cannot be read: in the words of the system, if it is one of its errors."""
    return getattr(error, "strerror", None) or described(error)


def read_config(path: Path | ZipPath) -> dict[str, Any]:
    """Read and check `config.json`.

    Raises:
        InputError: there is none, it is damaged, or of a newer format.
    """
    file = path / CONFIG
    try:
        data = file.read_bytes()
    except UNREADABLE as error:
        raise InputError(
            f"{file} cannot be read ({reason(error)}): expected the folder of a saved detector, or a zip file of it"
        ) from error
    try:
        config = json.loads(data)
        version, seal = config["format"], config["sha256"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{file} is damaged, or no configuration of a detector ({described(error)})") from error
    if isinstance(version, int) and version != FORMAT:
        advice = "install a newer semiad" if version > FORMAT else "fit the detector anew"
        raise InputError(
            f"{file} is of format {version}, but semiad {semiad.__version__} reads format {FORMAT}: {advice}"
        )
    zeroed = data.replace(str(seal).encode(), ZEROS.encode(), 1)
    if version != FORMAT or sha256(zeroed).hexdigest() != seal or not isinstance(config.get("files"), dict):
        raise InputError(f"{file} is damaged: its content does not have the sha256 that it names")
    return dict(config)
