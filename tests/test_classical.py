"""Shallow methods: what holds for each of them, and that theirs are scikit-learn's scores."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.svm import OneClassSVM

from semiad.data import SplitData
from semiad.datasets import digits, odds
from semiad.engines import classical
from semiad.engines.classical import ClassicalEngine
from semiad.engines.context import EpochPoint, Outcome, TrainingContext
from semiad.errors import InputError
from semiad.methods.classical import ClassicalMethod
from semiad.methods.kernel import GAMMAS
from semiad.runs import Run
from semiad.testing import make_recipe
from semiad.types import Cell, Dataset, Labels
from tests.conftest import SMALL, read, shortened
from tests.test_methods import CELL, METHODS, job, stems
from tests.test_train import Command

ELSEWHERE = ("auto", "ocsvm_hybrid", "iforest_hybrid", "ssad_hybrid")
"""Methods of test_auto_method.py and test_hybrids.py."""
SHALLOW = [name for name in stems(ClassicalMethod) if name not in ELSEWHERE]
UNSUPERVISED = [name for name in SHALLOW if make_recipe(f"method={name}").method_class.unsupervised]
TIED = ("xgboost", "xgbod")
"""A hundred trees put many rows into the same leaves."""
RESULTS = Path("outputs/results")
CELLS = [Cell((8,), (3,)), Cell((1,), (0,)), Cell((4,), (9,))]
Vectors = Float[np.ndarray, "n d"]


def fitted(name: str, *overrides: str, seed: int = 0) -> tuple[ClassicalMethod, Outcome]:
    work, recipe = job(name, *overrides)
    kept = []

    class Kept(TrainingContext):
        def build(self, run: Run) -> ClassicalMethod:
            kept.append(super().build(run))
            return kept[0]

    outcome = classical.fit_run(Run(recipe, CELL, seed), Kept(**vars(work)), work.dataset.x.numpy())
    return kept[0], outcome


def by_hand(seed: int = 0) -> tuple[Vectors, Vectors, np.ndarray, np.random.RandomState]:
    """Training rows without the labelled ones, test rows, their truth, the run's randomness: all from the table."""
    work, recipe = job("ocsvm")
    run = Run(recipe, CELL, seed)
    split, x = work.split(run), digits.load(Path()).x.flatten(1).numpy() / np.float32(digits.load(Path()).top)
    return x[split.train[split.s == 0]], x[split.test], split.truth, np.random.RandomState(run.entropy % 2**32)


def test_methods_name_their_engine() -> None:
    assert {"ocsvm", "iforest"} <= set(SHALLOW) and not set(SHALLOW) & set(METHODS)
    assert [job(name)[1].engine for name in ("ocsvm", "iforest", "aesad")] == ["classical", "classical", None]


@pytest.mark.parametrize("name", SHALLOW)
def test_scores_are_finite_and_follow_the_rows(name: str) -> None:
    method, outcome = fitted(name)
    _, x, truth, _ = by_hand()
    scores, order = method.scores(x), np.random.default_rng(0).permutation(len(x))
    assert scores.shape == (len(x),) and np.isfinite(scores).all()
    assert len(np.unique(scores)) > len(x) // (20 if name in TIED else 2)
    np.testing.assert_allclose(method.scores(x[order]), scores[order], rtol=1e-9)
    assert outcome.metrics["auc"] == pytest.approx(roc_auc_score(truth, scores))
    # A classifier of known against normal rows ranks anomalies of other classes as it happens.
    assert outcome.metrics["auc" if name in UNSUPERVISED else "auc_seen"] > 0.9


@pytest.mark.parametrize("name", UNSUPERVISED)
def test_labelled_rows_are_left_out(name: str) -> None:
    work, recipe = job(name)
    run, x = Run(recipe, CELL, 0), work.dataset.x.numpy()
    split = work.split(run)
    other = x.copy()
    other[split.train[split.s == 1]] = 0
    with_them, without = classical.fit_run(run, work, x), classical.fit_run(run, work, other)
    assert with_them.metrics == without.metrics and with_them.n_fit == len(split.train) - 8 == 104


@pytest.mark.parametrize("words", [("iforest",), ("ocsvm", "method.subsample=50")], ids=" ".join)
def test_same_seed_same_metrics_other_seed_others(words: tuple[str, ...]) -> None:
    first, again, other = (fitted(*words, seed=seed)[1].metrics for seed in (0, 0, 1))
    assert first == again != other


@pytest.mark.parametrize("gamma", ["scale", "auto", 0.25])
def test_ocsvm_is_that_of_scikit_learn(gamma: str | float) -> None:
    method, _ = fitted("ocsvm", f"method.gamma={gamma}", "method.nu=0.2")
    train, test, _, _ = by_hand()
    expected = OneClassSVM(kernel="rbf", nu=0.2, gamma=gamma).fit(train).decision_function(test)
    np.testing.assert_array_equal(method.scores(test), -expected)


