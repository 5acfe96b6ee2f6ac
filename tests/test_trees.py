"""Boosted trees: that theirs are the libraries' scores, in the classical engine and in detectors."""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
from catboost import CatBoostClassifier
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM
from xgboost import XGBClassifier

from semiad import Detector
from semiad.data import SplitData
from semiad.engines import classical
from semiad.engines.context import Outcome
from semiad.errors import InputError
from semiad.methods.xgboost import XGBoost
from semiad.runs import Run
from semiad.testing import make_context, make_recipe
from semiad.testing.method import check_labels_matter
from semiad.types import Cell
from tests.conftest import shortened

NAMES = ("xgboost", "catboost", "xgbod")
Rows = tuple[np.ndarray, np.ndarray, np.ndarray, np.random.RandomState]


def fitted(*words: str, seed: int = 0) -> tuple[Outcome, Rows]:
    """A method on digits; its training rows, their labels, test rows, and the run's randomness, fresh."""
    context, recipe = make_context(1, keep_methods=True), make_recipe(*words)
    run = Run(recipe, Cell((8,), (3,)), seed)
    data = SplitData(context.dataset, context.split(run), False, 32, run.entropy)
    test = torch.cat([*data.test_chunks()]).flatten(1).numpy()
    rows = data.x.flatten(1).numpy(), data.s.numpy(), test, np.random.RandomState(run.entropy % 2**32)
    return classical.fit_run(run, context, context.dataset.x.numpy()), rows


@pytest.mark.parametrize("words", [(), ("method.trees=20", "method.depth=2", "method.subsample=0.5")], ids=len)
def test_xgboost_is_that_of_the_library(words: tuple[str, ...]) -> None:
    outcome, (x, s, test, rng) = fitted("method=xgboost", *words)
    settings = (
        {"n_estimators": 20, "max_depth": 2, "subsample": 0.5} if words else {"n_estimators": 100, "max_depth": 6}
    )
    model = XGBClassifier(
        **settings, learning_rate=0.3, base_score=0.5, n_jobs=1, random_state=rng.randint(2**31 - 1)
    ).fit(x, s)
    np.testing.assert_array_equal(outcome.method.scores(test), model.predict(test, output_margin=True))
    assert outcome.n_fit == len(x) and outcome.metrics["auc_seen"] > 0.9
    assert outcome.method.draws == bool(words)


def test_catboost_is_that_of_the_library() -> None:
    outcome, (x, s, test, rng) = fitted("method=catboost", "method.trees=50")
    settings = {"verbose": False, "allow_writing_files": False, "thread_count": 1}
    model = CatBoostClassifier(iterations=50, depth=6, random_seed=rng.randint(2**31 - 1), **settings).fit(x, s)
    expected = model.predict(test, prediction_type="RawFormulaVal")
    np.testing.assert_allclose(outcome.method.scores(test), expected, rtol=1e-9)
    assert outcome.metrics["auc_seen"] > 0.9
    other = fitted("method=catboost", "method.trees=50", seed=1)[0]
    assert other.metrics["auc"] != outcome.metrics["auc"]


def test_xgbod_has_the_scores_of_detectors_beside_the_features() -> None:
    outcome, (x, s, test, rng) = fitted(*shortened(["method=xgbod"]))
    scaler = StandardScaler().fit(x.astype(np.float64))
    z, z_test = (scaler.transform(part.astype(np.float64)) for part in (x, test))
    columns = []
    for k in (1, 5, 20):
        search = NearestNeighbors(n_neighbors=k).fit(z)
        columns.append((search.kneighbors()[0][:, -1], search.kneighbors(z_test)[0][:, -1]))
    for k in (1, 5, 20):
        factor = LocalOutlierFactor(n_neighbors=k, novelty=True).fit(z)
        columns.append((-factor.negative_outlier_factor_, -factor.score_samples(z_test)))
    for nu in (0.1, 0.5):
        machine = OneClassSVM(nu=nu, gamma="auto").fit(z)
        columns.append((-machine.decision_function(z), -machine.decision_function(z_test)))
    forest = IsolationForest(n_estimators=20, random_state=rng).fit(x)
    columns.append((-forest.decision_function(x), -forest.decision_function(test)))
    train, unseen = (
        np.column_stack([part, *added]) for part, added in zip((x, test), zip(*columns, strict=True), strict=True)
    )
    model = XGBClassifier(n_estimators=100, max_depth=3, learning_rate=0.1, base_score=0.5, n_jobs=1).fit(train, s)
    got, expected = outcome.method.scores(test), model.predict(unseen.astype(np.float32), output_margin=True)
    # Rounding may put a row on the other side of a split; hardly any.
    assert (np.abs(got - expected) < 1e-5).mean() > 0.99 and outcome.metrics["auc_seen"] > 0.9


def test_xgbod_leaves_out_neighbours_that_are_not_there() -> None:
    method = make_recipe(*shortened(["method=xgbod"])).method(shape=(2,))
    x = np.random.default_rng(0).random((6, 2)).astype(np.float32)
    method.fit(x, np.array([0, 0, 0, 0, 0, 1.0], dtype=np.float32), np.random.RandomState(0))
    assert method.near == [1, 5] and method.scores(x).shape == (6,)
    few = make_recipe("method=xgbod", "method.neighbours=[]", "method.nus=[]", "method.forests=[]").method(shape=(2,))
    assert few.fit(x, np.array([0, 0, 0, 0, 0, 1.0], dtype=np.float32), np.random.RandomState(0)) == 6
    assert not few.draws and few.scores(x).shape == (6,)


@pytest.mark.parametrize("name", NAMES)
def test_true_labels_beat_permuted_ones(name: str) -> None:
    check_labels_matter(*shortened([f"method={name}"]))


def test_a_single_labelled_row_is_learnt_from() -> None:
    """XGBoost's own base_score, the share of labelled rows, makes all hessians together too small for a split."""
    x, s = np.random.default_rng(0).random((40, 3)).astype(np.float32), np.zeros(40, dtype=np.float32)
    x[0], s[0] = 2, 1
    scores = {}
    for base in (0.5, 1 / 40):
        method = XGBoost((3,), 100, 6, 0.3, 1, base)
        method.fit(x, s, np.random.RandomState(0))
        scores[base] = method.scores(x)
    assert scores[0.5].argmax() == 0 and len({*scores[1 / 40]}) == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_library_is_told_in_a_sentence(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    library = "catboost" if name == "catboost" else "xgboost"
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(InputError, match=rf"the package {library} is needed: pip install 'semiad\[trees\]'"):
        make_recipe(f"method={name}").method(shape=(2,))


@pytest.mark.parametrize("name", NAMES)
def test_a_detector_keeps_trees_in_a_format_that_runs_no_code(name: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, 3)), np.full(200, np.nan)
    x[:20, 0] += 5
    y[:10] = 1
    overrides = shortened([f"method={name}"])[1:]
    detector = Detector(name, ensemble=2, random_state=0, fpr=0.05, overrides=overrides).fit(x, y)
    detector.save(tmp_path / "model")
    scores = Detector.load(tmp_path / "model").decision_function(x)
    assert (scores == detector.decision_function(x)).all() and scores[:10].min() > np.quantile(scores[20:], 0.9)
    assert len(detector.ensemble_.methods) == (1 if name == "xgboost" else 2)
    library = "catboost" if name == "catboost" else "xgboost"
    assert json.loads((tmp_path / "model" / "config.json").read_text())["versions"][library] == version(library)
