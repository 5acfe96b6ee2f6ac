import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jaxtyping
import pytest
from hydra.core.global_hydra import GlobalHydra

import semiad.train
from semiad.ledger.reader import Ledger
from semiad.ledger.reader import read as read_ledger

CONF = Path(semiad.train.__file__).parents[1] / "conf"
SHARED = Path(__file__).parents[2] / "shared" / "data"
ON_TABLES = ("holdout", "kfold", "table_fraction", "table_stratified")
"""The scenarios on tables."""
SMALL = ("epochs=2", "seeds=[0]", "scenario.normal=8", "scenario.anomalous=3")
"""One run of a second on digits."""


SHORT = {
    "a3": ("method.target.epochs=2", "method.hidden=[20,10]", "method.optimizer.lr=0.001"),
    "deep_sad": ("method.pretraining.epochs=2", "method.optimizer.lr=0.001"),
    "deep_svdd": ("method.pretraining.epochs=2", "method.optimizer.lr=0.001"),
    "deep_svdd_soft": ("method.pretraining.epochs=2", "method.optimizer.lr=0.001"),
    "cae": ("method.optimizer.lr=0.001",),
    "supervised": ("method.optimizer.lr=0.001",),
    "devnet": ("method.steps=5", "method.optimizer.lr=0.01"),
    "prenet": ("method.steps=5", "method.optimizer.lr=0.01"),
    "feawad": ("method.steps=5", "training.lr=0.003", "method.pretraining.epochs=2"),
    "rosas": ("method.steps=5",),
    "dagmm": ("method.optimizer.lr=0.003",),
    "wsad_dt": ("method.members=2", "network.hidden=[20]", "network.latent=8"),
    "ss_dgm_stacked": ("method.pretraining.epochs=2",),
    "catboost": ("method.trees=15", "method.depth=2", "method.rate=0.5"),
    "auto": ("method.folds=2", "method.repeats=1"),
    "xgbod": ("method.neighbours=[1,5,20]", "method.nus=[0.1,0.5]", "method.forests=[20]"),
}
"""What lets a method train in a moment, where only that it trains is asked."""


def shortened(words: Sequence[str]) -> list[str]:
    """Overrides of a configuration, with those that make its method short."""
    (method,) = [word.removeprefix("method=") for word in words if word.startswith("method=")] or ["aesad"]
    return [words[0], *SHORT.get(method, ()), *words[1:]] if words else []


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Check the types of all calls in quick tests only; in slow ones that takes as long as half of the rest."""
    jaxtyping.config.update("jaxtyping_disable", item.get_closest_marker("slow") is not None)


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither Lightning's chatter nor what a developer has told W&B and MLflow."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    for name in [name for name in os.environ if name.startswith(("WANDB_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    for name in ("WANDB_CONFIG_DIR", "NETRC"):
        monkeypatch.setenv(name, str(tmp_path / "none"))


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    """`python -m semiad.train` in this process, in an empty folder; gives the exit status."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEMIAD_DATA", raising=False)

    def train(*words: str) -> int:
        GlobalHydra.instance().clear()
        monkeypatch.setattr(sys, "argv", ["train", *words])
        try:
            semiad.train.main()
        except SystemExit as ended:
            return int(ended.code or 0)
        return 0

    return train


def read(folder: Path) -> list[dict]:
    """All records below a folder, in order of key."""
    lines = [json.loads(line) for path in folder.rglob("*.jsonl") for line in path.read_text().splitlines()]
    return sorted(lines, key=lambda record: record["key"])


def counted(source: Path | Ledger) -> dict[str, dict]:
    """By key the records that count."""
    ledger = read_ledger(source) if isinstance(source, Path) else source
    recorded = ledger.runs.filter(ledger.runs["status"] != "missing")
    return {row["key"]: row for row in recorded.iter_rows(named=True)}


@pytest.fixture
def shared() -> Path:
    """A filled data_root."""
    if not (SHARED / "MNIST").is_dir():
        pytest.skip("needs real data: a folder ../shared/data with MNIST/raw and odds (see docs/data.md)")
    return SHARED


@pytest.fixture
def quick_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three quick candidates for `method=auto`."""
    from semiad.detector import auto
    from semiad.detector.candidates import Candidate

    quick = [Candidate("logistic"), Candidate("logistic", ("method.C=10",)), Candidate("xgboost")]
    monkeypatch.setattr(auto, "default_candidates", lambda: quick)


@pytest.fixture
def unchecked_types() -> Iterator[None]:
    """Arguments of any type, as users give them, where `--jaxtyping-packages` would refuse them first."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)


def run_semiad(*words: str) -> int:
    """Run the command `semiad` in this process; give its exit status."""
    from semiad.cli.app import app

    try:
        app([*words], prog_name="semiad")
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Chromium; without it, or without selenium, the test is skipped."""
    pytest.importorskip("selenium")
    from tests import browser as chromium

    if why := chromium.missing():
        pytest.skip(why)
    browser = chromium.start(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.quit()
