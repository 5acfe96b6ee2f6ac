"""How many runs fit into memory."""

import os
from dataclasses import replace

import torch

from semiad.engines.base import Job
from semiad.methods.base import Method
from semiad.runs import Run
from semiad.types import Batch

STATE_ON_CPU = 256 * 2**20
"""Bytes of weights, gradients and moments of a pack on a CPU, past which a wider one is hardly faster."""


def fitting(run: Run, job: Job) -> int:
    """How many runs fit into the memory that is there, from the sizes of one run's weights and activations."""
    phases = replace(job, device=torch.device("cpu")).phases(run)
    return min(fitting_phase(phase, job) for phase in phases)


def fitting_phase(method: Method, job: Job) -> int:
    """How many runs fit in one phase of theirs."""
    weights = 5 * sum(p.numel() * p.element_size() for p in method.parameters())
    kept: dict[int, int] = {}

    def note(value: torch.Tensor) -> torch.Tensor:
        kept[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
        return value

    rows = torch.rand(job.batch_size, *job.table.shape)
    batch_noise = method.noise(job.batch_size, torch.Generator())
    with torch.autograd.graph.saved_tensors_hooks(note, lambda value: value):
        method.losses(Batch(rows, torch.zeros(job.batch_size), batch_noise)).sum()
    one = weights + 3 * sum(kept.values()) + 16 * job.table.labels.y.size // max(len(job.table.labels.classes), 1)
    width = int(0.6 * free(job.device) / one)
    if job.device.type == "cpu":
        width = min(width, STATE_ON_CPU // weights)
    return max(width, 1)


def free(device: torch.device) -> int:
    """Bytes of memory that are free on a device."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):  # not on this system
        return 4 * 2**30


def out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory ran out, on a GPU or a CPU."""
    return isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error)
