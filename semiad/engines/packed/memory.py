"""Estimates how many runs fit into memory."""

import os
from dataclasses import replace

import torch

from semiad.engines.context import TrainingContext
from semiad.errors import InputError
from semiad.methods.base import Method
from semiad.methods.contract import check_rows
from semiad.runs import Run

STATE_ON_CPU = 256 * 2**20
"""Bytes of weights, gradients and moments of a pack on a CPU, past which a wider one is hardly faster."""


def fitting_width(run: Run, context: TrainingContext) -> int:
    """Estimate how many runs fit into free memory, from the sizes of one run's weights and activations."""
    phases = replace(context, device=torch.device("cpu")).phases(run)
    return min(fitting_phase_width(phase, context) for phase in phases)


def fitting_phase_width(method: Method, context: TrainingContext) -> int:
    """Estimate how many runs fit in one phase.

    Raises:
        InputError: the method reads what only `prepare` sets, or does not give one loss for each row.
    """
    copies = 6 if method.keep_best else 5  # weights, gradients, moments and what is moved at once
    weights = copies * sum(p.numel() * p.element_size() for p in method.parameters())
    kept: dict[int, int] = {}

    def note(value: torch.Tensor) -> torch.Tensor:
        kept[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
        return value

    rows = torch.rand(context.batch_size, *context.dataset.shape, generator=torch.Generator().manual_seed(0))
    batch = method.make_batch(rows, torch.zeros(context.batch_size))
    with torch.autograd.graph.saved_tensors_hooks(note, lambda value: value):
        try:
            losses = method.losses(batch)
        except AttributeError as error:
            if error.obj is not method or type(method).prepare is Method.prepare:
                raise
            raise InputError(
                f"{type(method).__name__}.losses reads {error.name}, which its constructor does not set: register it "
                "there as a buffer, which `prepare` fills, or set packable = False in the class"
            ) from error
        check_rows(method, "losses", losses, context.batch_size)
    of_run = (
        weights
        + 3 * sum(kept.values())
        + 16 * context.dataset.labels.y.size // max(len(context.dataset.labels.classes), 1)
    )
    width = int(0.6 * free_bytes(context.device) / of_run)
    if context.device.type == "cpu":
        width = min(width, STATE_ON_CPU // weights)
    return max(width, 1)


def free_bytes(device: torch.device) -> int:
    """Give the bytes of memory that are free on a device."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):  # not on this system
        return 4 * 2**30


def out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory ran out, on a GPU or a CPU."""
    return isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error)
