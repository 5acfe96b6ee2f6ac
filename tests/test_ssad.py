"""SSAD: its equations by hand, the conditions of its solution, other solvers, and input that is scarce."""

import time
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import LinearConstraint, minimize
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.svm import OneClassSVM

from semiad.datasets import odds
from semiad.errors import InputError, RunFailed
from semiad.methods import ssad
from semiad.methods.kernel import GAMMAS
from semiad.methods.ssad import SSAD, Solution, decompose, kernel_width, solve_dual
from semiad.testing.method import check_labels_matter

Problem = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
RNG = np.random.RandomState(0)


def method(dimension: int, **settings: object) -> SSAD:
    common = {"kappa": 1, "Cu": 1, "Cn": 1, "gamma": "scale", "variant": "clean", "subsample": None}
    return SSAD(shape=(dimension,), **{**common, **settings})


def problem(n: int = 60, labelled: int = 12, inside: int = 0, bound: float = 1.0, seed: int = 0) -> Problem:
    """Rows in three dimensions; the last are labelled, of which some are to lie inside."""
    draws = np.random.default_rng(seed)
    x = draws.normal(size=(n, 3))
    x[n - labelled :] = 1.5 * draws.normal(size=(labelled, 3))
    known = np.arange(n) >= n - labelled
    y = np.where(known, -1.0, 1.0)
    y[n - inside :] = 1.0
    return x, y, known, np.where(known, bound, 0.8 * bound)


def objective(alpha: np.ndarray, x: np.ndarray, y: np.ndarray, gamma: float) -> float:
    return float((alpha * y) @ rbf_kernel(x, x, gamma) @ (alpha * y) / 2)


@pytest.mark.parametrize("kappa", [1, 2, 3.5])
def test_two_rows_by_hand(kappa: float) -> None:
    """One unlabelled row u and one labelled anomaly a, k(u, a) = c: alpha is 1 + kappa and kappa."""
    x, c = np.array([[0.0, 0.0], [1.0, 1.0]]), np.exp(-2 * 0.3)
    fitted = method(2, kappa=kappa, gamma=0.3, Cu=9, Cn=9)
    assert fitted.fit(x, np.array([0.0, 1.0]), RNG) == 2
    rho, margin = 1 + kappa - kappa * c, (1 + 2 * kappa) * (1 - c)
    (machine,) = fitted.machines
    assert machine["weights"] == pytest.approx([1 + kappa, -kappa], rel=1e-6)
    assert (machine["rho"], machine["margin"]) == (pytest.approx(rho, rel=1e-6), pytest.approx(margin, rel=1e-6))
    assert fitted.scores(x) == pytest.approx([0, margin], abs=1e-6)  # u lies on the hyperplane, a beyond it by m
    assert fitted.scores(np.array([[50.0, 50.0]])) == pytest.approx([rho], rel=1e-6)


@pytest.mark.parametrize("gamma", [2.0**-7, 0.3, 4.0])
@pytest.mark.parametrize(("bound", "inside", "kappa"), [(1.0, 0, 1), (0.12, 0, 1), (0.12, 4, 0.5), (1.0, 4, 0)])
def test_the_conditions_of_karush_kuhn_and_tucker_hold(bound: float, inside: int, kappa: float, gamma: float) -> None:
    x, y, known, bounds = problem(bound=bound, inside=inside)
    alpha, rho, margin = decompose(x, y, known, bounds, kappa, gamma)
    values = rbf_kernel(x, x, gamma) @ (alpha * y)
    slack = y * values - y * rho - known * margin  # of the primal's constraints, without xi
    tolerance = 1e-6 * np.abs(values).max()
    assert (alpha >= 0).all() and (alpha <= bounds).all() and margin > -1e-9
    assert y @ alpha == pytest.approx(1, abs=1e-6) and alpha[known].sum() >= kappa - 1e-6
    assert margin * (alpha[known].sum() - kappa) == pytest.approx(0, abs=1e-6)
    assert (slack[alpha == 0] > -tolerance).all(), "a row without a multiplier misses its constraint"
    xi = (-slack).clip(0)
    assert alpha * (slack + xi) == pytest.approx(0, abs=1e-8), "a row has a multiplier, and its constraint is loose"
    assert (bounds - alpha) * xi == pytest.approx(0, abs=1e-8), "a row misses its constraint below its bound"
    assert ((alpha > 1e-5) & (alpha < bounds - 1e-5)).any()
    # No gap to the primal.
    primal = objective(alpha, x, y, gamma) - rho - kappa * margin + bounds @ xi
    assert primal == pytest.approx(-objective(alpha, x, y, gamma), abs=1e-6)


