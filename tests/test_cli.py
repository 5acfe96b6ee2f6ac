import re
import resource
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score
from statsmodels.stats.proportion import proportion_confint
from typer.testing import CliRunner, Result

from semiad import Detector
from semiad.cli.app import app
from semiad.cli.check import rounded_up
from semiad.cli.evaluate import ranking_metrics

QUICK = ("--method", "aesad", "--epochs", "2", "--ensemble", "2", "--fpr", "0.05", "--device", "cpu")
LABEL = ("--label", "fraud", "--anomaly", "yes", "--normal", "no")


def semiad(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def run(*words: str | Path) -> str:
    """What a command prints to standard output."""
    result = semiad(*words)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def refused(*words: str | Path, code: int = 2) -> str:
    """The one sentence of a command that does not do what it was asked for."""
    result = semiad(*words)
    assert result.exit_code == code and not result.exception.__cause__, (result.stderr, result.exception)
    assert isinstance(result.exception, SystemExit)
    (sentence,) = [line for line in result.stderr.splitlines() if not line.startswith("warning: ")]
    assert sentence.startswith("error: ")
    return sentence


def payments(rows: int, seed: int, anomalies: int = 0) -> pl.DataFrame:
    """Payments, of which the first are fraud: their amounts are large, and their hours those of the night."""
    draws = np.random.default_rng(seed)
    fraud = np.arange(rows) < anomalies
    return pl.DataFrame(
        {
            "id": [f"p{seed}-{i}" for i in range(rows)],
            "amount": np.where(fraud, 300.0, 50.0) + draws.normal(0, 10, rows),
            "hour": np.where(fraud, draws.integers(1, 4, rows), draws.integers(8, 20, rows)),
            "zip": draws.choice([10115, 20095, 80331], rows),
            "country": draws.choice(["DE", "FR", "IT"], rows),
        }
    )


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table with labels in words."""
    path = tmp_path_factory.mktemp("tables") / "payments.csv"
    labels = ["yes"] * 8 + ["no"] * 40 + [None] * 192
    payments(240, 0, 8).with_columns(fraud=pl.Series(labels)).write_csv(path)
    return path


@pytest.fixture(scope="module")
def model(table: Path) -> Path:
    """A detector that a command has trained."""
    path = table.with_name("fraud.semiad")
    words = ("--as", "zip=category", "--drop", "id", *QUICK, "method.lam.alpha=0.5", "--out", path)
    told = run("fit", table, *LABEL, *words)
    assert "240 rows, 5 columns (number: 2, category: 2); 8 anomalies, 40 checked normal, 192 unlabelled" in told
    assert "left out: id (as asked for)" in told
    assert "aesad: 2 members on 200 rows, 2 epochs of 7 steps; 40 checked normal rows for the threshold" in told
    assert "threshold " in told and "4.88 % of normal rows are above it, by the scores of 40 rows" in told
    assert f"semiad score {path} NEW_TABLE --out scored.csv" in told and "nobody has checked" not in told
    return path


@pytest.fixture
def new(tmp_path: Path) -> Path:
    path = tmp_path / "new.csv"
    payments(100, 1, 4).write_csv(path)
    return path


# What each command does


def test_check_says_what_is_understood(table: Path) -> None:
    told = run("check", table, *LABEL, "--drop", "id", "--as", "zip=category")
    assert re.search(r"^zip +category +as asked for$", told, re.MULTILINE)
    assert re.search(r"^id +dropped", told, re.MULTILINE) and "warning: column 'hour' may be the label" in told
    assert f"`semiad fit {table} {' '.join(LABEL)} --drop id --as zip=category --out MODEL` would train" in told
    assert "would train on 163 rows and hold out 77 rows for the threshold" in told  # a third, of 99 that 1 % needs
    assert "they allow a false alarm rate of 0.013 or more, so that the rate of 0.01 that `fit` has" in told


def test_check_says_what_fit_would_refuse(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1] * 30, "fraud": [1] * 5 + [0] * 25}).write_csv(tmp_path / "t.csv")
    told = run("check", tmp_path / "t.csv", "--label", "fraud")
    assert "no column is left to learn from" in told and "--out MODEL` would refuse the table" in told
    dropped = refused("check", tmp_path / "t.csv", "--label", "fraud", "--drop", "fraud")
    assert dropped == "error: --drop fraud is the column of the labels, which is not learnt from anyway"


@pytest.mark.parametrize(("rate", "shown"), [(1 / 97, "0.011"), (0.01, "0.01"), (1 / 78, "0.013"), (1 / 42, "0.024")])
def test_a_rate_that_is_allowed_is_rounded_up(rate: float, shown: str) -> None:
    assert f"{rounded_up(rate):.2g}" == shown


def test_check_shows_brackets_as_they_are(tmp_path: Path) -> None:
    draws = np.random.default_rng(0)
    names = ["speed [m/s]", "rate [/s]", "[bold]"]
    frame = pl.DataFrame(draws.normal(size=(60, 3)), schema=names).with_columns(fraud=pl.Series([1] * 5 + [None] * 55))
    frame.with_columns(unit=pl.lit("[/]")).write_csv(tmp_path / "units.csv")
    told = run("check", tmp_path / "units.csv", "--label", "fraud")
    assert all(re.search(rf"^{re.escape(name)} +number", told, re.MULTILINE) for name in names)
    assert "constant: '[/]'" in told


def test_score_names_reasons(model: Path, new: Path, tmp_path: Path) -> None:
    run("score", model, new, "--out", tmp_path / "scored.csv", "--explain", 2, "--keep")
    scored = pl.read_csv(tmp_path / "scored.csv")
    told = Detector.load(model, device="cpu").explain(pl.read_csv(new), top=2)
    assert scored.columns[-9:] == ["score", "p_value", "alarm", *told.columns[1:]]
    assert scored["reason_1"].to_list() == told["reason_1"].to_list()
    np.testing.assert_allclose(scored["share_2"].to_numpy(), told["share_2"].to_numpy())
    taken = pl.read_csv(new).with_columns(reason_1=pl.lit("x"))
    taken.write_csv(tmp_path / "taken.csv")
    words = ("score", model, tmp_path / "taken.csv", "--out", "-", "--keep", "--explain", "1")
    assert "has a column 'reason_1' of its own: rename it" in refused(*words)


def test_the_detector_is_what_the_options_say(model: Path) -> None:
    detector = Detector.load(model, device="cpu")
    assert (detector.epochs, detector.ensemble, detector.fpr, detector.random_state) == (2, 2, 0.05, 0)
    assert detector.ensemble_.groups[0].config["lam"]["alpha"] == 0.5 and len(detector.ensemble_.methods) == 2
    assert detector.preprocessor_.kinds == {"zip": "category"} and detector.preprocessor_.drop == ("id",)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet", "arrow"])
def test_scores_in_the_order_of_rows(model: Path, new: Path, suffix: str) -> None:
    out = new.with_suffix(f".scored.{suffix}")
    told = run("score", model, new, "--out", out)
    read = {"parquet": pl.read_parquet, "arrow": pl.read_ipc}.get(suffix, pl.read_csv)
    scored = read(out, **({"separator": "\t"} if suffix == "tsv" else {}))
    detector, rows = Detector.load(model, device="cpu"), pl.read_csv(new)
    assert scored.columns == ["score", "p_value", "alarm"]
    np.testing.assert_array_equal(scored["score"], detector.decision_function(rows))
    np.testing.assert_array_equal(scored["p_value"], detector.p_values(rows))
    np.testing.assert_array_equal(scored["alarm"], detector.predict(rows))
    assert f"100 rows, {scored['alarm'].sum()} alarms" in told and scored["alarm"][:4].sum() == 4


def test_scores_of_rows_in_another_order_with_more_columns(model: Path, new: Path) -> None:
    first, second = new.with_name("first.parquet"), new.with_name("second.parquet")
    run("score", model, new, "--out", first)
    rows = pl.read_csv(new).with_columns(note=pl.lit("seen")).drop("id").reverse()
    rows.select(reversed(rows.columns)).write_parquet(new.with_name("other.parquet"))
    run("score", model, new.with_name("other.parquet"), "--out", second, "--keep")
    kept = pl.read_parquet(second)
    assert kept.columns == [*reversed(rows.columns), "score", "p_value", "alarm"]
    assert kept.select("score", "p_value", "alarm").reverse().equals(pl.read_parquet(first))
    assert kept.select(rows.columns).equals(rows)


def test_scores_on_standard_output(model: Path, new: Path) -> None:
    result = semiad("score", model, new, "--out", "-", "--budget", "7")
    lines = result.stdout.splitlines()
    assert lines[0] == "score,p_value,alarm" and len(lines) == 101
    assert sum(line.endswith(",1") for line in lines) == 7 and "100 rows, 7 alarms (7.0%), budget 7" in result.stderr


def test_another_rate(model: Path, new: Path) -> None:
    run("score", model, new, "--out", new.with_suffix(".parquet"), "--fpr", "0.5")
    expected = Detector.load(model, device="cpu").predict(pl.read_csv(new), fpr=0.5)
    assert pl.read_parquet(new.with_suffix(".parquet"))["alarm"].to_list() == expected.tolist()
    assert "expected one of them" in refused("score", model, new, "--out", "-", "--fpr", "0.5", "--budget", "1")
    assert "fpr is 2.0, expected a false alarm rate" in refused("score", model, new, "--out", "-", "--fpr", "2")


def test_rows_like_those_of_training_give_no_warning(model: Path, new: Path) -> None:
    payments(1000, 3).write_csv(new)
    assert "warning" not in semiad("score", model, new, "--out", "-").stderr


def test_texts_that_stand_for_missing_values(table: Path, new: Path, tmp_path: Path) -> None:
    rows = pl.read_csv(table).with_columns(pl.col("amount").cast(pl.String))
    spoilt = tmp_path / "spoilt.csv"
    rows.with_columns(amount=pl.when(pl.int_range(240) % 12 == 8).then(pl.lit("?")).otherwise("amount")).write_csv(
        spoilt
    )
    words = (*LABEL, "--drop", "id")
    assert "'?' is not; if that stands for a missing value, say so by --missing" in run("check", spoilt, *words)
    assert "'?' is not" not in run("check", spoilt, *words, "--missing", "?")
    path = tmp_path / "fraud.semiad"
    run("fit", spoilt, *words, *QUICK, "--missing", "?", "--out", path)
    pl.read_csv(new).with_columns(amount=pl.lit("?"), hour=None, zip=None, country=None).write_csv(new)
    told = semiad("score", path, new, "--out", "-").stderr
    assert "100 rows have no value in any column that is learnt from: their scores mean nothing" in told
    assert "leave the range of training" in told and "'country' (100% of the rows)" in told and "'amount'" not in told


def test_rows_unlike_those_of_training_are_told(model: Path, new: Path) -> None:
    rows = payments(200, 4).with_columns(
        pl.col("amount") + 40,
        country=pl.Series(["ES"] * 20 + ["DE"] * 180),
        hour=pl.col("hour").clip(9, None),
    )
    rows.write_csv(new)
    told = semiad("score", model, new, "--out", "-").stderr
    assert "values leave the range of training: 'country' (10% of the rows)" in told and "'hour'" not in told
    assert "scores have shifted: they are larger" in told and "beyond the median of training: 'amount' (100%" in told


def test_evaluation(model: Path, new: Path) -> None:
    labels = ["yes"] * 10 + ["no"] * 80 + [None] * 10
    payments(100, 5, 10).with_columns(fraud=pl.Series(labels)).write_csv(new)
    told = run("evaluate", model, new, *LABEL)
    assert "10 anomalies, 80 normal rows; 10 rows without a label are left out" in told
    rows, y = pl.read_csv(new)[:90], np.arange(90) < 10
    detector = Detector.load(model, device="cpu")
    scores, alarms = detector.decision_function(rows.drop("fraud")), detector.predict(rows.drop("fraud"))
    hits, false = int(alarms[y].sum()), int(alarms[~y].sum())
    counts = {"recall": (hits, 10), "precision": (hits, hits + false), "false alarm rate": (false, 80)}
    for name, (count, of) in counts.items():
        low, high = proportion_confint(count, of, method="beta")
        line = f"{name} {count / of:.3f} {low:.3f} to {high:.3f} {count} of {of}"
        assert line in re.sub(" +", " ", told)
    assert f"AUC {roc_auc_score(y, scores):.3f}" in re.sub(" +", " ", told)


def test_ranking_metrics_with_ties() -> None:
    draws = np.random.default_rng(0)
    y = np.arange(300) < 40
    scores = np.round(draws.normal(y, 1), 1)
    (auc, low, high), (ap, ap_low, ap_high) = ranking_metrics(scores, y, 300)
    assert auc == pytest.approx(roc_auc_score(y, scores)) and ap == pytest.approx(average_precision_score(y, scores))
    spread = np.std([roc_auc_score(y, np.round(draws.normal(y, 1), 1)) for _ in range(300)])
    assert (
        low < auc < high and ap_low < ap < ap_high and (high - low) / (2 * 1.96 * spread) == pytest.approx(1, abs=0.3)
    )


@pytest.mark.parametrize(("anomalies", "normals"), [(10, 200), (200, 10)])
def test_intervals_hold_the_metrics_of_scores_that_are_upside_down(anomalies: int, normals: int) -> None:
    y = np.arange(anomalies + normals) < anomalies
    for low, high in ((0.0, 0.0), (-1.0, 1.0)):
        scores = np.random.default_rng(0).normal(np.where(y, low, high), 1)
        for value, lower, upper in ranking_metrics(scores, y, 200):
            assert lower < value < upper


def test_other_commands_parse_their_own_words(tmp_path: Path) -> None:
    def command(*words: str) -> str:
        called = [sys.executable, "-m", "semiad", *words]
        return subprocess.run(called, cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    assert "Groups, each chosen as GROUP=NAME" in command("train", "--help")
    assert "--figures DIR" in command("report", "-h") and "results=DIR" in command("status", "-h")
    composed = command("train", "--cfg", "job", "method=deep_sad", "seeds=[4]")
    assert "DeepSAD" in composed and "seeds:\n- 4" in composed


def test_help_loads_nothing_that_is_slow(tmp_path: Path) -> None:
    for words in ("--help", "-h", "fit -h", "score --help"):
        code = f"import sys\nfrom semiad.cli.app import app\nsys.argv = ['semiad', *{words.split()!r}]\n" + (
            "try:\n    app()\nexcept SystemExit as end:\n    assert not end.code\nprint(*sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True)
        loaded = {name.split(".")[0] for name in done.stdout.splitlines()[-1].split()}
        assert "typer" in loaded and not loaded & {"torch", "polars", "sklearn", "numpy", "hydra", "scipy"}


def test_a_shell_completes_commands_and_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_SEMIAD_COMPLETE", "complete_bash")
    for words, place, completed in (("semiad sc", "1", ["score"]), ("semiad score --ex", "2", ["--explain"])):
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", place)
        assert CliRunner().invoke(app, [], prog_name="semiad").stdout.split() == completed
    monkeypatch.delenv("_SEMIAD_COMPLETE")
    monkeypatch.setattr("shellingham.detect_shell", lambda: ("bash", "/bin/bash"))  # the tests may run in none
    assert "complete -o default -F _semiad_completion semiad" in semiad("--show-completion").stdout


# What cannot be done

GOOD = "a,b,fraud\n" + "".join(f"{i % 7}.5,{i % 5}.25,{int(i < 3)}\n" for i in range(60))


@pytest.mark.parametrize(
    ("content", "words", "sentence"),
    [
        (GOOD, ("--label", "froud"), "no column 'froud' for the labels; the columns are a, b, fraud"),
        (
            "alpha,beta,gamma,delta,epsilon,fraud\n" + "1,2,3,4,5,1\n2,3,4,5,6,0\n" * 9,
            ("--label", "fruad"),
            "no column 'fruad' for the labels; the nearest of 6 columns are fraud",
        ),
        (re.sub("0$", "1", GOOD, flags=re.MULTILINE), ("--label", "fraud"), "all 60 rows are labelled anomalous"),
        ("a,b,fraud\n1,2,1\n", ("--label", "fraud"), "1 row"),
        (
            "a,fraud\n" + "7,1\n" * 5 + "7,0\n" * 50,
            ("--label", "fraud"),
            "no column is left to learn from (a: constant",
        ),
        (GOOD.replace("a,b", "a,a"), ("--label", "fraud"), "several columns named 'a'"),
        ("fraud\n" + "1\n0\n" * 20, ("--label", "fraud"), "is the only column"),
        (
            "city,fraud\n" + "".join(f"c{i // 2},{int(i < 9)}\n" for i in range(20_000)),
            ("--label", "fraud"),
            "no column is left to learn from (city: ",
        ),
        (
            "a,city,fraud\n" + "".join(f"{i % 7},c{i // 2},{int(i < 9)}\n" for i in range(20_000)),
            ("--label", "fraud", "--as", "city=category"),
            "column 'city' has 10,000 different values, expected at most 1,000",
        ),
        (GOOD.replace("a,b", "ä,b").encode("latin-1"), ("--label", "fraud"), "is not in UTF-8 (line 1, byte 0xe4)"),
        (GOOD + "1,2\n", ("--label", "fraud"), "line 62 has 2 fields, expected 3"),
        ("", ("--label", "fraud"), "is empty"),
        (
            GOOD.replace("1\n", "maybe\n"),
            ("--label", "fraud"),
            "but there is maybe: say by `anomaly` and `normal` which values mean these",
        ),
        (GOOD, ("--label", "fraud", "--as", "a"), "--as a has no kind, expected COLUMN=KIND"),
        (GOOD, ("--label", "fraud", "--as", "a=colour"), "column 'a' cannot be 'colour', expected one of number"),
        (GOOD, ("--label", "fraud", "--drop", "c"), "there is no column 'c'"),
    ],
)
def test_tables_that_cannot_be_used(
    tmp_path: Path, content: str | bytes, words: tuple[str, ...], sentence: str
) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    out = tmp_path / "out" / "bad.semiad"
    assert sentence in refused("fit", path, *words, "--out", out, "--epochs", "1", "--device", "cpu")
    assert [*tmp_path.iterdir()] == [path]
    if "is left to learn from" not in sentence:
        assert sentence in refused("check", path, *words)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--method", "aesat"), "aesat"),
        (("--method", "ae", "--best", "2"), "--best 2 says how many methods to take, but --method ae names one"),
        (("--device", "tpu"), "tpu"),
        (("--fpr", "0"), "fpr is 0.0, expected a false alarm rate above 0 and below 1"),
        (("epochs",), "'epochs' is neither an option nor a setting, expected KEY=VALUE"),
        (("method.lambda=1",), "method.lambda"),
        (("batch_size=0", "--method", "ae"), "batch_size is 0, expected a whole number from 1 on"),
    ],
)
def test_settings_that_cannot_be_used(table: Path, tmp_path: Path, words: tuple[str, ...], sentence: str) -> None:
    assert sentence in refused("fit", table, *LABEL, "--out", tmp_path / "model", *words)
    assert not [*tmp_path.iterdir()]


def test_a_setting_of_no_kind_is_a_usage_error(table: Path, tmp_path: Path) -> None:
    result = semiad("fit", table, *LABEL, "--out", tmp_path / "model", "--ensemble", "many")
    assert result.exit_code == 2 and "--ensemble" in result.stderr and "Traceback" not in result.stderr


def test_columns_that_are_gone_or_of_another_type(model: Path, new: Path) -> None:
    rows = pl.read_csv(new)
    rows.drop("amount").write_csv(new)
    assert "there is no column 'amount'" in refused("score", model, new, "--out", "-")
    rows.with_columns(amount=pl.lit("much")).write_csv(new)
    assert "column 'amount' is of numbers, but holds 'much'" in refused("score", model, new, "--out", "-")
    rows.with_columns(score=1).write_csv(new)
    assert "has a column 'score' of its own" in refused("score", model, new, "--out", "-", "--keep")


def test_rows_of_one_kind_have_a_false_alarm_rate_or_a_recall(model: Path, new: Path) -> None:
    payments(20, 6).with_columns(fraud=pl.lit("no")).write_csv(new)
    told = run("evaluate", model, new, *LABEL)
    assert "no AUC and no AP:" in told and "has no anomalies to compare with" in " ".join(told.split())
    assert re.search(r"false alarm rate +0\.\d+ .* of 20 ", told) and re.search(r"recall +- +- +0 of 0 ", told)
    payments(20, 6).with_columns(fraud=pl.lit("yes")).write_csv(new)
    told = run("evaluate", model, new, *LABEL)
    assert "has no normal rows to compare with" in " ".join(told.split()) and re.search(r"recall +\d\.\d+ ", told)
    payments(20, 6).with_columns(fraud=pl.lit(None)).write_csv(new)
    assert "has no labelled rows, expected anomalies, checked normal rows or both" in refused(
        "evaluate", model, new, *LABEL
    )


def test_evaluate_warns_of_normal_rows_that_have_changed(model: Path, new: Path) -> None:
    payments(300, 6, 150).write_csv(new)  # anomalies are none of these
    said = semiad("evaluate", model, new, *LABEL).stderr
    assert "have shifted" not in said and "leave the range" not in said
    rows = payments(300, 6).with_columns(fraud=pl.lit("no"))
    rows.write_csv(new)
    assert "have shifted" not in semiad("evaluate", model, new, *LABEL).stderr
    rows.with_columns(pl.col("amount") + 90).write_csv(new)
    told = " ".join(semiad("evaluate", model, new, *LABEL).stderr.split())
    assert "warning: scores of normal rows have shifted: they are larger than those of the rows that set the" in told
    assert "so that the false alarm rate does not hold" in told and "'amount' (100% of the rows)" in told


def test_paths_that_cannot_be_written(model: Path, table: Path, new: Path) -> None:
    before = new.read_bytes()
    assert "exists already" in refused("score", model, new, "--out", new) and new.read_bytes() == before
    assert "exists already" in refused("fit", table, *LABEL, "--out", model)
    below = f"cannot be written to: {new} is no folder"
    assert below in refused("score", model, new, "--out", new / "scored.csv")
    assert below in refused("fit", table, *LABEL, "--out", new / "model")
    assert "suffix '.xlsx', expected one of .csv" in refused("score", model, new, "--out", new.with_suffix(".xlsx"))
    assert "expected the folder of a saved detector" in refused("score", new, new, "--out", "-")
    assert "no.csv does not exist" in refused("score", model, new.with_name("no.csv"), "--out", "-")
    closed = "/proc/self/fdinfo"  # in which nobody can make a file
    assert f"the folder {closed} is not writable" in refused("fit", table, *LABEL, "--out", f"{closed}/model")
    assert [*new.parent.iterdir()] == [new]


@contextmanager
def full_disk() -> Iterator[None]:
    """No file may grow beyond 4 KiB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("suffix", ["csv", "parquet", "arrow"])
def test_a_full_disk_leaves_no_half_of_a_table(model: Path, new: Path, suffix: str) -> None:
    payments(5000, 7).write_csv(new)
    with full_disk():
        assert "cannot be written to" in refused("score", model, new, "--out", new.with_suffix(f".scored.{suffix}"))
    assert [*new.parent.iterdir()] == [new]


def test_a_full_disk_leaves_no_half_of_a_model(table: Path, tmp_path: Path) -> None:
    with full_disk():
        words = ("--method", "iforest", "--ensemble", "1", "--fpr", "0.05")
        assert "nothing was left there" in refused("fit", table, *LABEL, *words, "--out", tmp_path / "fraud.semiad")
    assert not [*tmp_path.iterdir()]


@pytest.mark.slow  # starts a process that imports torch
def test_ctrl_c_ends_a_training_with_a_sentence(table: Path, tmp_path: Path) -> None:
    words = [*LABEL, *QUICK[:2], *QUICK[4:], "--epochs", "1000000", "--out", str(tmp_path / "fraud.semiad")]
    # Not `python -m`: an interrupt of `exec("...")` ends that by the signal in place of the status, of which a shell
    # sees no difference.
    command = [Path(sysconfig.get_path("scripts")) / "semiad", "fit", str(table), *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stderr
        while "aesad: 2 members" not in process.stdout.readline():
            assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert process.stderr.read().splitlines()[-1] == "stopped; nothing was written"
    assert not [*tmp_path.iterdir()]


def test_codes_of_digits_keep_their_zeros(tmp_path: Path) -> None:
    draws = np.random.default_rng(0)
    codes = draws.choice(["0123", "123", "0777"], 200)
    rows = pl.DataFrame({"a": draws.normal(size=200), "code": codes, "fraud": ["yes", *["no"] * 199]})
    rows.write_csv(tmp_path / "t.csv")
    words = (*LABEL, "--method", "iforest", "--as", "code=category")
    run("fit", tmp_path / "t.csv", *words, "--out", tmp_path / "m")
    assert {f"code={code}" for code in ("0123", "123", "0777")} <= {
        *Detector.load(tmp_path / "m").preprocessor_.feature_names_out_
    }
    rows[1:3].with_columns(code=pl.Series(["0123", "A1"])).write_csv(tmp_path / "new.csv")
    said = semiad("score", tmp_path / "m", tmp_path / "new.csv", "--out", tmp_path / "s.csv").stderr
    assert "'code' (50% of the rows)" in said
