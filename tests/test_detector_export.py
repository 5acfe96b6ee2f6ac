import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import polars as pl
import pytest
from typer.testing import CliRunner

from semiad import Detector
from semiad.cli.app import app
from semiad.detector import scoring
from semiad.errors import InputError, RunFailed

QUICK: dict[str, Any] = {"epochs": 1, "ensemble": 2, "random_state": 0, "fpr": 0.05, "device": "cpu"}
COLUMNS = ("amount", "count", "flag", "time")
NETWORK = ["network=dense", "network.hidden=[8]", "network.latent=3"]


def numbers(rows: int, seed: int) -> pl.DataFrame:
    """Numbers, some missing, whole numbers, booleans, and times in microseconds that float32 cannot tell apart."""
    draws = np.random.default_rng(seed)
    amount = draws.normal(50, 10, rows)
    amount[draws.random(rows) < 0.2] = np.nan
    return pl.DataFrame(
        {
            "amount": amount,
            "count": draws.poisson(3, rows),
            "flag": draws.random(rows) < 0.5,
            "time": 1.7e15 + draws.random(rows) * 1e7,
        }
    )


def extreme(rows: int) -> np.ndarray:
    """Rows as they come, of which every value in ten is missing, infinite, huge or tiny."""
    draws = np.random.default_rng(5)
    x = numbers(rows, 4).to_numpy().astype(np.float64)
    wild = draws.random(x.shape) < 0.1
    x[wild] = draws.choice([np.nan, np.inf, -np.inf, 1e308, -1e308, 1e30, 1e-300, 0.0, -3.0], wild.sum())
    return x


def fitted(method: str = "aesad", **settings: Any) -> Detector:
    labels = np.where(np.arange(300) < 5, 1.0, np.nan)
    overrides = {"aesad": NETWORK, "a3": ["method.hidden=[20,10]"]}.get(method, ())
    return Detector(method, **{**QUICK, "overrides": overrides, **settings}).fit(numbers(300, 0), labels)


@pytest.fixture(scope="module")
def detector() -> Detector:
    return fitted()


def same(scores: np.ndarray, alarms: np.ndarray, detector: Detector, rows: np.ndarray) -> None:
    """The scores are those of the detector, to 1e-5 of the score or of its unit."""
    expected = detector.decision_function(pl.DataFrame(rows, schema=list(COLUMNS)))
    assert len(np.unique(expected)) > len(rows) / 2
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-5)
    assert (alarms == (scores > detector.threshold_)).all() and 0 < alarms.mean() < 1


@pytest.fixture(scope="module")
def session(detector: Detector, tmp_path_factory: pytest.TempPathFactory) -> onnxruntime.InferenceSession:
    """The detector as onnxruntime runs it."""
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    detector.export(path)
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def test_onnx_gives_the_same_scores_on_10000_rows_with_missing_and_extreme_values(
    detector: Detector, session: onnxruntime.InferenceSession
) -> None:
    rows = extreme(10_000)
    same(*session.run(["score", "alarm"], {"rows": rows}), detector, rows)
    same(*session.run(["score", "alarm"], {"rows": rows[:100]}), detector, rows[:100])
    (alone,) = session.run(["score"], {"rows": rows[:1]})
    np.testing.assert_allclose(alone, detector.decision_function(pl.DataFrame(rows[:1], COLUMNS)), rtol=1e-5, atol=1e-5)
    told = json.loads(session.get_modelmeta().custom_metadata_map["semiad"])
    assert told["columns"] == list(COLUMNS) and told["threshold"] == detector.threshold_ and told["fpr"] == 0.05


def test_times_of_microseconds_are_told_apart(session: onnxruntime.InferenceSession) -> None:
    rows = np.tile([50.0, 3.0, 1.0, 0.0], (9, 1))
    rows[:, 3] = 1.7e15 + np.arange(9) * 1e6
    assert len(np.unique(rows[:, 3].astype(np.float32))) == 1
    assert len(np.unique(session.run(["score"], {"rows": rows})[0])) == 9


