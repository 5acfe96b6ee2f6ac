"""The device and the precision of computation."""

import os

import torch

from semiad.errors import InputError

PRECISIONS = ("fp32", "tf32", "bf16")


def resolve_device(name: str) -> torch.device:
    """Give the device of a setting: `auto` takes a GPU if there is one.

    Raises:
        InputError: the device is unknown, or not in this machine.
    """
    if not torch.cuda.is_available():
        # Or torch's optimisers look for a driver at every step (2.15), which costs a fifth of a small model's step.
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if available[kind]))
    if name not in available:
        raise InputError(f"device is '{name}', expected auto, {', '.join(available)}")
    if not available[name]:
        raise InputError(f"device={name} is not available on this machine: use device=auto or device=cpu")
    return torch.device(name)


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
