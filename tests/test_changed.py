"""Runs on other data are other runs, and runs of other code are told of."""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from semiad.command import changed_code
from semiad.command.recipes import load_dataset
from semiad.ledger import provenance
from semiad.ledger.provenance import source_digest, sources
from semiad.ledger.reader import read as read_ledger
from tests.conftest import CONF, SMALL, counted, read

LOADER = """
from pathlib import Path
import numpy as np
import torch
from semiad.types import Dataset, Labels

def load(root: Path, file: str) -> Dataset:
    rows = np.loadtxt(file, delimiter=",")
    return Dataset(Labels("mine", (0, 1), rows[:, -1].astype(np.int64), None), torch.tensor(rows[:, :-1]), None)
"""
METHOD = """
from semiad.methods.ae import AE
from own_losses import scaled
import own_package_for_test.deep
import rich.console

class Mine(AE):
    def losses(self, batch):
        from own_package_for_test import late
        return scaled(super().losses(batch))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a loader of CSV files, and a method with a base class and functions in other files."""
    (tmp_path / "own_loader.py").write_text(LOADER)
    (tmp_path / "own_method_file.py").write_text(METHOD)
    (tmp_path / "own_losses.py").write_text("FACTOR = 1\n\ndef scaled(errors):\n    return FACTOR * errors\n")
    (tmp_path / "own_package_for_test").mkdir()
    texts = {"__init__": "", "deep": "from . import deeper", "deeper": "", "late": "", "other": "import nothing_there"}
    for name, text in texts.items():
        (tmp_path / "own_package_for_test" / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    forget()
    yield tmp_path
    forget()
    for name in set(sys.modules) - before:
        if name.startswith("own_"):
            del sys.modules[name]


def forget() -> None:
    """Forget what was imported and hashed, as a new process does."""
    source_digest.cache_clear()
    for name in [name for name in sys.modules if name.startswith("own_")]:
        del sys.modules[name]
    importlib.invalidate_caches()


def write_rows(path: Path, seed: int, shift: float) -> None:
    rng = np.random.default_rng(seed)
    y = np.arange(200) % 5 == 0
    np.savetxt(path, np.column_stack([rng.normal(0, 1, (200, 4)) + shift * y[:, None], y]), delimiter=",")


TABLE = (
    *("method=iforest", "scenario=table_fraction", "scenario.labelled=0.1", "seeds=[0]", "results=r", "logger=none"),
    *("dataset._target_=own_loader.load", "+dataset.file=rows.csv", "kind=table"),
)


def test_another_file_of_the_same_name_is_another_run(
    folder: Path, command: Callable[..., int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    aucs = []
    for shift, recorded in ((3.0, 0), (0.0, 0), (3.0, 1)):
        write_rows(folder / "rows.csv", 0, shift)
        load_dataset.cache_clear()  # as in a new process
        assert command(*TABLE) == 0
        assert f"1 runs, {recorded} recorded already, {1 - recorded} to train" in capsys.readouterr().out
        aucs.append(sorted(record["auc"] for record in read(folder / "r")))
    assert len(aucs[0]) == 1 and len(aucs[1]) == len(aucs[2]) == 2 and aucs[0][0] > 0.9 > 0.7 > aucs[1][0]
    contents = {record["config"]["content"] for record in read(folder / "r")}
    assert len(contents) == 2 and all("sources" not in record for record in read(folder / "r"))


def test_a_label_or_a_value_changes_the_content(folder: Path) -> None:
    from own_loader import load  # type: ignore[import-not-found]

    write_rows(folder / "rows.csv", 0, 1)
    digests = [load(folder, str(folder / "rows.csv")).digest]
    rows = np.loadtxt(folder / "rows.csv", delimiter=",")
    for place, value in (((3, 1), rows[3, 1] + 1e-9), ((1, 4), 1)):
        other = rows.copy()
        other[place] = value
        np.savetxt(folder / "rows.csv", other, delimiter=",")
        digests.append(load(folder, str(folder / "rows.csv")).digest)
    assert len(set(digests)) == 3


def test_built_in_data_are_known_by_name(command: Callable[..., int]) -> None:
    assert command("method=ae", "engine=lightning", *SMALL, "results=r", "logger=none") == 0
    (record,) = read(Path("r"))
    assert "content" not in record["config"] and "sources" not in record


def test_other_code_of_a_method_is_told_of(
    folder: Path, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    words = (
        "method=ae",
        "method._target_=own_method_file.Mine",
        *SMALL,
        "engine=lightning",
        "results=r",
        "logger=none",
    )
    assert command(*words) == 0 and "warning" not in capsys.readouterr().out
    (record,) = read(folder / "r")
    assert list(record["sources"]) == ["own_method_file.Mine"]
    forget()
    assert command(*words) == 0 and "warning" not in capsys.readouterr().out
    (folder / "own_losses.py").write_text("FACTOR = 7\n\ndef scaled(errors):\n    return FACTOR * errors\n")
    forget()
    assert command(*words) == 0
    sentence = "warning: 1 of 1 recorded runs were trained with other code of own_method_file.Mine; force=true trains"
    assert sentence in " ".join(capsys.readouterr().out.split()) and len(read(folder / "r")) == 1
    assert command(*words, "force=true") == 0 and "warning" not in capsys.readouterr().out
    assert len({record["sources"]["own_method_file.Mine"] for record in read(folder / "r")}) == 2
    assert command(*words) == 0 and "warning" not in capsys.readouterr().out  # the forced record counts
    assert len(counted(read_ledger(folder / "r"))) == 1


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        *(("own_method_file.py", True), ("own_losses.py", True), ("own_package_for_test/__init__.py", True)),
        *((f"own_package_for_test/{name}.py", True) for name in ("deep", "deeper", "late")),
        *(("own_package_for_test/other.py", False), ("own_loader.py", False)),
    ],
)
def test_what_a_class_uses_is_hashed_and_nothing_else(folder: Path, file: str, changes: bool) -> None:
    before = source_digest("own_method_file.Mine")
    (folder / file).write_text((folder / file).read_text() + "\n# changed\n")
    assert source_digest("own_method_file.Mine") == before  # a process has the code that it imported
    forget()
    assert before is not None and (source_digest("own_method_file.Mine") != before) == changes


def test_what_else_was_imported_makes_no_difference(folder: Path) -> None:
    before = source_digest("own_package_for_test.deep.deeper")
    forget()
    (folder / "own_package_for_test" / "other.py").write_text("")
    importlib.import_module("own_package_for_test.other")
    assert source_digest("own_package_for_test.deep.deeper") == before is not None


def test_what_has_a_version_or_no_source_has_no_hash() -> None:
    config = {
        "method": {"_target_": "semiad.methods.ae.AE", "optimizer": {"_target_": "torch.optim.Adam"}},
        "scenario": [{"_target_": "sklearn.svm.OneClassSVM"}, {"_target_": "builtins.dict"}, {"_target_": "no.such"}],
        "dataset": {"_target_": f"{__name__}.write_rows"},
        "trainer": {"callbacks": [{"_target_": f"{changed_code.__name__}.changed_code"}]},
    }
    assert sources(config) == {} and source_digest("math.pi") is None
    assert list(sources({"trainer": {"callbacks": [{"_target_": f"{__name__}.write_rows"}]}})) == [
        f"{__name__}.write_rows"
    ]


@pytest.mark.slow
def test_the_hash_is_the_same_in_another_process(folder: Path) -> None:
    code = "from semiad.ledger.provenance import source_digest; print(source_digest('own_method_file.Mine'))"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(CONF.parent), str(folder)])}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == source_digest("own_method_file.Mine"), done.stderr
    assert not provenance.is_installed(folder / "own_losses.py")
