"""The rows of a split, scaled, and cut into batches in the one order in which every engine takes them."""

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor

from semiad.errors import InputError
from semiad.methods.base import Method
from semiad.methods.contract import check_noise
from semiad.types import Batch, Dataset, Split

CHUNK = 2048
"""Rows that are scored at once; fixed, so that a score does not depend on the batch size of training."""
NOISE_STEPS = 16
"""Steps whose random numbers are drawn at once, from a generator of their own."""


class Scaler(NamedTuple):
    """Sends rows to [0, 1] and clips what lies outside.

    Attributes:
        low: what becomes 0, one value per feature; for images 0.
        span: what is added to it to become 1.
        slack: how far outside of [0, 1] a value may lie: 0, or infinity for no clipping.
    """

    low: Float[Tensor, "..."]
    span: Float[Tensor, "..."]
    slack: Float[Tensor, "..."]

    def __call__(self, x: Shaped[Tensor, "*b"]) -> Float[Tensor, "*b"]:
        """Scale rows."""
        if self.low.ndim == 0:  # images: nothing lies outside
            return x / self.span
        return ((x - self.low) / self.span).clamp(0 - self.slack, 1 + self.slack)


def fit_scaler(dataset: Dataset, rows: Int64[Tensor, " n"], clip: bool = True) -> Scaler:
    """Fit a scaler: an image's own range, or the range of each feature over some rows.

    A feature that is constant there keeps its differences from that constant (span 1).

    Args:
        dataset: the data set.
        rows: to fit it on.
        clip: whether values of other rows that lie outside are clipped.
    """
    x = dataset.x
    slack = torch.tensor(0 if clip else torch.inf, dtype=torch.get_default_dtype(), device=x.device)
    if dataset.top is not None:
        return Scaler(torch.zeros((), device=x.device), torch.tensor(dataset.top, device=x.device), slack)
    low, high = x[rows].amin(0), x[rows].amax(0)
    return Scaler(low, torch.where(high > low, high - low, 1.0), slack)


def generator(entropy: int, index: int) -> torch.Generator:
    """Make one of a run's streams of random numbers, on the CPU, so that metrics do not depend on the device."""
    return torch.Generator().manual_seed((entropy + 0x9E3779B97F4A7C15 * (index + 1)) % 2**63)


