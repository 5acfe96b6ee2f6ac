"""Operations that torch does slowly on a CPU, by way of others that give the same: for a traced step."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

aten = torch.ops.aten


def pooled(
    x: Float[Tensor, "*b h w"], *window: object
) -> tuple[Float[Tensor, "*b h//2 w//2"], Int64[Tensor, "*b h//2 w//2"]]:
    """Largest values of windows of 2x2 as maxima of whole rows and columns, which torch computes in vectors.

    Their places, the first of a window in the order of reading, leave the traced step where nothing reads them.
    """
    height, width = x.shape[-2:]
    left, right = x[..., 0::2], x[..., 1::2]
    rows = torch.maximum(left, right)
    upper, lower = rows[..., 0::2, :], rows[..., 1::2, :]
    column = torch.arange(0, width, 2, device=x.device) + (left < right)
    row = torch.arange(0, height, 2, device=x.device)[:, None] + (upper < lower)
    places = row * width + torch.where(upper < lower, column[..., 1::2, :], column[..., 0::2, :])
    return torch.maximum(upper, lower), places


def pooled_backward(
    grad: Float[Tensor, "*b _ _"], x: Float[Tensor, "*b h w"], *window: object
) -> Float[Tensor, "*b h w"]:
    """The gradient goes to the first of the largest values of a window, in the order of reading."""
    left, right = x[..., 0::2], x[..., 1::2]
    rows = torch.maximum(left, right)
    upper = grad * (rows[..., 0::2, :] >= rows[..., 1::2, :])
    of_rows = torch.stack([upper, grad - upper], -2).flatten(-3, -2)
    at_left = of_rows * (left >= right)
    return torch.stack([at_left, of_rows - at_left], -1).flatten(-2)


def halves(
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    *rest: object,
) -> bool:
    """Whether windows of 2x2 cover maps without rest."""
    even = not x.shape[-1] % 2 and not x.shape[-2] % 2
    return even and {*kernel, *stride} == {2} and {*padding} == {0} and {*dilation} == {1}


def transposed_convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    *rest: object,
) -> Tensor:
    """A transposed convolution as a plain one with the flipped weight, which oneDNN computes faster."""
    outside = around(weight, padding)
    y: Tensor = aten.convolution.default(x, flipped(weight), bias, stride, outside, dilation, False, [0, 0], 1)
    return y


def convolution_backward(
    grad: Tensor,
    x: Tensor,
    weight: Tensor,
    bias: Sequence[int] | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    *rest: Any,  # noqa: ANN401
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """The gradients by way of plain convolutions: oneDNN takes twice as long for the others."""
    mask, layout = rest[-1], (stride, padding, dilation, False, [0, 0], 1)
    of_x = of_weight = of_bias = None
    if mask[0]:
        back = aten.convolution.default if transposed else transposed_convolution
        of_x = back(grad, weight, None, *layout)
    if mask[1]:
        source, result = (grad, x) if transposed else (x, grad)
        of_weight = aten.convolution_backward.default(result, source, weight, None, *layout, [False, True, False])[1]
    if mask[2]:
        of_bias = grad.sum((0, 2, 3))
    return of_x, of_weight, of_bias


def simple(
    weight: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> bool:
    """Whether a convolution over maps, transposed or not, is undone by one with the flipped weight."""
    return weight.ndim == 4 and groups == 1 and {*stride, *dilation} == {1} and min(around(weight, padding)) >= 0


def flipped(weight: Float[Tensor, "o i h w"]) -> Float[Tensor, "i o h w"]:
    """The weight of the convolution that goes the other way."""
    return weight.transpose(0, 1).flip(2, 3)


def around(weight: Tensor, padding: Sequence[int]) -> list[int]:
    """Padding of the convolution with the flipped weight."""
    return [size - 1 - pad for size, pad in zip(weight.shape[2:], padding, strict=True)]


def where(fits: Callable[..., bool], faster: Callable[..., Any]) -> Callable[..., Any]:
    """The faster way for arguments that fit, else the operation as it is."""
    return lambda *given: faster(*given) if fits(*given) else NotImplemented


FASTER = {
    aten.max_pool2d_with_indices.default: where(halves, pooled),
    aten.max_pool2d_with_indices_backward.default: where(lambda grad, *given: halves(*given), pooled_backward),
    aten.convolution.default: where(
        lambda x, weight, bias, *layout: layout[3] and simple(weight, *layout), transposed_convolution
    ),
    aten.convolution_backward.default: where(
        lambda grad, x, weight, bias, *how: simple(weight, *how[:-1]) and (how[3] or how[-1][0]), convolution_backward
    ),
}
