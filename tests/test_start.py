"""What a command loads before it does its work: `--help` waits for no torch, and training for no reports."""

import subprocess
import sys
from pathlib import Path

LISTED = """
import sys
sys.argv = ["semiad.train", *{words!r}]
from semiad.train import main
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
print("\\n".join(sys.modules))
"""


def packages(folder: Path, *words: str) -> set[str]:
    """The packages that a command has imported when it ends."""
    code = LISTED.format(words=words)
    output = subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, capture_output=True, text=True).stdout
    return {line.split(".")[0] for line in output.splitlines()}


def test_what_needs_no_training_loads_no_torch(tmp_path: Path) -> None:
    for words in (["--help"], ["--cfg", "job", "method=deep_sad"], ["--info", "searchpath"]):
        loaded = packages(tmp_path, *words)
        assert "hydra" in loaded and not loaded & {"torch", "pytorch_lightning", "polars", "sklearn"}


def test_training_and_its_records_load_no_package_of_reports(tmp_path: Path) -> None:
    words = ["dataset=digits", "scenario.normal=8", "scenario.anomalous=1", "seeds=[0]", "epochs=1", "device=cpu"]
    more = ["samples=true", "eval_every=1", "logger=none", "results=ledger"]
    loaded = packages(tmp_path, "method=ae", *words, *more)
    assert "torch" in loaded and not loaded & {"polars", "statsmodels", "wandb", "jinja2"}
    assert (tmp_path / "ledger").is_dir()
