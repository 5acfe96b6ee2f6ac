"""The device: its name, its memory, and the rates that it reaches."""

from functools import cache

import torch

from benchmarks.timing import time_steps
from semiad.engines.device import set_precision


@cache
def card(device: str) -> str:
    """Name the device and the version of torch."""
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    return f"{name}, torch {torch.__version__}"


def most_memory(device: str) -> str:
    """Give the most memory that was allocated since the count was reset, in GiB; nothing for a CPU."""
    return f"{torch.cuda.max_memory_allocated() / 2**30:.3f}" if device == "cuda" else ""


def matrix_rate(device: str, precision: str) -> float:
    """Measure the operations a second of a large matrix product of random numbers."""
    set_precision(precision)
    n = 8192 if device == "cuda" else 512
    a = torch.rand(n, n, device=device, dtype=torch.bfloat16 if precision == "bf16" else torch.float32)
    return 2 * n**3 / min(time_steps(lambda: torch.mm(a, a), 10).wall for _ in range(4))


def memory_rate(device: str) -> float:
    """Measure the bytes a second, read and written, of a large copy."""
    size = 2**32 if device == "cuda" else 2**26
    source = torch.randint(0, 256, (size,), device=device, dtype=torch.uint8)
    target = torch.empty_like(source)
    return 2 * size / min(time_steps(lambda: target.copy_(source), 5).wall for _ in range(4))
