import copy
import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import sklearn
import torch
from packaging.version import Version
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from semiad import Detector
from semiad.detector import training
from semiad.errors import InputError

CLASSES = "the labels of this check are numbers of classes; a detector takes 1, 0, -1 and NaN only"
LABELS_ARE_CLASSES = (
    *("check_fit_score_takes_y", "check_estimators_overwrite_params", "check_dont_overwrite_parameters"),
    *("check_estimators_fit_returns_self", "check_readonly_memmap_input"),
    # Since 1.8 this check gives class labels to detectors of anomalies too.
    *(("check_n_features_in_after_fitting",) if Version(sklearn.__version__) >= Version("1.8") else ()),
    *("check_positive_only_tag_during_fit", "check_estimators_dtypes", "check_dtype_object"),
    *("check_estimator_sparse_tag", "check_estimator_sparse_array", "check_estimator_sparse_matrix"),
    *("check_f_contiguous_array_estimator", "check_classifier_data_not_an_array", "check_fit2d_1feature"),
    *("check_methods_sample_order_invariance", "check_methods_subset_invariance", "check_dict_unchanged"),
    "check_fit2d_predict1d",
)
OUTLIERS = "predict gives 1 for an anomaly and 0 for a normal row, as PyOD does, in place of -1 and 1"
EXPECTED = {**dict.fromkeys(LABELS_ARE_CLASSES, CLASSES)} | dict.fromkeys(
    ("check_outliers_fit_predict", "check_outliers_train"), OUTLIERS
)
METHODS = ("aesad", "ae", "deep_sad", "deep_svdd", "esad", "a3", "iforest", "ocsvm")
METHODS += ("supervised", "devnet", "prenet", "logistic")
METHODS += ("dagmm", "feawad", "rosas", "wsad_dt", "ss_dgm", "ss_dgm_stacked", "xgboost", "catboost", "xgbod")
METHODS += ("ssad", "kde", "ocsvm_hybrid", "iforest_hybrid")
SHORT = {
    "a3": ("method.hidden=[20,10]",),
    "iforest": ("method.trees=10",),
    "feawad": ("method.pretraining.epochs=2",),
    "catboost": ("method.trees=20",),
    "xgbod": ("method.nus=[0.5]", "method.forests=[10]"),
}


