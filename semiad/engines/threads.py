"""The number of threads that steps take on a CPU, which other processes may use too.

Threads of one step wait for each other. Beside one busy process on two cores, a step of two threads took two to five
times as long as a step of one thread; on the quiet machine a large step gains by the second thread, and a small one
does not. So a small step has one thread; a larger one has the number with which steps are faster just now, as long as
that changes no bit of what they compute. Where it does, the number is fixed: all threads for convolutions, else one. A
command gives the same weights each time.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from math import inf
from time import perf_counter

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from semiad.checks import is_whole
from semiad.errors import InputError
from semiad.methods.base import Method

Batches = Sequence[Tensor]
"""A batch of each run of a pack."""

SMALL_STEP = 2**24
"""Weights times rows below which a step gains little by a second thread, and has one thread always."""
WINDOW = 64
"""Steps whose time is looked at together."""
WINDOW_SECONDS = 0.25
"""Seconds after which the time of steps is looked at, however few they are."""
TRIAL_STEPS = 4
"""Steps of a trial of one number of threads."""
TRIAL_SHARE = 0.04
"""Share of the time that goes to trials of the slower number."""
BETTER = 0.9
"""A number of threads takes over if its steps take less than this share of the time."""
SLOWER, SLOWER_SHARE = 1.5, 0.2
"""Steps that take this many times as long as in their trial call for another one, as far as trials then take no more
than this share of the time."""
HOPELESS = 2
"""A trial ends early once it has taken this many times as long as the whole trial of the other number."""


def check_threads(threads: int | str) -> None:
    """Check a setting of the number of threads.

    Raises:
        InputError: it is neither `auto` nor a whole number from 1 on.
    """
    if threads != "auto" and not is_whole(threads):
        raise InputError(f"engine.threads is {threads}, expected auto or a whole number from 1 on")


def convolves(method: Method) -> bool:
    """Whether a method has convolutions: large steps, whose bits depend on the number of threads."""
    return any(isinstance(module, _ConvNd) for module in method.modules())


def is_small(method: Method, rows: int) -> bool:
    """Whether a step of some rows is too small to gain much by a second thread."""
    return not convolves(method) and rows * sum(value.numel() for value in method.parameters()) < SMALL_STEP


def has_fixed_bits(method: Method) -> bool:
    """Whether no module of a method is known to add in an order that depends on the number of threads."""
    return not any(isinstance(module, _ConvNd | _BatchNorm) for module in method.modules())


@contextmanager
def threads_set(count: int) -> Iterator[None]:
    """Compute with a number of threads while the body runs."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def threads_given(threads: int | str | None) -> AbstractContextManager[None]:
    """Compute with a number of threads while the body runs; `auto` and None leave it as it is."""
    return threads_set(threads) if isinstance(threads, int) else nullcontext()


class StepThreads:
    """Takes steps with one thread or with all of them, whichever makes steps faster.

    Each number is tried for a few steps in turn, and again after a while, so that trials of the slower number take a
    few percent of the time; at once, if steps have become much slower.

    Args:
        counts: the numbers of threads to choose from: one number, or two, of which the first is tried first.
        clock: gives the time in seconds.
    """

    def __init__(self, counts: Sequence[int], clock: Callable[[], float] = perf_counter) -> None:
        self.clock = clock
        self.steps_with: dict[int, int] = dict.fromkeys(counts, 0)
        self.choose_from(counts)

    def choose_from(self, counts: Sequence[int]) -> None:
        """Begin anew with these numbers of threads, since steps are others now."""
        self.counts = [*dict.fromkeys(counts)]
        self.count = self.counts[0]
        self.mean = dict.fromkeys(self.counts, inf)
        self.trials = [*self.counts] if len(self.counts) > 1 else []
        self.trial_seconds = self.since_trial = 0.0
        self.window, self.window_seconds = 0, 0.0
        self.first = True

    @property
    def main_count(self) -> int:
        """The number of threads of most steps so far."""
        return max(self.steps_with, key=lambda count: self.steps_with[count])

    def take(self, step: Callable[[Batches], None], batches: Iterable[Batches]) -> Iterator[None]:
        """Take a step with each batch, and yield after it; what the caller does meanwhile does not count."""
        iterator = iter(batches)
        while True:
            torch.set_num_threads(self.trials[0] if self.trials else self.count)
            start = self.clock()
            try:
                batch = next(iterator)
            except StopIteration:
                return
            step(batch)
            self.learn(self.clock() - start)
            yield

    def learn(self, seconds: float) -> None:
        """Learn how long a step took."""
        used = self.trials[0] if self.trials else self.count
        self.steps_with[used] = self.steps_with.get(used, 0) + 1
        if len(self.counts) == 1:
            return
        if self.first:  # it takes longer than others: it may be traced and compiled
            self.first = False
            return
        self.window, self.window_seconds = self.window + 1, self.window_seconds + seconds
        if self.trials:
            least = min(mean for count, mean in self.mean.items() if count != used)
            if self.window == TRIAL_STEPS or self.window_seconds > HOPELESS * TRIAL_STEPS * least:
                self.end_trial()
        elif self.window == WINDOW or self.window_seconds > WINDOW_SECONDS:
            slower = self.window_seconds > SLOWER * self.window * self.mean[used]
            self.since_trial += self.window_seconds
            self.window, self.window_seconds = 0, 0.0
            if self.since_trial * (SLOWER_SHARE if slower else TRIAL_SHARE) > self.trial_seconds:
                self.trials = [used, *(count for count in self.counts if count != used)]

    def end_trial(self) -> None:
        """Keep the time of a step of the number that was tried, and choose if it was the last."""
        self.mean[self.trials.pop(0)] = self.window_seconds / self.window
        self.trial_seconds = self.window_seconds
        self.window, self.window_seconds = 0, 0.0
        if not self.trials:
            best = min(self.counts, key=lambda count: self.mean[count])
            if self.mean[best] < BETTER * self.mean[self.count]:
                self.count = best
            self.since_trial = 0.0
