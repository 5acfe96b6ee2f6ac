"""The rows of many runs, of which each step takes a batch each."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, count, islice, repeat

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from semiad.data import Scaler, SplitData, replaced

BLOCK_VALUES = 1 << 18
"""Values of rows that are gathered at once for several runs; the rows of one step if they have more."""
STACKED_CHUNK = 1 << 16
"""Rows, over all runs, that are scored at once."""
NOISE_THREADS = 16
"""Threads that draw random numbers for a GPU."""
NOISE_AHEAD = 4
"""Steps for which they are drawn ahead."""


class StepStream:
    """The batches of one run, step after step through its epochs, as row numbers.

    Args:
        data: of the run.
        step: the first step that is taken, counted from 0.
    """

    def __init__(self, data: SplitData, step: int) -> None:
        self.data = data
        self.epoch, skip = divmod(step, data.steps)
        self.pending: Int64[Tensor, "steps b *p"] | None = None
        self.noise = chain.from_iterable(map(data.noise_batches, count(self.epoch)))
        if skip:
            self.take(skip)
            next(islice(self.noise, skip - 1, None))

    def take(self, steps: int) -> Int64[Tensor, "steps b *p"]:
        """Draw the positions among the training rows for the next steps, -1 where a batch is short."""
        while self.pending is None or len(self.pending) < steps:
            order = self.data.order(self.epoch)
            padded = order.new_full((self.data.steps * self.data.batch_size, *order.shape[1:]), -1)
            padded[: len(order)] = order
            drawn = padded.view(self.data.steps, self.data.batch_size, *order.shape[1:])
            self.pending = drawn if self.pending is None else torch.cat([self.pending, drawn])
            self.epoch += 1
        taken, self.pending = self.pending[:steps], self.pending[steps:]
        return taken


class StackedData:
    """The rows of K runs, of which each step takes a batch each.

    Args:
        parts: the data of the runs, on one data set.
        streams: the steps of the runs, all of them as far on.
    """

    def __init__(self, parts: Sequence[SplitData], streams: Sequence[StepStream]) -> None:
        self.parts, self.streams, self.x = parts, streams, parts[0].dataset.x
        self.train = pad_sequence([part.train for part in parts], batch_first=True)
        self.s = pad_sequence([part.s for part in parts], batch_first=True)
        self.scale = stack_scalers([part.scale for part in parts])
        self.noisy = parts[0].noise is not None
        targets = [part.targets for part in parts if part.targets is not None]
        self.targets = pad_sequence(targets, batch_first=True) if targets else None
        self.target_index = pad_sequence([part.target_index for part in parts], batch_first=True)
        self.fields = parts[0].fields

    def batches(self, steps: int) -> Iterator[tuple[Tensor, ...]]:
        """Yield, for each of the next steps, what the runs train on.

        Returns:
            Which rows count (K, b), and the `fields` of a batch, such as rows (K, b, ...) and semi-labels (K, b).
        """
        device = self.x.device
        positions = send(torch.stack([stream.take(steps) for stream in self.streams], dim=1), device)
        group = positions.shape[3:]  # of rows, if an element of a batch is one
        valid = (positions if not group else positions[..., 0]) >= 0
        positions = positions.clamp(min=0).flatten(2)
        runs = torch.arange(len(self.parts), device=device)[:, None]
        at_once = max(BLOCK_VALUES // (positions[0].numel() * self.x[0].numel()), 1)
        noise = ((drawn,) for drawn in self.noise(steps)) if self.noisy else repeat(())
        for part, counted in zip(torch.split(positions, at_once), torch.split(valid, at_once), strict=True):
            x, s = self.scale(self.x[self.train[runs, part]]), self.s[runs, part]
            target: Iterator[tuple[Tensor, ...]] = repeat(())
            if self.targets is not None:
                index = self.target_index[runs, part]
                target = ((rows,) for rows in grouped(replaced(x, s, self.targets[runs, index]), group))
            x, s = grouped(x, group), grouped(s, group)
            for batch in zip(counted, x, s, strict=True):
                yield (*batch, *next(noise), *next(target))

    def noise(self, steps: int) -> Iterator[Float[Tensor, "K b ..."]]:
        """Yield the random numbers of the next steps; drawn on the CPU, so that metrics do not depend on the device."""
        if self.x.device.type == "cpu":
            for _ in range(steps):
                yield torch.stack([*map(next_noise, self.streams)])
        else:
            for drawn in self.noise_ahead(steps):
                yield send(drawn, self.x.device)

    def noise_ahead(self, steps: int) -> Iterator[Float[Tensor, "K b ..."]]:
        """Yield the random numbers of the next steps, which threads draw while a GPU computes."""
        with ThreadPoolExecutor(NOISE_THREADS) as pool, ThreadPoolExecutor(1) as thread:

            def draw() -> Tensor:
                drawn = torch.stack([*pool.map(next_noise, self.streams)])
                return drawn.pin_memory() if self.x.device.type == "cuda" else drawn

            drawing = deque(thread.submit(draw) for _ in range(min(NOISE_AHEAD, steps)))
            for step in range(steps):
                drawn = drawing.popleft().result()
                if step + NOISE_AHEAD < steps:
                    drawing.append(thread.submit(draw))
                yield drawn

    @staticmethod
    def test_chunks(parts: Sequence[SplitData]) -> tuple[bool, Iterator[Float[Tensor, "*b"]]]:
        """Cut the test rows of some runs into chunks.

        Returns:
            Whether all runs have the same rows; and chunks (b, ...) if they have, else (K, b, ...), where runs with
            fewer rows are padded.
        """
        scale = stack_scalers([part.scale for part in parts])
        test = pad_sequence([part.test for part in parts], batch_first=True)
        shared = scale.low.ndim == 0 and bool((test == test[:1]).all())
        x = parts[0].dataset.x
        chunks = torch.split(test, max(STACKED_CHUNK // len(parts), 1), dim=1)
        return shared, (scale(x[chunk[0] if shared else chunk]) for chunk in chunks)


def grouped(values: Shaped[Tensor, "steps K n *shape"], group: Sequence[int]) -> Shaped[Tensor, "steps K b *shape2"]:
    """Put rows, which groups of a batch have one after the other, together as groups."""
    return values.reshape(*values.shape[:2], -1, *group, *values.shape[3:]) if group else values


def next_noise(stream: StepStream) -> Tensor:
    """Take the random numbers of the next step of a run."""
    drawn = next(stream.noise)
    assert drawn is not None
    return drawn


def send(values: Tensor, device: torch.device) -> Tensor:
    """Send a tensor to a device; the CPU does not wait for a GPU."""
    return values.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else values.to(device)


def stack_scalers(scalers: Sequence[Scaler]) -> Scaler:
    """Stack the scalers of many runs, for rows (K, b, ...); one that is the same for all stays as it is."""
    if scalers[0].low.ndim == 0:
        return scalers[0]
    low, span, slack = (torch.stack(values)[:, None] for values in zip(*scalers, strict=True))
    return Scaler(low, span, slack.view(-1, *[1] * (low.ndim - 1)))