@pytest.mark.parametrize("gamma", [0.05, 1.0])
@pytest.mark.parametrize("bound", [1.0, 0.2])
def test_scipy_finds_the_same_minimum(bound: float, gamma: float) -> None:
    x, y, known, bounds = problem(n=24, labelled=6, inside=2, bound=bound, seed=3)
    kernel = rbf_kernel(x, x, gamma) * np.outer(y, y)
    limits = [LinearConstraint(y, 1, 1), LinearConstraint(known.astype(float), 1, np.inf)]
    start = np.where(y > 0, 1.0, 0.5) * bounds / 2
    found = minimize(
        lambda a: a @ kernel @ a / 2,
        start,
        jac=lambda a: kernel @ a,
        bounds=[*zip(np.zeros(24), bounds, strict=True)],
        constraints=limits,
        method="SLSQP",
        options={"ftol": 1e-13, "maxiter": 1000},
    )
    alpha = decompose(x, y, known, bounds, 1, gamma).alpha
    assert found.success and objective(alpha, x, y, gamma) == pytest.approx(found.fun, rel=1e-5)
    test = np.random.default_rng(1).normal(size=(50, 3))
    values = [rbf_kernel(test, x, gamma) @ (solution * y) for solution in (alpha, found.x)]
    np.testing.assert_allclose(*values, atol=2e-3 * np.abs(values[1]).max())


