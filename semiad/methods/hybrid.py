"""Hybrids: a classical method on the codes of an autoencoder, as the papers' rivals."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from semiad.errors import RunFailed
from semiad.methods.ae import AE
from semiad.methods.classical import ClassicalMethod
from semiad.methods.supervised import code_width
from semiad.networks.autoencoder import parts

CHUNK = 1024
"""Rows that are encoded at once; always so many, so that a code does not depend on the rows beside it."""


def encoder_weights(autoencoder: AE) -> dict[str, Tensor]:
    """Give the weights of the encoder of an autoencoder, on the CPU."""
    weights = parts(autoencoder.net).encoder.state_dict()
    return {name: value.detach().cpu().clone() for name, value in weights.items()}


class Hybrid(ClassicalMethod):
    """A classical method (the head) on the codes of an autoencoder that is trained before. Score: the head's.

    The engine trains the autoencoder, on all training rows, and hands its encoder over by `load_encoder`.

    Args:
        shape: of one row.
        encoder: makes the autoencoder; hybrids with the same one share what is trained.
        batch_size: of its training.
        head: makes the classical method.
    """

    engine: ClassVar[str] = "hybrid"

    def __init__(
        self,
        shape: Sequence[int],
        encoder: Callable[..., AE],
        batch_size: int,
        head: Callable[..., ClassicalMethod],
    ) -> None:
        super().__init__(shape)
        self.encoder: nn.Module = parts(encoder(shape=shape).net).encoder
        self.head = head(shape=(code_width(self.encoder, shape),))
        self.unsupervised, self.looks_at_test = self.head.unsupervised, self.head.looks_at_test

    def load_encoder(self, state: Mapping[str, Tensor]) -> None:
        """Take over the weights of a trained encoder."""
        self.encoder.load_state_dict(dict(state))

    @torch.no_grad()
    def codes(self, x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n c"]:
        """Compute the codes of rows, in evaluation mode."""
        self.encoder.eval()
        codes = []
        for start in range(0, len(x), CHUNK):
            rows = torch.from_numpy(x[start : start + CHUNK]).reshape(-1, *self.shape)
            padded = torch.cat([rows, rows.new_zeros(CHUNK - len(rows), *self.shape)])
            codes.append(self.encoder(padded)[: len(rows)].flatten(1).numpy())
        return np.concatenate(codes)

    def fit(self, x: Float[np.ndarray, "n d"], s: Float[np.ndarray, " n"], rng: np.random.RandomState) -> int:
        """Fit the head on the codes.

        Raises:
            RunFailed: the codes are not finite or all the same, or the head learns nothing from them.
        """
        codes = self.codes(x)
        if not np.isfinite(codes).all() or np.allclose(codes, codes[0], rtol=1e-5, atol=1e-7):
            raise RunFailed(f"the encoder has collapsed: the codes of all {len(x)} rows are the same or not finite")
        return self.head.fit(codes, s, rng)

    def choose(self, x: Float[np.ndarray, "m d"], truth: Int64[np.ndarray, " m"], rng: np.random.RandomState) -> None:
        """Let the head settle what it has left open."""
        self.head.choose(self.codes(x), truth, rng)

    def scores(self, x: Float[np.ndarray, "b d"]) -> Float[np.ndarray, " b"]:
        """Compute the head's score of the code of each row."""
        return self.head.scores(self.codes(x))

    def state(self) -> dict[str, Any]:
        """Give the weights of the encoder as arrays, and what the head has learnt."""
        weights = {name: value.numpy() for name, value in self.encoder.state_dict().items()}
        return {"encoder": weights, "head": self.head.state()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over what another one has learnt."""
        self.load_encoder({name: torch.from_numpy(np.asarray(value)) for name, value in state["encoder"].items()})
        self.head.load_state(state["head"])