def table(rows: int = 300, anomalies: int = 12, labelled: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, labels (the first are labelled anomalies), and the truth."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 4))
    x[:anomalies] += 4
    y = np.full(rows, np.nan)
    y[:labelled] = 1
    return x, y, np.arange(rows) < anomalies


def quick(method: str = "aesad", **settings: Any) -> Detector:
    defaults = {"epochs": 2, "ensemble": 2, "random_state": 0, "fpr": 0.05, "device": "cpu"}
    return Detector(method, **{**defaults, "overrides": SHORT.get(method, ()), **settings})


@pytest.mark.parametrize("word", ["device=cuda", "method=iforest", "epochs=7", "dataset=odds", "seeds=[5]"])
def test_overrides_that_would_be_ignored_or_contradict_a_parameter_are_refused(word: str) -> None:
    with pytest.raises(InputError, match="is no setting of a method, expected one below method, network"):
        Detector(epochs=1, overrides=[word]).fit(np.random.default_rng(0).random((30, 2)))
    with pytest.raises(InputError, match="overrides is the text"):
        Detector(epochs=1, overrides=word).fit(np.random.default_rng(0).random((30, 2)))


def test_scikit_learns_checks(unchecked_types: None) -> None:
    detector = Detector("iforest", ensemble=1, random_state=0, overrides=("method.trees=10",))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(detector, expected_failed_checks=EXPECTED, on_skip=None)
    failed = {result["check_name"]: result for result in results if result["status"] == "xfail"}
    assert set(failed) == set(EXPECTED), "a check that is expected to fail passes"
    for name in LABELS_ARE_CLASSES:
        assert any("labels are 1" in str(error) for error in causes(failed[name]["exception"])), name


def causes(error: BaseException | None) -> list[BaseException]:
    return [] if error is None else [error, *causes(error.__cause__ or error.__context__)]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_the_same_bits_again_saved_or_in_part(method: str, tmp_path: Path) -> None:
    x, y, truth = table()
    detector = quick(method).fit(x, y)
    scores = detector.decision_function(x)
    if method in ("aesad", "ae", "iforest", "devnet", "prenet", "logistic"):  # the others need longer
        assert roc_auc_score(truth, scores) > 0.9
    assert (scores == detector.decision_scores_).all() and (scores == -detector.score_samples(x)).all()
    assert (scores == quick(method).fit(x, y).decision_function(x)).all()
    assert (scores[[7, 3, 100]] == detector.decision_function(x[[7, 3, 100]])).all()
    if method in ("aesad", "iforest"):
        assert (scores != quick(method, random_state=1).fit(x, y).decision_function(x)).any()
    detector.save(tmp_path / "model")
    assert (scores == Detector.load(tmp_path / "model").decision_function(x)).all()


def test_a_deterministic_method_is_fitted_once() -> None:
    x, _, _ = table()
    assert len(quick("ocsvm", ensemble=5).fit(x).ensemble_.methods) == 1
    assert len(quick("ocsvm", ensemble=3, overrides=("method.subsample=50",)).fit(x).ensemble_.methods) == 3


def test_predictions_agree_with_threshold_p_values_and_budget() -> None:
    x, y, _ = table()
    detector = quick().fit(x, y)
    scores, p = detector.decision_function(x), detector.p_values(x)
    assert (detector.predict(x) == (scores > detector.threshold_)).all()
    assert (detector.predict(x) == (p <= 0.05)).all() and detector.offset_ == -detector.threshold_
    assert (detector.predict(x, fpr=0.2) == (p <= 0.2)).all()
    assert (detector.labels_ == detector.predict(x)).all()
    assert set(np.flatnonzero(detector.predict(x, budget=7))) == set(np.argsort(-scores)[:7])
    assert detector.predict(x, budget=10**6).all() and not detector.predict(x, budget=0).any()
    with pytest.raises(InputError, match="both given"):
        detector.predict(x, fpr=0.1, budget=3)
    with pytest.raises(InputError, match="budget is -1"):
        detector.predict(x, budget=-1)


def test_frames_arrays_tensors_and_sparse_matrices_give_the_same_scores() -> None:
    x, y, _ = table()
    names = [f"x{i}" for i in range(4)]
    expected = quick("iforest").fit(x, y).decision_scores_
    given = (
        pl.DataFrame(x, schema=names),
        pd.DataFrame(x, columns=names),
        torch.from_numpy(x),
        scipy.sparse.csr_matrix(x),
    )
    for rows in given:
        assert (quick("iforest").fit(rows, y).decision_scores_ == expected).all()
    detector = quick("iforest").fit(given[1], y)
    assert detector.feature_names_in_.tolist() == names and detector.n_features_in_ == 4
    with pytest.raises(ValueError, match="feature names"):
        detector.predict(given[1].rename(columns={"x0": "other"}))


def test_pipelines_clones_searches_and_pickles() -> None:
    x, _, truth = table()
    mixed = np.random.default_rng(0).permutation(len(x))
    x, truth = x[mixed], truth[mixed]
    y = truth.astype(int)
    pipeline = make_pipeline(StandardScaler().set_output(transform="pandas"), quick("iforest", ensemble=1)).fit(x, y)
    assert roc_auc_score(truth, pipeline.decision_function(x)) > 0.9
    assert pipeline[-1].feature_names_in_.tolist() == ["x0", "x1", "x2", "x3"]
    assert cross_val_score(quick("iforest", ensemble=1), x, y, cv=2, scoring="roc_auc").min() > 0.9
    search = GridSearchCV(quick("iforest", ensemble=1), {"method": ["iforest", "ocsvm"], "ensemble": [1]}, cv=2)
    search.set_params(scoring="average_precision", estimator__overrides=()).fit(x, y)
    assert search.best_params_["method"] in ("iforest", "ocsvm")
    detector = quick().fit(x, np.where(truth, 1, -1))
    scores = detector.decision_function(x)
    for copied in (pickle.loads(pickle.dumps(detector)), copy.deepcopy(detector)):
        assert (copied.decision_function(x) == scores).all()
    assert clone(detector).get_params() == detector.get_params()
    assert not hasattr(clone(detector), "threshold_")


def test_joblib_round_trip(tmp_path: Path) -> None:
    x, y, _ = table()
    detector = quick().fit(x, y)
    joblib.dump(detector, tmp_path / "detector")
    assert (joblib.load(tmp_path / "detector").decision_function(x) == detector.decision_scores_).all()


def test_aesad_without_labels_is_the_autoencoder() -> None:
    x, _, _ = table()
    with pytest.warns(UserWarning, match="no row is labelled anomalous"):
        unlabelled = quick("aesad").fit(x)
    assert (unlabelled.decision_scores_ == quick("ae").fit(x).decision_scores_).all()


def test_rows_without_any_value_are_told() -> None:
    x = np.random.default_rng(0).normal(size=(120, 3))
    detector = quick("ocsvm", ensemble=1).fit(x)
    x[:2] = np.nan
    with pytest.warns(UserWarning, match="2 of 120 rows have no value: their scores mean nothing"):
        detector.predict(x)


def test_missing_values_and_unlabelled_spellings() -> None:
    x, y, _ = table()
    x[5, 1] = x[200, 0] = np.nan
    first = quick().fit(x, y).decision_scores_
    assert np.isfinite(first).all()
    assert (quick().fit(x, np.where(np.isnan(y), -1, y)).decision_scores_ == first).all()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"method": "aesadd"}, "Could not find 'method/aesadd'"),
        ({"network": "none"}, "Could not find 'network/none'"),
        ({"overrides": ("method.beta=1",)}, "method.beta is no setting"),
        ({"ensemble": 0}, "ensemble is 0"),
        ({"repeats": 0}, "repeats is 0, expected a whole number from 1 on"),
        ({"folds": 1}, "folds is 1, expected a whole number from 2 on"),
        ({"memory": __file__}, "which is a file, expected a folder"),
        ({"fpr": 0}, "fpr is 0"),
        ({"epochs": 0}, "epochs is 0"),
        ({"calibration": 1.5}, "calibration is 1.5"),
        ({"device": "gpu"}, "device is 'gpu'"),
        ({"method": "ocsvm", "overrides": ("method.variant=published",)}, "looks at test rows"),
    ],
)
def test_settings_that_cannot_be_used(settings: dict[str, Any], sentence: str) -> None:
    x, y, _ = table()
    with pytest.raises(InputError, match=sentence):
        quick(**settings).fit(x, y)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("method", None, "method is None, expected the name of a method"),
        ("memory", 3, "memory is 3, expected the path of a folder"),
        ("repeats", "2", "repeats is 2, expected a whole number"),
    ],
)
def test_parameters_of_another_type_are_told(name: str, value: object, sentence: str) -> None:
    x, y, _ = table()
    with pytest.raises(InputError, match=sentence):
        quick().set_params(**{name: value}).fit(x, y)


