"""The device and the precision of computation."""

import os
import re

import torch

from semiad.errors import InputError

PRECISIONS = ("fp32", "tf32", "bf16")


def resolve_device(name: str) -> torch.device:
    """Give the device of a setting: `auto` takes a GPU if there is one, `cuda:N` takes the GPU of that number.

    Raises:
        InputError: the device is unknown, or not in this machine.
    """
    if not torch.cuda.is_available():
        # Or torch's optimisers look for a driver at every step (2.15), which costs a fifth of a small model's step.
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if available[kind]))
    match = re.fullmatch(r"(cpu|cuda|mps)|cuda:(\d{1,3})", str(name), re.ASCII)
    if not match:
        raise InputError(f"device is '{name}', expected auto, {', '.join(available)} or the number of a GPU as cuda:N")
    if not available[match[1] or "cuda"]:
        raise InputError(f"device={name} is not available on this machine: use device=auto or device=cpu")
    if match[1]:
        return torch.device(match[1])
    if int(match[2]) >= (count := torch.cuda.device_count()):
        raise InputError(f"device={name} is not in this machine, whose last GPU is cuda:{count - 1}")
    return torch.device("cuda", int(match[2]))


def check_single(device: torch.device, devices: int | str) -> None:
    """Refuse several devices where the user has chosen one by its number.

    Raises:
        InputError: there are several.
    """
    if devices not in ("auto", 1):
        raise InputError(f"device={device} is one GPU, but engine.devices is {devices}: use device=cuda")


def set_precision(precision: str) -> None:
    """Make this process compute at a precision, the same way each time.

    Args:
        precision: `fp32` (no TF32, which CUDA takes for convolutions by default), `tf32` or `bf16`.

    Raises:
        InputError: the precision is unknown.
    """
    if precision not in PRECISIONS:
        raise InputError(f"engine.precision is '{precision}', expected one of {', '.join(PRECISIONS)}")
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision != "fp32"
    torch.backends.cudnn.deterministic = True
