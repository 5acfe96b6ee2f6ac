import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner, Result

from semiad import Detector
from semiad.cli.app import app
from semiad.detector.stream import score_table
from semiad.errors import InputError
from semiad.tabular import delimited
from semiad.tabular import table as tables
from semiad.tabular.files import open_table
from semiad.tabular.preprocessor import TablePreprocessor
from semiad.tabular.sample import sample_table

ROWS = 211
"""Of a table that is scored; a prime number, so that no chunk but the last is short."""


def mixed(rows: int, seed: int) -> pl.DataFrame:
    """Rows of all kinds of columns, values of each missing."""
    draws = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {
            "amount": draws.normal(50, 10, rows),
            "count": draws.integers(0, 9, rows),
            "code": draws.choice(["01", "02", "x"], rows),
            "day": [f"2024-{1 + i % 12:02}-{1 + i % 28:02}" for i in draws.integers(0, 999, rows)],
            "note": [" ".join(draws.choice(["late", "paid", "order", "again", "none"], 5)) for _ in range(rows)],
            "late": [None] * (rows - 3) + [1.5, -2.0, 7.0],
            "constant": [1] * rows,
        }
    )
    gone = draws.random((rows, 5)) < 0.1
    return frame.with_columns(
        pl.when(pl.Series(gone[:, i])).then(None).otherwise(pl.col(name)).alias(name)
        for i, name in enumerate(frame.columns[:5])
    )


def with_late_surprises(frame: pl.DataFrame) -> pl.DataFrame:
    """Give the last rows a category, a constant and values that no earlier row has."""
    last = pl.int_range(pl.len()) >= pl.len() - 4
    return frame.with_columns(
        amount=pl.when(last).then(1e6).otherwise("amount"),
        code=pl.when(last).then(pl.lit("new")).otherwise("code"),
        constant=pl.when(last).then(2).otherwise("constant"),
        count=pl.when(last).then(pl.lit("ERR")).otherwise(pl.col("count").cast(pl.String)),
    )


@pytest.fixture(scope="module")
def detector() -> Detector:
    preprocessor = TablePreprocessor(kinds={"late": "number", "note": "text"}, missing=["ERR"])
    labels = np.where(np.arange(300) < 5, 1, np.nan)
    options = {"epochs": 2, "ensemble": 2, "fpr": 0.05, "random_state": 0, "device": "cpu"}
    return Detector("aesad", **options, preprocessor=preprocessor).fit(mixed(300, 0), labels)


