"""A pack: K runs trained as one. Their weights are stacked, and one step steps them all.

Nothing of a method is written twice: `torch.func` calls its `losses` and `scores` on stacked parameters and buffers
under `vmap`. The step (loss and gradients) is traced once into a flat graph, which spares `vmap`'s own cost at every
step, and one ordinary optimiser over the stacked tensors does for all runs, because it works element by element.

Runs need not have equally many rows: each goes through its own epochs at its own pace, all take their n-th step
together, and a run that has taken its last step is tested and leaves the pack.
"""

import copy
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from time import perf_counter
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils.rnn import pad_sequence

from semiad.data import Scaler
from semiad.engines.base import Job, Outcome, Point, Tick, keep, measure
from semiad.engines.lane import Lane
from semiad.engines.samples import sample
from semiad.engines.stopping import stopping
from semiad.engines.trace import traced
from semiad.errors import RunFailed
from semiad.methods.base import Method, set_rate
from semiad.runs import Run
from semiad.types import Batch

BLOCK = 64
"""Steps whose row numbers are put together at once."""
AHEAD = 1 << 18
"""Values of rows that are gathered at once; the rows of one step if they have more."""
TESTED = 1 << 16
"""Rows, over all runs, that are scored at once."""

State = dict[str, Tensor]
Step = Callable[..., tuple[Tensor, Sequence[Tensor]]]


class Call(nn.Module):
    """One function of a method as the forward of a module, as `functional_call` wants it."""

    def __init__(self, method: Method, name: str) -> None:
        super().__init__()
        self.method, self.name = method, name

    def forward(self, argument: Batch | Tensor) -> Tensor:
        """Call it."""
        result: Tensor = getattr(self.method, self.name)(argument)
        return result


