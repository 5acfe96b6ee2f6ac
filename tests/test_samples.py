"""What is kept of a run to be looked at is what the record's figures come from."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from semiad.datasets import digits
from tests.conftest import SMALL, read, shortened

Command = Callable[..., int]
RESULTS = Path("outputs/results")


@pytest.mark.parametrize("engine", ["packed", "lightning"])
def test_samples_hold_what_the_record_says(engine: str, command: Command) -> None:
    words = ("epochs=20", "seeds=[0,1]", "scenario.normal=8", "scenario.anomalous=3", "samples=true")
    assert command(*words, f"engine={engine}") == 0
    table, got = digits.load(Path()), read(RESULTS)
    assert len(got) == 2
    for record in got:
        with np.load(RESULTS / record["samples"]) as kept:
            assert roc_auc_score(kept["truth"], kept["scores"]) == pytest.approx(record["auc"], abs=1e-12)
            rows = (kept["seen"] == 1) | (kept["truth"] == 0)
            seen = roc_auc_score(kept["truth"][rows], kept["scores"][rows])
            assert seen == pytest.approx(record["auc_seen"], abs=1e-12)
            kind, classes, scores = kept["shown_kind"], kept["shown_class"], kept["shown_score"]
            assert classes[kind == "train"].tolist() == ["8", "8"]
            assert classes[kind == "labelled"].tolist() == ["3", "3"]
            assert classes[kind == "test"].tolist() == [str(c) for c in range(10) for _ in range(2)]
            assert scores[kind == "lowest"] == pytest.approx(np.sort(kept["scores"])[:8], rel=1e-5)
            assert scores[kind == "highest"] == pytest.approx(np.sort(kept["scores"])[::-1][:8], rel=1e-5)
            x, x_hat = kept["x"] / 255, kept["x_hat"] / 255
            assert x.shape == x_hat.shape == (len(kind), *table.shape)
            # The score is the mean squared error of what is shown, but for the rounding to bytes.
            assert ((x - x_hat) ** 2).mean((1, 2, 3)) == pytest.approx(scores, abs=4e-3)
            assert kept["z"].shape == (record["n_test"], 32) and len(kept["code_class"]) == record["n_test"]


def test_samples_are_the_same_with_both_engines(command: Command) -> None:
    words = ("epochs=5", "seeds=[0,1]", "scenario.normal=8", "scenario.anomalous=3", "samples=true")
    for engine in ("packed", "lightning"):
        assert command(*words, f"engine={engine}", f"results={engine}") == 0
    for record in read(Path("packed")):
        with np.load(Path("packed") / record["samples"]) as a, np.load(Path("lightning") / record["samples"]) as b:
            assert set(a) == set(b)
            assert a["scores"] == pytest.approx(b["scores"], abs=1e-6)
            assert (a["x"] == b["x"]).all() and a["z"] == pytest.approx(b["z"], abs=1e-2)


@pytest.mark.parametrize("method", ["a3", "deep_svdd", "ocsvm"])
def test_methods_show_what_they_have(method: str, command: Command) -> None:
    assert command(*shortened((f"method={method}", *SMALL, "samples=true"))) == 0
    (record,) = read(RESULTS)
    if method == "ocsvm":
        assert record["samples"] is None
        return
    with np.load(RESULTS / record["samples"]) as kept:
        assert "x_hat" not in kept and ("z" in kept) == (method == "deep_svdd")


def test_samples_of_recorded_runs_need_force(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(*SMALL) == 0 and command(*SMALL, "samples=true") == 0
    note = "1 runs that are recorded already get no samples: force=true trains them again"
    assert note in capsys.readouterr().out
    assert read(RESULTS)[0]["samples"] is None and not (RESULTS / "samples").exists()


def test_a_folder_that_cannot_be_written_to_is_one_sentence(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    RESULTS.mkdir(parents=True)
    (RESULTS / "samples").write_text("a file")
    assert command(*SMALL, "samples=true") == 1
    assert re.match(r"error: outputs/results/samples/\w+\.npz cannot be written to \(", capsys.readouterr().err)
