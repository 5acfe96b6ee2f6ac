import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score
from torchmetrics.functional.classification import binary_auroc, binary_average_precision

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
