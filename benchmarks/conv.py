"""AE-SAD's convolutional network on random images of CIFAR-10's size, K at once beside one by one."""

from dataclasses import replace
from itertools import product

import numpy as np
import torch

from benchmarks.settings import Settings
from benchmarks.setup import compose_context, make_pack, one_vs_one, pack_step, steps_per_epoch, train_alone
from benchmarks.timing import by_epoch, by_step, console, in_turn, speedups, time_steps
from semiad.types import Dataset, Labels

ALONE = "engine=lightning, one model"


def measure(settings: Settings) -> None:
    """Measure all widths in turn."""
    context, recipe = compose_context(settings, "method=aesad", "network=conv", "dataset=digits", "epochs=100000")
    labels = Labels("random", tuple(range(10)), np.arange(6000) % 10, 5990)
    pixels = torch.randint(0, 256, (6000, 3, 32, 32), dtype=torch.uint8)
    context = replace(context, dataset=Dataset(labels, pixels, 255.0).to(context.device))
    runs = one_vs_one(recipe, 2)
    ways = {
        ALONE: by_epoch(train_alone(runs[0], replace(context, epochs=4)), steps_per_epoch(context, runs[0])),
    }
    widths = settings.widths([1, 8, 32, 128] if context.device.type == "cuda" else [1, 8, 32])
    for width, compiled in product(widths, (False, True)):
        step = pack_step(make_pack(runs[:width], context, compiled))
        time_steps(step, 3)
        ways[f"packed{', compiled' * compiled}, K = {width}"] = by_step(step, max(200 // width, 5), width)
    times = in_turn(ways, settings.repeats)
    console.print(speedups("AE-SAD, conv, 3x32x32, batch 32", "run and step", times, {"lightning": ALONE}))