@pytest.mark.parametrize("gamma", [0.02, 2.0])
def test_parts_give_the_solution_of_the_whole(gamma: float, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y, known, bounds = problem(n=400, labelled=60, bound=0.3, seed=2)
    sizes: list[int] = []

    def counted(quadratic: np.ndarray, *rest: object) -> Solution:
        sizes.append(len(quadratic))
        return solve_dual(quadratic, *rest)

    solutions = [decompose(x, y, known, bounds, 1, gamma)]
    monkeypatch.setattr(ssad, "FIRST", 10)
    monkeypatch.setattr(ssad, "solve_dual", counted)
    solutions.append(decompose(x, y, known, bounds, 1, gamma))
    assert sizes[0] == 20 and len(sizes) > 2 and sizes == sorted(sizes)
    whole, part = (objective(solution.alpha, x, y, gamma) for solution in solutions)
    assert part == pytest.approx(whole, rel=1e-5)
    assert solutions[1].rho == pytest.approx(solutions[0].rho, rel=1e-4)


def test_without_labels_it_is_a_one_class_svm() -> None:
    x, _, _, _ = problem()
    fitted = method(3, kappa=5, Cu=0.1, gamma=0.5)
    fitted.fit(x, np.zeros(60), RNG)
    svm = OneClassSVM(nu=1 / 6, gamma=0.5, tol=1e-8).fit(
        x
    )  # which bounds its multipliers by 1, and has them add up to 10
    np.testing.assert_allclose(10 * fitted.scores(x), -svm.decision_function(x), atol=1e-5)


def test_the_width_is_that_of_scikit_learn() -> None:
    x = problem()[0]
    svm = OneClassSVM(gamma="scale").fit(x)
    assert kernel_width("scale", x) == pytest.approx(svm._gamma)
    assert (kernel_width("auto", x), kernel_width(0.2, x), kernel_width("scale", np.ones((4, 2)))) == (1 / 3, 0.2, 1)


# What labels do


def test_it_keeps_the_contract_on_labels() -> None:
    check_labels_matter("method=ssad")


def test_the_objective_depends_on_which_rows_are_labelled() -> None:
    x, s = problem()[0], np.zeros(60)
    values = []
    for labelled in (slice(50, 60), slice(20, 30)):
        given = s.copy()
        given[labelled] = 1
        fitted = method(3)
        fitted.fit(x, given, RNG)
        (machine,) = fitted.machines
        weights = machine["weights"]
        values.append(float(weights @ rbf_kernel(machine["x"], machine["x"], machine["gamma"]) @ weights))
    assert abs(values[0] - values[1]) > 1e-2


def test_a_larger_kappa_gives_a_larger_margin() -> None:
    x, s = problem()[0], (np.arange(60) >= 48).astype(float)
    margins = []
    for kappa in (0.0, 1.0, 4.0, 8.0):
        fitted = method(3, kappa=kappa, gamma=2.0)
        fitted.fit(x, s, RNG)
        margins.append(fitted.machines[0]["margin"])
    assert margins == sorted(margins) and margins[3] > margins[1] + 0.1


def test_published_takes_the_gamma_that_is_best_on_a_tenth_of_the_test_set() -> None:
    x, s = problem()[0], (np.arange(60) >= 48).astype(float)
    test, truth = problem(n=200, labelled=60, seed=5)[0], np.arange(200) >= 140
    fitted = method(3, variant="published")
    fitted.fit(x, s, RNG)
    assert [machine["gamma"] for machine in fitted.machines] == [*GAMMAS] and fitted.looks_at_test
    fitted.choose(test, truth.astype(np.int64), np.random.RandomState(4))
    draws = np.random.RandomState(4)
    tenth = np.concatenate([draws.permutation(np.flatnonzero(truth == kind))[:n] for kind, n in ((0, 14), (1, 6))])
    aucs = []
    for gamma in GAMMAS:
        alone = method(3, gamma=gamma)
        alone.fit(x, s, RNG)
        aucs.append(roc_auc_score(truth[tenth], alone.scores(test[tenth])))
    (machine,) = fitted.machines
    assert machine["gamma"] == GAMMAS[int(np.argmax(aucs))] and len(set(aucs)) > 2


# Scarce and degenerate input


def test_a_subsample_leaves_out_unlabelled_rows_only() -> None:
    x, s = problem()[0], (np.arange(60) >= 48).astype(float)
    fitted = method(3, subsample=20, gamma=50.0)  # so narrow that every row is a support vector
    assert fitted.draws and fitted.fit(x, s, np.random.RandomState(1)) == 32
    support = {tuple(row) for row in fitted.machines[0]["x"]}
    assert {tuple(row) for row in x[48:]} <= support and len(support) == 32


def test_one_labelled_row_and_constant_features_are_learnt_from() -> None:
    x, _, _, _ = problem()
    x[:, 1] = 0.5
    s = np.zeros(60)
    s[59] = 1
    fitted = method(3)
    fitted.fit(x, s, RNG)
    assert fitted.scores(x)[59] > np.median(fitted.scores(x))


def test_rows_that_are_all_equal_are_told() -> None:
    with pytest.raises(RunFailed, match="all 30 training rows are equal, so that there is nothing to learn"):
        method(3).fit(np.full((30, 3), 0.25), (np.arange(30) >= 28).astype(float), RNG)


@pytest.mark.parametrize(
    ("settings", "labelled", "sentence"),
    [
        (
            {"kappa": 3},
            2,
            "method.kappa is 3, expected at most method.Cn times the 2 labelled anomalies, 2: the margin",
        ),
        ({"Cu": 0.03}, 2, "method.Cu times the 58 unlabelled rows is 1.74, expected at least 1 [+] method.kappa, 2"),
    ],
)
def test_a_dual_without_a_solution_is_told(settings: dict[str, float], labelled: int, sentence: str) -> None:
    s = (np.arange(60) >= 60 - labelled).astype(float)
    with pytest.raises(RunFailed, match=sentence):
        method(3, **settings).fit(problem()[0], s, RNG)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"kappa": -1}, "method.kappa is -1, expected a number from 0 on"),
        ({"Cu": 0}, "method.Cu is 0, expected a number above 0"),
        ({"Cn": "much"}, "method.Cn is much, expected a number above 0"),
        ({"gamma": "wide"}, "method.gamma is wide, expected scale, auto or a number above 0"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, object], sentence: str, unchecked_types: None) -> None:
    with pytest.raises(InputError, match=sentence):
        method(3, **settings)


@pytest.mark.slow
def test_all_rows_of_shuttle_are_fitted_exactly(shared: Path) -> None:
    """Some 27,000 rows, of which a few hundred ever enter a quadratic program."""
    dataset = odds.load(shared, name="shuttle")
    normal, anomalous = (np.flatnonzero(dataset.labels.y == kind) for kind in (0, 1))
    rows = np.concatenate([normal[:27_000], anomalous[:200]])
    x = dataset.x.numpy().astype(np.float64)
    x = (x - x[rows].min(0)) / np.ptp(x[rows], axis=0)
    start, fitted = time.perf_counter(), method(9, gamma=0.5)
    assert fitted.fit(x[rows], (np.arange(27_200) >= 27_000).astype(float), RNG) == 27_200
    assert time.perf_counter() - start < 120
    missed = fitted.scores(x[rows][:27_000])  # above 0 where a row misses its constraint, if not at its bound
    assert (missed > 1e-5).sum() <= (np.abs(fitted.machines[0]["weights"]) > 1 - 1e-6).sum()
