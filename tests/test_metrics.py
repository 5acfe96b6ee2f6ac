import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve
from torchmetrics.functional.classification import binary_auroc, binary_average_precision

from semiad.ledger.record import METRICS
from semiad.metrics import compute_metrics


@given(st.integers(0, 2**31), st.integers(2, 60), st.integers(1, 8))
def test_equals_sklearn_and_torchmetrics_with_ties(seed: int, n: int, values: int) -> None:
    rng = np.random.default_rng(seed)
    scores = (
        rng.integers(0, values, n) / values
    )  # few values: many ties; in [0, 1], where torchmetrics takes no sigmoid
    truth = rng.integers(0, 2, n)
    truth[:2] = 0, 1
    ours = compute_metrics(torch.tensor(scores), torch.tensor(truth), None, {})
    assert ours["auc"] == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
    assert ours["ap"] == pytest.approx(average_precision_score(truth, scores), abs=1e-12)
    # torchmetrics gives 0 or 1 where all scores are equal and computes in float32.
    if len(set(scores)) > 1:
        t, y = torch.tensor(scores), torch.tensor(truth)
        assert ours["auc"] == pytest.approx(float(binary_auroc(t, y)), abs=1e-6)
        assert ours["ap"] == pytest.approx(float(binary_average_precision(t, y)), abs=1e-6)


def test_groups_by_hand() -> None:
    #                      normal          seen        unseen
    scores = torch.tensor([0.1, 0.3, 0.5, 0.4, 0.5, 100.0, 0.0])
    truth = torch.tensor([0, 0, 0, 1, 1, 1, 1])
    seen = torch.tensor([0, 0, 0, 1, 1, 0, 0])
    got = compute_metrics(scores, truth, seen, {"a": torch.tensor([0, 0, 0, 1, 1, 0, 0]).bool(), "n": truth == 0})
    # Beaten normal rows of three: 2, 2.5, 3, 0.
    assert got["auc"] == pytest.approx(7.5 / 12)
    assert got["auc_seen"] == pytest.approx(4.5 / 6)
    assert got["auc_unseen"] == pytest.approx(3 / 6)
    assert got["auc_by_class"] == {"a": pytest.approx(4.5 / 6)}


def test_no_seen_classes_gives_none() -> None:
    scores, truth = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0, 1, 1])
    got = compute_metrics(scores, truth, None, {})
    assert (got["auc_seen"], got["auc_unseen"], got["auc_by_class"]) == (None, None, None)
    assert compute_metrics(scores, truth, truth, {})["auc_unseen"] is None


@given(st.integers(0, 2**31))
def test_only_the_order_of_scores_counts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, truth = torch.tensor(rng.normal(size=50)), torch.tensor([0, 1] * 25)
    big = compute_metrics(1000 + scores.exp(), truth, None, {})
    assert big == compute_metrics(scores, truth, None, {})
    assert compute_metrics(-scores, truth, None, {})["auc"] == pytest.approx(1 - big["auc"])
    assert not math.isnan(big["ap"])


def by_sklearn(truth: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """The metrics that depend on a threshold, from scikit-learn's curves."""
    fpr, tpr, _ = roc_curve(truth, scores, drop_intermediate=False)
    precision, recall, _ = precision_recall_curve(truth, scores)  # by increasing threshold
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
    best = len(f1) - 1 - int(np.argmax((f1 > f1.max() - 1e-12)[::-1]))
    made = {
        "fpr_at_95_tpr": fpr[tpr > 0.95 - 1e-12].min(),
        "recall_at_1_fpr": tpr[fpr < 0.01 + 1e-12].max(),
        "recall_at_5_fpr": tpr[fpr < 0.05 + 1e-12].max(),
        "f1_best": f1[best],
        "precision_at_f1_best": precision[best],
        "recall_at_f1_best": recall[best],
    }
    return {name: float(value) for name, value in made.items()}


@given(st.integers(0, 2**31), st.integers(2, 400), st.sampled_from([2, 3, 8, 40, 10**6]), st.floats(0.02, 0.98))
def test_metrics_of_a_threshold_equal_sklearns_curves(seed: int, n: int, values: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < share).astype(np.int64)
    truth[:2] = 0, 1
    scores = rng.integers(0, values, n) + rng.integers(0, max(values // 3, 2), n) * truth  # few values: many ties
    ours = compute_metrics(torch.tensor(scores, dtype=torch.float64), torch.tensor(truth), None, {})
    assert set(ours) == set(METRICS)
    for name, value in by_sklearn(truth, scores).items():
        assert ours[name] == pytest.approx(value, abs=1e-12), name


@settings(max_examples=30)
@given(st.integers(0, 2**31), st.integers(2, 200), st.sampled_from([3, 40, 10**6]), st.floats(0.001, 2))
def test_average_precision_at_the_rate_of_labels_is_sklearns_with_weights(
    seed: int, n: int, values: int, odds: float
) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, n)
    truth[:2] = 0, 1
    scores = rng.integers(0, values, n)
    weights = np.where(truth == 1, odds * (truth == 0).sum() / truth.sum(), 1.0)
    given = torch.tensor(scores) / 1, torch.tensor(truth), None, {}
    made = [compute_metrics(*given, value) for value in (odds, None, 0.0)]
    ours, *others = [metrics["ap_at_label_rate"] for metrics in made]
    assert ours == pytest.approx(average_precision_score(truth, scores, sample_weight=weights)) and others == [None] * 2


@pytest.mark.parametrize(("normal", "anomalous"), [(100, 20), (200, 40), (60, 100), (20, 1)])
def test_shares_of_whole_rows_are_exact(normal: int, anomalous: int) -> None:
    # 1 % and 5 % of the normal rows, and 95 % of the anomalies, are whole numbers of rows: neither one more nor fewer.
    scores = torch.arange(normal + anomalous, dtype=torch.float64)
    truth = torch.zeros(normal + anomalous, dtype=torch.int64)
    truth[torch.from_numpy(np.random.default_rng(0).permutation(normal + anomalous)[:anomalous])] = 1
    ours = compute_metrics(scores, truth, None, {})
    for name, value in by_sklearn(truth.numpy(), scores.numpy()).items():
        assert ours[name] == pytest.approx(value, abs=1e-12), name


def test_metrics_of_a_threshold_by_hand() -> None:
    #                      20 normal rows, of which one has 5       anomalies
    scores = torch.tensor([*range(-19, 0), 5.0, 4.0, 5.0, 6.0, -10.0])
    truth = torch.tensor([0] * 20 + [1] * 4)
    got = compute_metrics(scores, truth, None, {})
    # All four anomalies take a threshold of -10, which flags the ten normal rows from -10 to -1, and the one with 5.
    assert got["fpr_at_95_tpr"] == 11 / 20
    assert (got["recall_at_1_fpr"], got["recall_at_5_fpr"]) == (1 / 4, 3 / 4)  # no false alarm, and one
    assert got["f1_best"] == pytest.approx(2 * 3 / (4 + 4))
    assert (got["precision_at_f1_best"], got["recall_at_f1_best"]) == (3 / 4, 3 / 4)