def test_fit_predict_learns_from_labels() -> None:
    x, y, _ = table()
    detector = quick("logistic", ensemble=1).set_params(folds=np.int64(5))
    found = detector.fit_predict(x, y)
    assert (found == detector.labels_).all() and detector.summary_["labelled_anomalies"] == (y == 1).sum()


def test_the_step_budget_counts_the_batches_that_a_method_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "STEPS", 50)
    x, y, _ = table()
    assert quick("devnet", epochs=None, ensemble=1).fit(x, y).summary_["steps"] == 40, "two epochs of its 20 batches"
    steps = training.steps_per_epoch(quick("ocsvm", ensemble=1).fit(x, y).summary_["training_rows"], 32)
    assert quick("ae", epochs=None, ensemble=1).fit(x, y).summary_["steps"] == 50 // steps * steps


def test_images_are_not_exported(tmp_path: Path) -> None:
    images = np.random.default_rng(0).random((60, 4, 4))
    detector = quick("iforest", ensemble=1, fpr=0.1).fit(images)
    for kind in ("onnx", "pt2", "mlflow"):
        with pytest.raises(InputError, match="fitted to images, and only detectors of tables are exported"):
            detector.export(tmp_path / "out", kind)
    with pytest.raises(InputError, match="X has the rows of a table, but the detector was fitted to images"):
        detector.predict(images.reshape(60, -1))


def test_a_preprocessor_of_another_kind_is_refused(unchecked_types: None) -> None:
    x, y, _ = table()
    with pytest.raises(InputError, match="preprocessor is of type StandardScaler, expected a TablePreprocessor"):
        quick(preprocessor=StandardScaler()).fit(x, y)


def test_rows_and_labels_that_cannot_be_used() -> None:
    x, y, _ = table()
    with pytest.raises(ValueError, match="labels are 1"):
        quick().fit(x, np.arange(len(x)))
    with pytest.raises(ValueError, match="y has 299 labels"):
        quick().fit(x, y[1:])
    with pytest.raises(ValueError, match="1 sample"):
        quick().fit(x[:1])
    with (
        pytest.warns(UserWarning, match="300 of 300 rows are labelled anomalous"),
        pytest.raises(ValueError, match="0 of the rows are not"),
    ):
        quick().fit(x, np.ones(len(x)))
    with pytest.raises(ValueError, match="expecting 4 features"):
        quick("iforest").fit(x, y).predict(x[:, :3])


def test_semiad_is_imported_without_torch() -> None:
    code = "import sys, semiad; assert 'torch' not in sys.modules and 'sklearn' not in sys.modules"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
