import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from semiad.report import statistics

DEMSAR = np.array(
    [
        *([0.763, 0.768, 0.771, 0.798], [0.599, 0.591, 0.590, 0.569], [0.954, 0.971, 0.968, 0.967]),
        *([0.628, 0.661, 0.654, 0.657], [0.882, 0.888, 0.886, 0.898], [0.936, 0.931, 0.916, 0.931]),
        *([0.661, 0.668, 0.609, 0.685], [0.583, 0.583, 0.563, 0.625], [0.775, 0.838, 0.866, 0.875]),
        *([1.000, 1.000, 1.000, 1.000], [0.940, 0.962, 0.965, 0.962], [0.619, 0.666, 0.614, 0.669]),
        *([0.972, 0.981, 0.97501, 0.975], [0.957, 0.978, 0.946, 0.970]),
    ]
)
"""The worked example of Demsar, Statistical Comparisons of Classifiers over Multiple Data Sets, JMLR 7 (2006), Table 6:
AUC of C4.5 and three variants on 14 data sets. Two that are printed as .975 are ranked as different there, so here."""


def test_friedman_and_nemenyi_are_those_of_the_worked_example() -> None:
    ranking = statistics.friedman(DEMSAR)
    assert ranking.ranks == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)
    # The paper's chi-square has no correction for ties: 9.28 from these ranks.
    chi = 12 * 14 / (4 * 5) * ((ranking.ranks**2).sum() - 4 * 5**2 / 4)
    assert chi == pytest.approx(9.28, abs=0.005)
    assert ranking.statistic == pytest.approx(stats.friedmanchisquare(*DEMSAR.T).statistic)
    assert ranking.p == pytest.approx(stats.chi2.sf(ranking.statistic, 3))
    assert ranking.difference == pytest.approx(1.25, abs=0.005)


def test_critical_difference_is_that_of_the_table_of_nemenyi() -> None:
    q = {3: 2.343, 4: 2.569, 5: 2.728, 10: 3.164}
    for k, expected in q.items():
        ranking = statistics.friedman(np.random.default_rng(0).random((20, k)))
        assert ranking.difference == pytest.approx(expected * math.sqrt(k * (k + 1) / 120), rel=1e-3)


def test_friedman_of_equal_columns_finds_nothing() -> None:
    ranking = statistics.friedman(np.ones((8, 3)))
    assert (ranking.p, ranking.statistic, [*ranking.ranks]) == (1.0, 0.0, [2, 2, 2])


def test_wilcoxon_is_that_of_the_worked_example() -> None:
    differences = DEMSAR[:, 1] - DEMSAR[:, 0]
    ranks = stats.rankdata(abs(differences).round(6))
    zeros = ranks[differences == 0].sum() / 2
    sums = [ranks[differences > 0].sum() + zeros, ranks[differences < 0].sum() + zeros]
    assert sums == [93, 12]  # R+ and R- of the paper
    # The critical value for 14 data sets at the 5 % level is 21: the paper rejects.
    assert statistics.wilcoxon(differences.round(6)) == pytest.approx(0.0108, abs=5e-3)
    assert statistics.wilcoxon(-differences) == pytest.approx(statistics.wilcoxon(differences))
    assert statistics.wilcoxon(np.zeros(5)) == 1.0
    assert statistics.wilcoxon(np.arange(1.0, 7)) == pytest.approx(2 / 2**6)


@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
@pytest.mark.parametrize("values", [[-2, -1, 1, 2], [-2, -1, 0, 1, 2]], ids=["ties", "ties and zeros"])
def test_wilcoxon_with_ties_and_zeros_is_that_of_scipy(alternative: Any, values: list[int]) -> None:
    rng = np.random.default_rng(0)
    for n in (1, 2, 3, 7, 8, 15):
        differences = 0.1 * np.array([1, *rng.choice(values, n)])
        expected = stats.wilcoxon(differences, zero_method="zsplit", alternative=alternative).pvalue
        assert statistics.wilcoxon(differences, alternative) == pytest.approx(expected, rel=1e-12)


def test_holm() -> None:
    # By hand: 3 * .01, then 2 * .02, then the maximum so far.
    assert statistics.holm([0.03, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert statistics.holm([0.6, 0.7]) == [1.0, 1.0] and statistics.holm([]) == []


def test_student_is_scipys_interval() -> None:
    values = np.array([0.9, 0.91, 0.93, 0.95, 0.88])
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert statistics.student(values) == pytest.approx((expected.low, expected.high))
    assert statistics.student(np.array([0.5, 0.5])) == (0.5, 0.5)


def test_bootstrap_of_one_cell_is_scipys() -> None:
    values = np.random.default_rng(1).normal(0.9, 0.05, 30)
    expected = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=20_000, rng=0).confidence_interval
    assert statistics.bootstrap([values], 20_000) == pytest.approx((expected.low, expected.high), abs=1e-3)


def test_bootstrap_of_cells_of_one_seed_draws_cells() -> None:
    values = np.random.default_rng(1).normal(0.9, 0.05, 90)
    expected = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=20_000, rng=0).confidence_interval
    cells = [np.array([value]) for value in values]
    assert statistics.bootstrap(cells, 20_000) == pytest.approx((expected.low, expected.high), abs=1e-3)


