"""The engine that trains packs of runs, on one device or several."""

import gc
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from time import monotonic
from typing import Any

import torch
import torch.multiprocessing as mp

from semiad.checks import is_whole
from semiad.engines.base import Engine
from semiad.engines.context import OnEpochs, Outcome, TrainingContext
from semiad.engines.device import check_single, set_precision
from semiad.engines.packed.memory import fitting_width, out_of_memory
from semiad.engines.packed.pack import Pack, count_widths
from semiad.engines.packed.resumable import discard, load_saved, save, saved_keys, saved_path
from semiad.engines.processes import Put, run_processes
from semiad.engines.signals import exit_if_requested, exit_requested
from semiad.engines.threads import check_threads, threads_given
from semiad.errors import InputError
from semiad.runs import Run

COMPILE_STEPS = 10_000
"""Steps that a compiled step must be good for to pay."""


class PackedEngine(Engine):
    """Trains runs of equal structure in packs.

    Args:
        width: runs in a pack, or `auto`: what fits into memory.
        devices: `auto` for every GPU where the job's device is one, or how many devices; each gets a process.
        precision: `fp32`, `tf32` or `bf16`.
        compile: whether to compile the step; `auto` does so for runs of many steps: on a GPU, where compiling takes
            longer and brings less, of many for each width that the pack has as its shorter runs end.
        checkpoint_minutes: how often a pack in training is saved, for a killed job to go on from.
        checkpoints: whether each trained method is kept, see `save_checkpoint`.
        threads: on a CPU; `auto` for those of the process, of which a step takes as many as make it faster.

    Raises:
        InputError: a value out of range.
    """

    name = "packed"

    def __init__(
        self,
        width: int | str,
        devices: int | str,
        precision: str,
        compile: bool | str,
        checkpoint_minutes: float,
        checkpoints: bool,
        threads: int | str = "auto",
    ) -> None:
        check_threads(threads)
        for name, value in (("width", width), ("devices", devices)):
            if value != "auto" and not is_whole(value):
                raise InputError(f"engine.{name} is {value}, expected auto or a whole number from 1 on")
        if compile not in ("auto", True, False):
            raise InputError(f"engine.compile is {compile}, expected auto, true or false")
        if not isinstance(checkpoint_minutes, int | float) or checkpoint_minutes < 0:
            raise InputError(f"engine.checkpoint_minutes is {checkpoint_minutes}, expected a number from 0 on")
        self.width, self.devices, self.precision, self.compile = width, devices, precision, compile
        self.minutes, self.checkpoints, self.threads = checkpoint_minutes, checkpoints, threads

    def check(self, runs: Sequence[Run], context: TrainingContext) -> None:
        """Refuse methods that cannot be packed, arguments of a `Trainer`, and more devices than there are.

        Raises:
            InputError: there are some.
        """
        if given := context.trainer.given:
            raise InputError(f"trainer.{given[0]} is an argument of Lightning's Trainer: use engine=lightning or auto")
        for run in runs:
            if not context.facts(run).packable:
                raise InputError(
                    f"{run.recipe.method_name} cannot be packed (its class has packable = False or hooks of its "
                    "own, or its optimiser is not elementwise): use engine=lightning or engine=auto"
                )
        self.choose_devices(context.device)

    def train(self, runs: Sequence[Run], context: TrainingContext, on_epochs: OnEpochs) -> Iterator[Outcome]:
        """Yield the outcome of each run as it ends."""
        packs = self.make_packs(runs, context)
        devices = self.choose_devices(context.device)
        if len(devices) == 1 or len(packs) == 1:
            context = replace(context, device=devices[0]).on_device()
            with threads_given(self.threads):
                for pack in packs:
                    yield from self.train_pack(pack, context, on_epochs)
        else:
            yield from self.train_in_processes(packs, context, devices, on_epochs)

    # Which runs go together

    def make_packs(self, runs: Sequence[Run], context: TrainingContext) -> list[list[Run]]:
        """Group runs that can be stepped as one: those that a killed job was training, then the others in order."""
        interrupted, taken = [], set[str]()
        for keys in saved_keys(context):
            interrupted.append([run for run in runs if run.key in keys - taken])
            taken |= {run.key for run in interrupted[-1]}
        alike: dict[str, list[Run]] = {}
        for run in runs:
            if run.key not in taken:
                alike.setdefault(context.facts(run).structure, []).append(run)
        fresh = []
        for group in alike.values():
            width = self.width if isinstance(self.width, int) else fitting_width(group[0], context)
            count = -(-len(group) // width)
            fresh += [group[i * len(group) // count : (i + 1) * len(group) // count] for i in range(count)]
        return [pack for pack in interrupted if pack] + fresh

    # One device

    def train_pack(self, runs: list[Run], context: TrainingContext, on_epochs: OnEpochs) -> Iterator[Outcome]:
        """Train a pack; if memory runs out, its halves."""
        left = {run.key: run for run in runs}
        try:
            for outcome in self.attempt(runs, context, on_epochs):
                del left[outcome.run.key]
                yield outcome
            return
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if len(left) < 2 or not out_of_memory(error):
                raise
        gc.collect()  # a step that was being traced is held in circles
        if context.device.type == "cuda":
            torch.cuda.empty_cache()
        rest = list(left.values())
        for half in (rest[: len(rest) // 2], rest[len(rest) // 2 :]):
            yield from self.train_pack(half, context, on_epochs)

    def attempt(self, runs: list[Run], context: TrainingContext, on_epochs: OnEpochs) -> Iterator[Outcome]:
        """Train a pack, from where a killed job had saved it if there is such a place, and save it now and then."""
        (old, state), path = load_saved(runs, context), saved_path(runs, context)
        phases = {run: context.phases(run) for run in runs}
        count = len(phases[runs[0]])
        past = {run.key: (0, 0.0) for run in runs} if state is None else state["past"]
        since = monotonic()
        for index in range(0 if state is None else state["phase"], count):
            going = list(phases)
            if not going:
                break
            methods = [phases[run][index] for run in going]
            saved = None if state is None else state["pack"]
            pack, state = (
                Pack(going, methods, index == count - 1, context, self.precision, saved, self.threads == "auto"),
                None,
            )
            steps = {lane.run.key: lane.last for lane in pack.lanes}
            pack.step.compile = self.compiles(context, [*steps.values()])
            on_epochs(pack.past())
            for outcomes in pack.train(on_epochs, self.checkpoints):
                for outcome in outcomes:
                    del phases[outcome.run]
                    outcome.steps += past[outcome.run.key][0]
                    outcome.seconds += past[outcome.run.key][1]
                    yield outcome
                due = exit_requested() or monotonic() - since >= 60 * self.minutes
                if path is not None and due and pack.can_be_saved(going):
                    save({"phase": index, "past": past, "pack": pack.saved()}, path)
                    since = monotonic()
                    if old not in (None, path):
                        discard(old, runs, context)
                        old = None
                exit_if_requested()
            for run in going:
                before = past[run.key]
                past[run.key] = (before[0] + steps[run.key], before[1] + pack.seconds)
        for file in (path, old):
            if file is not None:
                discard(file, runs, context)

    def compiles(self, context: TrainingContext, steps: Sequence[int]) -> bool:
        """Whether to compile the step: it takes some seconds for every width of a pack, and a C++ compiler on a CPU."""
        if self.compile != "auto":
            return bool(self.compile)
        if context.device.type == "cuda":
            return max(steps) >= COMPILE_STEPS * count_widths(steps)
        return max(steps) >= COMPILE_STEPS and shutil.which("g++") is not None

    # Several devices

    def choose_devices(self, device: torch.device) -> list[torch.device]:
        """Choose the devices to train on.

        Raises:
            InputError: this machine has fewer.
        """
        if device.index is not None:  # a GPU that the user has chosen
            check_single(device, self.devices)
            return [device]
        available = torch.cuda.device_count() if device.type == "cuda" else 1
        count = available if self.devices == "auto" else int(self.devices)
        if device.type != "cuda":
            return [device] * count
        if count > available:
            raise InputError(f"engine.devices is {count}, but this machine has {available} GPUs")
        return [torch.device("cuda", i) for i in range(count)]

    def train_in_processes(
        self, packs: list[list[Run]], context: TrainingContext, devices: list[torch.device], on_epochs: OnEpochs
    ) -> Iterator[Outcome]:
        """Give packs to one process a device, each taking the next as it is done with one."""
        queue = mp.get_context("spawn").SimpleQueue()
        for pack in packs:
            queue.put(pack)
        for _ in devices:
            queue.put(None)
        arguments = [(self, replace(context, device=device), queue) for device in devices]
        return run_processes(train_packs, arguments, on_epochs)


def train_packs(put: Put, engine: PackedEngine, context: TrainingContext, queue: Any) -> None:  # noqa: ANN401
    """Train the packs of a queue, in a process of one device."""
    set_precision(engine.precision)
    context = context.on_device()
    with threads_given(engine.threads):
        while (pack := queue.get()) is not None:
            exit_if_requested()
            for outcome in engine.train_pack(pack, context, lambda points: put("epochs", points)):
                put("outcome", outcome)
