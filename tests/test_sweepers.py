"""A sweeper that chooses jobs by the values of others: Optuna's."""

import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from tests.conftest import read
from tests.test_train import python

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not find_spec("optuna"), reason="needs hydra-optuna-sweeper: pip install 'semiad[optuna]'"),
]
WORDS = (
    "method=ae",
    "scenario.normal=8",
    "scenario.anomalous=1",
    "epochs=2",
    "seeds=[0,1]",
    "device=cpu",
    "logger=none",
)
OPTUNA = ("hydra/sweeper=optuna", "hydra.sweeper.n_trials=3", "hydra.sweeper.n_jobs=1", "hydra.sweep.dir=study")
RATES = "method.optimizer.lr=choice(0.0001,0.01)"


def output(*words: str, cwd: Path, status: int) -> str:
    process = python(*WORDS, *OPTUNA, *words, "-m", cwd=cwd)
    out, _ = process.communicate(timeout=300)
    assert process.returncode == status, out
    return out


@pytest.mark.parametrize("objective", ["auc", "ap", "loss"])
def test_optuna_finds_the_better_value(objective: str, tmp_path: Path) -> None:
    direction = "minimize" if objective == "loss" else "maximize"
    words = (f"objective={objective}", f"hydra.sweeper.direction={direction}", "eval_every=2", RATES)
    out = output(*words, cwd=tmp_path, status=0)
    assert (f"objective={objective} is of test rows, which are no validation" in out) == (objective != "loss")
    records = read(tmp_path / "outputs" / "results")
    assert "shard=" not in out and {record["seed"] for record in records} == {0, 1}
    best = yaml.safe_load((tmp_path / "study" / "optimization_results.yaml").read_text())
    rate = float(best["best_params"]["method.optimizer.lr"])
    chosen = [record for record in records if record["config"]["method"]["optimizer"]["lr"] == rate]
    if objective == "loss":
        curves = "".join(path.read_text() for path in tmp_path.glob("outputs/results/curves/*.csv"))
        values = [float(re.search(rf"{record['key']},2,([^,]*),", curves)[1]) for record in chosen]  # type: ignore[index]
    else:
        values = [record[objective] for record in chosen]
    assert len(values) == 2 and best["best_value"] == pytest.approx(sum(values) / 2, rel=1e-6)
    # Trials of a rate that was tried before find its runs recorded, and have their value all the same.
    assert len(records) <= 4 and "2 recorded already, 0 to train" in out


@pytest.mark.filterwarnings("default")  # Optuna's, as it is imported
def test_what_a_study_lacks_is_said(command: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert command(*WORDS, *OPTUNA, RATES, "-m") == 1
    said = capsys.readouterr()
    assert "hydra/sweeper=optuna chooses by the value of a job: add objective=" in said.out + said.err
    assert command(*WORDS, *OPTUNA, "objective=auc", RATES, "-m") == 1
    said = capsys.readouterr()
    out = said.out + said.err
    assert "objective=auc is to maximize: add hydra.sweeper.direction=maximize" in out and "Traceback" not in out


def test_a_failed_trial_is_told_as_failed_and_the_others_go_on(tmp_path: Path) -> None:
    words = ("objective=auc", "hydra.sweeper.direction=maximize", "hydra.sweeper.max_failure_rate=1.0")
    drawn = ("hydra.sweeper.sampler.seed=1", "hydra.sweeper.n_trials=4", "method.optimizer.lr=choice(1e30,0.001)")
    out = output(*words, *drawn, cwd=tmp_path, status=1)
    assert "each of the 2 runs failed: the training loss is nan" in out and "Values were told" not in out
    assert {record["status"] for record in read(tmp_path / "outputs" / "results")} == {"ok", "failed"}
    best = yaml.safe_load((tmp_path / "study" / "optimization_results.yaml").read_text())
    assert best["best_params"]["method.optimizer.lr"] == 0.001