@pytest.fixture(scope="module")
def model(detector: Detector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "mixed.semiad"
    detector.save(path)
    return path


def small_chunks(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """Let tables be read in chunks of a few rows, and text in blocks of a few lines."""
    monkeypatch.setattr(tables, "STEP", 1)
    monkeypatch.setattr(tables, "MOST_ROWS", rows)
    monkeypatch.setattr(delimited, "BLOCK", 200)


def semiad(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.mark.parametrize("suffix", ["csv", "parquet", "arrow"])
@pytest.mark.parametrize("rows", [3, 64])
def test_scores_do_not_depend_on_the_chunk(detector: Detector, tmp_path: Path, suffix: str, rows: int) -> None:
    frame, path = with_late_surprises(mixed(ROWS, 1)), tmp_path / f"t.{suffix}"
    {"csv": frame.write_csv, "parquet": frame.write_parquet, "arrow": frame.write_ipc}[suffix](path)
    table = open_table(path)
    chunks = list(score_table(detector, table, rows))
    assert [len(chunk.scores) for chunk in chunks[:-1]] == [rows] * (ROWS // rows)
    expected = detector.decision_function(open_table(path).read())
    np.testing.assert_allclose(np.concatenate([chunk.scores for chunk in chunks]), expected, rtol=1e-6)
    (at_once,) = score_table(detector, table, 1000)
    np.testing.assert_allclose(at_once.scores, expected, rtol=1e-6)
    counts = sum((chunk.comparison for chunk in chunks[1:]), chunks[0].comparison)
    assert counts == at_once.comparison
    assert (counts.outside["code"], counts.outside["constant"]) == (4, 4)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_the_command_writes_the_same_in_chunks_of_any_size(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    frame, path = with_late_surprises(mixed(ROWS, 2)), tmp_path / f"t.{suffix}"
    {"csv": frame.write_csv, "parquet": frame.write_parquet}[suffix](path)
    ways = {"keep": ("--keep", "--explain", "2"), "budget": ("--budget", "17"), "rate": ("--fpr", "0.2")}
    said: dict[str, list[str]] = {name: [] for name in ways}
    for rows in (tables.MOST_ROWS, 13):
        with monkeypatch.context() as patch:
            if rows == 13:
                small_chunks(patch, rows)
            for name, words in ways.items():
                out = tmp_path / f"{name}.{rows}.parquet"
                result = semiad("score", model, path, "--out", out, *words, "--device", "cpu")
                assert result.exit_code == 0, result.stderr
                said[name].append((result.stdout + result.stderr).replace(str(out), "OUT"))
    for name in ways:
        whole, parts = (pl.read_parquet(tmp_path / f"{name}.{rows}.parquet") for rows in (tables.MOST_ROWS, 13))
        assert said[name][0] == said[name][1]
        assert_frame_equal(whole, parts, check_exact=False, rel_tol=1e-6)
    budget = pl.read_parquet(tmp_path / "budget.13.parquet")
    assert budget["alarm"].sum() == 17 and budget.filter(pl.col("alarm") == 1)["score"].min() >= (
        budget.filter(pl.col("alarm") == 0)["score"].max()
    )
    assert pl.read_parquet(tmp_path / "keep.13.parquet")["code"].to_list() == frame["code"].to_list()


def test_a_late_value_of_another_type_leaves_no_file(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_chunks(monkeypatch, 10)
    frame = mixed(ROWS, 3).with_columns(pl.col("amount").cast(pl.String))
    frame[-1, "amount"] = "much"
    frame.write_csv(tmp_path / "t.csv")
    result = semiad("score", model, tmp_path / "t.csv", "--out", tmp_path / "scored.csv")
    assert result.exit_code == 2 and "column 'amount' is of numbers, but holds 'much'" in result.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["t.csv"]


# Samples


def labelled(tmp_path: Path, rows: int = 500) -> tuple[Path, np.ndarray]:
    """A file in which every 50th row is an anomaly, and every 49th a checked normal one."""
    number = np.arange(rows)
    labels = np.where(number % 50 == 0, 1.0, np.where(number % 49 == 0, 0.0, np.nan))
    path = tmp_path / "labelled.parquet"
    mixed(rows, 4).with_columns(number=number, fraud=pl.Series(labels).fill_nan(None)).write_parquet(path)
    return path, labels


def test_a_sample_has_all_labelled_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, labels = labelled(tmp_path)
    sample = sample_table(open_table(path), "fraud", max_unlabelled=100, random_state=3)
    number = sample.rows["number"].to_numpy()
    known = np.flatnonzero(~np.isnan(labels))
    assert sample.given == 500 and len(sample) == len(known) + 100 and "fraud" not in sample.rows.columns
    assert (np.diff(number) > 0).all() and {*known} <= {*number}
    np.testing.assert_array_equal(sample.labels, labels[number])
    small_chunks(monkeypatch, 7)
    again = sample_table(open_table(path), "fraud", max_unlabelled=100, random_state=3)
    assert again.rows.equals(sample.rows)
    other = sample_table(open_table(path), "fraud", max_unlabelled=100, random_state=4)
    assert not other.rows.equals(sample.rows) and len(other) == len(sample)
    assert len(sample_table(open_table(path), "fraud")) == len(sample_table(open_table(path))) == 500
    with pytest.raises(InputError, match="max_unlabelled is 0, expected a whole number"):
        sample_table(open_table(path), max_unlabelled=0)


def test_fit_and_check_say_how_many_rows_are_used(tmp_path: Path) -> None:
    path, labels = labelled(tmp_path)
    known = int((~np.isnan(labels)).sum())
    sentence = (
        f"{known + 100} of 500 rows are used: all {known} labelled ones, and 100 unlabelled ones, drawn at random"
    )
    words = (path, "--label", "fraud", "--drop", "number", "--max-unlabelled", "100")
    assert sentence in semiad("check", *words).stdout
    model, quick = (
        tmp_path / "model",
        ("--method", "aesad", "--epochs", "1", "--ensemble", "1", "--fpr", "0.05", "--seed", "3"),
    )
    told = semiad("fit", *words, "--out", model, *quick)
    assert told.exit_code == 0 and sentence in told.stdout
    card, detector = (model / "README.md").read_text(), Detector.load(model, device="cpu")
    assert "| given | 500 |" in card and f"| used | {known + 100} |" in card
    summary = detector.summary_
    assert (summary["rows_given"], summary["rows"]) == (500, known + 100)
    assert summary["training_rows"] + summary["calibration_rows"] == known + 100
    assert "of 500 rows are used" not in semiad("check", *words[:3]).stdout

    sample = sample_table(open_table(path), "fraud", max_unlabelled=100, random_state=3)
    preprocessor = TablePreprocessor(drop=["number"])
    options = {"epochs": 1, "ensemble": 1, "fpr": 0.05, "random_state": 3, "preprocessor": preprocessor}
    same = Detector("aesad", **options).fit(sample)
    np.testing.assert_array_equal(same.calibration_.scores, detector.calibration_.scores)
    assert len(same.decision_scores_) == len(sample) and same.summary_["rows_given"] == 500


# Ray


def test_ray_reads_parquet_only(model: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray.data")
    mixed(20, 5).write_csv(tmp_path / "t.csv")
    result = semiad("score", model, tmp_path / "t.csv", "--out", "-", "--engine", "ray")
    assert result.exit_code == 2 and "is no Parquet file or folder of such, which --engine ray reads" in result.stderr
    result = semiad("score", model, tmp_path / "t.csv", "--out", "-", "--engine", "spark")
    assert result.exit_code == 2 and "--engine is 'spark', expected one of local, ray" in result.stderr


def test_without_ray_its_extra_is_named(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "ray.data", None)
    mixed(20, 5).write_parquet(tmp_path / "t.parquet")
    result = semiad("score", model, tmp_path / "t.parquet", "--out", "-", "--engine", "ray")
    assert result.exit_code == 2 and "pip install 'semiad[ray]'" in result.stderr


SCRIPT = """
import sys
import ray
from semiad.cli import score
from semiad.cli.tables import TableOptions
from pathlib import Path
from functools import partial

model, folder, sockets = map(Path, sys.argv[1:])
by_ray = score.score_by_ray
ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=2**27,
         _node_ip_address="127.0.0.1", _temp_dir=str(sockets))
try:
    for rows in (30, 1000):
        score.score_by_ray = partial(by_ray, rows=rows)
        out = str(folder / f"ray.{rows}.parquet")
        options = score.ScoreOptions(out, budget=17)
        score.run_score(model, TableOptions(folder / "parts"), options, "cpu", "ray")
finally:
    ray.shutdown()
"""


@pytest.mark.slow  # starts a node of Ray, whose processes import torch
@pytest.mark.ray
def test_ray_gives_the_same_scores_in_the_same_order(model: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    pytest.importorskip("ray.data")
    folder = tmp_path_factory.mktemp("r")
    (folder / "parts").mkdir()
    frame = with_late_surprises(mixed(ROWS, 6))
    for number, start in enumerate(range(0, ROWS, 80)):
        frame[start : start + 80].write_parquet(folder / "parts" / f"{number}.parquet", row_group_size=25)
    local = semiad("score", model, folder / "parts", "--out", folder / "local.parquet", "--budget", 17)
    assert local.exit_code == 0, local.stderr
    # The node is this test's own: it has a token of its own, and tells nobody that it is used.
    own = {"HOME": str(folder), "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 32, "RAY_USAGE_STATS_ENABLED": "0"}
    with TemporaryDirectory(prefix="ray") as sockets:  # whose paths may have 107 bytes at most
        words = [sys.executable, "-c", SCRIPT, str(model), str(folder), sockets]
        done = subprocess.run(words, env=os.environ | own, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = pl.read_parquet(folder / "local.parquet")
    for rows in (30, 1000):
        assert_frame_equal(pl.read_parquet(folder / f"ray.{rows}.parquet"), expected, check_exact=False, rel_tol=1e-6)
