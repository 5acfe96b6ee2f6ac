"""A step of many runs as one flat graph of tensor operations."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch._guards import TracingContext, tracing
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

from semiad.engines.packed.cpu import FASTER

aten = torch.ops.aten
SHAPING = {aten.expand.default, aten.view.default, aten._unsafe_view.default, aten.alias.default, aten.detach.default}
"""Operations that do nothing where the result has the shape of what they are given."""
UNIT = {aten.mul.Scalar, aten.pow.Tensor_Scalar, aten.div.Scalar}
"""Operations that do nothing with a scalar of 1."""


def traced(step: Callable[..., Any], *arguments: Any) -> fx.GraphModule:  # noqa: ANN401
    """Run a function once and keep the operations that it came to, without those that do nothing.

    `vmap` and the derivatives of an objective leave many such, and on small networks each costs as much as a real one.
    On a CPU, operations that are slow there come to faster ones.
    """
    # Torch notes the look of each result by a fake tensor, and without a mode at hand makes a new one for each, which
    # takes almost as long as all else.
    with tracing(TracingContext(FakeTensorMode())):
        module = make_fx(step, FASTER if arguments[0].device.type == "cpu" else None)(*arguments)
    for node in module.graph.nodes:
        if node.op == "call_function" and idle(node):
            node.replace_all_uses_with(node.args[0])
    module.graph.eliminate_dead_code()
    module.recompile()
    return module


def idle(node: fx.Node) -> bool:
    """Whether an operation returns what it is given."""
    if node.target in UNIT:
        return bool(node.args[1] == 1) and same(node)
    return node.target in SHAPING and same(node)


def same(node: fx.Node) -> bool:
    """Whether the result looks like the first argument."""
    given = node.args[0]
    return isinstance(given, fx.Node) and look(given) == look(node)


def look(node: fx.Node) -> Sequence[object]:
    """Type, shape and strides of a node's value."""
    value = node.meta.get("val")
    return (value.dtype, value.shape, value.stride()) if isinstance(value, Tensor) else (node,)
