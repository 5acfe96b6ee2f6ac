"""A packed step beside a step written by hand with baddbmm, a hand-written loop of one model, and engine=lightning."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from benchmarks.loops import BaddbmmLoop, train_by_hand
from benchmarks.settings import Settings
from benchmarks.setup import (
    LIGHTNING,
    PACKED,
    build,
    compose_context,
    make_pack,
    one_vs_one,
    pack_step,
    steps_per_epoch,
    train_alone,
)
from benchmarks.timing import Seconds, by_epoch, by_step, console, in_turn, now, since, speedups, time_steps

LOOP, ALONE = "hand-written loop, one model", "engine=lightning, one model"


def measure(settings: Settings) -> None:
    """Measure one width after the other, and one model beside each."""
    context, recipe = compose_context(settings, "method=aesad", "dataset=fmnist", "epochs=1000000")
    runs, on_gpu = one_vs_one(recipe, 10), context.device.type == "cuda"
    few, epoch = replace(context, epochs=3), steps_per_epoch(context, runs[0])
    times: dict[str, list[Seconds]] = {}
    for width in settings.widths([8, 32, 128, 512, 900] if on_gpu else [8, 32, 90]):
        some = runs[:width]
        steps: dict[str, Callable[[], None]] = {
            f"packed, K = {width}": pack_step(make_pack(some, context)),
            f"packed, compiled, K = {width}": pack_step(make_pack(some, context, compiled=True)),
            f"baddbmm, K = {width}": BaddbmmLoop(some, context).step,
        }
        for step in steps.values():
            time_steps(step, 3)
        count = 100 if on_gpu else max(2000 // width, 10)
        ways = {
            LOOP: by_epoch(partial(train_by_hand, runs[0], few), epoch),
            ALONE: by_epoch(train_alone(runs[0], few), epoch),
            **{name: by_step(step, count, width) for name, step in steps.items()},
        }
        for name, values in in_turn(ways, settings.repeats).items():
            times.setdefault(name, []).extend(values)
        del ways, steps, step  # or the next packs would have to fit beside these
    weights = sum(p.numel() for p in build(context, runs[0]).parameters() if p.ndim == 2)
    rate = matrix_rate(context.device)
    references = {"loop": LOOP, "lightning": ALONE, "baddbmm": "baddbmm, K = {width}"}
    least = 2 * 3 * weights * context.batch_size / rate
    console.print(speedups("AE-SAD, dense, Fashion-MNIST, batch 32", "run and step", times, references, least))
    console.print(f"a large matrix product ran at {rate / 1e9:.0f} GFLOP/s")
    if on_gpu:
        console.print(f"most GPU memory {torch.cuda.max_memory_allocated() / 2**30:.2f} GiB")
        measure_grid(settings)


def matrix_rate(device: torch.device) -> float:
    """Measure the operations a second of a large matrix product in float32."""
    n = 8192 if device.type == "cuda" else 2048
    a = torch.rand(n, n, device=device)
    return 2 * n**3 / min(time_steps(lambda: torch.mm(a, a), 3).wall for _ in range(4))


def measure_grid(settings: Settings) -> None:
    """Train and score 900 runs of Fashion-MNIST, 100 epochs each: what a GPU is for."""
    context, recipe = compose_context(settings, "method=aesad", "dataset=fmnist", "epochs=100")
    runs = one_vs_one(recipe, 10)
    with TemporaryDirectory() as folder:
        start = now()
        outcomes = [*PACKED.train(runs, replace(context, folder=Path(folder)), lambda points: None)]
        seconds = since(start).wall
    alone = 20 * LIGHTNING.train_run(runs[0], replace(context, epochs=5), lambda points: None).seconds
    count = sum(outcome.reason is None for outcome in outcomes)
    console.print(
        f"{count} runs of 100 epochs in {seconds:.0f} s; engine=lightning {alone:.0f} s a run: "
        f"{len(runs) * alone / seconds:.0f} times"
    )
