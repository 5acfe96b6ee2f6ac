"""An autoencoder whose decoder has the weights of its encoder, transposed."""

from collections.abc import Sequence
from math import prod

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Tied(nn.Module):
    """Reconstructs a row from its code with one matrix of weights.

    Args:
        shape: of one row.
        latent: length of the code.
    """

    def __init__(self, shape: Sequence[int], latent: int) -> None:
        super().__init__()
        d = prod(shape)
        self.weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(latent, d)))
        self.code_bias, self.bias = nn.Parameter(torch.zeros(latent)), nn.Parameter(torch.zeros(d))

    def forward(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, "b *shape"]:
        """Reconstruct rows."""
        code = (x.flatten(1) @ self.weight.T + self.code_bias).relu()
        return (code @ self.weight + self.bias).sigmoid().view_as(x)
