"""The number of threads of steps on a CPU: chosen by time, without a bit of difference, told in the record."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch

from semiad.engines import threads
from semiad.engines.packed.engine import PackedEngine
from semiad.engines.packed.pack import Pack
from semiad.engines.threads import StepThreads, is_small, threads_set
from semiad.errors import InputError
from semiad.runs import Run
from semiad.testing import make_context, make_recipe
from semiad.types import Cell
from tests.conftest import read, shortened
from tests.test_train import Command

NO_BATCH: Sequence[torch.Tensor] = ()


class Machine:
    """A machine on which a step takes a time by the number of threads and by how far training is."""

    def __init__(self, seconds: Callable[[int, int], float]) -> None:
        self.seconds, self.steps, self.now = seconds, 0, 0.0

    def step(self, batch: object) -> None:
        self.now += self.seconds(torch.get_num_threads(), self.steps)
        self.steps += 1

    def train(self, steps: int) -> tuple[float, StepThreads]:
        chooser = StepThreads([1, 2], clock=lambda: self.now)
        for _ in chooser.take(self.step, [NO_BATCH] * steps):
            pass
        return self.now, chooser


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    with threads_set(2):
        yield


@pytest.mark.parametrize("one, two", [(1.0, 0.6), (1.0, 2.0), (1.0, 5.0), (1.0, 300.0), (1.0, 1.0)])
@pytest.mark.parametrize("milliseconds", [0.5, 10, 100])
def test_steps_take_hardly_longer_than_with_the_better_number(one: float, two: float, milliseconds: float) -> None:
    took = {1: one * milliseconds / 1e3, 2: two * milliseconds / 1e3}
    steps = 2000
    seconds, chooser = Machine(lambda count, step: took[count]).train(steps)
    best = min(took, key=lambda count: took[count])
    # One step of the slower number cannot be avoided, however slow it is.
    assert seconds <= 1.3 * steps * took[best] + took[3 - best]
    assert chooser.main_count == best or one == two


def test_the_choice_follows_the_load_of_the_machine() -> None:
    """Quiet, then beside a busy process, then quiet again."""

    def seconds(count: int, step: int) -> float:
        busy = 5_000 <= step < 10_000
        return 0.010 if count == 1 else 0.030 if busy else 0.006

    took, _ = Machine(seconds).train(20_000)
    assert took <= 1.3 * (15_000 * 0.006 + 5_000 * 0.010)


def test_the_first_step_which_is_traced_counts_for_no_number() -> None:
    _, chooser = Machine(lambda count, step: 10.0 if step == 0 else 0.01 if count == 1 else 0.02).train(500)
    assert chooser.main_count == 1


def test_what_the_caller_does_between_steps_does_not_count() -> None:
    machine = Machine(lambda count, step: 0.01 / count)
    chooser = StepThreads([1, 2], clock=lambda: machine.now)
    for _ in chooser.take(machine.step, [NO_BATCH] * 500):
        if chooser.count == 2:
            machine.now += 100
    assert chooser.main_count == 2


def make_pack(*words: str) -> Pack:
    """A pack of three runs on digits."""
    context, recipe = make_context(20), make_recipe(*shortened(words))
    runs = [Run(recipe, Cell((normal,), (3,)), 0) for normal in (8, 1, 4)]
    return Pack(runs, [context.phases(run)[-1] for run in runs], True, context, "fp32")


def trained(words: Sequence[str], counts: Sequence[int]) -> dict[str, torch.Tensor]:
    pack = make_pack(*words)
    pack.threads_chosen = True
    for index, batch in enumerate(pack.data.batches(6)):
        torch.set_num_threads(counts[index % len(counts)])
        pack.take_step(batch)
    return {name: value.clone() for name, value in pack.model.params.items()}


@pytest.mark.parametrize("words", [("method=aesad",), ("method=ae",), ("method=a3",)])
def test_steps_whose_threads_are_chosen_give_the_same_bits(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "SMALL_STEP", 0)  # else these have one thread, and nothing is chosen
    pack = make_pack(*words)
    pack.take_step(next(iter(pack.data.batches(1))))
    assert pack.threads.counts == [1, 2]
    alone, changing = trained(words, [1]), trained(words, [2, 1])
    assert all(torch.equal(alone[name], changing[name]) for name in alone)


def test_steps_whose_bits_would_differ_have_a_fixed_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threads, "SMALL_STEP", 0)
    pack = make_pack("method=aesad", "network=conv")
    pack.take_step(next(iter(pack.data.batches(1))))
    assert pack.threads.counts == [2]
    pack = make_pack("method=esad")  # which has batch normalisation
    pack.take_step(next(iter(pack.data.batches(1))))
    assert pack.threads.counts == [1]


def test_a_difference_of_bits_is_seen() -> None:
    pack = make_pack("method=ae")
    batch = next(iter(pack.data.batches(1)))
    assert pack.step.has_fixed_bits(batch, [1, 2])
    step = pack.step.step
    assert step is not None
    pack.step.step = lambda *given: (step(*given)[0] + torch.get_num_threads() * 1e-3, step(*given)[1])
    assert not pack.step.has_fixed_bits(batch, [1, 2])


def test_small_steps_have_one_thread() -> None:
    pack = make_pack("method=ae")
    assert is_small(pack.model.method, 32)
    pack.take_step(next(iter(pack.data.batches(1))))
    assert pack.threads.counts == [1]


def test_threads_are_restored_and_recorded(command: Command, tmp_path: Path) -> None:
    words = ("method=ae", "dataset=digits", "scenario.normal=8", "scenario.anomalous=1", "epochs=2", "device=cpu")
    for engine in ("packed", "lightning"):
        for number, setting in ((1, "auto"), (2, "2")):
            results = f"results={tmp_path}/{engine}{setting}"
            assert command(*words, "seeds=[0]", f"engine={engine}", f"engine.threads={setting}", results) == 0
            assert torch.get_num_threads() == 2
            assert [record["threads"] for record in read(tmp_path / f"{engine}{setting}")] == [number]


def test_threads_are_restored_if_training_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    pack = make_pack("method=ae")

    def fails(*given: object) -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr(pack.optimizer, "step", fails)
    with pytest.raises(RuntimeError, match="no memory"):
        list(pack.train(lambda points: None, False))
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("threads", [0, -1, True, "all"])
def test_a_number_of_threads_that_is_none_is_refused(threads: object) -> None:
    with pytest.raises(InputError, match=r"engine\.threads is .*, expected auto or a whole number from 1 on"):
        PackedEngine("auto", 1, "fp32", False, 10, False, threads)  # type: ignore[arg-type]
