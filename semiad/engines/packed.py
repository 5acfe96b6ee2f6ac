"""Trains K runs as one, on one device or several: see `engines.pack`."""

import gc
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from time import monotonic
from typing import Any

import torch
import torch.multiprocessing as mp

from semiad.engines.base import Engine, Job, Outcome, Tick, exact
from semiad.engines.memory import fitting, out_of_memory
from semiad.engines.pack import Pack
from semiad.engines.processes import Put, side_by_side
from semiad.engines.resumable import discard, place, resumed, save, saved_keys
from semiad.engines.stopping import obey, stopping
from semiad.errors import InputError
from semiad.methods.base import Method
from semiad.runs import Run

LONG = 10_000
"""Steps of a run from which a compiled step pays on a CPU."""


class PackedEngine(Engine):
    """Trains runs of equal structure in packs.

    Args:
        width: runs in a pack, or `auto`: what fits into memory.
        devices: `auto` for every GPU where the job's device is one, or how many devices; each gets a process.
        precision: `fp32`, `tf32` or `bf16`.
        compile: whether to compile the step; `auto` does so on a GPU, and on a CPU for runs of many steps.
        checkpoint_minutes: how often a pack in training is saved, for a killed job to go on from.
        checkpoints: keep each trained method, see `engines.base.keep`.

    Raises:
        InputError: a value out of range.
    """

    def __init__(
        self,
        width: int | str,
        devices: int | str,
        precision: str,
        compile: bool | str,
        checkpoint_minutes: float,
        checkpoints: bool,
    ) -> None:
        for name, value in (("width", width), ("devices", devices)):
            if value != "auto" and not (isinstance(value, int) and value >= 1):
                raise InputError(f"engine.{name} is {value}, expected auto or a whole number from 1 on")
        if compile not in ("auto", True, False):
            raise InputError(f"engine.compile is {compile}, expected auto, true or false")
        if not isinstance(checkpoint_minutes, int | float) or checkpoint_minutes < 0:
            raise InputError(f"engine.checkpoint_minutes is {checkpoint_minutes}, expected a number from 0 on")
        self.width, self.devices, self.precision, self.compile = width, devices, precision, compile
        self.minutes, self.checkpoints = checkpoint_minutes, checkpoints

    def train(self, runs: Sequence[Run], job: Job, tick: Tick) -> Iterator[Outcome]:
        """Yield each run's outcome as it ends."""
        packs = self.packs(runs, job)
        where = self.spread(job.device)
        if len(where) == 1 or len(packs) == 1:
            job = replace(job, device=where[0]).on_device()
            for pack in packs:
                yield from self.one(pack, job, tick)
        else:
            yield from self.several(packs, job, where, tick)

    # Which runs go together

    def packs(self, runs: Sequence[Run], job: Job) -> list[list[Run]]:
        """Runs that can be stepped as one: those that a killed job was training, then the others in order."""
        interrupted, taken = [], set[str]()
        for keys in saved_keys(job):
            interrupted.append([run for run in runs if run.key in keys - taken])
            taken |= {run.key for run in interrupted[-1]}
        alike: dict[str, list[Run]] = {}
        signatures: dict[Any, str] = {}
        for run in runs:
            if run.recipe not in signatures:
                signatures[run.recipe] = signature(run, job)
            if run.key not in taken:
                alike.setdefault(signatures[run.recipe], []).append(run)
        fresh = []
        for group in alike.values():
            width = self.width if isinstance(self.width, int) else fitting(group[0], job)
            count = -(-len(group) // width)
            fresh += [group[i * len(group) // count : (i + 1) * len(group) // count] for i in range(count)]
        return [pack for pack in interrupted if pack] + fresh

    # One device

    def one(self, runs: list[Run], job: Job, tick: Tick) -> Iterator[Outcome]:
        """Train a pack; if memory runs out, its halves."""
        left = {run.key: run for run in runs}
        try:
            for outcome in self.attempt(runs, job, tick):
                del left[outcome.run.key]
                yield outcome
            return
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if len(left) < 2 or not out_of_memory(error):
                raise
        gc.collect()  # a step that was being traced is held in circles
        if job.device.type == "cuda":
            torch.cuda.empty_cache()
        rest = list(left.values())
        for half in (rest[: len(rest) // 2], rest[len(rest) // 2 :]):
            yield from self.one(half, job, tick)

    def attempt(self, runs: list[Run], job: Job, tick: Tick) -> Iterator[Outcome]:
        """Train a pack, from where a killed job had saved it if there is such a place, and save it now and then."""
        (old, state), path = resumed(runs, job), place(runs, job)
        phases = {run: job.phases(run) for run in runs}
        past = {run.key: (0, 0.0) for run in runs} if state is None else state["past"]
        since = monotonic()
        for index in range(0 if state is None else state["phase"], len(phases[runs[0]])):
            going = list(phases)
            if not going:
                break
            methods = [phases[run][index] for run in going]
            epochs = sum(job.length(phase) for phase in phases[going[0]][:index])
            pack = Pack(going, methods, job, self.precision, epochs, None if state is None else state["pack"])
            state = None
            steps = {lane.run.key: lane.last for lane in pack.lanes}
            pack.compile = self.compiles(job, max(steps.values()))
            tick(pack.past(epochs))
            for outcomes in pack.run(tick, self.checkpoints):
                for outcome in outcomes:
                    del phases[outcome.run]
                    outcome.steps += past[outcome.run.key][0]
                    outcome.seconds += past[outcome.run.key][1]
                    yield outcome
                due = stopping() or monotonic() - since >= 60 * self.minutes
                if path is not None and due and pack.resumable(going):
                    save({"phase": index, "past": past, "pack": pack.saved()}, pack.lanes, path)
                    since = monotonic()
                    if old not in (None, path):
                        discard(old, runs, job)
                        old = None
                obey()
            for run in going:
                before = past[run.key]
                past[run.key] = (before[0] + steps[run.key], before[1] + pack.seconds)
        for saved in (path, old):
            if saved is not None:
                discard(saved, runs, job)

    def compiles(self, job: Job, steps: int) -> bool:
        """Whether to compile the step: it takes some seconds, and a C++ compiler on a CPU."""
        if self.compile != "auto":
            return bool(self.compile)
        return job.device.type == "cuda" or (steps >= LONG and shutil.which("g++") is not None)

    # Several devices

    def spread(self, device: torch.device) -> list[torch.device]:
        """The devices to train on."""
        there = torch.cuda.device_count() if device.type == "cuda" else 1
        count = there if self.devices == "auto" else int(self.devices)
        if device.type != "cuda":
            return [device] * count
        if count > there:
            raise InputError(f"engine.devices is {count}, but this machine has {there} GPUs")
        return [torch.device("cuda", i) for i in range(count)]

    def several(self, packs: list[list[Run]], job: Job, where: list[torch.device], tick: Tick) -> Iterator[Outcome]:
        """Give packs to one process a device, each taking the next as it is done with one."""
        tasks = mp.get_context("spawn").SimpleQueue()
        for pack in packs:
            tasks.put(pack)
        for _ in where:
            tasks.put(None)
        return side_by_side(work, [(self, replace(job, device=device), tasks) for device in where], tick)


def work(put: Put, engine: PackedEngine, job: Job, tasks: Any) -> None:  # noqa: ANN401
    """What a process on a device does."""
    exact(engine.precision)
    job = job.on_device()
    while (pack := tasks.get()) is not None:
        obey()
        for outcome in engine.one(pack, job, lambda points: put("tick", points)):
            put("outcome", outcome)


def signature(run: Run, job: Job) -> str:
    """What must be equal for two runs to be stepped as one.

    Raises:
        InputError: the method says that it cannot be packed.
    """
    phases = replace(job, device=torch.device("cpu")).phases(run)
    for method in phases:
        if not method.packable:
            raise InputError(f"{type(method).__name__} cannot be packed: use engine=lightning or engine=auto")
    return repr([structure(phase, job.length(phase)) for phase in phases])


def structure(method: Method, epochs: int) -> tuple[object, ...]:
    """What must be equal in a phase."""
    shapes = [(name, tuple(value.shape), value.dtype) for name, value in method.state_dict(keep_vars=True).items()]
    optimizer = method.configure_optimizers()
    rates = [method.rate(epoch) for epoch in range(epochs)]
    # A float may differ, since it belongs in a buffer (`Pack.verify` sees to that); anything else may not.
    own = {k: v for k, v in vars(method).items() if not k.startswith("_") and not isinstance(v, float)}
    return type(method), str(method), shapes, type(optimizer), optimizer.defaults, method.clip, rates, own
