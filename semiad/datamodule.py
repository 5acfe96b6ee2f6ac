"""The rows of one cell and seed as a LightningDataModule."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from semiad.data import CHUNK, SplitData
from semiad.dataset_checks import checked_dataset
from semiad.errors import InputError
from semiad.methods.base import Method
from semiad.scenarios.base import Scenario
from semiad.types import Batch, Cell, Dataset, EvaluationBatch, Split


def hold_out(split: Split, share: float | None, entropy: int) -> tuple[Split, Split | None]:
    """Take a share of the training rows out of training, for validation.

    The share is taken of the unlabelled and of the labelled rows alike, at random by the run's own entropy.

    Args:
        split: of the run.
        share: of the training rows, above 0 and below 1; None for no validation.
        entropy: of the run, see `Cell.entropy`.

    Returns:
        The split without these rows, and a split with these rows only; None for no validation. How many of the held-out
        rows are polluting is not known to a method, and so not counted: `n_polluted` stays that of the whole split.

    Raises:
        InputError: no unlabelled row is left on one of the two sides.
    """
    if share is None:
        return split, None
    draws = np.random.default_rng([entropy, 1])
    held = np.zeros(len(split.train), dtype=bool)
    for kind in (0, 1):
        rows = draws.permutation(np.flatnonzero(split.s == kind))
        held[rows[: int(np.floor(share * len(rows) + 0.5))]] = True
    if not (split.s[held] == 0).any() or not (split.s[~held] == 0).any():
        raise InputError(f"validation is {share}, which leaves no unlabelled row on one side of {len(held)} rows")
    return split.of_training(~held), split.of_training(held)


class EpochLoader:
    """The training batches of the trainer's current epoch, or of the first epoch without a trainer.

    It is a plain iterable, to which Lightning adds no sampler.

    A checkpoint from within an epoch holds how many batches were trained (`state_dict`), and training goes on after
    these. Of several processes each gets its part of every batch.
    """

    def __init__(self, data: SplitData, trainer: pl.Trainer | None) -> None:
        self.data, self.trainer, self.trained, self.skip = data, trainer, 0, 0

    def __len__(self) -> int:
        """Batches in an epoch."""
        return self.data.steps

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches of the current epoch."""
        trainer, skip, self.skip = self.trainer, self.skip, 0
        epoch, rank, ranks = (
            (0, 0, 1) if trainer is None else (trainer.current_epoch, trainer.global_rank, trainer.world_size)
        )
        for index, batch in enumerate(self.data.batches(epoch)):
            if index >= skip:
                self.trained = index + 1
                yield batch if ranks == 1 else batch.part(rank, ranks)

    def state_dict(self) -> dict[str, int]:
        """Give how many batches of the epoch were trained."""
        return {"trained": self.trained % len(self)}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Skip, in the next epoch, the batches that were trained before."""
        self.skip = state["trained"]


class EvaluationLoader:
    """Rows to be scored, in order, `CHUNK` at a time."""

    def __init__(self, data: SplitData, rows: Int64[np.ndarray, " m"], truth: Int64[np.ndarray, " m"]) -> None:
        self.data = data
        self.rows, self.truth = (torch.from_numpy(a).to(data.dataset.x.device) for a in (rows, truth))

    def __len__(self) -> int:
        """Batches."""
        return -(-len(self.rows) // CHUNK)

    def __iter__(self) -> Iterator[EvaluationBatch]:
        """Yield rows and what they are."""
        for rows, truth in zip(torch.split(self.rows, CHUNK), torch.split(self.truth, CHUNK), strict=True):
            yield EvaluationBatch(self.data.scale(self.data.dataset.x[rows]), truth)


class SplitDataModule(pl.LightningDataModule):
    """The rows of one cell and seed of a scenario, for any `Trainer`.

    The rows are on the trainer's device as a whole, and batches are cut from there. There is a validation loader only
    if `validation` holds out training rows: test rows never choose a checkpoint or end a training.

    Before the method is made, `torch.manual_seed(data.entropy)` gives it the initial weights that `semiad.train` would.

    Args:
        dataset: the data set.
        scenario: draws the split.
        cell: of the scenario; None for the only one.
        seed: of the draw of rows and of their order.
        batch_size: rows in a training batch.
        validation: share of the training rows to hold out, see `hold_out`; None for none.

    Attributes:
        entropy: the number from which all randomness of the run comes.
        split: the rows of the run, without those that are held out.
        held_out: the rows that are held out; None for none.

    Raises:
        InputError: the data set is none that can be trained on; the scenario has several cells and none is named, or
            cannot be drawn from the data set.
    """

    def __init__(
        self,
        dataset: Dataset,
        scenario: Scenario,
        cell: Cell | None = None,
        seed: int = 0,
        batch_size: int = 32,
        validation: float | None = None,
    ) -> None:
        super().__init__()
        dataset = checked_dataset(dataset, "of the data module")
        if cell is None:
            cells = scenario.cells(dataset.labels)
            if len(cells) > 1:
                raise InputError(f"the scenario has {len(cells)} cells, of which one is needed: name it with cell=")
            cell = cells[0]
        self.dataset, self.batch_size, self.entropy = dataset, batch_size, cell.entropy(seed)
        self.split, self.held_out = hold_out(scenario.split(cell, dataset.labels, seed), validation, self.entropy)
        self._data: SplitData | None = None
        if self.held_out is None:
            self.val_dataloader = None  # type: ignore[method-assign, assignment] # as if it were not defined
            # That is meant, and Lightning need not warn of it.
            warnings.filterwarnings("ignore", message="You defined a `validation_step` but have no `val_dataloader`")

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one row."""
        return self.dataset.shape

    @property
    def data(self) -> SplitData:
        """The rows on the trainer's device, as its method takes them; without a trainer, all of them on the CPU."""
        if self._data is None:
            trainer = self.trainer
            device = torch.device("cpu") if trainer is None else trainer.strategy.root_device
            dataset, method = self.dataset.to(device), None if trainer is None else trainer.lightning_module
            if isinstance(method, Method):
                self._data = SplitData.of_method(method, dataset, self.split, self.batch_size, self.entropy)
            else:
                self._data = SplitData(dataset, self.split, False, self.batch_size, self.entropy)
        return self._data

    def setup(self, stage: str) -> None:
        """Forget the rows of another method or device."""
        self._data = None

    def teardown(self, stage: str) -> None:
        """Let go of the rows on the device."""
        self._data = None

    def training_rows(self) -> tuple[Float[Tensor, "n *shape"], Float[Tensor, " n"]]:
        """The training rows, scaled, and their semi-labels."""
        return self.data.x, self.data.s

    def train_dataloader(self) -> EpochLoader:
        """The batches of each epoch."""
        return EpochLoader(self.data, self.trainer)

    def val_dataloader(self) -> EvaluationLoader:
        """The training rows that are held out, where a labelled row is an anomaly."""
        assert self.held_out is not None
        return EvaluationLoader(self.data, self.held_out.train, self.held_out.s)

    def test_dataloader(self) -> EvaluationLoader:
        """The test rows."""
        return EvaluationLoader(self.data, self.split.test, self.split.truth)

    def predict_dataloader(self) -> EvaluationLoader:
        """The test rows."""
        return self.test_dataloader()

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:  # noqa: ANN401
        """Leave the batch as it is: its rows are on the device."""
        return batch
