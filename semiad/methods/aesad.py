"""AE-SAD: Angiulli, Fassetti, Ferragina, "Reconstruction Error-based Anomaly Detection with Few Outlying Examples"."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from semiad import losses
from semiad.errors import InputError
from semiad.methods.ae import AE
from semiad.methods.base import Network, OptimizerFactory
from semiad.types import Batch

TARGETS = {"f0": losses.f0, "f1": losses.f1, "f2": losses.f2}
RULES: dict[str, Callable[[float, int, int], float]] = {
    "paper": lambda alpha, n, s: 1 + alpha * (n / s - 1),
    "journal": lambda alpha, n, s: alpha * (n - s) / s,
    "fixed": lambda alpha, n, s: alpha,
}


def weight(rule: str, alpha: float, n: int, s: int) -> float:
    """Compute the weight lambda of a labelled anomaly.

    Args:
        rule: `paper` for 1 + alpha (n/s - 1) (Section 4.2), `journal` for alpha (n - s)/s (the authors' code and the
            journal version), `fixed` for alpha itself.
        alpha: see `rule`.
        n: number of training rows, labelled ones included.
        s: number of labelled anomalies; without any the weight plays no part and is 1.

    Raises:
        InputError: unknown rule.
    """
    if rule not in RULES:
        raise InputError(f"method.lam.rule is '{rule}', expected one of {', '.join(RULES)}")
    return RULES[rule](alpha, n, s) if s else 1.0


class AESAD(AE):
    """Objective: Eq. 2, which asks for `F(x)` in place of labelled anomalies. Score: reconstruction error (Eq. 1).

    Args:
        shape: of one row.
        net: makes the autoencoder; its output must lie in [0, 1].
        optimizer: makes the optimiser.
        f: the paper's F: `f0` (1 - x), `f1` (the farthest corner), `f2` (every feature moved by 1/2).
        lam: `rule` and `alpha` of the weight, see `weight`.

    Raises:
        InputError: unknown f or rule.
    """

    unsupervised = False
    lam: Tensor

    def __init__(
        self, shape: Sequence[int], net: Network, optimizer: OptimizerFactory, f: str, lam: dict[str, str | float]
    ) -> None:
        super().__init__(shape, net, optimizer)
        if f not in TARGETS:
            raise InputError(f"method.f is '{f}', expected one of {', '.join(TARGETS)}")
        self.target = TARGETS[f]
        self.rule, self.alpha = str(lam["rule"]), float(lam["alpha"])
        self.register_buffer("lam", torch.tensor(weight(self.rule, self.alpha, 1, 1)))

    def prepare(self, x: Float[Tensor, "n *shape"], s: Float[Tensor, " n"]) -> None:
        """Set lambda by its rule."""
        self.lam.fill_(weight(self.rule, self.alpha, len(s), int(s.sum())))

    def losses(self, batch: Batch) -> Float[Tensor, " b"]:
        """Compute Eq. 2."""
        return losses.ae_sad(batch.x, self.net(batch.x), batch.s, self.lam, self.target)
