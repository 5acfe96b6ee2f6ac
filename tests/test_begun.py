"""Sweeps that an earlier version began: their ledgers are read, and their packs in training go on.

`data/begun` was written by version 0.1.0 before packages and names changed: three runs each, of which one is recorded
and two were stopped in the middle; the metrics are those of sweeps of that version that nothing stopped.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import read

BEGUN = Path(__file__).parent / "data" / "begun"
COMMON = ("dataset=digits", "scenario.normal=8", "scenario.anomalous=3", "epochs=8", "logger=none", "device=cpu")
WORDS = {
    "aesad": ("network=shallow", "network.latent=4"),
    "deep_sad": ("network.widths={default:[8,4]}", "method.pretraining.epochs=3", "batch_size=64"),
}
AUC = {
    "aesad": [0.7109619194364957, 0.7629319832709663, 0.7469293418445961],
    "deep_sad": [0.6793088267664539, 0.6846136913933524, 0.776469293418446],
}


@pytest.mark.parametrize("name", [*WORDS])
def test_a_sweep_of_an_earlier_version_goes_on(
    name: str, command: Callable[..., int], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shutil.copytree(BEGUN / name, tmp_path / "results")
    before = sorted(path.name for path in (tmp_path / "results" / "plans").iterdir())
    assert command(f"method={name}", *WORDS[name], *COMMON, "seeds=[5,0,1]", "results=results") == 0
    assert "1 recorded already, 2 to train, 2 of them from where they were stopped" in capsys.readouterr().out
    records = sorted(read(tmp_path / "results"), key=lambda record: record["seed"])
    assert [record["seed"] for record in records] == [0, 1, 5]
    assert [record["auc"] for record in records] == pytest.approx(AUC[name], abs=1e-4)
    assert len({record["steps"] for record in records}) == 1
    assert not [*(tmp_path / "results" / "resumable").iterdir()]
    # The same plans have the same files.
    assert sorted(path.name for path in (tmp_path / "results" / "plans").iterdir()) == before
