"""Checks that packs train what Lightning trains, on this device and on the CPU, stopped and short of memory too."""

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import torch
from torch import Tensor

from benchmarks.gpu.card import card
from benchmarks.gpu.parts import Part
from benchmarks.gpu.results import Go, timed
from benchmarks.setup import LIGHTNING, compose_context, make_pack, one_vs_one, pack_step
from semiad.engines.context import EpochPoint, OnEpochs, Outcome, TrainingContext
from semiad.engines.packed.engine import PackedEngine
from semiad.engines.packed.pack import Pack
from semiad.methods.classical import ClassicalMethod
from semiad.runs import Recipe, Run
from semiad.types import Cell

TOLERANCE = 1e-3
"""The largest difference of an AUC, and the largest relative one of a mean training loss, after every epoch."""
EPOCHS = 3
CELLS = (Cell((8,), (3,)), Cell((1,), (0,)))
CALM = {"esad": ("method.optimizer.lr=0.001",)}
"""At ESAD's rate of 0.1 a difference in the last bit grows with every step, whatever trains it."""
CONVOLUTIONS = {
    "deep_sad": ("network=lenet",),
    "aesad": ("network=vgg", "network.width=0.125"),
    "a3": ("network=a3_conv",),
}
"""Networks that need larger images than digits: one epoch of MNIST, on a GPU only."""

KEYS = ("card", "check")
COLUMNS = ("holds", "difference", "tolerance", "s", "note")
Finding = tuple[float, float, str]
"""What differs, by how much it may, and a note."""


@dataclass(frozen=True)
class Case:
    """Runs that are trained in several ways.

    Attributes:
        context: of the runs.
        recipe: of the runs.
        runs: the runs.
    """

    context: TrainingContext
    recipe: Recipe
    runs: Sequence[Run]


def measure(go: Go, part: Part) -> None:
    """Make every check that was not made yet, and go on where one does not hold.

    Raises:
        OutOfTime: there is more to do.
        RuntimeError: a check does not hold, in this go or an earlier one.
    """
    table = go.table("right", KEYS, COLUMNS)
    failed = []
    for name, check in checks(go):
        key = card(go.device), name
        if not table.has(*key, holds="yes"):
            go.left()
            with timed() as seconds:
                try:
                    difference, tolerance, note = check()
                    holds = "yes" if difference <= tolerance else "no"  # "no" for what is not a number
                    row = {"holds": holds, "difference": f"{difference:.2e}", "tolerance": tolerance, "note": note}
                except Exception as error:
                    traceback.print_exc()
                    note = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
                    row = {"holds": "error", "note": note}
            table.add(*key, **row, s=f"{seconds[0]:.1f}")
            failed += [name] if row["holds"] != "yes" else []
    if failed:
        raise RuntimeError(f"{len(failed)} checks do not hold: {'; '.join(failed)}")


def checks(go: Go) -> Iterator[tuple[str, Callable[[], Finding]]]:
    """Yield the checks, by name."""
    for method in packable(go)[: 3 if go.toy else None]:
        yield f"packed = lightning, {method}", partial(against_lightning, go, method)
    yield "stopped and resumed = never stopped, aesad", partial(resumed, go)
    yield "memory runs out, aesad", partial(out_of_memory, go)
    if go.device == "cuda":
        for method in ("aesad", "a3", "deep_sad"):
            yield f"steps without a sync, {method}", partial(without_sync, go, method)
        yield "packed, compiled = lightning, aesad", partial(against_lightning, go, "aesad", compiled=True)
        for method in packable(go):
            yield f"cuda = cpu, {method}", partial(against_cpu, go, method)
        for method, words in CONVOLUTIONS.items():
            yield f"packed = lightning, {method}, {words[0]}", partial(against_lightning, go, method, words)


def packable(go: Go) -> list[str]:
    """List the methods that the configuration has and that can be packed."""
    folder = Path(__file__).parents[2] / "conf" / "method"
    cases = {path.stem: digits(go, path.stem) for path in sorted(folder.glob("*.yaml"))}
    # A classical method is not even built: its package may be missing.
    trained = {name: case for name, case in cases.items() if not issubclass(case.recipe.method_class, ClassicalMethod)}
    return [name for name, case in trained.items() if case.context.facts(case.runs[0]).packable]


def digits(go: Go, method: str, device: str | None = None) -> Case:
    """Give two runs of a method on digits, three epochs of every phase."""
    settings = replace(go.settings, device=device or go.device)
    context, recipe = compose_context(settings, f"method={method}", "dataset=digits", *CALM.get(method, ()))
    context = replace(context, epochs=EPOCHS, max_epochs=EPOCHS, eval_every=1)
    return Case(context, recipe, [Run(recipe, cell, 0) for cell in CELLS])


def images(go: Go, method: str, words: Sequence[str]) -> Case:
    """Give two runs of a method on MNIST, an epoch of every phase."""
    context, recipe = compose_context(go.settings, f"method={method}", "dataset=mnist", *words)
    context = replace(context, epochs=1, max_epochs=1, eval_every=1)
    return Case(context, recipe, [Run(recipe, cell, 0) for cell in CELLS])


def engine(**settings: object) -> PackedEngine:
    """Make a packed engine that trains all runs in one pack."""
    usual = {"devices": 1, "precision": "fp32", "compile": False, "checkpoint_minutes": 10, "checkpoints": False}
    return PackedEngine(width=4096, **{**usual, **settings})  # type: ignore[arg-type]


