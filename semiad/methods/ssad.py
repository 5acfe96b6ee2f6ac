"""SSAD: Görnitz, Kloft, Rieck, Brefeld, "Toward Supervised Anomaly Detection" (JAIR 2013), in its convex form."""

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

import clarabel
import numpy as np
from jaxtyping import Bool, Float
from scipy import sparse
from scipy.spatial.distance import cdist
from sklearn.metrics.pairwise import rbf_kernel

from semiad.checks import check_number
from semiad.errors import RunFailed
from semiad.methods.kernel import KernelMethod

FIRST = 256
"""Rows of either kind that the first quadratic program has, at most."""
TOLERANCE = 1e-6
"""How far a row may miss its constraint, as a share of the largest value of <w, phi(x)>."""
SUPPORT = 1e-8
"""Multipliers below this share of the largest are those of no support vector."""


class SSAD(KernelMethod):
    """Semi-supervised anomaly detection with the kernel exp(-gamma |x - x'|^2). Score: rho - <w, phi(x)>.

    Unlabelled rows (i) are to lie on one side of a hyperplane, labelled anomalies (j) on the other, with a margin m
    that is rewarded by kappa:

        min  1/2 |w|^2 - rho - kappa m + Cu sum_i xi_i + Cn sum_j xi_j     over w, rho, m >= 0, xi >= 0
        with  <w, phi(x_i)> >= rho - xi_i   and   -<w, phi(x_j)> >= -rho + m - xi_j

    With y = 1 for unlabelled rows and y = -1 for labelled anomalies, w = sum_i y_i alpha_i phi(x_i), and the dual is

        min  1/2 sum_ik alpha_i alpha_k y_i y_k k(x_i, x_k)
        with  0 <= alpha_i <= C_i,   sum_i y_i alpha_i = 1,   sum of alpha over labelled rows >= kappa

    in which rho is the multiplier of the equality and m that of the inequality (see `solve_dual`).

    Args:
        shape: of one row.
        kappa: reward of the margin. Without labelled rows it is 0, and what is left is a one-class SVM.
        Cu: bound on the multiplier of an unlabelled row.
        Cn: bound on the multiplier of a labelled anomaly.
        gamma: see `KernelMethod`.
        variant: see `KernelMethod`; `published` looks at test rows.
        subsample: how many of the unlabelled training rows to draw at random; None for all.

    Raises:
        InputError: a value out of range.
    """

    unsupervised = False

    def __init__(
        self,
        shape: Sequence[int],
        kappa: float,
        Cu: float,
        Cn: float,
        gamma: float | str,
        variant: str,
        subsample: int | None,
    ) -> None:
        check_number("method.kappa", kappa, least=0)
        check_number("method.Cu", Cu, above=0)
        check_number("method.Cn", Cn, above=0)
        super().__init__(shape, gamma, variant, subsample)
        self.kappa, self.Cu, self.Cn = kappa, Cu, Cn

    def fit(self, x: Float[np.ndarray, "n d"], s: Float[np.ndarray, " n"], rng: np.random.RandomState) -> int:
        """Solve the dual for each gamma, in double precision.

        Raises:
            RunFailed: all rows are equal, the dual has no solution for these numbers of rows, or none was found.
        """
        labelled, unlabelled = np.flatnonzero(s == 1), np.flatnonzero(s == 0)
        if self.subsample is not None:
            unlabelled = rng.permutation(unlabelled)[: self.subsample]
        rows = np.sort(np.concatenate([unlabelled, labelled]))
        x, s = x[rows].astype(np.float64), s[rows]
        if (x == x[0]).all():
            raise RunFailed(f"all {len(x)} training rows are equal, so that there is nothing to learn")
        kappa = self.kappa if len(labelled) else 0.0
        if kappa > self.Cn * len(labelled):
            raise RunFailed(
                f"method.kappa is {self.kappa:g}, expected at most method.Cn times the {len(labelled)} labelled "
                f"anomalies, {self.Cn * len(labelled):g}: the margin would be unbounded"
            )
        if 1 + kappa > self.Cu * len(unlabelled):
            raise RunFailed(
                f"method.Cu times the {len(unlabelled)} unlabelled rows is {self.Cu * len(unlabelled):g}, expected at "
                f"least 1 + method.kappa, {1 + kappa:g}: the dual has no solution"
            )
        y, bounds = np.where(s == 1, -1.0, 1.0), np.where(s == 1, float(self.Cn), float(self.Cu))
        self.machines = []
        for gamma in self.gammas:
            width = kernel_width(gamma, x)
            alpha, rho, margin = decompose(x, y, s == 1, bounds, kappa, width)
            support = alpha > 0
            self.machines.append(
                {"x": x[support], "weights": (alpha * y)[support], "rho": rho, "margin": margin, "gamma": width}
            )
        return len(x)

    def outside(self, machine: dict[str, np.ndarray], x: Float[np.ndarray, "b d"]) -> Float[np.ndarray, " b"]:
        """Compute rho - <w, phi(x)>."""
        # Row by row, unlike products of matrices: the last bit of a score depends on no other row.
        kernel = np.exp(-machine["gamma"] * cdist(x.astype(np.float64), machine["x"], "sqeuclidean"))
        outside: Float[np.ndarray, " b"] = machine["rho"] - (kernel * machine["weights"]).sum(axis=1)
        return outside


