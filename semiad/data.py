"""Rows of a split, scaled, in the order in which every engine takes them."""

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import NamedTuple

import pytorch_lightning as pl
import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor

from semiad.types import Batch, Split, Table

CHUNK = 2048
"""Rows that are scored at once; fixed, so that a score does not depend on the batch size of training."""
DRAWS = 16
"""Steps whose random numbers are drawn at once, from a generator of their own."""


class Scaler(NamedTuple):
    """Sends rows to [0, 1] and clips what lies outside.

    Attributes:
        low: what becomes 0, one value per feature; for images 0.
        span: what is added to it to become 1.
    """

    low: Float[Tensor, "..."]
    span: Float[Tensor, "..."]

    def __call__(self, x: Shaped[Tensor, "*b"]) -> Float[Tensor, "*b"]:
        """Scale rows."""
        if self.low.ndim == 0:  # images: nothing lies outside
            return x / self.span
        return ((x - self.low) / self.span).clamp(0, 1)


def scaler(table: Table, train: Int64[Tensor, " n"]) -> Scaler:
    """The scaler of a split: an image's own range, or the range of each feature over the training rows.

    A feature that is constant there keeps its differences from that constant (span 1).
    """
    if table.top is not None:
        return Scaler(torch.zeros((), device=table.x.device), torch.tensor(table.top, device=table.x.device))
    low, high = table.x[train].amin(0), table.x[train].amax(0)
    return Scaler(low, torch.where(high > low, high - low, 1.0))


def generator(entropy: int, index: int) -> torch.Generator:
    """One of a run's streams of random numbers, on the CPU, so that figures do not depend on the device."""
    return torch.Generator().manual_seed((entropy + 0x9E3779B97F4A7C15 * (index + 1)) % 2**63)


def order(n: int, size: int, entropy: int, epoch: int, full: bool = False) -> Int64[Tensor, " m"]:
    """The one place that orders rows: those of an epoch, as positions among `n` rows, to be cut into batches.

    Args:
        n: number of training rows.
        size: of a batch.
        entropy: the run's, see `Cell.entropy`.
        epoch: from 0.
        full: every batch has `size` rows: the rest of an epoch is dropped, and a set smaller than a batch is repeated.
            Otherwise the last batch is shorter.
    """
    rows = torch.randperm(n, generator=generator(entropy, epoch))
    if full:
        rows = rows[: n // size * size] if n >= size else rows.repeat(-(-size // n))[:size]
    return rows


Draws = Callable[[int, torch.Generator], Tensor | None]
"""What draws the random numbers of an objective, for so many rows (see `Method.noise`)."""


class Rows:
    """The rows of one run, on the table's device.

    Args:
        table: the data set, on the device.
        split: which rows.
        unsupervised: leave out the rows labelled anomalous.
        batch_size: of training.
        entropy: orders the rows, see `Cell.entropy`.
        full: see `order`.
        noise: draws what an objective needs at random.
        first: epochs that the run has trained before: order and noise go on from there.
    """

    def __init__(
        self,
        table: Table,
        split: Split,
        unsupervised: bool,
        batch_size: int,
        entropy: int,
        full: bool = False,
        noise: Draws | None = None,
        first: int = 0,
    ) -> None:
        self.first = first
        self.table, self.batch_size, self.entropy, self.full, self.noise = table, batch_size, entropy, full, noise
        train, s = (torch.from_numpy(a).to(table.x.device) for a in (split.train, split.s))
        self.scale = scaler(table, train)
        self.train: Int64[Tensor, " n"] = train[s == 0] if unsupervised else train
        self.s: Float[Tensor, " n"] = (s[s == 0] if unsupervised else s).to(torch.get_default_dtype())
        self.test = torch.from_numpy(split.test).to(table.x.device)

    @cached_property
    def x(self) -> Float[Tensor, "n *shape"]:
        """The training rows, scaled."""
        return self.scale(self.table.x[self.train])

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        n = len(self.s)
        return max(n // self.batch_size, 1) if self.full else -(-n // self.batch_size)

    def order(self, epoch: int) -> Int64[Tensor, " m"]:
        """The rows of an epoch (from 0), as positions among the training rows, on the CPU."""
        return order(len(self.s), self.batch_size, self.entropy, self.first + epoch, self.full)

    def draws(self, epoch: int) -> Iterator[Float[Tensor, "b ..."] | None]:
        """For each batch of an epoch, random numbers for a whole batch; None if the objective needs none."""
        for step in range(self.steps):
            if self.noise is None:
                yield None
                continue
            if step % DRAWS == 0:
                many = self.noise(
                    DRAWS * self.batch_size, generator(self.entropy, -2 - (self.first + epoch << 24 | step))
                )
            yield None if many is None else many[step % DRAWS * self.batch_size :][: self.batch_size]

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """The batches of an epoch (from 0)."""
        steps = torch.split(self.order(epoch).to(self.s.device), self.batch_size)
        for rows, noise in zip(steps, self.draws(epoch), strict=True):
            if noise is not None:
                noise = noise[: len(rows)].to(self.x.device)
            yield Batch(self.x[rows], self.s[rows], noise)

    def test_chunks(self) -> Iterator[Float[Tensor, "b *shape"]]:
        """The test rows, scaled, a chunk at a time."""
        for rows in torch.split(self.test, CHUNK):
            yield self.scale(self.table.x[rows])


class SplitDataModule(pl.LightningDataModule):
    """Hands Lightning one item an epoch: the batches of that epoch (see `Method.training_step`)."""

    def __init__(self, rows: Rows) -> None:
        super().__init__()
        self.rows = rows

    def train_dataloader(self) -> "SplitDataModule":
        """Lightning's; the module itself is the loader."""
        return self

    def __len__(self) -> int:
        """Items in an epoch."""
        return 1

    def __iter__(self) -> Iterator[Iterator[Batch]]:
        """The batches of the trainer's current epoch, as one item."""
        assert self.trainer is not None
        yield self.rows.epoch(self.trainer.current_epoch)

    def transfer_batch_to_device(
        self, batch: Iterator[Batch], device: torch.device, dataloader_idx: int
    ) -> Iterator[Batch]:
        """Lightning's; rows are on the device already."""
        return batch
