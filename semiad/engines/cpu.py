"""Operations that torch does slowly on a CPU, by way of others that give the same: for a traced step.

Each function stands for an `aten` operation, and leaves it as it is where it knows no better way.
"""

from collections.abc import Callable, Sequence
from types import NotImplementedType
from typing import Any, cast

import torch
from jaxtyping import Float, Int64
from torch import Tensor

aten = torch.ops.aten

Maps = Float[Tensor, "*b _ _"]

AS_IT_IS = cast(NotImplementedType, NotImplemented)


def pooled(x: Maps, *window: Any) -> tuple[Maps, Int64[Tensor, "*b _ _"]] | NotImplementedType:  # noqa: ANN401
    """Largest values of windows of 2x2 as maxima of whole rows and columns, which torch computes in vectors."""
    if not halves(x, *window):
        return AS_IT_IS
    rows = torch.maximum(x[..., 0::2], x[..., 1::2])
    y = torch.maximum(rows[..., 0::2, :], rows[..., 1::2, :])
    return y, torch.empty_like(y, dtype=torch.int64)  # nothing but `pooled_backward` would read it


def pooled_backward(grad: Maps, x: Maps, *rest: Any) -> Maps | NotImplementedType:  # noqa: ANN401
    """The gradient goes to the first of the largest values of a window, in the order of reading."""
    *window, _ = rest
    if not halves(x, *window):
        return AS_IT_IS
    left, right = x[..., 0::2], x[..., 1::2]
    rows = torch.maximum(left, right)
    upper = torch.where(rows[..., 0::2, :] >= rows[..., 1::2, :], grad, 0)
    of_rows = torch.stack([upper, grad - upper], -2).flatten(-3, -2)
    at_left = torch.where(left >= right, of_rows, 0)
    return torch.stack([at_left, of_rows - at_left], -1).flatten(-2)


def halves(
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    ceil_mode: bool = False,
) -> bool:
    """Whether windows of 2x2 cover maps without rest."""
    even = not x.shape[-1] % 2 and not x.shape[-2] % 2
    return even and {*kernel, *stride} == {2} and {*padding} == {0} and {*dilation} == {1}


def convolution_backward(
    grad: Tensor,
    x: Tensor,
    weight: Tensor,
    bias_sizes: Sequence[int] | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
    mask: Sequence[bool],
) -> tuple[Tensor | None, Tensor | None, Tensor | None] | NotImplementedType:
    """The input's gradient as a convolution with the flipped weight: oneDNN's own way takes twice as long."""
    around = [size - 1 - pad for size, pad in zip(weight.shape[2:], padding, strict=True)]
    plain = not transposed and groups == 1 and {*stride, *dilation} == {1} and min(around) >= 0
    if not mask[0] or not plain:
        return AS_IT_IS
    flipped = weight.transpose(0, 1).flip(2, 3)
    of_x = aten.convolution.default(grad, flipped, None, stride, around, dilation, False, output_padding, 1)
    others = [False, mask[1], mask[2]]
    _, of_weight, of_bias = aten.convolution_backward.default(
        grad, x, weight, bias_sizes, stride, padding, dilation, False, output_padding, 1, others
    )
    return of_x, of_weight, of_bias


FASTER: dict[Any, Callable[..., Any]] = {
    aten.max_pool2d_with_indices.default: pooled,
    aten.max_pool2d_with_indices_backward.default: pooled_backward,
    aten.convolution_backward.default: convolution_backward,
}
