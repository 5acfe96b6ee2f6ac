"""Rows of a split, scaled, in the order in which every engine takes them."""

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import pytorch_lightning as pl
import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor

from semiad.types import Batch, Split, Table

CHUNK = 2048
"""Rows that are scored at once; fixed, so that a score does not depend on the batch size of training."""


class Scaler(NamedTuple):
    """Sends rows to [0, 1] and clips what lies outside.

    Attributes:
        low: what becomes 0, one value or one per feature.
        span: what is added to it to become 1.
    """

    low: Float[Tensor, "..."]
    span: Float[Tensor, "..."]

    def __call__(self, x: Shaped[Tensor, "b *shape"]) -> Float[Tensor, "b *shape"]:
        """Scale rows."""
        return ((x - self.low) / self.span).clamp(0, 1)


def scaler(table: Table, train: Int64[Tensor, " n"]) -> Scaler:
    """The scaler of a split: an image's own range, or the range of each feature over the training rows.

    A feature that is constant there keeps its differences from that constant (span 1).
    """
    if table.top is not None:
        return Scaler(torch.zeros((), device=table.x.device), torch.tensor(table.top, device=table.x.device))
    low, high = table.x[train].amin(0), table.x[train].amax(0)
    return Scaler(low, torch.where(high > low, high - low, 1.0))


def batches(n: int, size: int, entropy: int, epoch: int) -> tuple[Int64[Tensor, " b"], ...]:
    """The one place that orders rows: the batches of an epoch, as positions among `n` rows, the last one shorter.

    Args:
        n: number of training rows.
        size: of a batch.
        entropy: the run's, see `Cell.entropy`.
        epoch: from 0.
    """
    generator = torch.Generator().manual_seed((entropy + 0x9E3779B97F4A7C15 * (epoch + 1)) % 2**63)
    return torch.split(torch.randperm(n, generator=generator), size)


class SplitDataModule(pl.LightningDataModule):
    """The rows of one run, resident on the table's device.

    Args:
        table: the data set, on the device.
        split: which rows.
        unsupervised: leave out the rows labelled anomalous.
        batch_size: of training.
        entropy: orders the rows, see `Cell.entropy`.
    """

    def __init__(self, table: Table, split: Split, unsupervised: bool, batch_size: int, entropy: int) -> None:
        super().__init__()
        self.table, self.batch_size, self.entropy = table, batch_size, entropy
        rows, s = (torch.from_numpy(a).to(table.x.device) for a in (split.train, split.s))
        self.scale = scaler(table, rows)
        if unsupervised:
            rows, s = rows[s == 0], s[s == 0]
        self.x: Float[Tensor, n * shape] = self.scale(table.x[rows])
        self.s: Float[Tensor, " n"] = s.float()
        self.test = torch.from_numpy(split.test).to(table.x.device)

    @cached_property
    def steps(self) -> int:
        """Batches in an epoch."""
        return -(-len(self.s) // self.batch_size)

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """The batches of an epoch (from 0)."""
        for rows in batches(len(self.s), self.batch_size, self.entropy, epoch):
            yield Batch(self.x[rows], self.s[rows])

    def train_dataloader(self) -> "Epochs":
        """Lightning's."""
        return Epochs(self)

    def transfer_batch_to_device(
        self, batch: Iterator[Batch], device: torch.device, dataloader_idx: int
    ) -> Iterator[Batch]:
        """Lightning's; rows are on the device already."""
        return batch

    def test_chunks(self) -> Iterator[Float[Tensor, "b *shape"]]:
        """The test rows, scaled, a chunk at a time."""
        for rows in torch.split(self.test, CHUNK):
            yield self.scale(self.table.x[rows])


class Epochs:
    """What Lightning takes for a loader: one item an epoch, the batches of that epoch (see `Method.training_step`)."""

    def __init__(self, data: SplitDataModule) -> None:
        self.data = data

    def __len__(self) -> int:
        """Items in an epoch."""
        return 1

    def __iter__(self) -> Iterator[Iterator[Batch]]:
        """The batches of the trainer's current epoch, as one item."""
        assert self.data.trainer is not None
        yield self.data.epoch(self.data.trainer.current_epoch)
