"""The equations of the papers as pure functions, one value a row.

Squared norms are means over the features of a row, not sums: so does the code of the AE-SAD authors, and a learning
rate then means the same for every data set.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

Rows = Float[Tensor, "b *shape"]
PerRow = Float[Tensor, " b"]


def squared_error(x: Rows, x_hat: Rows) -> PerRow:
    """AE-SAD Eq. 1: the squared reconstruction error, mean over features."""
    return (x - x_hat).square().flatten(1).mean(1)


def ae_sad(
    x: Rows, x_hat: Rows, s: PerRow, weight: Float[Tensor, ""], target: Callable[[Rows], Rows]
) -> Float[Tensor, " b"]:
    """AE-SAD Eq. 2: unlabelled rows are to be reconstructed as they are, labelled anomalies as `target(x)`.

    Args:
        x: rows in [0, 1].
        x_hat: their reconstruction.
        s: 1 for a labelled anomaly, 0 for an unlabelled row.
        weight: the paper's lambda, the weight of a labelled anomaly.
        target: the paper's F.
    """
    return torch.where(s == 1, weight * squared_error(target(x), x_hat), squared_error(x, x_hat))


def f0(x: Rows) -> Rows:
    """AE-SAD Section 3: F(x) = 1 - x, the negative image."""
    return 1 - x


def f1(x: Rows) -> Rows:
    """AE-SAD, journal version: F(x) = 1 where x <= 1/2, else 0: the corner of the cube farthest from x."""
    return (x <= 0.5).to(x.dtype)


def f2(x: Rows) -> Rows:
    """AE-SAD, journal version: F(x) = x + 1/2 where x <= 1/2, else x - 1/2: every feature moves by 1/2."""
    return torch.where(x <= 0.5, x + 0.5, x - 0.5)
