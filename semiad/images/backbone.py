"""Features of a pretrained network of torchvision."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.parse import urlparse

import numpy as np
import safetensors.torch
import torch
from jaxtyping import Float
from torch import Tensor, nn

from semiad.errors import InputError, described
from semiad.extras import optional_import
from semiad.images.collection import Images

with optional_import("torchvision", "images", "features of images"):
    import torchvision

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's channels, by which torchvision's networks were trained."""
TIMM = "timm/"
"""Begins the names of networks of timm."""


class Backbone:
    """A frozen network of torchvision or timm without its last layer: images in, features out.

    Args:
        name: of the network, see `headless`.
        state: its weights by name; those of the last layer may be absent.
        sha256: of the file of the weights.

    Raises:
        InputError: there is no such network, it ends in no linear layer, or the weights are not its own.
    """

    def __init__(self, name: str, state: Mapping[str, Tensor], sha256: str) -> None:
        self.name, self.sha256 = name, sha256
        module, head, self.mean, self.std = headless(name)
        wanted = {key for key in module.state_dict() if not key.endswith("num_batches_tracked")}
        kept = {key: value for key, value in state.items() if not key.startswith(f"{head}.") and key in wanted}
        if missing := sorted(wanted - {*kept}):
            raise InputError(f"the weights are not those of {name}: there is no {missing[0]}")
        try:
            module.load_state_dict(kept, strict=False)
        except RuntimeError as error:
            reason = " ".join(str(error).split(":", 1)[-1].split())
            raise InputError(f"the weights are not those of {name} ({reason[:200]})") from error
        self.state: dict[str, Tensor] = {key: value.detach().cpu().float().contiguous() for key, value in kept.items()}

    @property
    def size_mb(self) -> float:
        """Megabytes of the weights."""
        return sum(value.numel() * value.element_size() for value in self.state.values()) / 1e6

    @cached_property
    def module(self) -> nn.Module:
        """The network, in eval mode."""
        module = headless(self.name).module
        module.load_state_dict(self.state, strict=False)
        return module.eval().requires_grad_(False)

    def __getstate__(self) -> dict[str, Any]:
        """Give all but the network, which is built again."""
        return {key: value for key, value in vars(self).items() if key != "module"}

    def features(self, images: Images, device: torch.device | None = None) -> np.ndarray:
        """Compute the features of images, which are read part by part.

        Returns:
            Float64, (images, features).

        Raises:
            InputError: an image cannot be read, or is too small for the network.
        """
        device, parts = device or torch.device("cpu"), []
        with torch.no_grad():  # gradients may be taken through the network later, which inference mode would forbid
            for part in images.chunks():
                parts.append(self(torch.from_numpy(np.ascontiguousarray(part.x)).to(device)).cpu().double().numpy())
        return np.concatenate(parts)

    def __call__(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        """Compute the features of pixels in [0, 1], on the device that they are on.

        Raises:
            InputError: the images have other channels than 1 or 3, or are too small for the network.
        """
        if x.shape[1] not in (1, 3):
            raise InputError(f"{self.name} needs images of 1 or 3 channels, but they have {x.shape[1]}")
        mean, std = (torch.tensor(v, device=x.device).view(1, 3, 1, 1) for v in (self.mean, self.std))
        try:
            features: Tensor = self.module.to(x.device)((x.expand(-1, 3, -1, -1) - mean) / std)
        except (RuntimeError, ValueError, AssertionError) as error:
            size = "x".join(map(str, x.shape[2:]))
            raise InputError(f"{self.name} cannot take images of {size} ({described(error)})") from error
        return features.flatten(1)


class Built(NamedTuple):
    """A network with random weights and without its last layer.

    Attributes:
        module: the network.
        head: the name of the layer that was taken off; its weights are not needed.
        mean: of the channels of the images that it was trained on.
        std: likewise.
    """

    module: nn.Module
    head: str
    mean: Sequence[float] = MEAN
    std: Sequence[float] = STD


def headless(name: str) -> Built:
    """Build a network without its last layer.

    Args:
        name: of a network of torchvision for images, or `timm/NAME` for one of timm.

    Raises:
        InputError: there is no such network, or it has no such layer, or timm is not installed.
    """
    with torch.random.fork_rng(devices=[]):
        if name.startswith(TIMM):
            module = timm_network(name)
            config = module.pretrained_cfg
            return Built(module, str(config["classifier"]), config["mean"], config["std"])
        if name not in networks():
            raise InputError(
                f"features is {name}, expected the name of a network for images of torchvision, such as resnet18, "
                f"resnet50, convnext_tiny or efficientnet_b0, or {TIMM}NAME for one of timm"
            )
        extra = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
        module = torchvision.models.get_model(name, weights=None, **extra)
    linear = [key for key, layer in module.named_modules() if isinstance(layer, nn.Linear)]
    if not linear:
        raise InputError(f"features is {name}, which ends in no linear layer: choose another network, say resnet18")
    module.set_submodule(linear[-1], nn.Identity())
    return Built(module, linear[-1])


def timm_network(name: str, pretrained: bool = False) -> Any:  # noqa: ANN401 # timm ships no types
    """Build a network of timm without its classifier.

    Raises:
        InputError: timm is not installed, or has no such network.
    """
    with optional_import("timm", "timm", f"features={name}"):
        import timm
    short = name.removeprefix(TIMM)
    if short.partition(".")[0] not in timm.list_models():  # other names would be downloaded, or read from a folder
        raise InputError(f"features is {name}, but timm {timm.__version__} has no network {short}")
    return timm.create_model(short, pretrained=pretrained, num_classes=0)


def networks() -> list[str]:
    """List the networks of torchvision for images."""
    names: list[str] = torchvision.models.list_models(module=torchvision.models)
    return names


def load_backbone(name: str, weights: str | Path | None = None) -> Backbone:
    """Load a network with its weights.

    Args:
        name: of the network.
        weights: a file of PyTorch (`.pth`) or safetensors; None for those of torchvision, which are taken from torch's
            cache, or downloaded into it, and for those of timm, which does as much.

    Raises:
        InputError: there is no such network, or the weights cannot be had.
    """
    headless(name)  # so that a wrong name is told before anything is downloaded
    if weights is None and name.startswith(TIMM):
        return timm_backbone(name)
    path = cached_weights(name) if weights is None else Path(weights).expanduser()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"the weights {path} cannot be read ({error.strerror})") from error
    try:
        return Backbone(name, read_weights(path), sha256(content).hexdigest())
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def timm_backbone(name: str) -> Backbone:
    """Load a network of timm with the weights that timm has for it.

    Raises:
        InputError: they are not in its cache, and cannot be downloaded.
    """
    try:
        state = timm_network(name, pretrained=True).state_dict()
    except InputError:
        raise
    except Exception as error:  # of timm, Hugging Face's hub and the network
        raise InputError(
            f"the weights of {name} are not in the cache of timm, and cannot be downloaded ({described(error)[:200]}): "
            "name a file with --weights FILE (in Python: weights=)"
        ) from error
    return Backbone(name, state, sha256(safetensors.torch.save(state)).hexdigest())


def read_weights(path: Path) -> Mapping[str, Tensor]:
    """Read a state dict; no code that the file holds is run.

    Raises:
        InputError: it holds none.
    """
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of zipfile, pickle and safetensors
        raise InputError(f"it is no file of weights that can be read ({described(error)[:200]})") from error
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise InputError("it holds no state dict, expected tensors by name, as torch.save(model.state_dict()) writes")
    return state


def cached_weights(name: str, download: Callable[..., None] = torch.hub.download_url_to_file) -> Path:
    """Find the weights of torchvision in torch's cache, or download them.

    Raises:
        InputError: they are not there and cannot be downloaded.
    """
    url = str(torchvision.models.get_model_weights(name).DEFAULT.url)
    file = Path(urlparse(url).path).name
    path = Path(torch.hub.get_dir()) / "checkpoints" / file
    if path.is_file():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        download(url, str(path), hash_prefix=path.stem.rpartition("-")[2], progress=False)
    except (URLError, OSError, RuntimeError) as error:
        raise InputError(
            f"the weights of {name} are not at {path}, and cannot be downloaded from {url} ({described(error)[:200]}): "
            "put the file there, or name one with --weights FILE (in Python: weights=)"
        ) from error
    return path
