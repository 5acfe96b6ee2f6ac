"""The equations of the papers as pure functions, one value a row.

Squared errors of reconstruction are means over the features of a row, not sums: so does the code of the AE-SAD authors,
and a learning rate then means the same for every data set. Norms and distances of codes are sums, as the papers write.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Inputs = Float[Tensor, "b *shape"]
PerRow = Float[Tensor, " b"]
SAME = 1e-6
"""Codes that are closer are those of one row that was drawn twice."""


def squared_error(x: Inputs, x_hat: Inputs) -> PerRow:
    """AE-SAD Eq. 1: the squared reconstruction error, mean over features."""
    return (x - x_hat).square().flatten(1).mean(1)


def ae_sad(
    x: Inputs, x_hat: Inputs, s: PerRow, weight: Float[Tensor, ""], target: Callable[[Inputs], Inputs]
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


def f0(x: Inputs) -> Inputs:
    """AE-SAD Section 3: F(x) = 1 - x, the negative image."""
    return 1 - x


def f1(x: Inputs) -> Inputs:
    """AE-SAD, journal version: F(x) = 1 where x <= 1/2, else 0: the corner of the cube farthest from x."""
    return (x <= 0.5).to(x.dtype)


def f2(x: Inputs) -> Inputs:
    """AE-SAD, journal version: F(x) = x + 1/2 where x <= 1/2, else x - 1/2: every feature moves by 1/2."""
    return torch.where(x <= 0.5, x + 0.5, x - 0.5)


def two_means(values: PerRow, s: PerRow) -> Float[Tensor, " b"]:
    """ESAD Eq. 9: weighted so that the mean over all rows is the mean over unlabelled rows plus that over outliers.

    Args:
        values: one a row.
        s: 1 for a labelled outlier, 0 for an unlabelled row. Where a batch has one kind only, the other mean is 0.
    """
    outliers = s.sum()
    outlier, normal = len(s) / outliers.clamp(min=1), len(s) / (len(s) - outliers).clamp(min=1)
    return torch.where(s == 1, outlier, normal) * values


def norm_semi(z: Float[Tensor, "b *d"], s: PerRow, eps: Float[Tensor, ""]) -> Float[Tensor, " b"]:
    """ESAD Eq. 14: the norm of the code, for labelled outliers its inverse.

    Args:
        z: codes.
        s: 1 for a labelled outlier (the paper's y = -1), 0 for an unlabelled row (y = 1).
        eps: added to the norm of an outlier before it is inverted.
    """
    length = norm(z)
    return torch.where(s == 1, 1 / (length + eps), length)


def norm(z: Float[Tensor, "b *d"]) -> Float[Tensor, " b"]:
    """ESAD Eq. 12: the Euclidean norm of each code, with a derivative of 0 at 0."""
    square = z.flatten(1).square().sum(1)
    zero = square == 0
    return torch.where(zero, 0, torch.where(zero, 1, square).sqrt())


def svdd(z: Float[Tensor, "b *d"], centre: Float[Tensor, "*d"]) -> Float[Tensor, " b"]:
    """Deep SVDD Eq. 4 (Ruff et al., 2018): the squared distance of the code from the centre."""
    return (z - centre).square().flatten(1).sum(1)


def soft_boundary(distances: PerRow, nu: Float[Tensor, ""]) -> Float[Tensor, " b"]:
    """Deep SVDD Eq. 3: the squared radius plus the mean excess over it, divided by nu.

    The radius minimises that for the batch and is taken as a constant: nu of the rows, rounded down, are outside.

    Args:
        distances: squared ones from the centre.
        nu: the share of rows outside, above 0.
    """
    ordered = distances.detach().sort().values
    at = (len(distances) - 1 - (nu * len(distances) + 1e-4).long()).clamp(min=0)
    square = ordered.gather(0, at[None])
    return square + (distances - square).clamp(min=0) / nu


def deep_sad(distances: PerRow, s: PerRow, eta: Float[Tensor, ""]) -> Float[Tensor, " b"]:
    """Deep SAD Eq. 7 (Ruff et al., 2020): squared distances, for labelled anomalies their inverse, times eta.

    As in the authors' code, 1e-6 is added to a distance before it is inverted.

    Args:
        distances: squared ones from the centre.
        s: 1 for a labelled anomaly, 0 for an unlabelled row.
        eta: the weight of a labelled anomaly.
    """
    return torch.where(s == 1, eta / (distances + 1e-6), distances)


def cross_entropy(logits: PerRow, s: PerRow) -> Float[Tensor, " b"]:
    """A3 Section 3: binary cross-entropy of the alarm, 1 for an anomaly.

    Args:
        logits: of the alarm network.
        s: 1 where the alarm is to ring, else 0.
    """
    return F.binary_cross_entropy_with_logits(logits, s, reduction="none")


def deviation(deviations: PerRow, s: PerRow, margin: Float[Tensor, ""]) -> Float[Tensor, " b"]:
    """DevNet Eq. 7 (Pang et al., 2019): deviations without sign, for labelled anomalies what they lack to a margin.

    Args:
        deviations: of the scores from the mean of the prior, in its standard deviations (Eq. 6).
        s: 1 for a labelled anomaly, 0 for an unlabelled row.
        margin: the paper's a.
    """
    return torch.where(s == 1, (margin - deviations).clamp(min=0), deviations.abs())


def gaussian_sample(
    mean: Float[Tensor, "b z"], log_variance: Float[Tensor, "b z"], noise: Float[Tensor, "b z"]
) -> Float[Tensor, "b z"]:
    """Kingma and Welling (2014), Section 2.4: codes of a Gaussian by standard normal noise."""
    return mean + (log_variance / 2).exp() * noise


def gaussian_kl(mean: Float[Tensor, "b z"], log_variance: Float[Tensor, "b z"]) -> Float[Tensor, " b"]:
    """Kingma and Welling (2014), Appendix B: divergence of a Gaussian from the standard normal, sum over the code."""
    return (mean.square() + log_variance.exp() - 1 - log_variance).sum(1) / 2


def bernoulli(x: Inputs, logits: Float[Tensor, "b d"]) -> Float[Tensor, " b"]:
    """Negative log-likelihood of features in [0, 1] under Bernoulli distributions, a sum over features.

    Args:
        x: rows.
        logits: of their features.
    """
    return F.binary_cross_entropy_with_logits(logits, x.flatten(1), reduction="none").sum(1)


def dual_tailed(
    distances: Float[Tensor, "b 2"], s: PerRow, light: Float[Tensor, "2"], heavy: Float[Tensor, ""], eps: float = 1e-6
) -> Float[Tensor, " b"]:
    """WSAD-DT (Durani et al., 2025): minus the logarithm of a row's share in its own class, and of 1 less the other.

    The share of a class is its kernel by the sum of both: a light-tailed one around the centre of the row's own class,
    exp(-d / light), and Student's t around the other centre. The authors' code bounds a share by `eps` and 1 - `eps`.

    Args:
        distances: squared ones from the centres of the unlabelled and of the labelled rows.
        s: 1 for a labelled anomaly, 0 for an unlabelled row.
        light: the widths around either centre.
        heavy: degrees of freedom of Student's t.
        eps: keeps shares away from 0 and 1, and is added to the sum of both kernels.
    """
    own = s[:, None] == torch.arange(2, device=s.device)
    kernels = torch.where(own, (-distances / light).exp(), student_t(distances, heavy))
    shares = (kernels / (kernels.sum(1, keepdim=True) + eps)).clamp(eps, 1 - eps)
    return -torch.where(own, shares, 1 - shares).log().sum(1)


def student_t(distances: Float[Tensor, "*b"], freedom: Float[Tensor, ""]) -> Float[Tensor, "*b"]:
    """Student's t kernel of squared distances, of some degrees of freedom, 1 at distance 0."""
    return (1 + distances / freedom) ** (-(freedom + 1) / 2)


def crowding(
    z: Float[Tensor, "b d"], chosen: Float[Tensor, " b"], width: Float[Tensor, ""], rows: int
) -> Float[Tensor, ""]:
    """WSAD-DT's penalty: the mean Gaussian kernel of pairs of different codes; 0 without a pair.

    Args:
        z: codes.
        chosen: 1 for the rows that the penalty is of, else 0.
        width: standard deviation of the kernel.
        rows: how many of them, the first ones.
    """
    first = chosen.sort(descending=True, stable=True).indices[:rows]
    squares = (z[first][:, None] - z[first][None]).square().sum(2)
    pairs = (squares >= SAME**2) & (chosen[first][:, None] * chosen[first][None] == 1)
    kernels = torch.where(pairs, (-squares / (2 * width.square())).exp(), 0)
    return kernels.sum() / pairs.sum().clamp(min=1)
