"""The losses and gradients of K runs as one flat graph of tensor operations."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import vmap

from semiad.engines.packed.memory import out_of_memory
from semiad.engines.packed.stacked_model import StackedModel, State
from semiad.engines.packed.trace import traced
from semiad.engines.threads import threads_set
from semiad.errors import InputError, described
from semiad.methods.base import Method
from semiad.methods.contract import check_learns, check_packable
from semiad.types import Batch

Step = Callable[..., tuple[Tensor, Sequence[Tensor]]]


class TracedStep:
    """Computes sums of losses and gradients of all runs, from the weights of a stacked model and a batch of each.

    `torch.func` calls the method's own `losses` under `vmap`. That is traced once into a flat graph, which spares the
    cost of `vmap` at every step.

    Args:
        model: the weights.
        autocast: makes the context of the precision.
        references: by index of a run, a method to hold the first step against.
        fields: of the batches that come, see `StackedData.batches`.
    """

    def __init__(
        self,
        model: StackedModel,
        autocast: Callable[[], AbstractContextManager[Any]],
        references: Mapping[int, Method],
        fields: Sequence[str],
    ) -> None:
        self.model, self.autocast, self.compile = model, autocast, False
        self.reference_methods, self.fields = references, fields
        self.step: Step | None = None

    def reset(self) -> None:
        """Forget the graph: shapes are others now."""
        self.step = None

    def __call__(self, batch: Sequence[Tensor]) -> tuple[Float[Tensor, " k"], Sequence[Tensor]]:
        """Compute the losses, summed over the rows of each run, and the gradients of the mean losses.

        Raises:
            InputError: the losses depend on no weight, or a parameter is not used.
            RuntimeError: see `verify`.
        """
        parts = self.parts(batch)
        with torch.no_grad():
            if self.step is None:
                self.step = self.trace(*parts[0])
            results = [self.step(*part) for part in parts]
            if len(results) == 1:
                losses, gradients = results[0]
            else:
                losses = torch.cat([part for part, _ in results])
                gradients = [torch.cat(same) for same in zip(*(part for _, part in results), strict=True)]
            if self.reference_methods:
                self.verify(losses, *batch)
        return losses, gradients

    def parts(self, batch: Sequence[Tensor]) -> Sequence[Sequence[Tensor]]:
        """Give the arguments of the traced step, for as many runs at once as it takes."""
        inputs = (*self.model.params.values(), *self.model.buffers.values(), *batch)
        chunk = self.model.vmap_chunk
        return [*zip(*(torch.split(value, chunk) for value in inputs), strict=True)] if chunk else [inputs]

    @torch.no_grad()
    def has_fixed_bits(self, batch: Sequence[Tensor], counts: Sequence[int]) -> bool:
        """Whether a step gives the same bits with each of some numbers of threads; the step is traced if need be."""
        part = self.parts(batch)[0]
        if self.step is None:
            self.step = self.trace(*part)
        first, last = len(self.model.params), len(self.model.params) + len(self.model.buffers)
        results = []
        for count in counts:
            buffers = [value.clone() for value in part[first:last]]  # which a step may change
            with threads_set(count):
                losses, gradients = self.step(*part[:first], *buffers, *part[last:])
            results.append([losses, *gradients, *buffers])
        return all(
            torch.equal(value.nan_to_num(), other.nan_to_num())
            for values in results[1:]
            for value, other in zip(results[0], values, strict=True)
        )

    def trace(self, *part: Tensor) -> Step:
        """Trace the step of some runs, and compile it if that was asked for."""
        model = self.model

        def of_run(params: State, buffers: State, valid: Tensor, *values: Tensor) -> tuple[Tensor, Tensor]:
            state = {f"method.{name}": value for name, value in {**params, **buffers}.items()}
            losses = torch.where(valid, model.call("losses", True, state, self.batch(values)), 0)
            return losses.sum() / valid.sum(), losses.sum()

        def of_all(*flat: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
            params = dict(zip(model.params, flat, strict=False))
            buffers = dict(zip(model.buffers, flat[len(params) :], strict=False))
            with self.autocast():
                mean, total = vmap(of_run)(params, buffers, *flat[len(params) + len(buffers) :])
            check_learns(model.method, mean)
            gradients = torch.autograd.grad(mean.sum(), list(params.values()), allow_unused=True)
            if unused := [name for name, gradient in zip(params, gradients, strict=True) if gradient is None]:
                raise InputError(
                    f"{type(model.method).__name__}.losses uses no {', '.join(unused)}, expected every parameter: "
                    "leave it out, set requires_grad = False for it, or packable = False in the class"
                )
            return total.detach(), gradients

        count = len(model.params)
        params = [value.detach().requires_grad_() for value in part[:count]]
        with torch.enable_grad():  # on copies: tracing runs the step once, and buffers change in it
            graph = traced(of_all, *params, *(value.clone() for value in part[count:]))
        return CompiledStep(graph) if self.compile else graph

    def batch(self, values: Sequence[Tensor]) -> Batch:
        """Give the fields of a batch their names."""
        named: dict[str, Any] = dict(zip(self.fields, values, strict=True))
        return Batch(**named)

    def verify(self, losses: Float[Tensor, " k"], valid: Tensor, *values: Tensor) -> None:
        """Hold the losses of the first step against those of methods that are called by themselves.

        Raises:
            InputError: see `check_packable`.
            RuntimeError: they differ: what differs between runs is neither a buffer nor seen by `structure_of`.
        """
        for k, method in self.reference_methods.items():
            batch = self.batch([value[k][valid[k]] for value in values])
            with self.autocast():
                check_packable(method.train(), "losses", batch)
                alone = method.losses(batch).sum()
            if not torch.allclose(alone.float(), losses[k].float(), rtol=1e-2, atol=1e-6, equal_nan=True):
                name = type(method).__name__
                raise RuntimeError(
                    f"{name} gives a loss of {float(losses[k]):g} in a pack and {float(alone):g} alone: "
                    "what differs between its runs must be a buffer"
                )
        self.reference_methods = {}


class CompiledStep:
    """A traced step that torch has compiled, or the graph itself where torch cannot compile it.

    On a GPU the kernels of a step are launched as one CUDA graph.

    Args:
        graph: the traced step.
    """

    def __init__(self, graph: Step) -> None:
        self.graph = graph
        # The number of threads may change from step to step.
        self.step: Step = torch.compile(graph, options={"cpp.dynamic_threads": True, "triton.cudagraphs": True})

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """Compute losses and gradients; the first call compiles."""
        try:
            return self.step(*inputs)
        except Exception as error:
            if self.step is self.graph or out_of_memory(error):
                raise
            # Whatever a compiler, a driver or a folder for temporary files may lack.
            warnings.warn(
                f"the step cannot be compiled, and is taken as it is ({described(error)[:300]}); "
                "engine.compile=false says so beforehand",
                stacklevel=2,
            )
            self.step = self.graph
            return self.graph(*inputs)
