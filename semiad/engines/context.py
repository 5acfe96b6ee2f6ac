"""What the runs of a job share, and what comes of each of them."""

import math
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from semiad.data import SplitData
from semiad.datamodule import hold_out
from semiad.engines.trainer import TrainerFactory
from semiad.errors import ConstructionError, InputError, explained
from semiad.methods.base import Method, own_numbers
from semiad.methods.classical import ClassicalMethod
from semiad.methods.contract import check_factors, check_functions, check_sized, has_own_hooks
from semiad.runs import Recipe, Run
from semiad.scenarios.base import Scenario
from semiad.seeding import seeded
from semiad.types import Cell, Dataset, Split

CurvePoint = tuple[int, float, float]
"""Epoch (from 1), mean training loss in it, test AUC after it."""
PROBES = ((4,), (3, 4), (2, 3, 2, 2))
"""Shapes of the parameters by which an optimiser is tried: a bias, a matrix, the filters of a convolution."""
SPLITS = 128
"""Splits that a context keeps: those that were drawn first, as a check that they can be drawn."""


class EpochPoint(NamedTuple):
    """An epoch that a run has trained.

    Attributes:
        key: of the run.
        epoch: from 1; 0 for an epoch of an earlier phase, which is progress and nothing more.
        loss: the mean training loss in it; not a number if the run has failed, or trained the epoch before it was
            resumed.
        auc: on the test rows after it, where it was tested.
        past: whether the run trained it before it was resumed.
    """

    key: str
    epoch: int
    loss: float = math.nan
    auc: float | None = None
    past: bool = False


OnEpochs = Callable[[Sequence[EpochPoint]], None]
"""Is called with the epochs that ended since the last call."""


@dataclass(frozen=True)
class MethodFacts:
    """What is known of a recipe's method before its runs are trained.

    Attributes:
        engine: the engine that the method names; None for the one that the user chose.
        packable: whether many runs can be trained as one.
        drop_last: whether any phase needs full batches.
        epochs: of each phase; one epoch for a method without phases.
        structure: text that is equal for runs that can be stepped as one.
        sensitive: whether the last bit of a weight decides its metrics.
        drawn: of each phase, whether the method draws the rows of an epoch.
    """

    engine: str | None
    packable: bool
    drop_last: bool
    epochs: tuple[int, ...]
    structure: str
    sensitive: bool = False
    drawn: tuple[bool, ...] = (False,)


