"""The scripts that measure on a GPU, at toy size on the CPU, and what they take to a machine without a network."""

import csv
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from email.parser import Parser
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

from benchmarks.gpu.__main__ import run
from benchmarks.gpu.packed import least
from benchmarks.gpu.parts import PARTS, Command
from benchmarks.gpu.results import UNFINISHED, Go, OutOfTime
from benchmarks.gpu.summary import summarize
from semiad.command.recipes import recipes, resolved
from semiad.methods.base import Method
from semiad.runs import costs, plan, shard
from semiad.testing import compose_config, make_recipe
from semiad.types import Labels
from tests.conftest import counted, read

ROOT = Path(__file__).parents[1]
SURROUNDING = (
    "torch",
    "torchvision",
    "pytorch-lightning",
    "torchmetrics",
    "numpy",
    "scipy",
    "scikit-learn",
    "rich",
    "pip",
)
"""What a machine with a GPU is expected to have, besides what these need."""
ABSENT = {
    *("polars", "matplotlib", "statsmodels", "wandb", "pandas", "catboost", "xgboost"),
    *("hydra-core", "omegaconf", "msgspec", "jaxtyping", "clarabel", "cffi"),
}
PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in range(39, 4, -1)] + ["manylinux2014_x86_64"]


def script(name: str, *words: str | Path, **variables: str | Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHON": sys.executable, **{k: str(v) for k, v in variables.items()}}
    words = ("bash", str(ROOT / "scripts" / name), *map(str, words))
    return subprocess.run(words, env=env, capture_output=True, text=True)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return [*csv.DictReader(file)]


@pytest.mark.slow  # a process a part
def test_parts_go_on_where_one_fails_and_again_with_what_is_left(tmp_path: Path) -> None:
    out, work = tmp_path / "out", tmp_path / "out.work"
    (work / "packed.csv").mkdir(parents=True)  # no row can be written there
    first = script("gpu.sh", out, "20", device="cpu")
    names = [part.name for part in PARTS]
    assert first.returncode == 1 and "packed: failed after" in first.stdout, first.stdout + first.stderr
    ended = {row["part"]: row["status"] for row in rows(out / "parts.csv")}
    assert ended == {name: "failed" if name == "packed" else "done" for name in names}

    commands = rows(out / "commands.csv")
    assert {row["status"] for row in commands} == {"done"} and {row["part"] for row in commands} == {
        part.name for part in PARTS if part.commands
    }
    assert {row["holds"] for row in rows(out / "right.csv")} == {"yes"}
    records, trained = read(work), sum(int(row["runs"]) for row in commands)
    assert len(records) == trained > 0 and all(record["status"] == "ok" for record in records)

    (work / "packed.csv").rmdir()
    second = script("gpu.sh", out, "20", device="cpu")
    assert second.returncode == 0, second.stdout + second.stderr
    assert [line for line in second.stdout.splitlines() if line.endswith(": done before")] == [
        f"{name}: done before" for name in names if name != "packed"
    ]
    assert rows(out / "commands.csv") == commands and read(work) == records
    assert [row["part"] for row in rows(out / "parts.csv")] == [*names, "packed"]
    assert {(row["K"], row["precision"]) for row in rows(out / "packed.csv")} >= {("1", "fp32"), ("4", "bf16")}

    left = sorted(path.name for path in out.rglob("*"))
    tables = ["commands.csv", "packed.csv", "parts.csv", "records.tar.gz", "right.csv", "summary.txt", "vgg.csv"]
    assert left == tables
    assert f"{len(rows(out / 'right.csv'))} of {len(rows(out / 'right.csv'))} checks hold" in second.stdout
    with tarfile.open(out / "records.tar.gz") as tar:
        lines = sum(len(tar.extractfile(name).readlines()) for name in tar.getnames() if name.endswith(".jsonl"))
    assert lines == len(records)

    # On another machine, to which only OUT was taken.
    third = script("gpu.sh", out, "20", device="cpu", work=tmp_path / "elsewhere")
    assert third.stdout.count(": done before") == len(PARTS)
    assert read(tmp_path / "elsewhere") == records


def test_wrong_words_are_refused(tmp_path: Path) -> None:
    assert "MINUTES is 'soon'" in script("gpu.sh", tmp_path / "out", "soon").stderr
    assert not (tmp_path / "out").exists()
    assert "there is no part 'fast'" in script("gpu.sh", tmp_path / "out", parts="right fast").stderr
    assert script("gpu.sh").stderr == "error: bash scripts/gpu.sh OUT [MINUTES]\n"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", "fast", "out=x"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stderr.startswith("error: there is no part 'fast', expected summary or one of right, packed,")


def count_runs(command: Command) -> tuple[int, int]:
    """Plan a command as `semiad.train` does; give the number of its runs, and that of all parts of its plan."""
    cfg = compose_config(*(f"{key}={value}" for key, value in command.words.items()))
    labels = Labels(cfg.dataset["_target_"].split(".")[-2], tuple(range(10)), np.arange(200) % 10, 100)
    made = recipes(cfg)
    every = plan(made, labels, resolved(cfg.seeds))
    return len(shard(every, costs(every, labels, dict.fromkeys(made, 1)), cfg.shard, cfg.shards)), len(every)


@pytest.mark.slow  # Hydra composes ten commands
def test_commands_have_the_runs_that_they_are_for() -> None:
    by_part = {part.name: part.commands for part in PARTS}
    assert [count_runs(command)[0] for command in by_part["grid"]] == [900, 900, 1, 1]
    assert count_runs(by_part["figure3"][0])[0] == 900 == 27_000 // 30
    assert count_runs(by_part["esad"][0])[0] == 5
    tables = {command.name: command for command in by_part["tables"]}
    assert len(tables) == len(by_part["tables"])
    for name, count in {
        "Table 5, mnist, aesad": 50,
        "Table 7, fmnist, ae": 300,
        "Table 3, mnist, aesad": 900,
        "Table 3, fmnist, deep_sad seeds=[0]": 90,
        "Table 3, fmnist, aesad epochs=1000 seeds=[0]": 90,
    }.items():
        assert count_runs(tables[name])[0] == count, name


def test_least_operations_and_bytes_of_a_step() -> None:
    method = make_recipe("method=aesad", "network.hidden=[3]", "network.latent=2").method(shape=(5,))
    assert isinstance(method, Method)
    # Layers 5-3-2-3-5: 15 + 6 + 6 + 15 weights, 13 biases; a row and the outputs have 5 + 3 + 2 + 3 + 5 values.
    found = least(method, rows=7)
    assert found.operations == 7 * (6 * 42 - 2 * 15)
    assert found.bytes == 4 * (10 * 55 + 3 * 7 * 18)


def test_a_table_keeps_rows_and_time_runs_out(tmp_path: Path) -> None:
    go = Go(tmp_path, seconds=1000)
    table = go.table("t", ("a", "b"), ("c",))
    assert not table.has(1, True)
    table.add(1, True, c="x")
    table.add(2, False)
    assert table.has(1, True) and table.has("1", "True", c="x") and not table.has(1, True, c="y")
    assert rows(tmp_path / "t.csv") == [{"a": "1", "b": "True", "c": "x"}, {"a": "2", "b": "False", "c": ""}]
    assert 0 < go.left() <= 1000
    late = Go(tmp_path, seconds=0, device="cpu")
    with pytest.raises(OutOfTime):
        late.left()
    (part,) = [part for part in PARTS if part.name == "vgg"]
    assert run(part, late) == UNFINISHED == 75  # the number that the script knows
    assert "75 |" in (ROOT / "scripts" / "gpu.sh").read_text()


def test_the_summary_says_what_follows(tmp_path: Path) -> None:
    go = Go(tmp_path)
    checks = go.table("right", ("card", "check"), ("holds", "difference", "tolerance", "s", "note"))
    checks.add("H", "packed = lightning, ae", holds="no", difference="0.5")
    checks.add("H", "packed = lightning, ae", holds="yes", difference="0.0")
    checks.add("H", "steps without a sync, a3", holds="error", note="RuntimeError: called a synchronizing operation")
    columns = ("status", "wall_s", "runs", "run_s", "words")
    commands = go.table("commands", ("card", "part", "command"), columns)
    commands.add("H", "grid", "Table 3, fmnist, ae", status="stopped", wall_s=40, runs=300, run_s=0.1)
    commands.add("H", "grid", "Table 3, fmnist, ae", status="done", wall_s=60, runs=600, run_s=0.1)
    commands.add("H", "grid", "engine=lightning, fmnist, ae", status="done", wall_s=30, runs=1, run_s=20)
    commands.add("H", "figure3", "Figure 3, a thirtieth", status="done", wall_s=120, runs=900, run_s=0.1)
    lines = [*summarize(tmp_path)]
    assert "1 of 2 checks hold" in lines
    assert "DOES NOT HOLD: steps without a sync, a3: RuntimeError: called a synchronizing operation (H)" in lines
    assert "Table 3, fmnist, ae: 900 runs in 100 s, 180 times engine=lightning (20.0 s a run) (H)" in lines
    assert "Figure 3, a thirtieth: 900 runs in 120 s; all 27,000 would take 60 minutes (H)" in lines


def test_the_page_says_what_the_kept_tables_hold() -> None:
    kept, page = ROOT / "studies" / "gpu", (ROOT / "docs" / "gpu.md").read_text()
    lines = [*summarize(kept)]
    checks = rows(kept / "right.csv")
    assert f"{len(checks)} of {len(checks)} checks hold" in lines and f"{len(checks)} of {len(checks)} checks" in page
    step, plain, tf32 = rows(kept / "packed.csv")
    for row, figure in (
        (step, "roofline"),
        (step, "step_ms"),
        (plain, "step_ms"),
        (plain, "roofline"),
        (tf32, "step_ms"),
    ):
        assert f"{float(row[figure]):.2f}".removeprefix("0") in page
    (grid,) = (row for row in rows(kept / "commands.csv") if row["status"] == "done")
    records = counted(kept).values()
    assert len(records) == int(grid["runs"]) == 900 and f"AE-SAD: {float(grid['wall_s']):.0f} s**" in page
    assert f"{np.mean([record['auc'] for record in records]):.4f}" == grid["auc"]


# What is taken along


def fake_data(folder: Path, size: int) -> Path:
    for name in ("MNIST", "FashionMNIST"):
        raw = folder / name / "raw"
        raw.mkdir(parents=True)
        for kind in ("images-idx3", "labels-idx1"):
            (raw / f"train-{kind}-ubyte.gz").write_bytes(bytes(size))
            (raw / f"t10k-{kind}-ubyte.gz").write_bytes(bytes(size))
    return folder


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack with small files for the data."""
    folder = tmp_path_factory.mktemp("pack")
    probe = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, "wadler-lindig"]
    if subprocess.run(probe, capture_output=True).returncode:
        pytest.skip("needs a package index that pip can reach")
    done = script("gpu_pack.sh", folder / "pack", data_root=fake_data(folder / "data", 10))
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"^\d\.\d MiB in .* \(at most 55\.0 MiB\); with the \d+\.\d MiB of the checkout", done.stdout, re.M
    )
    return folder / "pack"


@pytest.mark.slow  # pip builds and fetches wheels
def test_a_pack_has_what_python_3_12_needs(pack: Path) -> None:
    assert len([*pack.glob("data/*/raw/*.gz")]) == 8
    tags = {*cpython_tags((3, 12), platforms=PLATFORMS), *compatible_tags((3, 12), "cp312", PLATFORMS)}
    fitting = {}
    for path in (pack / "wheels").iterdir():
        name, version, _, found = parse_wheel_filename(path.name)
        if found & tags:
            assert name not in fitting
            fitting[name] = (version, path)
    wanted = [Requirement(line) for line in (pack / "requirements.txt").read_text().splitlines()]
    assert {canonicalize_name(requirement.name) for requirement in wanted} == {*fitting}
    for _, path in fitting.values():
        with zipfile.ZipFile(path) as wheel:
            names = wheel.namelist()
            (metadata,) = [name for name in names if name.endswith(".dist-info/METADATA")]
            needs = Parser().parsestr(wheel.read(metadata).decode()).get_all("Requires-Dist") or []
            extensions = [name for name in names if name.endswith(".so")]
        assert all(".cpython-312-x86_64" in name or name.endswith(".abi3.so") for name in extensions)
        assert bool(extensions) == path.name.startswith(("msgspec", "clarabel", "cffi"))
        for need in map(Requirement, needs):
            if need.marker is None or need.marker.evaluate({"extra": "", "python_version": "3.12"}):
                if (found := fitting.get(canonicalize_name(need.name))) is not None:
                    assert need.specifier.contains(found[0]), f"{path.name} needs {need}"
                elif not path.name.startswith("semiad"):
                    # cffi needs pycparser to read C, which Clarabel does not have it do.
                    assert need.name.lower() in {"packaging", "pyyaml", "numpy", "scipy", "pycparser"}, (
                        f"{path.name} needs {need}"
                    )


def test_a_pack_that_is_too_large_is_refused(tmp_path: Path) -> None:
    done = script("gpu_pack.sh", tmp_path / "pack", data_root=fake_data(tmp_path / "data", 7 << 20))
    assert done.returncode == 1 and done.stderr.endswith("holds more than 55.0 MiB\n")


def closure(names: Sequence[str]) -> Iterator[str]:
    """Yield distributions that are installed and what they need, but none that is to be absent."""
    todo, seen = [*names], {*ABSENT}
    while todo:
        name = canonicalize_name(todo.pop())
        if name in seen:
            continue
        seen.add(name)
        try:
            needs = map(Requirement, distribution(name).requires or [])
        except PackageNotFoundError:
            continue
        yield name
        todo += [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]


@pytest.fixture
def bare_python(tmp_path: Path) -> Path:
    """The Python of an environment with the surrounding PyTorch and Lightning, and nothing else that semiad needs."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    for name in closure(SURROUNDING):
        made = distribution(name)
        for top in {file.parts[0] for file in made.files or () if file.parts[0] != ".."} - {"__pycache__"}:
            link, target = site / top, Path(str(made.locate_file(top)))
            if not link.exists() and target.exists():
                link.symlink_to(target)
    return tmp_path / "venv" / "bin" / "python"


@pytest.mark.slow  # an environment, and training in it
def test_training_needs_no_more_than_the_pack(tmp_path: Path, pack: Path, bare_python: Path) -> None:
    probe = "import importlib.util as u; print([n for n in %r if u.find_spec(n)])"
    names = ("polars", "matplotlib", "statsmodels", "wandb", "hydra", "omegaconf", "msgspec", "jaxtyping", "semiad")
    found = subprocess.run([bare_python, "-I", "-c", probe % (names,)], check=True, capture_output=True, text=True)
    assert found.stdout == "[]\n"
    out = tmp_path / "out"
    done = script("gpu.sh", out, "5", device="cpu", parts="grid", pack=pack, PYTHON=bare_python)
    log = (tmp_path / "out.work" / "logs" / "grid.txt").read_text()
    assert done.returncode == 0 and "grid: done" in done.stdout, done.stdout + done.stderr + log[-3000:]
    for record in read(tmp_path / "out.work"):
        assert record["status"] == "ok" and record["versions"]["semiad"]
    assert len(read(tmp_path / "out.work")) == 2