def epoch_order(n: int, batch_size: int, entropy: int, epoch: int, drop_last: bool = False) -> Int64[Tensor, " m"]:
    """Draw the order of the rows of an epoch; this is the one place that orders rows.

    Args:
        n: number of training rows.
        batch_size: rows in a batch.
        entropy: of the run, see `Cell.entropy`.
        epoch: counted from 0.
        drop_last: whether every batch has `batch_size` rows: the rest of an epoch is dropped, and a set smaller than a
            batch is repeated. Otherwise the last batch is shorter.

    Returns:
        Positions among `n` rows, to be cut into batches.
    """
    rows = torch.randperm(n, generator=generator(entropy, epoch))
    if drop_last:
        rows = (
            rows[: n // batch_size * batch_size] if n >= batch_size else rows.repeat(-(-batch_size // n))[:batch_size]
        )
    return rows


NoiseFunction = Callable[[int, torch.Generator], Tensor | None]
"""Draws the random numbers of an objective for a number of rows (see `Method.noise`)."""
RowsFunction = Callable[[Tensor, int, torch.Generator], Tensor | None]
"""Draws the rows of an epoch (see `Method.draw_rows`)."""
TargetFunction = Callable[[Tensor, torch.Generator], Tensor | None]
"""Draws what labelled rows are to be reconstructed as (see `Method.targets`)."""


class SplitData:
    """The rows of one run, on the data set's device.

    Args:
        dataset: the data set, on the device.
        split: which rows train and test.
        unsupervised: whether the rows that are labelled anomalous are left out of training.
        batch_size: rows in a training batch.
        entropy: orders the rows, see `Cell.entropy`.
        drop_last: see `epoch_order`.
        noise: draws what an objective needs at random; None if it needs nothing.
        draw_targets: draws what labelled anomalies are to be reconstructed as; None if nothing needs that.
        start_epoch: epochs that earlier phases of the run have trained: order and noise go on from there.
        draw_rows: draws the rows of an epoch; None for every row once, in random order.
    """

    def __init__(
        self,
        dataset: Dataset,
        split: Split,
        unsupervised: bool,
        batch_size: int,
        entropy: int,
        drop_last: bool = False,
        noise: NoiseFunction | None = None,
        draw_targets: TargetFunction | None = None,
        start_epoch: int = 0,
        draw_rows: RowsFunction | None = None,
    ) -> None:
        self.dataset, self.split, self.batch_size, self.entropy = dataset, split, batch_size, entropy
        self.draw_rows = draw_rows
        self.drop_last, self.noise, self.draw_targets, self.start_epoch = drop_last, noise, draw_targets, start_epoch
        train, s = (torch.from_numpy(a).to(dataset.x.device) for a in (split.train, split.s))
        rows = train if split.scaling is None else torch.from_numpy(split.scaling).to(dataset.x.device)
        self.scale = fit_scaler(dataset, rows, clip=split.scaling is None)
        self.train: Int64[Tensor, " n"] = train[s == 0] if unsupervised else train
        self.s: Float[Tensor, " n"] = (s[s == 0] if unsupervised else s).to(torch.get_default_dtype())
        self.test = torch.from_numpy(split.test).to(dataset.x.device)

    @classmethod
    def of_method(cls, method: Method, dataset: Dataset, split: Split, batch_size: int, entropy: int) -> "SplitData":
        """The rows as a method takes them.

        Raises:
            InputError: the method does not draw random numbers for each row.
        """
        drawn = method.noise(2, torch.Generator())
        check_noise(method, drawn, 2)
        noise = None if drawn is None else method.noise
        return cls(
            dataset,
            split,
            method.unsupervised,
            batch_size,
            entropy,
            method.drop_last,
            noise,
            method.targets,
            method.start_epoch,
            method.draw_rows,
        )

    @cached_property
    def x(self) -> Float[Tensor, "n *shape"]:
        """The training rows, scaled."""
        return self.scale(self.dataset.x[self.train])

    @cached_property
    def targets(self) -> Float[Tensor, "m *shape"] | None:
        """What each labelled row is to be reconstructed as, in the order of rows, after a first row of zeros.

        Raises:
            InputError: the method gives something else than a row for each.
        """
        labelled = self.scale(self.dataset.x[self.train[self.s == 1]])
        drawn = None if self.draw_targets is None else self.draw_targets(labelled, generator(self.entropy, -1))
        if drawn is None:
            return None
        if drawn.shape != labelled.shape:
            raise InputError(
                f"targets gave a result of shape {tuple(drawn.shape)} for labelled rows of shape "
                f"{tuple(labelled.shape)}, expected the same shape"
            )
        return torch.cat([drawn.new_zeros((1, *drawn.shape[1:])), drawn])

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of a batch that the objective needs."""
        noise, target = self.noise is not None, self.targets is not None
        return ("x", "s", *(["noise"] * noise), *(["target"] * target))

    @cached_property
    def target_index(self) -> Int64[Tensor, " n"]:
        """The position of each training row in `targets`: 0 for an unlabelled row."""
        labelled = self.s == 1
        return labelled.cumsum(0) * labelled

    @cached_property
    def rows_per_epoch(self) -> int:
        """The number of rows in the batches of an epoch, or of groups of rows."""
        return len(self.order(0))

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return -(-self.rows_per_epoch // self.batch_size)

    @cached_property
    def s_on_cpu(self) -> Float[Tensor, " n"]:
        """The semi-labels of the training rows, on the CPU."""
        return self.s.cpu()

    def order(self, epoch: int) -> Int64[Tensor, " m"] | Int64[Tensor, "m p"]:
        """Draw the rows of an epoch (from 0) in order, as positions among the training rows, on the CPU.

        Raises:
            InputError: the method draws something else than batches of row numbers.
        """
        n, epoch = len(self.s), self.start_epoch + epoch
        if self.draw_rows is not None:
            drawn = self.draw_rows(self.s_on_cpu, self.batch_size, generator(self.entropy, epoch))
            if drawn is not None:
                check_drawn(drawn, n, self.batch_size)
                return drawn.flatten(0, 1)
        return epoch_order(n, self.batch_size, self.entropy, epoch, self.drop_last)

    def noise_batches(self, epoch: int) -> Iterator[Float[Tensor, "b ..."] | None]:
        """Yield, for each batch of an epoch, random numbers for a full batch; None if the objective needs none."""
        for step in range(self.steps):
            if self.noise is None:
                yield None
                continue
            if step % NOISE_STEPS == 0:
                source = generator(self.entropy, -2 - (self.start_epoch + epoch << 24 | step))
                many = self.noise(NOISE_STEPS * self.batch_size, source)
            yield None if many is None else many[step % NOISE_STEPS * self.batch_size :][: self.batch_size]

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of an epoch (from 0)."""
        parts = torch.split(self.order(epoch).to(self.s.device), self.batch_size)
        for rows, noise in zip(parts, self.noise_batches(epoch), strict=True):
            if noise is not None:
                noise = noise[: len(rows)].to(self.x.device)
            x, s = self.x[rows], self.s[rows]
            target = None if self.targets is None else replaced(x, s, self.targets[self.target_index[rows]])
            yield Batch(x, s, noise, target)

    def test_chunks(self) -> Iterator[Float[Tensor, "b *shape"]]:
        """Yield the test rows, scaled, `CHUNK` rows at a time."""
        for rows in torch.split(self.test, CHUNK) if len(self.test) else ():
            yield self.scale(self.dataset.x[rows])


def check_drawn(drawn: object, n: int, batch_size: int) -> None:
    """Check the rows that a method draws for an epoch.

    Raises:
        InputError: they are no batches of row numbers below n.
    """
    expected = f"draw_rows, for {n} rows in batches of {batch_size}, should give whole numbers of shape "
    expected += f"(steps, {batch_size}) or (steps, {batch_size}, rows of a group), but gave "
    if not isinstance(drawn, Tensor) or drawn.dtype != torch.int64:
        raise InputError(f"{expected}{drawn.dtype if isinstance(drawn, Tensor) else type(drawn).__name__}")
    if drawn.ndim not in (2, 3) or drawn.shape[1] != batch_size or not drawn.numel():
        raise InputError(f"{expected}shape {tuple(drawn.shape)}")
    low, high = (int(bound) for bound in drawn.aminmax())
    if low < 0 or high >= n:
        raise InputError(f"draw_rows gave the row number {low if low < 0 else high}, expected 0 to {n - 1}")


def replaced(x: Float[Tensor, "*b"], s: Float[Tensor, "*n"], targets: Float[Tensor, "*b"]) -> Float[Tensor, "*b"]:
    """Replace labelled rows by their targets."""
    return torch.where((s == 1).view(*s.shape, *[1] * (x.ndim - s.ndim)), targets, x)