@pytest.mark.slow  # PyTorch takes seconds for each
@pytest.mark.parametrize("method", ["deep_sad", "esad", "a3"])
def test_other_methods_are_exported(method: str, tmp_path: Path) -> None:
    detector = fitted(method)
    detector.export(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    rows = extreme(2000)
    same(*session.run(["score", "alarm"], {"rows": rows}), detector, rows)


def test_pt2_runs_in_a_fresh_process_without_semiad(detector: Detector, tmp_path: Path) -> None:
    detector.export(tmp_path / "model.pt2", "pt2")
    rows = extreme(10_000)
    np.save(tmp_path / "rows.npy", rows)
    code = (
        "import sys; sys.modules['semiad'] = None\n"
        "import numpy as np, torch\n"
        "files = {'semiad.json': ''}\n"
        "module = torch.export.load('model.pt2', extra_files=files).module()\n"
        "score, alarm = module(torch.from_numpy(np.load('rows.npy')))\n"
        "np.savez('scored.npz', score=score, alarm=alarm, told=np.array(str(files['semiad.json'])))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    scored = np.load(tmp_path / "scored.npz")
    same(scored["score"], scored["alarm"], detector, rows)
    assert json.loads(str(scored["told"]))["columns"] == list(COLUMNS)


@pytest.mark.filterwarnings("ignore:.*type hint:UserWarning")  # MLflow says so of its own code when it is imported
def test_mlflow_gives_the_same_scores_for_any_columns_and_method(tmp_path: Path) -> None:
    import mlflow.pyfunc
    from mlflow.pyfunc import scoring_server

    rows = numbers(300, 0).with_columns(country=pl.Series(["DE", "FR", "IT"] * 100))
    detector = Detector("iforest", overrides=["method.trees=5"], **QUICK).fit(rows)
    detector.export(tmp_path / "model", "mlflow")
    model = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    told = model.predict(rows[::-1].to_pandas())
    assert isinstance(told, pd.DataFrame) and list(told.columns) == ["score", "p_value", "alarm"]
    assert (told["score"].to_numpy() == detector.decision_scores_[::-1]).all()
    assert (told["alarm"].to_numpy() == detector.labels_[::-1]).all()
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    # What `mlflow models serve` does with a request.
    request = json.dumps({"dataframe_split": json.loads(rows[:5].to_pandas().to_json(orient="split"))})
    answer = scoring_server.invocations(request, "application/json", model, model.metadata.get_input_schema())
    assert answer.status == 200, answer.response
    told = json.loads(answer.response)["predictions"]
    assert [row["score"] for row in told] == detector.decision_scores_[:5].tolist()


def test_columns_that_are_no_numbers_are_named(tmp_path: Path) -> None:
    rows = numbers(300, 0).with_columns(
        country=pl.Series(["DE", "FR", "IT"] * 100), day=pl.Series(np.arange(300)).cast(pl.Int32).cast(pl.Date)
    )
    detector = Detector("ae", **QUICK).fit(rows)
    with pytest.raises(InputError, match=r"columns of numbers only, but .* on 'country' \(category\), 'day' \(date\)"):
        detector.export(tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_is_a_sentence(
    detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="format is 'keras', expected one of onnx, pt2, mlflow"):
        detector.export(tmp_path / "model", "keras")
    with pytest.raises(InputError, match=r"exists already: name another path"):
        detector.export(tmp_path)
    with pytest.raises(InputError, match=r"iforest has no network, which the formats onnx and pt2 need"):
        Detector("iforest", overrides=["method.trees=2"], **QUICK).fit(numbers(90, 0)).export(tmp_path / "m", "pt2")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match=r"onnxruntime is needed for the format onnx: pip install 'semiad\[export\]'"):
        detector.export(tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_a_file_with_other_scores_is_not_written(
    detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "FARTHEST", 2.0)
    with pytest.raises(RunFailed, match="the exported scores differ from those of the detector by up to"):
        detector.export(tmp_path / "model.pt2", "pt2")
    assert not list(tmp_path.iterdir())


def test_the_command(detector: Detector, tmp_path: Path) -> None:
    detector.save(tmp_path / "model")
    words = ["export", str(tmp_path / "model"), "--format", "pt2", "--out", str(tmp_path / "model.pt2")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.stderr
    assert "It takes float64 rows of 4 columns" in done.stdout and "amount, count, flag, time" in done.stdout
    again = CliRunner().invoke(app, words)
    assert again.exit_code == 2 and "exists already" in again.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"model", "model.pt2"}
    wrong = CliRunner().invoke(app, [*words[:3], "tflite", *words[4:]])
    assert wrong.exit_code == 2 and "--format is 'tflite', expected one of onnx, pt2, mlflow" in wrong.stderr
