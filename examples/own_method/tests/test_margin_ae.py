"""The margin autoencoder keeps semiad's contract, and its objective is its equation."""

import torch
from own_method.margin import MarginAE
from torch import Tensor

from semiad.testing import check_method
from semiad.types import Batch


@torch.no_grad()
def by_hand(method: MarginAE, batch: Batch) -> Tensor:
    errors = [float(((x - x_hat) ** 2).mean()) for x, x_hat in zip(batch.x, method.net(batch.x), strict=True)]
    labels = batch.s.tolist()
    return torch.tensor([max(0.5 - error, 0) if label else error for error, label in zip(errors, labels, strict=True)])


def test_margin_ae() -> None:
    check_method("method=margin_ae", equation=by_hand)
