"""`method=auto` in the ledger: what it records is what a detector says that is fitted to the same rows."""

from pathlib import Path

import numpy as np
import pytest

from semiad import Detector
from semiad.engines import classical
from semiad.errors import InputError
from semiad.ledger.record import CHOICE
from semiad.runs import Run
from semiad.testing.method import check_labels_matter
from tests.conftest import SHORT, SMALL, read
from tests.test_methods import CELL, job
from tests.test_train import Command

RESULTS = Path("outputs/results")
QUICK = SHORT["auto"]


@pytest.mark.usefixtures("quick_candidates")
def test_a_record_has_what_the_detector_chose_and_expects(command: Command) -> None:
    assert command("method=auto", *QUICK, "method.best=2", *SMALL[1:]) == 0
    (got,) = read(RESULTS)
    assert (got["method"], got["status"], got["engine"], got["n_labelled"]) == ("auto", "ok", "classical", 8)
    assert len({*got["chosen"]}) == 2 and {*got["chosen"]} <= {"logistic", "logistic C=10", "xgboost"}
    assert 0 <= got["ap_expected_low"] < got["ap_expected"] <= got["ap_expected_high"] <= 1
    assert got["distributions"] == {"xgboost": got["distributions"]["xgboost"]}

    work, recipe = job("auto")
    run = Run(recipe, CELL, 0)
    split, x = work.split(run), work.dataset.x.flatten(1).numpy() / np.float32(work.dataset.top)
    settings = {"ensemble": 1, "folds": 2, "repeats": 1, "best": 2, "calibration": 0.05, "device": "cpu"}
    rng = np.random.RandomState(run.entropy % 2**32)
    labels = np.where(split.s == 1, 1.0, np.nan)
    with pytest.warns(UserWarning, match="5 calibration rows"):
        detector = Detector(random_state=rng, **settings).fit(x[split.train], labels)
    assert got["chosen"] == [candidate.name for candidate in detector.candidates_]
    assert got["ap_expected"] == pytest.approx(detector.summary_["comparison"]["average_precision"], abs=1e-4)
    scores = detector.decision_function(x[split.test])
    above = (scores[split.truth == 1][:, None] > scores[split.truth == 0]).mean()
    assert got["auc"] == pytest.approx(above, abs=1e-6)
    assert got["n_fit"] == detector.summary_["training_rows"] < got["n_train"]


@pytest.mark.usefixtures("quick_candidates")
def test_true_labels_beat_permuted_ones() -> None:
    check_labels_matter("method=auto", *QUICK)


def test_with_few_labels_it_is_the_default_and_expects_nothing(command: Command) -> None:
    small = ("scenario.labelled=4", *SMALL[1:])
    assert command("method=auto", *QUICK, *small) == 0
    (got,) = read(RESULTS)
    assert got["status"] == "ok" and got["n_labelled"] == 4 and not {*CHOICE} & got.keys()


@pytest.mark.usefixtures("quick_candidates")
def test_a_run_is_the_same_again_and_another_seed_is_another() -> None:
    work, recipe = job("auto", *QUICK)
    x = work.dataset.x.numpy()
    first, again, other = (classical.fit_run(Run(recipe, CELL, seed), work, x).metrics for seed in (0, 0, 1))
    assert first == again != other


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("folds=1", "method.folds is 1, expected a whole number from 2 on"),
        ("repeats=0", "method.repeats is 0, expected a whole number from 1 on"),
        ("best=0", "method.best is 0, expected a whole number from 1 on"),
        ("calibration=1", "method.calibration is 1, expected a number above 0 and below 1"),
    ],
)
def test_bad_settings_are_named(setting: str, sentence: str) -> None:
    work, recipe = job("auto", f"method.{setting}")
    with pytest.raises(InputError, match=sentence):
        work.build(Run(recipe, CELL, 0))