@dataclass(frozen=True)
class TrainingContext:
    """All that the runs of a job share.

    Attributes:
        dataset: the data set.
        epochs: to train for.
        batch_size: of training.
        eval_every: test at each such epoch, 0 for the end only.
        folder: for what a run leaves besides its record.
        device: to train on.
        size: how many runs the job was planned with, recorded ones included.
        resumable: a folder for what lets a killed job go on; None for none.
        recorded: the keys in the ledger at the start, of whatever job.
        samples: a folder for what is kept of each run to be looked at, see `engines.samples`; None for none.
        max_epochs: bound on the epochs of every phase, for an estimate; None for none.
        validation: share of the training rows that is held out, see `data.hold_out`; None for none.
        trainer: makes a Lightning `Trainer` with the user's arguments.
        keep_methods: whether outcomes hand out the trained methods.
        encoders: a folder for the trained encoders of hybrids, see `engines.encoders`; None for none.
        scores: a folder for the scores of the test rows of each run, `KEY.npy`; None for none.
    """

    dataset: Dataset
    epochs: int
    batch_size: int
    eval_every: int
    folder: Path
    device: torch.device
    size: int
    resumable: Path | None
    recorded: Set[str] = frozenset()
    samples: Path | None = None
    max_epochs: int | None = None
    validation: float | None = None
    trainer: TrainerFactory = field(default_factory=TrainerFactory)
    keep_methods: bool = False
    encoders: Path | None = None
    scores: Path | None = None
    facts_of: dict[Recipe, MethodFacts] = field(default_factory=dict, repr=False)
    splits_of: dict[tuple[Scenario, Cell, int], Split] = field(default_factory=dict, repr=False)

    def on_device(self) -> "TrainingContext":
        """The same context with the data set on the device."""
        return replace(self, dataset=self.dataset.to(self.device))

    def split(self, run: Run) -> Split:
        """Draw the rows of a run, without those that are held out for validation.

        Raises:
            InputError: the scenario gives no split.
        """
        at = run.recipe.scenario, run.cell, run.seed
        if (drawn := self.splits_of.get(at)) is None:
            drawn = run.recipe.scenario.split(run.cell, self.dataset.labels, run.seed)
            if not isinstance(drawn, Split):
                name = type(run.recipe.scenario).__name__
                raise InputError(f"{name}.split gave a result of type {type(drawn).__name__}, expected a Split")
            drawn, _ = hold_out(drawn, self.validation, run.entropy)
            if len(self.splits_of) < SPLITS:
                self.splits_of[at] = drawn
        return drawn

    def build(self, run: Run) -> Method | ClassicalMethod:
        """Build a fresh method, on the device, with initial weights drawn from the run's own randomness."""
        with seeded(run.entropy):
            method = run.recipe.method(shape=self.dataset.shape)
        return method if isinstance(method, ClassicalMethod) else method.to(self.device)

    def phases(self, run: Run) -> list[Method]:
        """Build the methods that a run trains in turn; they share weights, and the last is the run's own."""
        method = self.build(run)
        assert isinstance(method, Method)
        return [phase.to(self.device) for phase in method.phases()]

    def phase_epochs(self, phase: Method) -> int:
        """The number of epochs of a phase."""
        epochs = self.epochs if phase.epochs is None else phase.epochs
        return epochs if self.max_epochs is None else min(epochs, self.max_epochs)

    def of_encoders(self, run: Run) -> "TrainingContext":
        """The context in which the encoders of hybrids like a run's are trained."""
        batch_size = getattr(run.recipe.method, "keywords", {})["batch_size"]
        return replace(
            self,
            batch_size=batch_size,
            eval_every=0,
            samples=None,
            scores=None,
            keep_methods=True,
            facts_of={},
            splits_of={},
        )

    def scores_file(self, run: Run) -> Path | None:
        """Name the file with the scores of a run's test rows; None if they are not kept."""
        return self.scores and self.scores / f"{run.key}.npy"

    def facts(self, run: Run) -> MethodFacts:
        """Build a run's method once, for all runs of its recipe, and keep what is known of it.

        Raises:
            InputError: the method cannot be built with its settings.
        """
        if run.recipe not in self.facts_of:
            try:
                self.facts_of[run.recipe] = self._facts(run)
            except InputError:
                raise
            except Exception as error:  # whatever torch raises at sizes and rates that make no sense
                raise ConstructionError(f"the method cannot be built with its settings ({explained(error)})") from error
        facts = self.facts_of[run.recipe]
        if self.max_epochs is None:
            return facts
        return replace(facts, epochs=tuple(min(epochs, self.max_epochs) for epochs in facts.epochs))

    def _facts(self, run: Run) -> MethodFacts:
        here = replace(self, device=torch.device("cpu"), max_epochs=None)
        method = here.build(run)
        if isinstance(method, ClassicalMethod):
            before = () if run.recipe.encoder is None else here.of_encoders(run).facts(run.encoder).epochs
            epochs = (*before, 1)
            return MethodFacts(method.engine, False, False, epochs, "", drawn=(False,) * len(epochs))
        check_functions(method, Method)
        phases = method.phases()
        for phase in phases:
            check_functions(phase, Method)
            check_sized(phase)
        epochs = tuple(here.phase_epochs(phase) for phase in phases)
        drop_last = any(phase.drop_last for phase in phases)
        if drop_last and self.batch_size < 2:
            raise InputError(f"batch_size is 1, but {type(method).__name__} needs batches of two rows or more")
        structure = repr([structure_of(phase, count) for phase, count in zip(phases, epochs, strict=True)])
        packable = all(
            phase.packable and not has_own_hooks(type(phase), Method) and steps_elementwise(phase) for phase in phases
        )
        sensitive = any(phase.sensitive for phase in phases)
        drawn = tuple(drawn_batches(phase, 2, self.batch_size) is not None for phase in phases)
        return MethodFacts(method.engine, packable, drop_last, epochs, structure, sensitive, drawn)

    def batches(self, run: Run, rows: int) -> list[int]:
        """Count the batches of an epoch of each phase; about, where a short last one is dropped.

        Args:
            run: whose.
            rows: that it trains on.
        """
        drawn, each = self.facts(run).drawn, -(-rows // self.batch_size)
        if not any(drawn):
            return [each] * len(drawn)
        here = replace(self, device=torch.device("cpu"))
        counts = [drawn_batches(phase, rows, self.batch_size) for phase in here.phases(run)]
        return [each if count is None else count for count in counts]

    def steps(self, run: Run) -> int:
        """Count the steps of a run over all phases; about, where a short last batch is dropped."""
        batches = self.batches(run, len(self.split(run).train))
        return sum(count * epochs for count, epochs in zip(batches, self.facts(run).epochs, strict=True))

    def data(self, run: Run, phase: Method) -> SplitData:
        """The rows of a run as one of its phases takes them."""
        return SplitData.of_method(phase, self.dataset, self.split(run), self.batch_size, run.entropy)

    def is_tested(self, epoch: int) -> bool:
        """Whether a point of the curve is due after an epoch (from 1)."""
        return bool(self.eval_every) and epoch % self.eval_every == 0


def drawn_batches(method: Method, rows: int, batch_size: int) -> int | None:
    """Count the batches of an epoch of a method that draws its rows, of which one is labelled; None for others."""
    drawn = method.draw_rows((torch.arange(rows) == 0).float(), batch_size, torch.Generator().manual_seed(0))
    return None if drawn is None else len(drawn)


def structure_of(method: Method, epochs: int) -> tuple[object, ...]:
    """What must be equal in a phase of two runs for them to be stepped as one."""
    shapes = [(name, tuple(value.shape), value.dtype) for name, value in method.state_dict(keep_vars=True).items()]
    optimizer = method.build_optimizer(method.parameters())
    factors = [method.lr_factor(epoch) for epoch in range(epochs)]
    check_factors(method, factors)
    # A number of the method may differ, as a step cannot read it then (`StackedModel`); anything else may not.
    numbers = own_numbers(method)
    own = {k: v for k, v in vars(method).items() if not k.startswith("_") and k not in numbers}
    within = [plain_settings(module) for module in method.modules() if module is not method]
    clips = method.clip_value, method.clip_norm
    return type(method), str(method), shapes, type(optimizer), optimizer.defaults, clips, factors, own, within


def plain_settings(module: nn.Module) -> dict[str, Any]:
    """Give the numbers, words and switches that a part of a network keeps, which its `repr` need not show."""
    return {k: v for k, v in vars(module).items() if not k.startswith("_") and isinstance(v, bool | int | float | str)}


@dataclass
class Outcome:
    """What came of a run.

    Attributes:
        run: which one.
        split: its rows.
        n_fit: how many rows the method trained on.
        steps: optimiser steps taken.
        seconds: of wall time for it; its share of the pack's where many runs are trained as one.
        engine: what trained it.
        pack_width: how many runs were trained as one.
        metrics: see `semiad.metrics.compute_metrics`, and `ClassicalMethod.choice`; empty if it failed, or has no
            test rows.
        reason: why it failed; None if it did not.
        curve: a point for each epoch at which it was tested, if `eval_every` asks for that.
        threads: of most of its steps on a CPU.
        method: the trained method, where the context keeps methods and the run has not failed.
    """

    run: Run
    split: Split
    n_fit: int
    steps: int
    seconds: float
    engine: str
    pack_width: int
    metrics: Mapping[str, Any]
    reason: str | None
    curve: list[CurvePoint] = field(default_factory=list)
    threads: int | None = None
    method: Method | ClassicalMethod | None = None


def steps_elementwise(method: Method) -> bool:
    """Whether the optimiser of a method does to two parameters in one tensor what it does to each by itself.

    So do Adam and its kin, SGD and RMSprop; not so Adafactor, Muon, LBFGS, which asks for the loss again, and one that
    treats parameters by their number of axes, or is not of those that it is built for.
    """
    draws = torch.Generator().manual_seed(0)
    start, *gradients = (
        [torch.rand(2, *shape, generator=draws, dtype=torch.float64) - 0.5 for shape in PROBES] for _ in range(4)
    )
    together = [nn.Parameter(value.clone()) for value in start]
    apart = [[nn.Parameter(value[k].clone()) for value in start] for k in range(2)]
    try:
        for parameters, part in ((together, slice(None)), (apart[0], 0), (apart[1], 1)):
            optimizer = method.build_optimizer(parameters)
            if {*map(id, parameters)} != {id(p) for group in optimizer.param_groups for p in group["params"]}:
                return False
            for of_step in gradients:
                for parameter, gradient in zip(parameters, of_step, strict=True):
                    parameter.grad = gradient[part].clone()
                optimizer.step()
    except Exception:  # of any kind: a pack could not step it either
        return False
    return all(
        torch.allclose(value, torch.stack(parts), rtol=1e-9, atol=1e-13, equal_nan=True)
        for value, *parts in zip(together, *apart, strict=True)
    )
