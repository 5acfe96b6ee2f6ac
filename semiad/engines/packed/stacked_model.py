"""The weights of K methods of equal structure as stacked tensors."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from semiad.engines.threads import convolves
from semiad.errors import InputError
from semiad.methods.base import Method, own_numbers
from semiad.methods.contract import check_rows
from semiad.types import Batch

State = dict[str, Tensor]
TRACING = ("vmap", "functorch", "tracing tensor", "data-dependent", "data pointer")
"""Words in what torch says of operations that depend on values."""
RANDOM = "called random operation"
"""Words in what torch says of random numbers under `vmap`."""


class MethodCall(nn.Module):
    """One function of a method as the forward of a module, as `functional_call` wants it."""

    def __init__(self, method: Method, name: str) -> None:
        super().__init__()
        self.method, self.name = method, name

    def forward(self, argument: Batch | Tensor) -> Tensor:
        """Call the function."""
        result: Tensor = getattr(self.method, self.name)(argument)
        return result


class StackedModel:
    """Parameters and buffers of K methods, the first axis of each for the methods.

    Args:
        methods: of equal structure, on one device.

    Attributes:
        method: one of the methods without values, to call functions of.
        hidden: attributes that it has not, since the methods differ in them.
        leaves: what an optimiser steps: parameters, in the memory order in which gradients come.
        params: the same memory with the axes in the order of the method's parameters.
        buffers: also parameters that need no gradient.
        best: a copy of params and buffers as they were when `keep` last took them; None before that.
        vmap_chunk: how many methods are called at once; None for all.
    """

    def __init__(self, methods: Sequence[Method]) -> None:
        params, buffers = stack_module_state(list(methods))
        for name, parameter in methods[0].named_parameters():
            if not parameter.requires_grad:  # what a phase leaves as it is
                buffers[name] = params.pop(name).detach()
        self.leaves = {name: nn.Parameter(value.detach().clone()) for name, value in params.items()}
        self.layout = {name: tuple(range(value.ndim)) for name, value in params.items()}
        self.buffers: State = {name: value.clone() for name, value in buffers.items()}
        self.best: State | None = None
        self.method = copy.deepcopy(methods[0]).to("meta")
        self.hidden = attributes_that_differ(methods)
        for name in self.hidden:
            delattr(self.method, name)
        # Many convolutions at once are grouped ones, slow on a CPU, and their maps overflow its caches.
        on_cpu = next(iter(self.leaves.values())).device.type == "cpu"
        self.vmap_chunk = 1 if convolves(self.method) and on_cpu else None
        self.view()

    def view(self) -> None:
        """Look at the leaves in the order of the method's parameters."""
        self.params = {name: self.to_parameter_layout(name, leaf.detach()) for name, leaf in self.leaves.items()}

    def to_parameter_layout(self, name: str, part: Any) -> Any:  # noqa: ANN401
        """Put the axes of a leaf, or of what an optimiser keeps of its shape, in the order of the parameter."""
        layout = self.layout[name]
        if not isinstance(part, Tensor) or part.ndim != len(layout):
            return part
        return part.permute(*(layout.index(axis) for axis in range(part.ndim)))

    def lay_out(self, name: str, layout: tuple[int, ...]) -> None:
        """Lay a parameter out in memory anew: a fused optimiser walks memory, and its gradient comes so."""
        leaf = nn.Parameter(self.params[name].permute(layout).contiguous())
        self.layout[name], self.leaves[name] = layout, leaf
        self.params[name] = self.to_parameter_layout(name, leaf.detach())

    def select(self, chosen: Int64[Tensor, " m"]) -> None:
        """Keep some of the methods only."""
        self.buffers = {name: value[chosen] for name, value in self.buffers.items()}
        self.best = None if self.best is None else {name: value[chosen] for name, value in self.best.items()}
        self.leaves = {name: nn.Parameter(leaf.detach()[chosen]) for name, leaf in self.leaves.items()}
        self.view()

    @torch.no_grad()
    def load(self, params: State, buffers: State, best: State | None, chosen: Int64[Tensor, " m"]) -> None:
        """Take over values, of which the methods here are some."""
        self.best = None if best is None else {name: value[chosen] for name, value in best.items()}
        for own, kept in ((self.leaves, params), (self.buffers, buffers)):
            for name, value in own.items():
                value.copy_(kept[name][chosen])

    @torch.no_grad()
    def keep(self, methods: Sequence[int]) -> None:
        """Keep the values that some methods have now, which are theirs from then on for `states` and `values_of`."""
        values = {**self.params, **self.buffers}
        if self.best is None:
            self.best = {name: value.clone() for name, value in values.items()}
        for name, kept in self.best.items():
            kept[methods] = values[name][methods]

    @property
    def values(self) -> State:
        """Parameters and buffers with which training would end now."""
        return {**self.params, **self.buffers} if self.best is None else self.best

    def values_of(self, index: int) -> State:
        """The values of one method."""
        return {name: value[index] for name, value in self.values.items()}

    def states(self, methods: Sequence[int] | None) -> State:
        """Parameters and buffers of some methods, or of all, named as `call` takes them."""
        return {
            f"method.{name}": value.detach() if methods is None else value.detach()[methods]
            for name, value in self.values.items()
        }

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Drop what the body changes of attributes: there it may have come from `vmap`, and be no value elsewhere."""
        kept = [(module, dict(vars(module))) for module in self.method.modules()]
        try:
            yield
        finally:
            for module, attributes in kept:
                vars(module).clear()
                vars(module).update(attributes)

    def call(self, name: str, training: bool, state: Mapping[str, Tensor], argument: Batch | Tensor) -> Tensor:
        """Call a function of the method with the values of one of the methods, under `vmap`.

        Raises:
            InputError: it does not give one value for each row, reads an attribute in which the methods differ, or does
                what cannot be done for many runs at once.
        """
        module = MethodCall(self.method.train(training), name)
        try:
            with self.restored():
                result: Tensor = functional_call(module, dict(state), (argument,))
        except AttributeError as error:
            if error.name not in self.hidden:
                raise
            raise InputError(
                f"{type(self.method).__name__}.{name} reads {error.name}, in which runs that are trained together "
                "differ: keep it in a buffer, or set packable = False in the class"
            ) from error
        except RuntimeError as error:
            sentence = " ".join(str(error).split()).partition(". ")[0]
            if RANDOM in sentence:
                raise InputError(
                    f"{type(self.method).__name__}.{name} draws from torch's global generator (as nn.Dropout does), "
                    "which many runs cannot share: draw by `noise`, or set packable = False in the class"
                ) from error
            if not any(word in sentence for word in TRACING):
                raise
            raise InputError(
                f"{type(self.method).__name__}.{name} does what cannot be done for many runs at once, such as an `if` "
                f"that depends on values: choose rows by torch.where, or set packable = False in the class ({sentence})"
            ) from error
        rows = argument.x if isinstance(argument, Batch) else argument
        check_rows(self.method, name, result, len(rows))
        return result


def attributes_that_differ(methods: Sequence[Method]) -> list[str]:
    """List the numbers that methods keep as attributes and in which they differ."""
    first, *others = (own_numbers(method) for method in methods)
    return [name for name, number in first.items() if any(other.get(name) != number for other in others)]