class Solution(NamedTuple):
    """A solution of the dual.

    Attributes:
        alpha: multipliers of the rows.
        rho: offset of the hyperplane.
        margin: m.
    """

    alpha: Float[np.ndarray, " n"]
    rho: float
    margin: float


def kernel_width(gamma: float | str, x: Float[np.ndarray, "n d"]) -> float:
    """Give gamma as a number, by scikit-learn's rules."""
    if gamma == "auto":
        return float(1 / x.shape[1])
    if gamma == "scale":
        variance = float(x.var())
        return float(1 / (x.shape[1] * variance)) if variance > 0 else 1.0
    return float(gamma)


def decompose(
    x: Float[np.ndarray, "n d"],
    y: Float[np.ndarray, " n"],
    labelled: Bool[np.ndarray, " n"],
    bounds: Float[np.ndarray, " n"],
    kappa: float,
    gamma: float,
) -> Solution:
    """Solve the dual of all rows by that of some, which are joined by those that miss their constraints, until none do.

    Few rows are support vectors, so that quadratic programs stay small and the kernel of all pairs is never computed.
    The solution is that of all rows, to `TOLERANCE` (Osuna, Freund, Girosi, 1997).

    Args:
        x: rows.
        y: 1 for a row that is to lie inside, -1 for one that is to lie outside.
        labelled: whether the margin is asked of a row.
        bounds: on the multipliers.
        kappa: reward of the margin.
        gamma: of the kernel.

    Raises:
        RunFailed: no solution was found.
    """
    needed = (kappa + 1) / bounds.min()  # multipliers of so many rows can reach the sums that the dual asks for
    kinds = (np.flatnonzero(labelled), np.flatnonzero(~labelled))
    active = np.unique(np.concatenate([evenly(rows, max(FIRST, ceil(needed) + 1)) for rows in kinds]))
    while True:
        quadratic = rbf_kernel(x[active], x[active], gamma) * np.outer(y[active], y[active])
        part = solve_dual(quadratic, y[active], labelled[active], bounds[active], kappa)
        support = active[part.alpha > 0]
        values = rbf_kernel(x, x[support], gamma) @ (part.alpha[part.alpha > 0] * y[support])
        missed = y * part.rho + labelled * part.margin - y * values
        missed[active] = 0
        outside = np.flatnonzero(missed > TOLERANCE * np.abs(values).max())
        if not len(outside):
            alpha = np.zeros(len(x))
            alpha[active] = part.alpha
            return Solution(alpha, part.rho, part.margin)
        worst = outside[np.argsort(-missed[outside], kind="stable")][: len(active)]
        active = np.sort(np.concatenate([active, worst]))


def evenly(rows: np.ndarray, count: int) -> np.ndarray:
    """Take some rows, at even distances, or all if there are no more."""
    return rows if len(rows) <= count else rows[np.linspace(0, len(rows) - 1, count).astype(np.int64)]


def solve_dual(
    quadratic: Float[np.ndarray, "n n"],
    y: Float[np.ndarray, " n"],
    labelled: Bool[np.ndarray, " n"],
    bounds: Float[np.ndarray, " n"],
    kappa: float,
) -> Solution:
    """Solve min 1/2 a'Qa with y'a = 1, sum of a over labelled rows >= kappa, 0 <= a <= bounds.

    Args:
        quadratic: Q, y_i y_k k(x_i, x_k).
        y: signs of the rows.
        labelled: whether a row is labelled.
        bounds: on the multipliers.
        kappa: reward of the margin.

    Raises:
        RunFailed: the solver found no solution.
    """
    n = len(y)
    settings = clarabel.DefaultSettings()
    settings.verbose, settings.max_threads = False, 1
    settings.direct_solve_method = "faer"
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-9
    rows = [y[None], -labelled.astype(np.float64)[None], -sparse.eye(n), sparse.eye(n)]
    limits = np.concatenate([[1.0, -kappa], np.zeros(n), bounds])
    cones = [clarabel.ZeroConeT(1), clarabel.NonnegativeConeT(2 * n + 1)]
    upper = sparse.csc_matrix(np.triu(quadratic))
    constraints = sparse.vstack([sparse.csc_matrix(row) for row in rows], format="csc")
    found = clarabel.DefaultSolver(upper, np.zeros(n), constraints, limits, cones, settings).solve()
    if str(found.status) not in ("Solved", "AlmostSolved"):
        raise RunFailed(f"the solver of the dual ended with '{found.status}'")
    alpha = np.clip(np.array(found.x), 0, bounds)
    alpha[alpha < SUPPORT * alpha.max()] = 0
    rho, margin = -found.z[0], found.z[1]
    return Solution(alpha, float(rho), float(margin))
