"""Trains K runs as one, on one device or several: see `engines.pack`."""

import os
import queue
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Any

import torch
import torch.multiprocessing as mp

from semiad.engines.base import Engine, Job, Outcome, exact
from semiad.engines.pack import Pack
from semiad.errors import InputError
from semiad.runs import Run
from semiad.types import Batch

LONG = 15_000
"""Steps of a run from which a compiled step pays on a CPU."""
STATE_ON_CPU = 256 * 2**20
"""Bytes of weights, gradients and moments of a pack on a CPU, past which a wider one is hardly faster."""


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

    def train(self, runs: Sequence[Run], job: Job, tick: Callable[[int], None]) -> Iterator[Outcome]:
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
        interrupted = [[run for run in runs if run.key in keys] for keys in saved_keys(job)]
        taken = {run.key for pack in interrupted for run in pack}
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

    def one(self, runs: list[Run], job: Job, tick: Callable[[int], None]) -> Iterator[Outcome]:
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
        if job.device.type == "cuda":
            torch.cuda.empty_cache()
        rest = list(left.values())
        for half in (rest[: len(rest) // 2], rest[len(rest) // 2 :]):
            yield from self.one(half, job, tick)

    def attempt(self, runs: list[Run], job: Job, tick: Callable[[int], None]) -> Iterator[Outcome]:
        """Train a pack, from where a killed job had saved it if there is such a place, and save it now and then."""
        path, state = resumed(runs, job)
        pack = Pack(runs, job, self.precision, state)
        pack.compile = self.compiles(job, max(lane.last for lane in pack.lanes))
        tick(sum(pack.t // lane.steps for lane in pack.lanes))
        path = path or resumable(runs, job)
        since = monotonic()
        for outcomes in pack.run(tick, self.checkpoints):
            yield from outcomes
            if path is not None and pack.lanes and monotonic() - since >= 60 * self.minutes:
                save(pack.saved(), path)
                since = monotonic()
        if path is not None:
            path.unlink(missing_ok=True)

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

    def several(
        self, packs: list[list[Run]], job: Job, where: list[torch.device], tick: Callable[[int], None]
    ) -> Iterator[Outcome]:
        """Give packs to one process a device, each taking the next as it is done with one."""
        context = mp.get_context("spawn")
        tasks, results = context.SimpleQueue(), context.Queue()
        for pack in packs:
            tasks.put(pack)
        for _ in where:
            tasks.put(None)
        threads = os.environ.get("OMP_NUM_THREADS")
        os.environ["OMP_NUM_THREADS"] = threads or str(max((os.cpu_count() or 1) // len(where), 1))
        workers = [
            context.Process(target=work, args=(self, replace(job, device=device), tasks, results), daemon=True)
            for device in where
        ]
        try:
            for worker in workers:
                worker.start()
            ended = 0
            while ended < len(workers):
                try:
                    kind, value = results.get(timeout=1)
                except queue.Empty:
                    if dead := [worker.exitcode for worker in workers if worker.exitcode]:
                        raise RuntimeError(f"a process on another device ended by itself ({dead[0]})") from None
                    continue
                if kind == "tick":
                    tick(value)
                elif kind == "outcome":
                    yield value
                elif kind == "error":
                    raise RuntimeError(f"a process on another device failed: {value}")
                else:
                    ended += 1
        finally:
            for worker in workers:
                worker.terminate()
                worker.join()
            if threads is None:
                del os.environ["OMP_NUM_THREADS"]


def work(engine: PackedEngine, job: Job, tasks: Any, results: Any) -> None:  # noqa: ANN401
    """What a process on a device does."""
    try:
        exact(engine.precision)
        job = job.on_device()
        while (pack := tasks.get()) is not None:
            for outcome in engine.one(pack, job, lambda epochs: results.put(("tick", epochs))):
                results.put(("outcome", outcome))
        results.put(("end", None))
    except Exception as error:
        results.put(("error", f"{type(error).__name__}: {' '.join(str(error).split())}"))


def signature(run: Run, job: Job) -> str:
    """What must be equal for two runs to be stepped as one.

    Raises:
        InputError: the method says that it cannot be packed.
    """
    method = replace(job, device=torch.device("cpu")).build(run)
    if not method.packable:
        raise InputError(f"{type(method).__name__} cannot be packed: use engine=lightning or engine=auto")
    shapes = [(name, tuple(value.shape), value.dtype) for name, value in method.state_dict(keep_vars=True).items()]
    optimizer = method.configure_optimizers()
    rates = [method.rate(epoch) for epoch in range(job.epochs)]
    # A float may differ, since it belongs in a buffer (`Pack.verify` sees to that); anything else may not.
    own = {k: v for k, v in vars(method).items() if not k.startswith("_") and not isinstance(v, float)}
    return repr((type(method), str(method), shapes, type(optimizer), optimizer.defaults, rates, own))


def fitting(run: Run, job: Job) -> int:
    """How many runs fit into the memory that is there, from the sizes of one run's weights and activations."""
    method = replace(job, device=torch.device("cpu")).build(run)
    weights = 4 * sum(p.numel() * p.element_size() for p in method.parameters())
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


# What lets a killed job go on


def resumable(runs: Sequence[Run], job: Job) -> Path | None:
    """Where a pack in training is saved."""
    name = sha256(" ".join(run.key for run in runs).encode()).hexdigest()[:16]
    return None if job.resumable is None else job.resumable / f"{name}.pt"


def save(state: dict[str, Any], path: Path) -> None:
    """Write a file aside and put it in place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(f".{os.getpid()}.tmp")
    torch.save(state, aside)
    aside.replace(path)


def states(job: Job) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The packs that killed jobs have left, those that can be read."""
    for path in sorted(job.resumable.glob("*.pt")) if job.resumable is not None else ():
        try:
            yield path, torch.load(path, map_location=job.device, weights_only=True)
        except Exception as error:  # whatever a damaged file makes torch raise
            warnings.warn(f"{path} cannot be read ({type(error).__name__}): its runs start again", stacklevel=2)


def saved_keys(job: Job) -> list[set[str]]:
    """The keys of the runs in each of them."""
    return [set(state["keys"]) for _, state in states(job)]


def resumed(runs: Sequence[Run], job: Job) -> tuple[Path | None, dict[str, Any] | None]:
    """The saved pack that has all of some runs, if there is one."""
    for path, state in states(job):
        if {run.key for run in runs} <= set(state["keys"]):
            return path, state
    return None, None
