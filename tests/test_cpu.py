"""What stands for slow operations on a CPU gives what they give."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.ops import aten

from semiad.engines.packed.trace import traced


def agrees(function: Callable[..., Tensor], *given: Tensor) -> set[object]:
    """Hold a traced function and its gradients against the plain ones; give the operations that were traced."""

    def step(weight: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
        y = function(*inputs)
        return y, *torch.autograd.grad((y * weight).sum(), inputs)

    inputs = [value.double().requires_grad_() for value in given]
    weight = torch.rand_like(function(*inputs))
    plain, module = step(weight, *inputs), traced(step, weight, *inputs)
    with torch.no_grad():
        again = module(weight, *inputs)
    for one, other in zip(plain, again, strict=True):
        assert one.shape == other.shape and torch.allclose(one, other, rtol=1e-10, atol=1e-12)
    return {node.target for node in module.graph.nodes}


@pytest.mark.parametrize("kernel, stride, padding", [(2, 2, 0), (2, 1, 0), (3, 2, 1), (2, 2, 1), (3, 3, 0)])
@pytest.mark.parametrize("size", [(8, 6), (7, 9)])
@pytest.mark.parametrize("ceil_mode", [False, True])
def test_max_pooling(kernel: int, stride: int, padding: int, size: tuple[int, int], ceil_mode: bool) -> None:
    # Few different values: what lies in a window is often equal, and the gradient must go to the first of them.
    x = torch.randint(0, 3, (3, 2, *size))
    kept = agrees(lambda x: F.max_pool2d(x, kernel, stride, padding, ceil_mode=ceil_mode), x)
    faster = (kernel, stride, padding, size) == (2, 2, 0, (8, 6))
    pools = {aten.max_pool2d_with_indices.default, aten.max_pool2d_with_indices_backward.default}
    assert (kept & pools == set()) if faster else (pools <= kept)


def test_places_of_pooled_values() -> None:
    def unpooled(x: Tensor) -> Tensor:
        y, places = F.max_pool2d(x, 2, return_indices=True)
        return F.max_unpool2d(y, places, 2)

    kept = agrees(unpooled, torch.randint(0, 3, (3, 2, 8, 6)))
    assert aten.max_pool2d_with_indices.default not in kept


@pytest.mark.parametrize("stride, padding, dilation, groups", [
    (1, 0, 1, 1), (1, 2, 1, 1), (1, (0, 1), 1, 1), (1, 3, 1, 1), (2, 1, 1, 1), (1, 1, 2, 1), (1, 1, 1, 2),
])  # fmt: skip
@pytest.mark.parametrize("bias", [True, False])
def test_convolution(stride: int, padding: int | tuple[int, int], dilation: int, groups: int, bias: bool) -> None:
    x, weight, constants = torch.rand(3, 4, 9, 8), torch.rand(6, 4 // groups, 3, 3), torch.rand(6)
    kept = agrees(
        lambda x, weight, *b: F.conv2d(x, weight, *b or [None], stride, padding, dilation, groups),
        x, weight, *([constants] if bias else []),
    )  # fmt: skip
    faster = stride == dilation == groups == 1 and padding != 3
    assert (aten.flip.default in kept) == faster


@pytest.mark.parametrize("stride, padding, groups", [(1, 0, 1), (1, 2, 1), (1, 3, 1), (1, 5, 1), (2, 1, 1), (1, 2, 2)])
@pytest.mark.parametrize("bias", [True, False])
def test_transposed_convolution(stride: int, padding: int, groups: int, bias: bool) -> None:
    x, weight, constants = torch.rand(3, 4, 7, 8), torch.rand(4, 2, 5, 5), torch.rand(2 * groups)
    kept = agrees(
        lambda x, weight, *b: F.conv_transpose2d(x, weight, *b or [None], stride, padding, 0, groups),
        x, weight, *([constants] if bias else []),
    )  # fmt: skip
    faster = stride == groups == 1 and padding != 5
    assert (aten.flip.default in kept) == faster