def test_ocsvm_uses_the_fixed_rule_by_default() -> None:
    method, _ = fitted("ocsvm")
    (machine,) = method.machines
    assert (machine.kernel, machine.nu, machine.gamma, method.looks_at_test) == ("rbf", 0.1, "scale", False)


def test_iforest_is_that_of_scikit_learn() -> None:
    method, _ = fitted("iforest", "method.samples=64")
    train, test, _, rng = by_hand()
    expected = IsolationForest(n_estimators=100, max_samples=64, random_state=rng).fit(train).decision_function(test)
    np.testing.assert_array_equal(method.scores(test), -expected)


def test_iforest_takes_all_rows_where_there_are_few() -> None:
    method, _ = fitted("iforest")
    assert method.forest.max_samples_ == 104 and len(method.forest.estimators_) == 100


def test_published_ocsvm_takes_the_gamma_that_is_best_on_a_tenth_of_the_test_set() -> None:
    method, outcome = fitted("ocsvm", "method.variant=published")
    train, test, truth, rng = by_hand()
    normal, anomalous = (rng.permutation(np.flatnonzero(truth == kind)) for kind in (0, 1))
    tenth = np.concatenate([normal[: len(normal) // 10], anomalous[: len(anomalous) // 10]])
    machines = [OneClassSVM(kernel="rbf", nu=0.1, gamma=2.0**power).fit(train) for power in range(-7, 3)]
    aucs = [roc_auc_score(truth[tenth], -machine.decision_function(test[tenth])) for machine in machines]
    assert len(tenth) == pytest.approx(len(test) / 10, abs=2) and len(set(aucs)) > 2
    assert [machine.gamma for machine in method.machines] == [GAMMAS[int(np.argmax(aucs))]]
    np.testing.assert_array_equal(method.scores(test), -machines[int(np.argmax(aucs))].decision_function(test))
    assert method.looks_at_test and outcome.reason is None


def test_a_tenth_has_rows_of_both_kinds_however_few_there_are() -> None:
    method, _ = fitted("ocsvm", "method.variant=published")
    _, test, truth, rng = by_hand()
    few = np.concatenate([np.flatnonzero(truth == 0)[:5], np.flatnonzero(truth == 1)[:2]])
    method.choose(test[few], truth[few], rng)
    assert len(method.machines) == 1


def test_subsample_only_if_told_to() -> None:
    assert fitted("ocsvm")[1].n_fit == 104
    method, outcome = fitted("ocsvm", "method.subsample=50")
    train, test, _, rng = by_hand()
    expected = OneClassSVM(nu=0.1, gamma="scale").fit(train[rng.permutation(104)[:50]]).decision_function(test)
    np.testing.assert_array_equal(method.scores(test), -expected)
    assert outcome.n_fit == 50 and fitted("ocsvm", "method.subsample=1000")[1].n_fit == 104


@pytest.mark.parametrize(
    ("name", "setting", "sentence"),
    [
        ("ocsvm", "nu=0", "method.nu is 0, expected a number above 0 and up to 1"),
        ("ocsvm", "gamma=wide", "method.gamma is wide, expected scale, auto or a number above 0"),
        ("ocsvm", "variant=unfair", "method.variant is 'unfair', expected one of clean, published"),
        ("ocsvm", "subsample=0", "method.subsample is 0, expected null or a whole number from 1 on"),
        ("iforest", "trees=0", "method.trees is 0, expected a whole number from 1 on"),
        ("iforest", "samples=0", "method.samples is 0, expected a whole number from 1 on"),
    ],
)
def test_settings_that_make_no_sense(
    name: str, setting: str, sentence: str, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match=sentence):
        fitted(name, f"method.{setting}")
    assert command(f"method={name}", f"method.{setting}", *SMALL) == 1
    assert capsys.readouterr().err == f"error: {sentence}\n" and not RESULTS.exists()


# The engine


@pytest.mark.slow
@pytest.mark.parametrize("name", SHALLOW)
def test_processes_give_what_one_process_gives(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    work, recipe = job(name)
    work = replace(
        work, dataset=replace(work.dataset, x=work.dataset.x.repeat(1, 1, 4, 4))
    )  # so large that it is shared
    assert work.dataset.x.numpy().nbytes > 2**20
    runs = [Run(recipe, cell, seed) for cell in CELLS for seed in (0, 1)]
    calls: list[Sequence[EpochPoint]] = []

    def outcomes(cores: int) -> dict[tuple[Cell, int], tuple]:
        monkeypatch.setattr(classical, "cpu_count", lambda: cores)
        kept = ("n_fit", "steps", "engine", "pack_width", "metrics", "reason", "curve")
        got = ClassicalEngine().train(runs, work, calls.append)
        return {(o.run.cell, o.run.seed): (o.split.digest, *(getattr(o, name) for name in kept)) for o in got}

    alone, together = outcomes(1), outcomes(2)
    assert alone == together and len(alone) == 6 and {len(points) for points in calls} == {1}
    assert sorted(point.key for (point,) in calls) == sorted([run.key for run in runs] * 2)
    assert {point.epoch for (point,) in calls} == {0}
    assert {outcome[2:5] for outcome in alone.values()} == {(0, "classical", 1)}


def test_rows_are_scaled_as_for_any_method() -> None:
    work, recipe = job("ocsvm", "scenario=table_fraction")
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [200, 30])
    x = (rng.normal(size=(230, 5)) * [1, 10, 100, 0, 1] + y[:, None]).astype(np.float32)
    table = Dataset(Labels("toy", (0, 1), y, None), torch.from_numpy(x), top=None)
    work, run, seen = replace(work, dataset=table), Run(recipe, Cell((0,), (1,)), 0), []

    class Spy(ClassicalMethod):
        def fit(self, x: np.ndarray, s: np.ndarray, rng: np.random.RandomState) -> int:
            seen.append((x, s))
            return len(x)

        def scores(self, x: np.ndarray) -> np.ndarray:
            seen.append((x, None))
            return x.sum(1).astype(np.float64)

    run = replace(run, recipe=replace(recipe, method=Spy))
    classical.fit_run(run, work, x)
    rows = SplitData(table, work.split(run), True, 1, run.entropy)
    np.testing.assert_array_equal(seen[0][0], rows.x.numpy())
    np.testing.assert_array_equal(seen[1][0], np.concatenate([chunk.numpy() for chunk in rows.test_chunks()]))
    assert not seen[0][1].any() and seen[0][0].min() == 0 and seen[1][0].max() == 1


# The command


@pytest.mark.parametrize("name", SHALLOW)
def test_records_and_resumption(name: str, command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    words = shortened([f"method={name}", "scenario.normal=8", "scenario.anomalous=3"])
    assert command(*words, "seeds=[0]", "eval_every=1", "logger=csv") == 0
    (got,) = read(RESULTS)
    assert (got["method"], got["status"], got["engine"], got["pack_width"]) == (name, "ok", "classical", 1)
    assert (got["epochs"], got["steps"], got["device"], got["curve"]) == (1, 0, "cpu", None)
    assert (got["n_train"], got["n_labelled"], got["n_fit"], got["n_test"]) == (
        *(112, 8, 104 if name in UNSUPERVISED else 112, 719),
    )
    assert set(got["config"]) == {"method", "dataset", "scenario"} and got["auc_seen"] > 0.9
    assert got["auc"] == fitted(name)[1].metrics["auc"]
    capsys.readouterr()
    assert command(*words, "seeds=[0,1]") == 0
    assert "2 runs, 1 recorded already, 1 to train" in capsys.readouterr().out
    assert sorted(record["seed"] for record in read(RESULTS)) == [0, 1]


def test_what_means_nothing_to_it_changes_no_key(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("method=ocsvm", *SMALL) == 0
    capsys.readouterr()
    others = ("epochs=7", "batch_size=64", "engine=lightning", "engine=packed", "engine.precision=bf16")
    for other in others:
        assert command("method=ocsvm", *SMALL[1:], other) == 0
        assert "1 runs, 1 recorded already, 0 to train" in capsys.readouterr().out
    assert command("method=ocsvm", *SMALL, "dry_run=true") == 0
    assert "1 runs of 1 epochs" in capsys.readouterr().out
    for other in ("method.variant=published", "method.nu=0.2", "method.subsample=50"):
        assert command("method=ocsvm", *SMALL, other) == 0
    got = read(RESULTS)
    assert len({record["key"] for record in got}) == 4
    assert sorted(record["config"]["method"]["variant"] for record in got) == ["clean"] * 3 + ["published"]


@pytest.mark.parametrize("engine", ["auto", "lightning", "packed"])
def test_any_engine_will_do(engine: str, command: Command) -> None:
    assert command("method=iforest", *SMALL, f"engine={engine}") == 0
    assert [(record["status"], record["engine"]) for record in read(RESULTS)] == [("ok", "classical")]


def test_a_grid_in_processes_with_a_run_that_fails(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    # Rows so far apart for the kernel that each is alone: the machine tells no test row from another.
    assert command("method=ocsvm", *SMALL, "grid={method.gamma:[scale,1e9]}") == 0
    assert "1 of 2 runs failed" in capsys.readouterr().out
    status = {record["config"]["method"]["gamma"]: record for record in read(RESULTS)}
    good, failed = status["scale"], status[1000000000]
    assert (good["status"], failed["status"], failed["auc"], failed["n_fit"]) == ("ok", "failed", None, 104)
    assert failed["reason"].startswith("all 719 test scores equal")


# Real data


def test_ocsvm_on_cardio(shared: Path) -> None:
    """The literature has AUC of 0.93 to 0.96."""
    work, recipe = job("ocsvm", "dataset=odds", "dataset.name=cardio", "scenario=table_fraction")
    work, start = replace(work, dataset=odds.load(shared, name="cardio")), time.perf_counter()
    runs = [Run(recipe, Cell((0,), (1,)), seed) for seed in range(5)]
    aucs = [classical.fit_run(run, work, work.dataset.x.numpy()).metrics["auc"] for run in runs]
    assert 0.9 < np.mean(aucs) < 0.99 and time.perf_counter() - start < 30
