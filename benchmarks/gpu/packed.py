"""Time, share of the roofline, launches and memory of a packed step: AE-SAD, dense, Fashion-MNIST, batch 32.

The least time of a step of K runs follows from the operations and the bytes that it cannot do without, at the rates
that the device reaches in a large matrix product and in a large copy. For weights w (those of the first layer w1),
parameters p, rows in a batch b, and values n of a row and of the outputs of all layers together:

    operations = K * b * (6 w - 2 w1)
        A product forward, and two backward, for the gradients of the weights and of the inputs; the latter not in the
        first layer. Two operations a weight and row each.
    bytes = 4 K * (10 p + 3 b n)
        Parameters are read forward and backward, gradients written and read, and Adam reads and writes parameters and
        two moments. Rows and outputs are written once and read twice.
    least time = max(operations / matrix rate, bytes / memory rate)
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.gpu.card import card, matrix_rate, memory_rate, most_memory
from benchmarks.gpu.parts import Part
from benchmarks.gpu.results import Go, timed
from benchmarks.setup import build, compose_context, make_pack, one_vs_one, pack_step
from benchmarks.timing import time_steps
from semiad.engines.device import PRECISIONS, set_precision
from semiad.engines.packed.pack import BLOCK, Pack
from semiad.engines.packed.traced_step import TracedStep
from semiad.methods.base import Method

WIDTHS = (900, 32, 128, 8, 512, 1)
"""In order of worth."""
WAYS = (("fp32", True), ("fp32", False), ("tf32", True), ("bf16", True), ("tf32", False), ("bf16", False))
"""Precision, and whether the step is compiled, in order of worth."""
LAUNCH, SYNC = re.compile(r"cu(da)?(Graph)?Launch"), re.compile(r"Synchronize|^cudaMemcpy$")
REPEATS = 3

KEYS = ("card", "K", "precision", "compiled")
COLUMNS = (
    *("step_ms", "run_ms", "least_ms", "roofline", "bound", "operations", "bytes"),
    *("launches", "syncs", "gib", "first_s", "pack_s"),
)


@dataclass(frozen=True)
class Least:
    """What a step of a run cannot do without.

    Attributes:
        operations: of matrix products.
        bytes: moved.
    """

    operations: float
    bytes: float


def least(method: Method, rows: int) -> Least:
    """Count the operations and bytes of a step of a dense network, see the docstring of the module.

    Args:
        method: whose parameters are counted.
        rows: in a batch.
    """
    weights = [p for p in method.parameters() if p.ndim == 2]
    w, first = sum(weight.numel() for weight in weights), weights[0].numel()
    values = weights[0].shape[1] + sum(weight.shape[0] for weight in weights)
    parameters = sum(p.numel() for p in method.parameters())
    return Least(rows * (6 * w - 2 * first), 4 * (10 * parameters + 3 * rows * values))


def measure(go: Go, part: Part) -> None:
    """Measure one width after the other, at each all precisions, compiled and not.

    Raises:
        OutOfTime: there is more to do.
    """
    table, name = go.table("packed", KEYS, COLUMNS), card(go.device)
    widths, ways = ((4, 1), (("fp32", False), ("bf16", False))) if go.toy else (WIDTHS, WAYS)
    todo = [(k, *way) for k in widths for way in ways if not table.has(name, k, *way)]
    if not todo:
        return
    bandwidth, rates = memory_rate(go.device), {p: matrix_rate(go.device, p) for p in PRECISIONS}
    print(f"copy {bandwidth / 1e9:.0f} GB/s; " + ", ".join(f"{p} {r / 1e12:.2f} TFLOP/s" for p, r in rates.items()))
    set_precision("fp32")
    data = "digits" if go.toy else "fmnist"
    context, recipe = compose_context(go.settings, "method=aesad", f"dataset={data}", "epochs=1000000")
    runs = one_vs_one(recipe, 10)
    one = least(build(context, runs[0]), context.batch_size)
    for width in widths:
        left = [way for way in ways if (width, *way) in todo]
        if not left:
            continue
        go.left()
        clear(go.device)
        with timed() as making:
            pack = make_pack(runs[:width], context)
        for precision, compiled in left:
            go.left()
            clear(go.device)
            set_step(pack, precision, compiled)
            step = pack_step(pack)
            first = time_steps(step, 1).wall
            time_steps(step, 10 if go.device == "cuda" else 2)
            count = 2 * BLOCK if go.device == "cuda" else 8  # whole blocks: row numbers are sent block by block
            seconds = sorted(time_steps(step, count).wall for _ in range(REPEATS))[REPEATS // 2]
            operations, moved = width * one.operations, width * one.bytes
            floors = {"operations": operations / rates[precision], "bytes": moved / bandwidth}
            bound = max(floors, key=lambda what: floors[what])
            launches, syncs = count_launches(step) if go.device == "cuda" else (count_operations(step), 0)
            table.add(
                *(name, width, precision, compiled),
                step_ms=f"{seconds * 1e3:.4f}",
                run_ms=f"{seconds * 1e3 / width:.5f}",
                least_ms=f"{floors[bound] * 1e3:.4f}",
                roofline=f"{floors[bound] / seconds:.3f}",
                bound=bound,
                operations=f"{operations:.3e}",
                bytes=f"{moved:.3e}",
                launches=f"{launches:.1f}",
                syncs=f"{syncs:.2f}",
                gib=most_memory(go.device),
                first_s=f"{first:.2f}",
                pack_s=f"{making[0]:.2f}",
            )
        del pack, step


def clear(device: str) -> None:
    """Forget compiled code and cached memory, and count the most memory from now on."""
    torch.compiler.reset()
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def set_step(pack: Pack, precision: str, compiled: bool) -> None:
    """Give a pack another step: making a pack of 900 runs anew takes many seconds."""
    set_precision(precision)
    autocast = partial(torch.autocast, pack.context.device.type, torch.bfloat16, enabled=precision == "bf16")
    pack.autocast, pack.step = autocast, TracedStep(pack.model, autocast, {}, pack.data.fields)
    pack.step.compile = compiled


def count_launches(step: Callable[[], Any]) -> tuple[float, float]:
    """Count the launches of kernels and graphs, and the waits for the device, of a step, over a block of steps."""
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiled:
        for _ in range(BLOCK):
            step()
    names = [event.name for event in profiled.events() or ()]
    # The profiler itself waits for the device, once or twice at its end.
    return sum(map(bool, map(LAUNCH.search, names))) / BLOCK, sum(map(bool, map(SYNC.search, names))) / BLOCK


class OperationCount(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the tensor operations that are called while it is entered."""

    count: int = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        """Count an operation, and do it."""
        self.count += 1
        return func(*args, **(kwargs or {}))


def count_operations(step: Callable[[], Any]) -> float:
    """Count the tensor operations of a step that is not compiled."""
    counted = OperationCount()  # type: ignore[no-untyped-call]
    with counted:
        step()
    return float(counted.count)
