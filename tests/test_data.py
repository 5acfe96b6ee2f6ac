import torch
from hypothesis import given
from hypothesis import strategies as st

from semiad.data import batches, scaler
from semiad.types import Labels, Table


@given(st.integers(1, 200), st.integers(1, 50), st.integers(0, 2**63 - 1), st.integers(0, 5000))
def test_an_epoch_takes_each_row_once(n: int, size: int, entropy: int, epoch: int) -> None:
    order = batches(n, size, entropy, epoch)
    assert torch.cat(order).sort().values.tolist() == list(range(n))
    assert [len(b) for b in order[:-1]] == [size] * (len(order) - 1) and 1 <= len(order[-1]) <= size


def test_order_depends_on_run_and_epoch_only() -> None:
    def first(entropy: int, epoch: int) -> list[int]:
        return torch.cat(batches(100, 32, entropy, epoch)).tolist()

    assert first(7, 0) == first(7, 0)
    assert len({tuple(first(e, p)) for e in (7, 8, 9) for p in (0, 1, 2)}) == 9
    torch.manual_seed(1)
    assert first(7, 3) == torch.cat(batches(100, 10, 7, 3)).tolist()


def labels(n: int) -> Labels:
    return Labels("t", (0, 1), torch.zeros(n, dtype=torch.int64).numpy(), None)


def test_tables_are_scaled_by_training_rows_and_clipped() -> None:
    x = torch.tensor([[0.0, 5.0, 1.0], [2.0, 5.0, 3.0], [9.0, 4.5, -1.0], [1.0, 5.5, 2.0]])
    scale = scaler(Table(labels(4), x, top=None), torch.tensor([0, 1]))
    # The second feature is constant in training: its differences are kept.
    assert scale(x).tolist() == [[0, 0, 0], [1, 0, 1], [1, 0, 0], [0.5, 0.5, 0.5]]


def test_images_are_scaled_by_their_own_range() -> None:
    x = torch.tensor([[[[0, 8, 16]]]], dtype=torch.uint8)
    assert scaler(Table(labels(1), x, top=16.0), torch.tensor([0]))(x).flatten().tolist() == [0, 0.5, 1]