def silent(points: Sequence[EpochPoint]) -> None:
    """Take notice of epochs, and do nothing."""


def train(case: Case, on_epochs: OnEpochs = silent, **settings: object) -> list[Outcome]:
    """Train the runs as packs, and give their outcomes in the order of the runs.

    Raises:
        RuntimeError: a run has failed, or is missing.
    """
    outcomes = {outcome.run.key: outcome for outcome in engine(**settings).train(case.runs, case.context, on_epochs)}
    for outcome in outcomes.values():
        if outcome.reason is not None:
            raise RuntimeError(f"a run has failed: {outcome.reason}")
    return [outcomes[run.key] for run in case.runs]


def difference(one: Sequence[Outcome], other: Sequence[Outcome]) -> float:
    """Give the largest difference between the curves: of AUCs, and relative ones of losses."""
    found = [0.0]
    for a, b in zip(one, other, strict=True):
        for (_, loss, auc), (_, other_loss, other_auc) in zip(a.curve, b.curve, strict=True):
            found += [abs(auc - other_auc), abs(loss - other_loss) / max(abs(other_loss), 1e-6)]
    return float(torch.tensor(found).max())  # not a number if one is not


def against_lightning(go: Go, method: str, words: Sequence[str] | None = None, compiled: bool = False) -> Finding:
    """Compare packed with `engine=lightning`."""
    case = digits(go, method) if words is None else images(go, method, words)
    together = train(case, compile=compiled)
    alone = [LIGHTNING.train_run(run, case.context, silent) for run in case.runs]
    return difference(together, alone), TOLERANCE, f"AUC {[round(o.metrics['auc'], 4) for o in alone]}"


def against_cpu(go: Go, method: str) -> Finding:
    """Compare packs on the device with packs on the CPU."""
    on_device, on_cpu = (train(digits(go, method, device)) for device in (go.device, "cpu"))
    return difference(on_device, on_cpu), TOLERANCE, ""


def resumed(go: Go) -> Finding:
    """Stop a pack in its training, go on from what it has saved, and compare with one that was never stopped."""
    case = digits(go, "aesad")
    epochs = 40  # a pack is saved between blocks of steps
    case = replace(case, context=replace(case.context, epochs=epochs, max_epochs=None, eval_every=10))
    never_stopped = train(case)

    def stop(points: Sequence[EpochPoint]) -> None:
        if any(point.epoch == epochs - 5 for point in points):
            raise KeyboardInterrupt

    with TemporaryDirectory() as folder:
        case = replace(case, context=replace(case.context, resumable=Path(folder)))
        try:
            train(case, stop, checkpoint_minutes=0)
        except KeyboardInterrupt:
            saved = [*Path(folder).glob("*.pt")]
        if len(saved) != 1:
            raise RuntimeError(f"{len(saved)} packs were saved, expected 1")
        told: list[EpochPoint] = []
        outcomes = train(case, told.extend)
    past = sum(point.past for point in told)
    if not past:
        raise RuntimeError("training began anew")
    return difference(outcomes, never_stopped), TOLERANCE, f"{past} epochs were not trained again"


def out_of_memory(go: Go) -> Finding:
    """Train a pack that does not fit into memory, and compare with one that does."""
    case = digits(go, "aesad")
    count = 12 if go.toy else 360
    case = replace(case, runs=one_vs_one(case.recipe, 4)[:count])
    train(replace(case, runs=case.runs[:4]))  # what libraries take once
    start_count(go.device)
    fitting = train(case)
    with bounded_memory(go.device, count):
        halved = train(case)
    widths = sorted({outcome.pack_width for outcome in halved})
    if max(widths) >= count:
        raise RuntimeError(f"memory did not run out: packs of {widths} runs")
    return difference(halved, fitting), TOLERANCE, f"{count} runs went in packs of {widths}"


def start_count(device: str) -> None:
    """Give back what is cached, and count the most memory from now on."""
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


@contextmanager
def bounded_memory(device: str, count: int) -> Iterator[None]:
    """Let a device have less memory than a pack took: on a GPU a bound of the allocator, on a CPU a refusal."""
    if device == "cuda":
        torch.cuda.synchronize()
        peak = torch.cuda.max_memory_reserved()
        torch.cuda.empty_cache()
        kept, total = torch.cuda.memory_reserved(), torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction((kept + 0.7 * (peak - kept)) / total)
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
        return
    take_step = Pack.take_step

    def refuse(pack: Pack, batch: Sequence[Tensor]) -> None:
        if len(pack.lanes) == count:
            raise torch.OutOfMemoryError("no memory for so many runs")
        take_step(pack, batch)

    with patch.object(Pack, "take_step", refuse):
        yield


def without_sync(go: Go, method: str) -> Finding:
    """Take steps in a mode in which every wait for the device is an error, once the step is traced."""
    case = digits(go, method)
    context = replace(case.context, epochs=100_000, max_epochs=None, eval_every=0)
    step, count = pack_step(make_pack(case.runs, context)), 40
    for _ in range(20):
        step()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(count):  # within the block of steps whose row numbers were put together at the first
            step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return 0.0, 0.0, f"{count} steps"
