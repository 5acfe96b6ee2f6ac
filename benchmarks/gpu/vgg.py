"""A step of ESAD's network in full width, on images of MNIST's size: precision, memory layout, compiled or not."""

from itertools import product

import torch

from benchmarks.gpu.card import card, most_memory
from benchmarks.gpu.packed import clear
from benchmarks.gpu.parts import Part
from benchmarks.gpu.results import Go
from benchmarks.setup import compose_context
from benchmarks.timing import time_steps
from semiad.data import replaced
from semiad.engines.device import set_precision
from semiad.methods.base import Method, clip_elements
from semiad.types import Batch

WAYS = [
    (p, layout, c) for c, p, layout in product((False, True), ("tf32", "bf16", "fp32"), ("standard", "channels_last"))
]
"""Precision, layout, and whether the losses are compiled, in order of worth: compiling takes longest."""
STEPS = 200 * -(-6000 // 32)
"""Of a run: 200 epochs of a class of MNIST."""

KEYS = ("card", "precision", "layout", "compiled")
COLUMNS = ("step_ms", "run_s", "first_s", "gib")


def measure(go: Go, part: Part) -> None:
    """Measure every way.

    Raises:
        OutOfTime: there is more to do.
    """
    table, name = go.table("vgg", KEYS, COLUMNS), card(go.device)
    for precision, layout, compiled in WAYS[:2] if go.toy else WAYS:
        if table.has(name, precision, layout, compiled):
            continue
        go.left()
        clear(go.device)
        first, seconds = time_way(go, precision, layout, compiled)
        table.add(
            *(name, precision, layout, compiled),
            step_ms=f"{seconds * 1e3:.3f}",
            run_s=f"{seconds * STEPS:.1f}",
            first_s=f"{first:.1f}",
            gib=most_memory(go.device),
        )


def time_way(go: Go, precision: str, layout: str, compiled: bool) -> tuple[float, float]:
    """Give the seconds of the first step and of a later one, of a loop written by hand around the method's losses."""
    width = 0.0625 if go.toy else 1
    words = ("method=esad", "dataset=digits", "network=vgg", f"network.width={width}")
    context, recipe = compose_context(go.settings, *words)
    set_precision(precision)
    torch.manual_seed(0)
    method = recipe.method(shape=(1, 28, 28))
    assert isinstance(method, Method)
    source = torch.Generator().manual_seed(0)
    memory = torch.channels_last if layout == "channels_last" else torch.contiguous_format
    method = method.to(device=context.device, memory_format=memory)
    x = torch.rand(32, 1, 28, 28, generator=source).to(context.device).to(memory_format=memory)
    s = (torch.arange(32) < 2).float().to(context.device)
    targets = method.targets(x, source)
    batch = Batch(x, s, target=None if targets is None else replaced(x, s, targets))
    method.prepare(batch.x, batch.s)
    optimizer = method.build_optimizer(method.parameters())
    losses = torch.compile(method.losses) if compiled else method.losses

    def step() -> None:
        with torch.autocast(context.device.type, torch.bfloat16, enabled=precision == "bf16"):
            loss = losses(batch).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if method.clip_value is not None:
            clip_elements(optimizer, method.clip_value)
        optimizer.step()

    first = time_steps(step, 1).wall
    time_steps(step, 5 if go.device == "cuda" else 1)
    return first, min(time_steps(step, 30 if go.device == "cuda" else 1).wall for _ in range(3))
