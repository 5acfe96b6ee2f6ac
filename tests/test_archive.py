"""Archives: few packed files that hold what a ledger holds."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from semiad.cli.app import app
from semiad.errors import InputError
from semiad.ledger.archive import archive_ledger
from semiad.ledger.reader import read
from semiad.report.__main__ import main as report
from tests.ledgers import config, run, runs_of, write

FILES = ("records.jsonl.gz", "plans/plans.jsonl.gz")


def rows(seeds: range, labelled: int = 8, method: str = "aesad", auc: float | None = None) -> list[dict[str, Any]]:
    """Runs of a method with some seeds."""
    rng = np.random.default_rng(0)
    return [
        run(f"{method} {labelled} {seed}", rng, method=method, dataset="mnist", seed=seed,
            config=config(labelled=labelled), **({} if auc is None else {"auc": auc}))
        for seed in seeds
    ]  # fmt: skip


def files(folder: Path) -> list[str]:
    """The files below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def recorded(folder: Path) -> set[tuple[str, int]]:
    """Method and seed of each recorded run of a folder."""
    return set(read(folder).runs.filter(status="ok").select("method", "seed").iter_rows())


@pytest.mark.parametrize("experiment", ["aesad_fig5", "aesad_fig1", "aesad_table3"])
def test_an_archive_is_reported_as_its_ledger(
    experiment: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, folder = tmp_path / "results", tmp_path / "archive"
    write(source, experiment, runs_of(experiment, source))
    made = archive_ledger(source, folder)
    assert not made.warnings and made.runs == len(read(source).recorded)
    texts = []
    for results in (source, folder):
        out = tmp_path / f"{results.name}-out"
        report(
            [f"results={results}", f"experiment={experiment}", "--format", "markdown", "--out", str(out / "page.md")]
        )
        texts.append({name: (out / name).read_bytes().replace(str(results).encode(), b"") for name in files(out)})
    assert texts[0] == texts[1] and len(texts[0]) > 0
    packed = set(files(folder)) - {name for name in files(folder) if name.startswith("samples/")}
    assert packed == {*FILES, *({"curves/curves.csv.gz"} if experiment == "aesad_fig5" else ())}


def test_the_same_results_make_the_same_files(tmp_path: Path) -> None:
    source = tmp_path / "results"
    write(source, "aesad_fig5", runs_of("aesad_fig5", source))
    contents = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        archive_ledger(source, folder)
        contents.append({name: (folder / name).read_bytes() for name in files(folder)})
    archive_ledger(source, tmp_path / "two")  # once more
    contents.append({name: (tmp_path / "two" / name).read_bytes() for name in files(tmp_path / "two")})
    assert contents[0] == contents[1] == contents[2]


def test_results_are_added_to_an_archive(tmp_path: Path) -> None:
    write(tmp_path / "first", "aesad_table2", rows(range(2), auc=0.9))
    write(tmp_path / "second", "aesad_table2", rows(range(1, 4), auc=0.9))
    for name in ("first", "second"):
        made = archive_ledger(tmp_path / name, tmp_path / "archive")
    assert (made.runs, made.plans) == (4, 2)
    assert recorded(tmp_path / "archive") == {("aesad", seed) for seed in range(4)}


def test_damaged_lines_and_files_that_are_gone_are_said(tmp_path: Path) -> None:
    runs = runs_of("aesad_fig5", tmp_path / "a")
    write(tmp_path / "a", "aesad_fig5", runs)
    with (tmp_path / "a" / "aesad_fig5.jsonl").open("a") as file:
        file.write('{"torn')
    (tmp_path / "a" / "curves" / "0.csv").unlink()
    made = archive_ledger(tmp_path / "a", tmp_path / "archive")
    torn, gone = made.warnings
    assert f"line {len(runs) + 1} is torn or no record" in torn and made.runs == len(runs)
    assert gone == f"curves/0.csv of run {runs[0]['key']} is not there: it is left out"


def test_contradictions_are_no_archive(tmp_path: Path) -> None:
    write(tmp_path / "a", "aesad_table2", rows(range(2), auc=0.5))
    write(tmp_path / "b", "aesad_table2", rows(range(2), auc=0.9))
    archive_ledger(tmp_path / "b", tmp_path / "archive")
    before = {name: (tmp_path / "archive" / name).read_bytes() for name in files(tmp_path / "archive")}
    with pytest.raises(InputError, match=r"one record of each run: .* 2 records with AUC from 0\.5000 to 0\.9000"):
        archive_ledger(tmp_path / "a", tmp_path / "archive")
    assert before == {name: (tmp_path / "archive" / name).read_bytes() for name in files(tmp_path / "archive")}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("at", [12, -3])
def test_an_archive_that_cannot_be_read_is_left_as_it_is(name: str, at: int, tmp_path: Path) -> None:
    write(tmp_path / "a", "aesad_table2", rows(range(2)))
    write(tmp_path / "b", "aesad_table2", rows(range(2, 4)))
    archive_ledger(tmp_path / "a", tmp_path / "archive")
    path = tmp_path / "archive" / name
    content = bytearray(path.read_bytes())
    content[at] ^= 0x5A
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot be read in full is left as it is"):
        archive_ledger(tmp_path / "b", tmp_path / "archive")
    assert path.read_bytes() == content
    assert f"{name} cannot be read (it cannot be unpacked)" in read(tmp_path / "archive").warnings[0]


@pytest.mark.parametrize(
    "content", [b"no gzip", gzip.compress(b"key,epoch,loss,auc\n" * 99)[:-9]], ids=["no gzip", "cut gzip"]
)
def test_a_curve_that_cannot_be_read_is_said(content: bytes, tmp_path: Path) -> None:
    write(tmp_path / "a", "aesad_fig5", runs_of("aesad_fig5", tmp_path / "a"))
    (tmp_path / "a" / "curves" / "0.csv").unlink()
    (tmp_path / "a" / "curves" / "0.csv.gz").write_bytes(content)
    with pytest.raises(InputError, match=r"0\.csv\.gz cannot be read"):
        archive_ledger(tmp_path / "a", tmp_path / "archive")
    assert not (tmp_path / "archive").exists()


def test_a_key_is_no_path(tmp_path: Path) -> None:
    one = runs_of("aesad_fig1", tmp_path / "a")[0]
    write(tmp_path / "a", "aesad_fig1", [{**one, "key": "../../evil"}])
    with pytest.raises(InputError, match=r"the key of a run is \.\./\.\./evil, expected a name without folders"):
        archive_ledger(tmp_path / "a", tmp_path / "b" / "archive")
    assert "evil" not in "".join(files(tmp_path / "b"))


def test_a_damaged_line_of_plans_is_set_aside(tmp_path: Path) -> None:
    write(tmp_path / "a", "aesad_table2", [*rows(range(2)), *rows(range(2), method="ae")])
    archive_ledger(tmp_path / "a", tmp_path / "archive")
    path = tmp_path / "archive" / "plans" / "plans.jsonl.gz"
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    path.write_bytes(gzip.compress(lines[0] + lines[1][:-20]))
    ledger = read(tmp_path / "archive")
    assert [sentence.partition(" (")[0] for sentence in ledger.warnings] == [f"{path}, line 2 is torn or no plan"]
    assert ledger.plans["key"].n_unique() == 2


@pytest.mark.parametrize(
    ("source", "folder", "sentence"),
    [
        ("absent", "archive", "absent is no folder"),
        ("empty", "archive", "empty has no record of a run"),
        ("results", "results/archive", "lie one inside the other"),
        ("results", ".", "lie one inside the other"),
        ("results", "other", r"other holds aesad_table2\.jsonl, which is of no archive"),
        ("results", "file", "file is a file, expected a folder"),
    ],
)
def test_what_cannot_be_archived_is_said(
    source: str, folder: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("results", "other"):
        write(Path(name), "aesad_table2", rows(range(1)))
    Path("empty").mkdir()
    Path("file").touch()
    before = files(tmp_path)
    with pytest.raises(InputError, match=sentence):
        archive_ledger(Path(source), Path(folder))
    assert files(tmp_path) == before


def test_the_command_says_what_is_kept(tmp_path: Path) -> None:
    failed = {**rows(range(1), method="ae")[0], "status": "failed", "auc": None, "ap": None, "reason": "no"}
    write(tmp_path / "results", "aesad_table2", [*rows(range(2)), failed])
    done = CliRunner().invoke(app, ["archive", str(tmp_path / "results"), str(tmp_path / "archive")])
    assert done.exit_code == 0, done.output
    words = " ".join(done.output.split())
    assert "archive: 3 runs, 1 of them failed, of 2 plans. Next:" in words and "semiad report results=" in words
    done = CliRunner().invoke(app, ["archive", str(tmp_path / "nothing"), str(tmp_path / "archive")])
    assert done.exit_code != 0 and "nothing is no folder" in " ".join(done.output.split())
