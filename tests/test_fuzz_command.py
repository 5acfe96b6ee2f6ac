"""Any command line ends with readable records, or with sentences and exit status 1; never with a traceback.

`SEMIAD_FUZZ` is the number of command lines, drawn at random; without it 15, always the same ones.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from semiad.ledger.reader import read as read_ledger
from semiad.ledger.record import leaves
from semiad.testing.runs import compose_config
from tests.conftest import CONF, ON_TABLES, SHORT

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]
Run = Callable[[list[str]], dict[str, Any]]

QUICK = ("seeds=[0]", "epochs=1", "scenario.normal=8", "scenario.anomalous=1", "shards=1", "device=cpu", "logger=none")
TABLE = ("seeds=[0]", "epochs=1", "dataset._target_=table.load", "~dataset.name", "device=cpu", "logger=none")
"""A run of a moment on digits, and one on a small table."""
LOADER = """
import numpy as np
import torch
from semiad.types import Dataset, Labels


def load(root):
    y = np.repeat([0, 1], [100, 20])
    x = torch.randn(120, 4, generator=torch.Generator().manual_seed(0)) + torch.from_numpy(y)[:, None]
    return Dataset(Labels("small", (0, 1), y, None), x.float(), None)
"""
GROUPS = {
    "method": sorted(path.stem for path in CONF.glob("method/*.yaml")),
    "network": ["dense", "mlp", "mlp_affine", "pca", "conv", "shallow", "lenet", "papers"],
    "engine": ["auto", "packed", "lightning"],
    "trainer": ["default", "cpu", "debug"],
    "logger": ["none", "csv", "auto", "tensorboard"],
    "budget": ["full", "quick"],
}
SCENARIOS = {"digits": [], "table": []}  # type: dict[str, list[str]]
for path in sorted(CONF.glob("scenario/*.yaml")):
    SCENARIOS["table" if path.stem in ON_TABLES else "digits"].append(path.stem)

SMALL = [
    "0",
    "1",
    "2",
    "-1",
    "0.5",
    "1.0",
    "1.5",
    "-0.1",
    "1e-9",
    "null",
    "true",
    "false",
    "x",
    "''",
    "'a b'",
    "[]",
    "[1]",
]
SMALL += [
    "[0,1]",
    "[x]",
    "[[1]]",
    "{}",
    "{a:1}",
    "nan",
    "inf",
    "-inf",
    "1e38",
    "auto",
    "'é'",
    "'%'",
    "'???'",
    "'[red]'",
]
SMALL += [
    "'${epochs}'",
    "'${nothing}'",
    "'a.b'",
    "'../x'",
    "~/x",
    "a,b",
    "[-1]",
    "'1'",
    "'0.1'",
    "[0.5]",
    "[null]",
    "[true]",
]
LARGE = ["9223372036854775807", "9223372036854775808", "-9223372036854775809", "1e400", "100000"]
COSTLY = (
    "epochs",
    "trees",
    "hidden",
    "latent",
    "filters",
    "widths",
    "devices",
    "shards",
    "width",
    "halving",
    "steps",
    "num",
)
"""Parts of settings of which a large value takes long, or more memory than there is."""
LEFT = (
    "data_root",
    "results",
    "hydra",
    "trainer.accelerator",
    "trainer.strategy",
    "trainer.max_time",
    "trainer.plugins",
)
"""Settings that are left alone: folders of this machine, and what starts processes."""


@cache
def settings_of(*words: str) -> list[str]:
    """List the settings of a composed configuration."""
    config = OmegaConf.to_container(compose_config(*words), resolve=False)
    return [name for name, _ in leaves(config) if not name.startswith((*LEFT, "networks", "training")) and name]


def words_of(group: str, choice: str, names: list[str]) -> st.SearchStrategy[str]:
    """Draw a setting of a group's choice, or of all groups, with any value."""

    def values(name: str) -> st.SearchStrategy[str]:
        large = [] if any(part in name for part in COSTLY) else LARGE
        return st.sampled_from(SMALL + large).map(lambda value: f"{name}={value}")

    return st.sampled_from(names).flatmap(values)


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """Draw a command line: a choice of each group, and settings of the groups with values of all kinds."""
    kind = draw(st.sampled_from(["digits", "digits", "table"]))
    method = draw(st.sampled_from(GROUPS["method"]))
    chosen = [f"method={method}", f"scenario={draw(st.sampled_from(SCENARIOS[kind]))}"]
    chosen += [f"dataset={'odds' if kind == 'table' else 'digits'}"]
    for group in draw(st.sets(st.sampled_from(["network", "engine", "trainer", "logger", "budget"]), max_size=2)):
        chosen.append(f"{group}={draw(st.sampled_from(GROUPS[group]))}")
    base = TABLE if kind == "table" else QUICK
    base = tuple(word for word in base if word.partition("=")[0] not in {word.partition("=")[0] for word in chosen})
    names = settings_of(*(word for word in chosen if not word.startswith("logger")))
    group = draw(st.sampled_from(["method", "scenario", "network", "engine", "trainer", ""]))
    some = [name for name in names if name.startswith(f"{group}.")] if group else [n for n in names if "." not in n]
    drawn = draw(st.lists(words_of(group, method, some or names), min_size=1, max_size=3))
    switches = draw(
        st.sets(st.sampled_from(["samples=true", "eval_every=1", "dry_run=true", "audit=true"]), max_size=1)
    )
    return [*chosen, *SHORT.get(method, ()), *base, *switches, *drawn]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Run a command line in an empty folder, in a process of its own."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("SEMIAD_", "WANDB_", "PYTEST"))}
    env |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(CONF.parent), "PYTHONWARNINGS": "ignore"}
    server = Path(__file__).with_name("command_server.py")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, server], env=env, text=True, **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout.readline() == "ready\n"

        def once(words: list[str]) -> dict[str, Any]:
            with TemporaryDirectory() as folder:
                Path(folder, "table.py").write_text(LOADER)
                process.stdin.write(json.dumps({"folder": folder, "words": words}) + "\n")
                process.stdin.flush()
                result = json.loads(process.stdout.readline())
                result["ledger"] = read_ledger(Path(folder, "outputs/results"))
                result["lines"] = sum(
                    len(path.read_text().splitlines()) for path in Path(folder, "outputs/results").glob("*.jsonl")
                )
            return result

        yield once
        process.stdin.close()


@given(words=command_lines())
@settings(
    max_examples=int(os.environ.get("SEMIAD_FUZZ", "15")),
    deadline=None,
    suppress_health_check=[*HealthCheck],
    derandomize="SEMIAD_FUZZ" not in os.environ,
)
def test_any_command_line_ends_well_or_in_a_sentence(words: list[str], run: Run) -> None:
    result = run(words)
    note(" ".join(words))
    note(result["out"] + result["err"])
    check(result)


def check(result: dict[str, Any]) -> None:
    """Check how a command has ended."""
    errors = [line for line in result["err"].splitlines() if line.strip()]
    assert result["status"] in (0, 1), "the command was ended by a signal or an exception"
    assert "Traceback" not in result["out"] + result["err"]
    assert not [line for line in errors if "a fault of semiad's" in line or "traceback in" in line], (
        "nobody expected it"
    )
    assert not result["ledger"].warnings and len(result["ledger"].recorded) == result["lines"]
    if result["status"] == 1:
        assert errors and all(line.startswith("error: ") for line in errors), "an error is a sentence"
        assert not [line for line in errors if len(line) > 1000], "a sentence is short"
    else:
        assert not errors
