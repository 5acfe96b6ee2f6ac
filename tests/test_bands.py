import math

import pytest

from semiad.callbacks.curve_bands import CurveBands
from semiad.engines.context import EpochPoint


def test_an_epoch_is_ready_once_every_run_has_done_it() -> None:
    bands = CurveBands(3)
    bands.add([EpochPoint("a", 1, 1.0), EpochPoint("a", 2, 0.5, 0.9), EpochPoint("b", 1, 4.0)])
    assert [*bands.ready()] == []
    bands.add([EpochPoint("c", 1, 1.0), EpochPoint("b", 2, 1.5, 0.7)])
    ((epoch, metrics),) = bands.ready()
    assert epoch == 1 and metrics == {
        "train_loss/mean": 2.0,
        "train_loss/min": 1.0,
        "train_loss/max": 4.0,
        "train_loss/runs": 3.0,
    }
    bands.end(1)  # c has failed
    ((epoch, metrics),) = bands.ready()
    assert epoch == 2 and metrics["train_loss/mean"] == 1.0 and metrics["train_loss/runs"] == 2
    assert metrics["test_auc/mean"] == pytest.approx(0.8) and metrics["test_auc/min"] == 0.7
    bands.end(2)
    bands.end(2)
    assert [*bands.ready()] == []


def test_runs_that_end_early_are_not_waited_for() -> None:
    bands = CurveBands(3)
    bands.end(0)  # failed before its first epoch
    bands.add([EpochPoint("a", epoch, 1.0) for epoch in (1, 2, 3)])
    bands.end(3)
    assert [*bands.ready()] == []
    bands.add([EpochPoint("b", 1, 2.0)])
    bands.end(1)  # and another after it
    assert [(epoch, metrics["train_loss/runs"]) for epoch, metrics in bands.ready()] == [(1, 2), (2, 1), (3, 1)]


def test_what_is_no_number_is_counted_and_not_shown() -> None:
    bands = CurveBands(2)
    bands.add([EpochPoint("a", 1, math.nan), EpochPoint("b", 1, 3.0), EpochPoint("a", 2), EpochPoint("b", 2)])
    assert [(epoch, metrics.get("train_loss/max"), len(metrics)) for epoch, metrics in bands.ready()] == [
        (1, 3.0, 4),
        (2, None, 0),
    ]
