from dataclasses import replace

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from semiad.data import SplitData, epoch_order, fit_scaler, generator
from semiad.engines.packed.stacked_data import StackedData, StepStream
from semiad.types import Dataset, Labels, Split


@given(st.integers(1, 200), st.integers(1, 50), st.integers(0, 2**63 - 1), st.integers(0, 5000))
def test_an_epoch_takes_each_row_once(n: int, size: int, entropy: int, epoch: int) -> None:
    assert epoch_order(n, size, entropy, epoch).sort().values.tolist() == list(range(n))


@given(st.integers(1, 200), st.integers(1, 50), st.integers(0, 2**63 - 1))
def test_full_batches_drop_the_rest_or_repeat_a_small_set(n: int, size: int, entropy: int) -> None:
    rows, every = epoch_order(n, size, entropy, 3, drop_last=True), epoch_order(n, size, entropy, 3)
    assert len(rows) == max(n // size, 1) * size
    expected = every[: len(rows)] if n >= size else every.repeat(size)[:size]
    assert torch.equal(rows, expected)


def test_order_depends_on_run_and_epoch_only() -> None:
    def first(entropy: int, epoch: int) -> list[int]:
        return epoch_order(100, 32, entropy, epoch).tolist()

    assert first(7, 0) == first(7, 0)
    assert len({tuple(first(e, p)) for e in (7, 8, 9) for p in (0, 1, 2)}) == 9
    torch.manual_seed(1)
    assert first(7, 3) == epoch_order(100, 10, 7, 3).tolist()


def labels(n: int) -> Labels:
    return Labels("t", (0, 1), torch.zeros(n, dtype=torch.int64).numpy(), None)


def test_tables_are_scaled_by_training_rows_and_clipped() -> None:
    x = torch.tensor([[0.0, 5.0, 1.0], [2.0, 5.0, 3.0], [9.0, 4.5, -1.0], [1.0, 5.5, 2.0]])
    scale = fit_scaler(Dataset(labels(4), x, top=None), torch.tensor([0, 1]))
    # The second feature is constant in training: its differences are kept.
    assert scale(x).tolist() == [[0, 0, 0], [1, 0, 1], [1, 0, 0], [0.5, 0.5, 0.5]]


def test_the_rows_that_a_split_is_scaled_by_may_be_others_and_then_nothing_is_clipped() -> None:
    x = torch.tensor([[0.0, 5.0], [2.0, 5.0], [9.0, 4.5], [1.0, 5.5], [4.0, 6.0]])
    table, train, test = Dataset(labels(5), x, top=None), np.array([0, 1]), np.array([2, 3])
    clipped = Split(train, np.zeros(2, dtype=np.int64), 0, test, np.array([1, 0]), None)
    free = replace(clipped, scaling=np.array([0, 1, 4]))
    data = [SplitData(table, split, False, 2, 7) for split in (clipped, free)]
    assert data[1].x.tolist() == [[0, 0], [0.5, 0]]
    assert torch.cat([*data[1].test_chunks()]).tolist() == [[2.25, -0.5], [0.25, 0.5]]
    assert clipped.digest != free.digest
    # Both kinds in one pack.
    _, chunks = StackedData.test_chunks(data)
    expected = torch.stack([torch.cat([*one.test_chunks()]) for one in data])
    assert torch.equal(torch.cat([*chunks], dim=1), expected)


def test_images_are_scaled_by_their_own_range() -> None:
    x = torch.tensor([[[[0, 8, 16]]]], dtype=torch.uint8)
    assert fit_scaler(Dataset(labels(1), x, top=16.0), torch.tensor([0]))(x).flatten().tolist() == [0, 0.5, 1]


def test_random_numbers_are_the_runs_own_and_differ_from_step_to_step() -> None:
    table = Dataset(labels(100), torch.rand(100, 3), top=1.0)
    rows, zeros = np.arange(100), np.zeros(100, dtype=np.int64)
    split = Split(rows, zeros, 0, rows, zeros, None)

    def draws(entropy: int, epoch: int) -> list[torch.Tensor]:
        drawn = SplitData(table, split, False, 4, entropy, noise=lambda n, source: torch.rand(n, 3, generator=source))
        return [batch.noise for batch in drawn.batches(epoch)]

    first = draws(7, 0)
    assert [d.shape for d in first] == [(4, 3)] * 25 and torch.equal(torch.stack(first), torch.stack(draws(7, 0)))
    every = torch.cat([*first, *draws(7, 1), *draws(8, 0)])
    assert len(every.flatten().unique()) > 0.999 * every.numel()
    # No stream of noise is a stream of order.
    assert generator(7, 0).initial_seed() != generator(7, -2).initial_seed()


def test_random_numbers_that_threads_draw_ahead_are_the_same() -> None:
    table = Dataset(labels(100), torch.rand(100, 3), top=1.0)
    rows, zeros = np.arange(100), np.zeros(100, dtype=np.int64)

    def stacked() -> StackedData:
        parts = [
            SplitData(
                table,
                Split(rows[: 40 + 20 * k], zeros[: 40 + 20 * k], 0, rows, zeros, None),
                False,
                4,
                entropy=k,
                noise=lambda n, source: torch.rand(n, 3, generator=source),
            )
            for k in range(3)
        ]
        return StackedData(parts, [StepStream(part, 0) for part in parts])

    now, ahead = stacked(), stacked()
    for _ in range(2):  # across the ends of epochs, and from one block of steps to the next
        expected, drawn = [*now.noise(30)], [*ahead.noise_ahead(30)]
        assert len(drawn) == 30 and torch.equal(torch.stack(expected), torch.stack(drawn))
