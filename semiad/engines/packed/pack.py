"""A pack: K runs trained as one. Their weights are stacked, and one step steps them all.

Runs need not have equally many rows: each goes through its own epochs at its own pace, all take their n-th step
together, and a run that has taken its last step is tested and leaves the pack.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from time import perf_counter
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import vmap

from semiad.engines.checkpoint import save_checkpoint
from semiad.engines.context import EpochPoint, OnEpochs, Outcome, TrainingContext
from semiad.engines.evaluation import evaluate
from semiad.engines.packed.lane import Lane
from semiad.engines.packed.stacked_data import StackedData
from semiad.engines.packed.stacked_model import StackedModel, State
from semiad.engines.packed.stacked_optimizer import StackedOptimizer
from semiad.engines.packed.traced_step import TracedStep
from semiad.engines.samples import sample
from semiad.engines.signals import exit_requested
from semiad.engines.threads import StepThreads, convolves, is_small, threads_set
from semiad.errors import RunFailed
from semiad.methods.base import Method
from semiad.runs import Run
from semiad.seeding import seeded

BLOCK = 64
"""Steps whose row numbers are put together at once."""


def shrinks(width: int, going: int) -> bool:
    """Whether a pack of some runs lets those go that have ended: once they are a quarter of it."""
    return 4 * (width - going) >= width


def count_widths(steps: Sequence[int]) -> int:
    """Count the widths that a pack will have, whose step is traced and compiled anew at each.

    Args:
        steps: of each run.
    """
    count, width = 1, len(steps)
    for last in sorted(set(steps))[:-1]:
        going = sum(n > last for n in steps)
        if shrinks(width, going):
            count, width = count + 1, going
    return count


class Pack:
    """K runs in one phase of their training. Set `step.compile` for the traced step to be compiled.

    Args:
        runs: of equal structure.
        methods: what the phase trains, for each run; they have what was trained when their runs end.
        final: whether this is the last phase.
        context: of the runs, its data set on the device.
        precision: `fp32`, `tf32` or `bf16`.
        state: what `saved` gave, to go on from there.
        choose_threads: whether a step on a CPU may have fewer threads than this process has, see `engines.threads`.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        methods: Sequence[Method],
        final: bool,
        context: TrainingContext,
        precision: str,
        state: dict[str, Any] | None = None,
        choose_threads: bool = True,
    ) -> None:
        self.context, self.final = context, final
        self.all_threads = torch.get_num_threads()
        self.choose_threads = choose_threads and context.device.type == "cpu" and self.all_threads > 1
        self.threads = StepThreads([self.all_threads])
        self.seconds = 0.0  # of wall time, a run's share
        self.epochs, self.start_epoch = context.phase_epochs(methods[0]), methods[0].start_epoch
        self.steps_taken = 0 if state is None else int(state["t"])
        self.lanes = [Lane(run, context, method, self.steps_taken) for run, method in zip(runs, methods, strict=True)]
        for lane in self.lanes:
            with lane.failing(0), seeded(lane.run.entropy + lane.method.phase, context.device):
                lane.method.prepare(lane.data.x, lane.data.s)
            del lane.data.x  # a copy of its rows for every run would not fit
        self.model = StackedModel(methods)
        self.optimizer = StackedOptimizer(self.model)
        self.autocast = partial(torch.autocast, context.device.type, torch.bfloat16, enabled=precision == "bf16")
        # One method a recipe, to hold the first step against.
        by_recipe = {lane.run.recipe: k for k, lane in enumerate(self.lanes) if lane.reason is None}
        references = {} if self.steps_taken else {k: self.lanes[k].method for k in by_recipe.values()}
        self.step = TracedStep(self.model, self.autocast, references, self.lanes[0].data.fields)
        self.loss = torch.zeros(len(runs), device=context.device)
        if state is not None:
            self.load(state)
        self.gather()

    def gather(self) -> None:
        """Put together what the lanes hold one by one."""
        self.threads_chosen = not self.choose_threads
        self.data = StackedData([lane.data for lane in self.lanes], [lane.stream for lane in self.lanes])
        self.step.reset()
        self.rows_per_epoch = torch.tensor([lane.rows_per_epoch for lane in self.lanes], device=self.context.device)
        self.lanes_by_steps: dict[int, list[int]] = defaultdict(list)
        for k, lane in enumerate(self.lanes):
            self.lanes_by_steps[lane.steps].append(k)

    def shrink(self) -> None:
        """Let runs that have ended go, once they are a quarter of the pack: the step must be traced anew for that."""
        going = [k for k, lane in enumerate(self.lanes) if not lane.done]
        if not shrinks(len(self.lanes), len(going)):
            return
        self.lanes = [self.lanes[k] for k in going]
        if going:
            chosen = torch.tensor(going, device=self.context.device, dtype=torch.int64)
            self.loss = self.loss[chosen]
            self.optimizer.select(chosen)
            self.gather()

    # Saving

    def can_be_saved(self, runs: Sequence[Run]) -> bool:
        """Whether `saved` gives enough to go on: not once a run has ended that the next phase still needs."""
        ended = [lane.last <= self.steps_taken for lane in self.lanes]
        return not all(ended) and (self.final or (len(self.lanes) == len(runs) and not any(ended)))

    def saved(self) -> dict[str, Any]:
        """All that training needs to go on from here, given the runs; one that has ended has no key."""
        return {
            "keys": [lane.run.key if lane.last > self.steps_taken else "" for lane in self.lanes],
            "t": self.steps_taken,
            "loss": self.loss,
            "lanes": [(lane.curve, lane.loss, lane.reason, lane.failed_in) for lane in self.lanes],
            "params": self.model.params,
            "buffers": self.model.buffers,
            "best": None if self.model.best is None else (self.model.best, [lane.best_loss for lane in self.lanes]),
            "optimizer": self.optimizer.state(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `saved` gave, for those of its runs that this pack has."""
        index = {key: k for k, key in enumerate(state["keys"])}
        own = [index[lane.run.key] for lane in self.lanes]
        for lane, k in zip(self.lanes, own, strict=True):
            curve, lane.loss, lane.reason, lane.failed_in = state["lanes"][k]
            lane.curve = [tuple(point) for point in curve]
        chosen = torch.tensor(own, device=self.context.device)
        self.loss = state["loss"][chosen]
        best, best_losses = state.get("best") or (None, [math.inf] * len(state["keys"]))
        for lane, k in zip(self.lanes, own, strict=True):
            lane.best_loss = best_losses[k]
        self.model.load(state["params"], state["buffers"], best, chosen)
        self.optimizer.load(state["optimizer"], chosen)

    def past(self) -> list[EpochPoint]:
        """The epochs that were trained before the pack was saved: those of earlier phases, and of this one."""
        return [
            EpochPoint(lane.run.key, max(epoch, 0) if self.final else 0, past=True)
            for lane in (self.lanes if self.steps_taken else ())
            for epoch in range(1 - self.start_epoch, self.steps_taken // lane.steps + 1)
        ]

    # Training

    def train(self, on_epochs: OnEpochs, checkpoints: bool) -> Iterator[list[Outcome]]:
        """Train until the last run has ended; yield after each block of steps, with the outcomes of runs that ended.

        And after each step while the process is asked to end.

        In a phase before the last these are the runs that have failed; the others go on to the next phase.

        Args:
            on_epochs: is called with epochs as they end.
            checkpoints: whether each trained method is kept.
        """
        width, start = len(self.lanes), perf_counter()
        with threads_set(self.all_threads):  # which steps change
            while left := [lane.last for lane in self.lanes if not lane.done]:
                batches = self.data.batches(min(min(left) - self.steps_taken, BLOCK))
                for _ in self.threads.take(self.take_step, batches):
                    for steps, lanes in self.lanes_by_steps.items():
                        training = [k for k in lanes if not self.lanes[k].done]
                        if self.steps_taken % steps == 0 and training:
                            torch.set_num_threads(self.all_threads)
                            on_epochs(self.end_epoch(self.steps_taken // steps, training))
                    if exit_requested():
                        yield []
                torch.set_num_threads(self.all_threads)
                ended = [k for k, lane in enumerate(self.lanes) if lane.last == self.steps_taken]
                outcomes = list(self.outcomes(ended, width))
                for k in ended:
                    lane = self.lanes[k]
                    lane.write_back(self.model.values_of(k))
                    if self.final and lane.reason is None:
                        if checkpoints:
                            save_checkpoint(lane.method.state_dict(), lane.run, self.context)
                        sample(lane.method, lane.data, lane.run, self.context)
                self.seconds += (perf_counter() - start) / width
                for outcome in outcomes:
                    outcome.seconds = self.seconds
                yield outcomes
                start = perf_counter()
                for k in ended:
                    self.lanes[k].done = True
                self.shrink()

    def take_step(self, batch: Sequence[Tensor]) -> None:
        """Step every run, each at the learning rate of its own epoch, given what `StackedData.batches` yields."""
        if not self.threads_chosen:
            self.choose_counts(batch)
        losses, gradients = self.step(batch)
        self.loss += losses
        factors: dict[float, list[int]] = defaultdict(list)
        for steps, lanes in self.lanes_by_steps.items():
            factors[float(self.model.method.lr_factor(self.steps_taken // steps))] += lanes
        self.optimizer.step(gradients, factors)
        self.steps_taken += 1

    def choose_counts(self, batch: Sequence[Tensor]) -> None:
        """Choose the numbers of threads that steps may have, given the first batch."""
        small = is_small(self.model.method, batch[0].shape[:2].numel())
        counts = [self.all_threads] if convolves(self.model.method) else [1] if small else [1, self.all_threads]
        torch.set_num_threads(counts[0])
        if len(counts) > 1 and not self.step.has_fixed_bits(batch, counts):
            counts = [1]
        self.threads.choose_from(counts)
        self.threads_chosen = True

    # Ends of epochs and of runs

    def end_epoch(self, epoch: int, lanes: list[int]) -> list[EpochPoint]:
        """Keep the losses of the epoch (from 1) that some runs have just ended, and their test AUC if it is due."""
        losses = (self.loss[lanes] / self.rows_per_epoch[lanes]).tolist()
        self.loss[lanes] = 0
        for k, loss in zip(lanes, losses, strict=True):
            self.lanes[k].end_epoch(epoch, loss)
        if self.model.method.keep_best and (better := [k for k in lanes if self.lanes[k].is_best()]):
            self.model.keep(better)
        aucs: dict[int, float] = {}
        for k, scores in self.scores(lanes) if self.final and self.context.is_tested(epoch) else ():
            lane = self.lanes[k]
            if lane.reason is None:
                with suppress(RunFailed):  # only the last test decides on a run
                    file = self.context.scores_file(lane.run) if epoch == self.epochs else None
                    metrics = evaluate(scores, lane.split, self.context.dataset, file)
                    lane.metrics = metrics if epoch == self.epochs else {}
                    aucs[k] = float(metrics["auc"])
                    lane.curve.append((epoch, lane.loss, aucs[k]))
        return [self.lanes[k].point(epoch if self.final else 0, aucs.get(k)) for k in lanes]

    def outcomes(self, ended: list[int], width: int) -> Iterator[Outcome]:
        """Yield what came of runs that have taken their last step; in a phase before the last, of those that failed."""
        going = [k for k in ended if self.final and self.lanes[k].reason is None]
        for k, scores in self.scores([k for k in going if not self.lanes[k].metrics]):
            with self.lanes[k].failing(self.epochs):
                file = self.context.scores_file(self.lanes[k].run)
                self.lanes[k].metrics = evaluate(scores, self.lanes[k].split, self.context.dataset, file)
        for lane in (self.lanes[k] for k in ended):
            n_fit, steps = len(lane.data.s), lane.last if lane.reason is None else lane.failed_in * lane.steps
            if self.final or lane.reason is not None:
                yield Outcome(
                    run=lane.run,
                    split=lane.split,
                    n_fit=n_fit,
                    steps=steps,
                    seconds=0.0,
                    engine="packed",
                    pack_width=width,
                    metrics=lane.metrics,
                    reason=lane.reason,
                    curve=lane.curve,
                    threads=self.threads.main_count if self.context.device.type == "cpu" else None,
                    method=lane.method if self.context.keep_methods and lane.reason is None else None,
                )

    @torch.no_grad()
    def scores(self, lanes: list[int]) -> Iterator[tuple[int, Float[Tensor, " m"]]]:
        """Score all test rows of some runs, in evaluation mode; yield the scores run by run."""
        parts = [self.lanes[k].data for k in lanes]
        if not any(len(part.test) for part in parts):
            return
        state = self.model.states(None if len(lanes) == len(self.lanes) else lanes)
        shared, chunks = StackedData.test_chunks(parts)

        def of_run(state: State, x: Tensor) -> Tensor:
            return self.model.call("scores", False, state, x)

        scored = []
        for x in chunks:
            with self.autocast():
                every = vmap(of_run, in_dims=(0, None if shared else 0), chunk_size=self.model.vmap_chunk)
                scored.append(every(state, x).float())
        scores = torch.cat(scored, dim=1)
        for i, k in enumerate(lanes):
            yield k, scores[i, : len(parts[i].test)]