def test_bootstrap_draws_cells_and_seeds() -> None:
    draws = np.random.default_rng(2)
    cells = [draws.normal(level, 0.02, 10) for level in draws.normal(0.8, 0.1, 40)]
    low, high = statistics.bootstrap(cells, 20_000)
    means = np.array([values.mean() for values in cells])
    # Variance of a mean of drawn cells and, within each, of drawn seeds, without corrections for finite samples.
    spread = math.sqrt(means.var() / 40 + np.mean([values.var() / 10 for values in cells]) / 40)
    assert (high - low) / 2 == pytest.approx(1.96 * spread, rel=0.03)
    assert (high + low) / 2 == pytest.approx(means.mean(), abs=0.002)
    assert statistics.bootstrap(cells) == statistics.bootstrap(cells)


def test_bootstrap_weighs_cells_by_their_seeds() -> None:
    low, high = statistics.bootstrap([np.zeros(1), np.ones(99)] * 50)
    assert low < 0.99 < high and low > 0.95
    low, high = statistics.bootstrap([np.zeros(1), np.ones(99)] * 50, alike=True)
    assert 0.35 < low < 0.5 < high < 0.65


def frame(**methods: list[list[float]]) -> pl.DataFrame:
    """By method the values of each block and seed."""
    rows = [
        {"method": name, "block": f"b{i}", "setting": "", "seed": seed, "value": value}
        for name, blocks in methods.items()
        for i, block in enumerate(blocks)
        for seed, value in enumerate(block)
    ]
    return pl.DataFrame(rows)


def test_pairs_are_of_one_cell_and_seed() -> None:
    a = [[0.9, 0.8], [0.7, 0.5]]
    b = [[0.8, 0.8], [0.6, 0.6]]
    (statement,) = statistics.statements(frame(a=a, b=b), ["b", "a"], "a", "AUC", 3)
    ((name, pairs, wins, mean, p, by_cell),) = statement.rows
    # A tie is no win; two cells are too few for a test over cells.
    assert (name, pairs, wins, by_cell) == ("b", "4", "0.50", "-")
    assert mean.startswith("+0.025 [") and p == f"{statistics.wilcoxon(np.array([0.1, 0, 0.1, -0.1])):.3f}"


def test_settings_of_a_cell_are_averaged_and_are_no_cells() -> None:
    """Eight settings of one cell, each run paired within its setting; b lacks the last one."""
    draws = np.random.default_rng(0)
    methods = {name: draws.random((8, 3)).tolist() for name in "abc"}
    methods["b"] = methods["b"][:7]
    figures = frame(**methods).with_columns(setting=pl.col("block"), block=pl.lit("one"))
    (versus,) = statistics.statements(figures, ["a", "b", "c"], "a", "AUC", 3)  # no ranks over one cell
    for (name, pairs, wins, mean, p, by_cell), n in zip(versus.rows, (7, 8), strict=True):
        less = np.array(methods["a"][:n]) - np.array(methods[name][:n])
        assert (name, pairs, by_cell) in (("b", "3", "-"), ("c", "3", "-"))
        assert wins == f"{(less.mean(0) > 0).mean():.2f}" and mean.startswith(f"{less.mean():+.3f} [")
        assert p == "1.000" or float(p) >= 0.25


def test_ranks_weigh_settings_of_a_cell_once() -> None:
    draws = np.random.default_rng(1)
    methods = {name: draws.random((12, 2)).tolist() for name in "abc"}
    figures = frame(**methods).with_columns(
        setting=pl.col("block"), block=pl.col("block").replace({f"b{i}": f"b{i % 6}" for i in range(12)})
    )
    _, ranks = statistics.statements(figures, ["a", "b", "c"], "a", "AUC", 3)
    assert ranks.note.startswith("Over 6 cells (means over seeds and settings)")


def test_runs_without_a_partner_are_left_out() -> None:
    whole = frame(a=[[0.9, 0.8, 0.7]], b=[[0.8, 0.7]])
    lacking = whole.with_columns(value=pl.when(pl.col("seed") + (pl.col("method") == "b") < 2).then("value"))
    ((_, pairs, *_),) = statistics.statements(lacking, ["a", "b"], "a", "AUC", 3)[0].rows
    assert pairs == "1"
    assert statistics.statements(frame(b=[[1.0]]), ["b"], "a", "AUC", 3) == []
    apart = pl.concat([frame(a=[[0.9]]), frame(b=[[0.8]]).with_columns(block=pl.lit("other"))])
    assert statistics.statements(apart, ["a", "b"], "a", "AUC", 3) == []


def test_ranks_are_over_cells_that_all_methods_have() -> None:
    draws = np.random.default_rng(0)
    methods = {
        name: draws.normal(level, 0.01, (14, 3)).tolist() for name, level in zip("abc", (0.9, 0.8, 0.7), strict=True)
    }
    methods["c"] = methods["c"][:10]
    versus, ranks = statistics.statements(frame(**methods), ["a", "b", "c"], "a", "AUC", 3)
    assert [row[:3] for row in versus.rows] == [("b", "42", "1.00"), ("c", "30", "1.00")]
    assert ranks.rows == (("a", "1.00"), ("b", "2.00"), ("c", "3.00")) and ranks.note.startswith("Over 10 cells")
    assert "chi-square 20.00, p < 0.001" in ranks.note
    few = {name: values[:5] for name, values in methods.items()}
    assert len(statistics.statements(frame(**few), ["a", "b", "c"], "a", "AUC", 3)) == 1