class Pack:
    """K runs in one phase of their training. Set `compile` for the traced step to be compiled.

    Args:
        runs: of equal structure.
        methods: what the phase trains, for each run; they have what was trained when their runs end.
        job: of the runs, its table on the device.
        precision: `fp32`, `tf32` or `bf16`.
        first: epochs of earlier phases.
        state: what `saved` gave, to go on from there.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        methods: Sequence[Method],
        job: Job,
        precision: str,
        first: int = 0,
        state: dict[str, Any] | None = None,
    ) -> None:
        self.job, self.compile, self.device = job, False, job.device
        self.seconds = 0.0  # of wall time, a run's share
        self.epochs, self.final = job.length(methods[0]), methods[0].epochs is None
        self.autocast = partial(torch.autocast, job.device.type, torch.bfloat16, enabled=precision == "bf16")
        self.t = 0 if state is None else int(state["t"])
        self.lanes = [Lane(run, job, method, first, self.t) for run, method in zip(runs, methods, strict=True)]
        for lane in self.lanes:
            with lane.failing(0):
                lane.method.prepare(lane.rows.x, lane.rows.s)
            del lane.rows.x  # a copy of its rows for every run would not fit
        # One method a recipe, to hold the first step against.
        going = enumerate(self.lanes) if not self.t else ()
        self.witnesses = {lane.run.recipe: (k, lane.method) for k, lane in going if lane.reason is None}
        params, buffers = stack_module_state(list(methods))
        for name, parameter in methods[0].named_parameters():
            if not parameter.requires_grad:  # what a phase leaves as it is
                buffers[name] = params.pop(name).detach()
        self.leaves = {name: nn.Parameter(value.detach().clone()) for name, value in params.items()}
        self.layout = {name: tuple(range(value.ndim)) for name, value in params.items()}
        self.buffers: State = {name: value.clone() for name, value in buffers.items()}
        self.method = copy.deepcopy(methods[0]).to("meta")
        # Many convolutions at once are grouped ones, slow on a CPU, and their maps overflow its caches.
        convolves = any(isinstance(module, _ConvNd) for module in self.method.modules())
        self.abreast = 1 if convolves and self.device.type == "cpu" else None
        self.optimizer = self.method.optimizer_for(self.leaves.values())
        self.loss, self.noisy = torch.zeros(len(runs), device=self.device), self.lanes[0].rows.noise is not None
        if state is not None:
            self.load(state)
        self.stack()

    def stack(self) -> None:
        """Put together what the lanes hold one by one, and forget the traced step: its shapes are others now."""
        rows = [lane.rows for lane in self.lanes]
        self.traced: Step | None = None
        self.params = {name: self.natural(name, leaf.detach()) for name, leaf in self.leaves.items()}
        self.train = pad_sequence([r.train for r in rows], batch_first=True)
        self.s = pad_sequence([r.s for r in rows], batch_first=True)
        self.scale = stacked([r.scale for r in rows])
        self.per_epoch = torch.tensor([lane.per_epoch for lane in self.lanes], device=self.device)
        self.paces: dict[int, list[int]] = defaultdict(list)
        for k, lane in enumerate(self.lanes):
            self.paces[lane.steps].append(k)

    def shrink(self) -> None:
        """Let runs that have ended go, once they are a quarter of the pack: the step must be traced anew for that."""
        going = [k for k, lane in enumerate(self.lanes) if not lane.done]
        if 4 * (len(self.lanes) - len(going)) >= len(self.lanes):
            self.select(going)

    def select(self, lanes: list[int]) -> None:
        """Go on with some of the runs only."""
        chosen = torch.tensor(lanes, device=self.device, dtype=torch.int64)
        old = self.optimizer
        self.lanes = [self.lanes[k] for k in lanes]
        if not lanes:
            return
        self.loss = self.loss[chosen]
        self.buffers = {name: value[chosen] for name, value in self.buffers.items()}
        before, self.leaves = self.leaves, {n: nn.Parameter(leaf.detach()[chosen]) for n, leaf in self.leaves.items()}
        self.optimizer = self.method.optimizer_for(self.leaves.values())
        for name, leaf in self.leaves.items():
            self.optimizer.state[leaf] = of_lanes(old.state[before[name]], chosen)
        self.stack()

    def resumable(self, runs: Sequence[Run]) -> bool:
        """Whether what `saved` gives is enough to go on: not once a run has ended that the next phase still needs."""
        return bool(self.lanes) and (
            self.final or (len(self.lanes) == len(runs) and not any(lane.last <= self.t for lane in self.lanes))
        )

    def saved(self) -> dict[str, Any]:
        """All that training needs to go on from here, given the runs."""
        return {
            "keys": [lane.run.key for lane in self.lanes],
            "t": self.t,
            "loss": self.loss,
            "lanes": [(lane.curve, lane.loss, lane.reason, lane.failed_in) for lane in self.lanes],
            "params": self.params,
            "buffers": self.buffers,
            "optimizer": {
                name: {key: self.natural(name, part) for key, part in self.optimizer.state[leaf].items()}
                for name, leaf in self.leaves.items()
            },
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `saved` gave, for those of its runs that this pack has."""
        at = {key: k for k, key in enumerate(state["keys"])}
        chosen = torch.tensor([at[lane.run.key] for lane in self.lanes], device=self.device)
        for lane in self.lanes:
            curve, lane.loss, lane.reason, lane.failed_in = state["lanes"][at[lane.run.key]]
            lane.curve = [tuple(point) for point in curve]
        self.loss = state["loss"][chosen]
        with torch.no_grad():
            for own, kept in ((self.leaves, state["params"]), (self.buffers, state["buffers"])):
                for name, value in own.items():
                    value.copy_(kept[name][chosen])
        for name, leaf in self.leaves.items():
            self.optimizer.state[leaf] = of_lanes(state["optimizer"][name], chosen)

    def natural(self, name: str, part: Any) -> Any:  # noqa: ANN401
        """A leaf, or what an optimiser keeps of its shape, with its axes in the order of the method's parameter."""
        layout = self.layout[name]
        whole = isinstance(part, Tensor) and part.ndim == len(layout)
        return part.permute(*(layout.index(axis) for axis in range(part.ndim))) if whole else part

    # Training

    def run(self, tick: Tick, checkpoints: bool) -> Iterator[list[Outcome]]:
        """Train until the last run has ended; yield after each block of steps, with the outcomes of runs that ended.

        And after each step while the process is asked to end.

        In a phase before the last these are the runs that have failed; the others go on to the next phase.

        Args:
            tick: told of epochs as they end.
            checkpoints: keep each trained method.
        """
        width, start = len(self.lanes), perf_counter()
        while left := [lane.last for lane in self.lanes if not lane.done]:
            for batch in self.block(min(min(left) - self.t, BLOCK)):
                self.step(*batch)
                for steps, lanes in self.paces.items():
                    if self.t % steps == 0 and (training := [k for k in lanes if not self.lanes[k].done]):
                        tick(self.end_epoch(self.t // steps, training))
                if stopping():
                    yield []
            ended = [k for k, lane in enumerate(self.lanes) if lane.last == self.t]
            outcomes = list(self.outcomes(ended, width))
            for k in ended:
                lane = self.lanes[k]
                lane.take_back({name: value[k] for name, value in {**self.params, **self.buffers}.items()})
                if self.final and lane.reason is None:
                    if checkpoints:
                        keep(lane.method.state_dict(), lane.run, self.job)
                    sample(lane.method, lane.rows, lane.run, lane.split, self.job)
            self.seconds += (perf_counter() - start) / width
            for outcome in outcomes:
                outcome.seconds = self.seconds
            yield outcomes
            start = perf_counter()
            for k in ended:
                self.lanes[k].done = True
            self.shrink()

    def block(self, steps: int) -> Iterator[tuple[Tensor, ...]]:
        """Rows (K, b, ...), semi-labels (K, b), which rows count (K, b), perhaps random numbers, of the next steps."""
        positions = torch.stack([lane.take(steps) for lane in self.lanes], dim=1).to(self.device)
        valid, positions = positions >= 0, positions.clamp(min=0)
        lanes = torch.arange(len(self.lanes), device=self.device)[:, None]
        ahead = max(AHEAD // (positions[0].numel() * self.job.table.x[0].numel()), 1)
        for part, counted in zip(torch.split(positions, ahead), torch.split(valid, ahead), strict=True):
            x, s = self.scale(self.job.table.x[self.train[lanes, part]]), self.s[lanes, part]
            for batch in zip(x, s, counted, strict=True):
                noise = [draws for lane in self.lanes if (draws := next(lane.noise)) is not None] if self.noisy else []
                yield (*batch, torch.stack(noise).to(self.device)) if noise else batch

    def step(self, *batch: Tensor) -> None:
        """One step of every run, given what `block` yields."""
        with torch.no_grad():
            loss, gradients = self.gradients(*self.params.values(), *self.buffers.values(), *batch)
            if self.witnesses:
                self.verify(loss, *batch)
            self.loss += loss
        for name, gradient in zip(self.leaves, gradients, strict=True):
            laid_out = gradient.permute(self.layout[name])
            if not laid_out.is_contiguous():
                self.lay_out(name, gradient.stride())
                laid_out = gradient.permute(self.layout[name]).contiguous()
            self.leaves[name].grad = laid_out
        self.update()
        self.t += 1

    def gradients(self, *whole: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """Sums of losses and gradients of all runs, from their weights and a batch of each."""
        parts = [*zip(*(torch.split(value, self.abreast) for value in whole), strict=True)] if self.abreast else [whole]
        if self.traced is None:
            self.traced = self.trace(*parts[0])
        if len(parts) == 1:
            return self.traced(*parts[0])
        losses, gradients = zip(*(self.traced(*part) for part in parts), strict=True)
        return torch.cat(losses), [torch.cat(same) for same in zip(*gradients, strict=True)]

    def verify(self, losses: Float[Tensor, " k"], x: Tensor, s: Tensor, valid: Tensor, *noise: Tensor) -> None:
        """Hold the losses of the first step against those of one method a recipe, called by itself.

        Raises:
            RuntimeError: they differ: something that differs between runs is no buffer of the method.
        """
        for k, method in self.witnesses.values():
            rows = valid[k]
            with self.autocast():
                alone = method.train().losses(Batch(x[k][rows], s[k][rows], *(n[k][rows] for n in noise))).sum()
            if not torch.allclose(alone.float(), losses[k].float(), rtol=1e-2, atol=1e-6, equal_nan=True):
                name = type(method).__name__
                raise RuntimeError(
                    f"{name} gives a loss of {float(losses[k]):g} in a pack and {float(alone):g} alone: "
                    "what differs between its runs must be a buffer"
                )
        self.witnesses = {}

    def lay_out(self, name: str, strides: tuple[int, ...]) -> None:
        """Lay a parameter out in memory as its gradient comes out of the step.

        A fused optimiser walks memory, and would copy what is laid out otherwise, at every step.
        """
        old, layout = self.leaves[name], (0, *sorted(range(1, len(strides)), key=lambda axis: -strides[axis]))
        if layout == self.layout[name]:
            return
        state = {key: self.natural(name, part) for key, part in self.optimizer.state.pop(old, {}).items()}
        leaf = nn.Parameter(self.params[name].permute(layout).contiguous())
        self.layout[name], self.leaves[name] = layout, leaf
        self.params[name] = self.natural(name, leaf.detach())
        if state:
            whole = {key: isinstance(part, Tensor) and part.ndim == len(layout) for key, part in state.items()}
            self.optimizer.state[leaf] = {
                key: part.permute(layout).contiguous() if whole[key] else part for key, part in state.items()
            }
        for group in self.optimizer.param_groups:
            group["params"] = [leaf if p is old else p for p in group["params"]]

    def trace(self, *part: Tensor) -> Step:
        """The step as a flat graph: from weights and a batch of some runs to their sums of losses and gradients."""
        call = Call(self.method.train(), "losses")

        def one(
            params: State, buffers: State, x: Tensor, s: Tensor, valid: Tensor, *noise: Tensor
        ) -> tuple[Tensor, Tensor]:
            state = {f"method.{name}": value for name, value in {**params, **buffers}.items()}
            losses = torch.where(valid, functional_call(call, state, (Batch(x, s, *noise),)), 0)
            return losses.sum() / valid.sum(), losses.sum()

        def step(*flat: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
            params = dict(zip(self.params, flat, strict=False))
            buffers = dict(zip(self.buffers, flat[len(params) :], strict=False))
            with self.autocast():
                mean, total = vmap(one)(params, buffers, *flat[len(params) + len(buffers) :])
            return total.detach(), torch.autograd.grad(mean.sum(), list(params.values()))

        count = len(self.params)
        params = [value.detach().requires_grad_() for value in part[:count]]
        with torch.enable_grad():  # on copies: tracing runs the step once, and buffers change in it
            graph = traced(step, *params, *(value.clone() for value in part[count:]))
        compiled: Step = torch.compile(graph) if self.compile else graph
        return compiled

    def update(self) -> None:
        """Step the optimiser, each run at the rate of its own epoch."""
        rates = {steps: self.method.rate(self.t // steps) for steps in self.paces}
        highest = max(rates.values())
        set_rate(self.optimizer, highest)
        if len(set(rates.values())) == 1:
            self.optimizer.step()
            return
        # What an elementwise optimiser does to a weight is proportional to the rate.
        share = torch.ones(len(self.lanes), device=self.device)
        for steps, lanes in self.paces.items():
            share[lanes] = rates[steps] / highest
        before = [leaf.detach().clone() for leaf in self.leaves.values()]
        self.optimizer.step()
        with torch.no_grad():
            for old, value in zip(before, self.leaves.values(), strict=True):
                value.copy_(old.lerp(value, share.view(-1, *[1] * (value.ndim - 1)).to(value.dtype)))

    # Ends of epochs and of runs

    def end_epoch(self, epoch: int, lanes: list[int]) -> list[Point]:
        """Keep the losses of the epoch (from 1) that some runs have just ended, and their test AUC if it is due."""
        losses = (self.loss[lanes] / self.per_epoch[lanes]).tolist()
        self.loss[lanes] = 0
        for k, loss in zip(lanes, losses, strict=True):
            self.lanes[k].end_epoch(epoch, loss)
        aucs: dict[int, float] = {}
        for k, scores in self.scores(lanes) if self.final and self.job.tested(epoch) else ():
            lane = self.lanes[k]
            if lane.reason is None:
                with suppress(RunFailed):  # only the last test decides on a run
                    figures = measure(scores, lane.split, self.job.table)
                    lane.figures = figures if epoch == self.epochs else {}
                    aucs[k] = float(figures["auc"])
                    lane.curve.append((epoch, lane.loss, aucs[k]))
        return [self.lanes[k].point(epoch if self.final else 0, aucs.get(k)) for k in lanes]

    def past(self, first: int) -> list[Point]:
        """The epochs that were done before the pack was saved: so many of earlier phases, and those of this one."""
        return [
            Point(lane.run.key, max(epoch, 0) if self.final else 0, past=True)
            for lane in (self.lanes if self.t else ())
            for epoch in range(1 - first, self.t // lane.steps + 1)
        ]

    def outcomes(self, ended: list[int], width: int) -> Iterator[Outcome]:
        """What came of runs that have taken their last step; of those that have failed in a phase before the last."""
        going = [k for k in ended if self.final and self.lanes[k].reason is None]
        for k, scores in self.scores([k for k in going if not self.lanes[k].figures]):
            with self.lanes[k].failing(self.epochs):
                self.lanes[k].figures = measure(scores, self.lanes[k].split, self.job.table)
        for lane in (self.lanes[k] for k in ended):
            n_fit, steps = len(lane.rows.s), lane.last if lane.reason is None else lane.failed_in * lane.steps
            if self.final or lane.reason is not None:
                yield Outcome(
                    lane.run, lane.split, n_fit, steps, 0.0, "packed", width, lane.figures, lane.reason, lane.curve
                )

    @torch.no_grad()
    def scores(self, lanes: list[int]) -> Iterator[tuple[int, Float[Tensor, " m"]]]:
        """The scores of all test rows of some runs, in evaluation mode, run by run."""
        if not lanes:
            return
        rows = [self.lanes[k].rows for k in lanes]
        every = lanes == list(range(len(self.lanes)))
        params, buffers = (
            {f"method.{name}": value.detach() if every else value.detach()[lanes] for name, value in state.items()}
            for state in (self.params, self.buffers)
        )
        call = Call(self.method.eval(), "scores")
        scale, test = stacked([r.scale for r in rows]), pad_sequence([r.test for r in rows], batch_first=True)
        shared = scale.low.ndim == 0 and bool((test == test[:1]).all())

        def one(params: State, buffers: State, x: Tensor) -> Tensor:
            result: Tensor = functional_call(call, {**params, **buffers}, (x,))
            return result

        parts = []
        for chunk in torch.split(test, max(TESTED // len(lanes), 1), dim=1):
            x = scale(self.job.table.x[chunk[0] if shared else chunk])
            with self.autocast():
                stepped = vmap(one, in_dims=(0, 0, None if shared else 0), chunk_size=self.abreast)
                parts.append(stepped(params, buffers, x).float())
        whole = torch.cat(parts, dim=1)
        for i, k in enumerate(lanes):
            yield k, whole[i, : len(rows[i].test)]


def of_lanes(state: Mapping[str, Any], lanes: Int64[Tensor, " m"]) -> dict[str, Any]:
    """What an optimiser keeps of a stacked parameter, for some of the runs; a count of steps is common to all."""
    return {
        key: part[lanes].contiguous() if isinstance(part, Tensor) and part.ndim else part for key, part in state.items()
    }


def stacked(scales: Sequence[Scaler]) -> Scaler:
    """The scalers of many runs as one, for rows (K, b, ...): as it is where it is the same one for all."""
    if scales[0].low.ndim == 0:
        return scales[0]
    return Scaler(torch.stack([s.low for s in scales])[:, None], torch.stack([s.span for s in scales])[:, None])
