"""WSAD-DT: Durani, Nitzl, Plant, Böhm, "Weakly Supervised Anomaly Detection via Dual-Tailed Kernel" (2025)."""

from collections.abc import Sequence
from math import ceil

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from semiad import losses
from semiad.checks import check_number, check_whole, is_number
from semiad.draws import draw_members, member_rows
from semiad.errors import InputError
from semiad.methods.base import Method, Network, OptimizerFactory
from semiad.methods.contract import check_labelled
from semiad.methods.deep_svdd import APART, codes_of
from semiad.methods.devnet import check_sampling
from semiad.methods.supervised import code_width
from semiad.networks.autoencoder import parts
from semiad.types import Batch

CROWD = 8
"""So many rows of each kind in a batch are kept apart."""
EPS = 1e-6


class WSADDT(Method):
    """Objective: shares of two classes, by kernels around their centres, and a penalty on codes that lie too close.

    An ensemble: each member has an encoder, two centres and a part of the unlabelled rows of its own, and all labelled
    rows. The objective is the sum of theirs, so that each trains as it would alone. The centres are the mean codes of
    the unlabelled and of the labelled rows before training, and stay. Score: the share of the labelled centre by
    Student's t kernels around both, mean over members.

    Args:
        shape: of one row.
        net: makes an autoencoder, of which the encoder is taken; each member has one.
        optimizer: makes the optimiser.
        members: of the ensemble.
        labelled_share: of a batch, above 0 and below 1.
        light: the widths of the light tails around the centres of unlabelled and labelled rows.
        heavy: degrees of freedom of the heavy tails.
        crowding: the widths of the kernels of the penalty, of unlabelled and labelled rows.
        clip_norm: bound on the norm of the gradient of all members together; None for none.

    Raises:
        InputError: a value out of range, or a network without an encoder.
    """

    batch_coupled = True
    centres: Tensor
    light: Tensor
    heavy: Tensor
    crowding: Tensor

    def __init__(
        self,
        shape: Sequence[int],
        net: Network,
        optimizer: OptimizerFactory,
        members: int,
        labelled_share: float,
        light: Sequence[float],
        heavy: float,
        crowding: Sequence[float],
        clip_norm: float | None,
    ) -> None:
        super().__init__(optimizer)
        check_sampling(1, clip_norm)
        check_whole("method.members", members)
        check_number("method.labelled_share", labelled_share, above=0, below=1)
        for name, widths in (("light", light), ("crowding", crowding)):
            if len(widths) != 2 or not all(is_number(width) and width > 0 for width in widths):
                raise InputError(f"method.{name} is {widths}, expected two numbers above 0")
        check_number("method.heavy", heavy, above=0)
        self.members, self.labelled_share, self.clip_norm = members, labelled_share, clip_norm
        self.encoders = nn.ModuleList(parts(net(shape=shape)).encoder for _ in range(members))
        self.register_buffer("centres", torch.zeros(members, 2, code_width(self.encoders[0], shape)))
        for name, value in (("light", light), ("crowding", crowding)):
            self.register_buffer(name, torch.tensor([float(width) for width in value]))
        self.register_buffer("heavy", torch.tensor(float(heavy)))

    def prepare(self, x: Float[Tensor, "n *shape"], s: Float[Tensor, " n"]) -> None:
        """Set the centres of each member, coordinates, but for zeros, no nearer to zero than `APART`.

        Raises:
            RunFailed: no row is labelled.
        """
        check_labelled(self, s)
        for member, kinds in enumerate(member_rows(s.cpu(), self.members)):
            codes = [codes_of(self.encoders[member], x[rows.to(x.device)]) for rows in kinds]
            centres = torch.stack([code.flatten(1).mean(0) for code in codes])
            self.centres[member] = torch.where(centres.abs() < APART, APART * centres.sign(), centres)

    def draw_rows(self, s: Float[Tensor, " n"], batch_size: int, source: torch.Generator) -> Int64[Tensor, "steps b m"]:
        """Draw a batch for each member, in as many steps as all rows fill batches."""
        labelled = min(max(round(self.labelled_share * batch_size), 1), batch_size - 1)
        return draw_members(s, self.members, ceil(len(s) / batch_size), batch_size, labelled, source)

    def distances(self, z: Float[Tensor, "b d"], member: int) -> Float[Tensor, "b 2"]:
        """Compute the squared distances of codes from the centres of a member."""
        return (z[:, None] - self.centres[member]).square().sum(2)

    def losses(self, batch: Batch) -> Float[Tensor, " b"]:
        """Compute the objective of the rows of each member, a mean over either kind, and the penalty; their sum."""
        total = torch.zeros_like(batch.s[:, 0])
        for member, encoder in enumerate(self.encoders):
            z, s = encoder(batch.x[:, member]).flatten(1), batch.s[:, member]
            rows = losses.dual_tailed(self.distances(z, member), s, self.light, self.heavy, EPS)
            crowds = [losses.crowding(z, kind, self.crowding[i], CROWD) for i, kind in enumerate((1 - s, s))]
            total = total + losses.two_means(rows, s) + crowds[0] + crowds[1]
        return total

    def scores(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, " b"]:
        """Compute the mean share of the labelled centre over members."""
        shares = []
        for member, encoder in enumerate(self.encoders):
            kernels = losses.student_t(self.distances(encoder(x).flatten(1), member), self.heavy)
            shares.append(1 - kernels[:, 0] / (kernels.sum(1) + EPS))
        return torch.stack(shares).mean(0)
