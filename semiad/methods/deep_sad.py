"""Deep SAD: Ruff et al., "Deep Semi-Supervised Anomaly Detection" (2020)."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from semiad import losses
from semiad.methods.deep_svdd import DeepSVDD
from semiad.types import Batch


class DeepSAD(DeepSVDD):
    """Objective: Eq. 7. Score: squared distance of the code from the centre.

    As in the authors' code, the autoencoder is trained on labelled anomalies too, and these enter the centre.

    Args:
        eta: the weight of a labelled anomaly.
        common: see `DeepSVDD`, all but `nu`.
    """

    unsupervised = False
    eta: Tensor

    def __init__(self, eta: float, **common: Any) -> None:  # noqa: ANN401
        super().__init__(nu=None, **common)
        self.register_buffer("eta", torch.tensor(float(eta)))

    def losses(self, batch: Batch) -> Float[Tensor, " b"]:
        """Compute Eq. 7."""
        return losses.deep_sad(losses.svdd(self.encoder(batch.x), self.centre), batch.s, self.eta)
