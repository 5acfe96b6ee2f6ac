"""Rows that are worth a label: which are chosen, the command, and fitting to the labels that come back."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from semiad import Detector
from semiad.cli.tables import TableOptions
from semiad.detector.query import choose_rows
from semiad.errors import InputError
from semiad.tabular.encoders import is_plain_number
from semiad.tabular.sample import TableSample, with_more
from tests.conftest import run_semiad

SCORES = np.array([0.1, 0.9, 0.5, 0.8, 0.3, 0.7])


def nothing(rows: np.ndarray) -> np.ndarray:
    raise AssertionError("no row is looked at")


def test_by_score_the_largest_and_by_margin_those_near_the_threshold_are_chosen() -> None:
    assert choose_rows(SCORES, 3, "score", 0.6, nothing).tolist() == [1, 3, 5]
    assert choose_rows(SCORES, 3, "margin", 0.55, nothing).tolist() == [2, 5, 3]
    assert choose_rows(SCORES, 99, "score", 0.6, nothing).tolist() == [1, 3, 5, 2, 4, 0]
    assert choose_rows(SCORES, 99, "diverse", 0.6, nothing).tolist() == [1, 3, 5, 2, 4, 0]


def test_diverse_rows_are_one_of_each_group_of_alike_rows() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1, 2], [30, 20, 10])
    x = groups[:, None] * 10 + rng.normal(0, 0.1, size=(60, 2))
    scores = 5.0 - groups + rng.uniform(0, 0.1, 60)  # all rows of the first group before those of the second
    chosen = choose_rows(scores, 6, "diverse", 0.0, lambda rows: x[rows])
    assert {*groups[chosen]} == {0, 1, 2} and {*groups[choose_rows(scores, 6, "score", 0.0, nothing)]} == {0}
    assert (np.diff(scores[chosen]) < 0).all()
    same = choose_rows(scores, 4, "diverse", 0.0, lambda rows: np.zeros((len(rows), 2)))
    assert len({*same}) == 4  # where all rows are alike, those of the largest scores


@pytest.mark.parametrize(
    ("count", "by", "message"),
    [(0, "score", "n is 0, expected a whole number"), (3, "chance", "by is 'chance', expected one of score, margin")],
)
def test_other_ways_and_numbers_are_refused(count: int, by: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        choose_rows(SCORES, count, by, 0.5, nothing)


def test_the_rows_of_a_detector_are_those_of_its_scores() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 3))
    detector = Detector("iforest", ensemble=1, fpr=0.05, random_state=0, overrides=["method.trees=10"]).fit(x)
    scores = detector.decision_function(x)
    assert (detector.query(x, 5) == np.argsort(-scores, kind="stable")[:5]).all()
    assert (
        detector.query(x, 5, by="margin") == np.argsort(np.abs(scores - detector.threshold_), kind="stable")[:5]
    ).all()


SAMPLE = TableSample(
    pl.DataFrame({"a": [1.5, 2.5, None, 4.5], "b": ["x", "y", "z", "x"]}), np.array([np.nan, np.nan, np.nan, 1.0]), 10
)


def test_labelled_rows_come_in_and_their_unlabelled_copies_go() -> None:
    more = pl.DataFrame(
        {"bad": ["1", "0", "", "1"], "b": ["y", "z", "x", "q"], "a": ["2.5", None, "1.5", "7"], "note": [1, 2, 3, 4]}
    )
    made = with_more(SAMPLE, more, "bad")
    assert made.rows["a"].to_list() == [1.5, 2.5, None, 4.5, 7.0]
    assert made.rows["b"].to_list() == ["x", "y", "z", "x", "q"]
    assert np.isnan(made.labels[0]) and made.labels[1:].tolist() == [1, 0, 1, 1] and made.given == 11
    # A row that was labelled before stays, whatever comes, and counts once.
    assert len(with_more(SAMPLE, pl.DataFrame({"a": [4.5], "b": ["x"], "bad": [1]}), "bad")) == 4
    again = with_more(SAMPLE, pl.DataFrame({"a": [4.5], "b": ["x"], "bad": [0]}), "bad")
    assert len(again) == 5 and again.labels[3:].tolist() == [1, 0]


def test_of_equal_unlabelled_rows_one_is_labelled_and_the_others_go() -> None:
    rows = pl.DataFrame({"a": [1.5, 2.5, 1.5, 1.5]})
    sample = TableSample(rows, np.array([np.nan, np.nan, np.nan, 0.0]), 4)
    made = with_more(sample, pl.DataFrame({"a": [1.5, 1.5, 1.5], "bad": [1, 1, 0]}), "bad")
    assert made.rows["a"].to_list() == [1.5, 2.5, 1.5] and made.given == 3
    assert made.labels[[0, 2]].tolist() == [1, 0] and np.isnan(made.labels[1])


def test_answers_that_a_spreadsheet_has_changed_are_told() -> None:
    rows = pl.DataFrame({"a": [1.25, 2.25, 3.25], "b": ["x", "y", "z"], "c": [1, 2, 3]})
    sample = TableSample(rows, np.full(3, np.nan), 3)
    more = pl.DataFrame({"semiad_row": [2, 3], "bad": [1, 0], "a": [2.3, 9.0], "b": ["y", "q"], "c": [2, 3]})
    with pytest.warns(UserWarning, match="1 rows count as new ones, as they differ in 'a' from the rows"):
        made = with_more(sample, more, "bad")
    assert made.rows.rows() == [*rows.rows(), (2.3, "y", 2), (9.0, "q", 3)]  # the last is another row for the most part
    assert np.isnan(made.labels[:3]).all() and made.labels[3:].tolist() == [1, 0]


def test_answers_in_text_are_the_dates_and_codes_of_the_first_table(tmp_path: Path) -> None:
    at = [dt.datetime(2024, 1, 5, 10, 30), dt.datetime(2024, 7, 5, 10, 30, 0, 5)]
    rows = pl.DataFrame(
        {
            "day": [dt.date(2024, 1, 5), dt.date(2024, 2, 6)],
            "at": at,
            "zoned": pl.Series(at).dt.replace_time_zone("UTC").cast(pl.Datetime("us", "Europe/Rome")),
            "clock": [dt.time(10, 30), dt.time(11, 0, 1)],
            "code": pl.Series(["007", "12"], dtype=pl.Categorical),
            "flag": [True, False],
        }
    )  # fmt: skip
    rows.write_parquet(tmp_path / "t.parquet")
    rows.with_columns(bad=pl.Series([1, 0])).write_csv(tmp_path / "ask.csv")
    options = TableOptions(tmp_path / "t.parquet", "bad", more=[tmp_path / "ask.csv"])
    ((_, more),) = options.answers(rows.schema)
    made = with_more(TableSample(rows, np.full(2, np.nan), 2), more, "bad")
    assert made.rows.equals(rows) and made.labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("kind", "value"), [(pl.Int64, 2.9), (pl.Boolean, 7), (pl.Boolean, 0.2), (pl.Date, 7), (pl.Int8, 1000)]
)
def test_no_answer_is_cut_to_the_type_of_the_first_table(kind: Any, value: float) -> None:
    sample = TableSample(pl.DataFrame({"a": pl.Series([None, None], dtype=kind)}), np.full(2, np.nan), 2)
    with pytest.raises(InputError, match="the column 'a' has values that are not"):
        with_more(sample, pl.DataFrame({"a": [value], "bad": [1]}), "bad")


def test_normal_rows_that_were_asked_for_calibrate_as_unlabelled_ones_do() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 2))
    hardest = np.argsort(-(x**2).sum(axis=1))[:60]
    frame, answers = pl.DataFrame(x, ["a", "b"]), pl.DataFrame(x[hardest], ["a", "b"]).with_columns(bad=pl.lit(0))
    sample = TableSample(frame, np.full(600, np.nan), 600)
    plain = with_more(sample, answers, "bad")
    asked = with_more(sample, answers.with_columns(semiad_row=pl.Series(hardest + 1)), "bad")
    assert not plain.asked.any() and np.flatnonzero(asked.asked).tolist() == sorted(hardest)
    fresh = rng.normal(size=(4000, 2))
    rates = {}
    for name, some in (("asked", asked), ("plain", plain), ("none", sample)):
        detector = Detector("ocsvm", ensemble=1, fpr=0.05, random_state=0, device="cpu").fit(some)
        rates[name] = detector.predict(pl.DataFrame(fresh, ["a", "b"])).mean()
    assert rates["plain"] < 0.01 < 0.02 < rates["asked"] < 0.09 and 0.02 < rates["none"] < 0.09


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"a": [1.0], "b": ["x"]}, "there is no column 'bad'"),
        ({"a": [1.0], "bad": [1]}, "the column 'b' is missing, expected all of the first table"),
        ({"a": ["many"], "b": ["x"], "bad": [1]}, "the column 'a' has values that are not Float64"),
        ({"a": [1.0], "b": ["x"], "bad": ["perhaps"]}, "perhaps"),
    ],
)
def test_other_tables_are_refused(more: dict[str, list[object]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        with_more(SAMPLE, pl.DataFrame(more), "bad")


def test_the_column_to_fill_in_is_none_that_the_command_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pl.DataFrame({"a": [1.0]}).write_csv(tmp_path / "a.csv")
    words = ("query", "none", str(tmp_path / "a.csv"), "--label", "semiad_row", "--out", str(tmp_path / "q.csv"))
    assert run_semiad(*words) == 2
    assert "--label is semiad_row, a column that `query` itself writes" in " ".join(capsys.readouterr().err.split())


def test_from_a_table_by_questions_to_a_better_detector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3)).round(3)
    truth = np.zeros(300, dtype=int)
    truth[:20] = 1
    x[truth == 1, 0] += 6
    state = ["fraud" if i < 3 else "" for i in range(300)]
    pl.DataFrame(x, schema=["a", "b", "c"]).with_columns(state=pl.Series(state)).write_csv("pay.csv")
    words = ("--label", "state", "--anomaly", "fraud", "--normal", "ok")
    fit = ("--drop", "c", "--method", "iforest", "--ensemble", "1", "--fpr", "0.05")
    assert run_semiad("fit", "pay.csv", *words, *fit, "--out", "m") == 0
    assert run_semiad("query", "m", "pay.csv", *words, "-n", "12", "--out", "ask.csv") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "12 of 297 rows without a label, by score;" in said
    assert f"semiad evaluate m TEST_TABLE {' '.join(words)} " in said
    assert f"semiad fit TABLE {' '.join(words)} --more ask.csv {' '.join(fit)} --out MODEL" in said
    asked = pl.read_csv("ask.csv", schema_overrides={"state": pl.String})
    assert asked.columns == ["semiad_row", "semiad_score", "state", "a", "b", "c"] and asked.height == 12
    rows = asked["semiad_row"].to_numpy() - 1
    assert (asked.select("a", "b", "c").to_numpy() == x[rows]).all() and (rows >= 3).all()
    assert asked["semiad_score"].is_sorted(descending=True) and not asked["state"].drop_nulls().len()
    assert truth[rows].sum() >= 8
    asked.with_columns(state=pl.Series(["fraud" if truth[row] else "ok" for row in rows])).write_csv("ask.csv")
    assert run_semiad("fit", "pay.csv", *words, *fit, "--more", "ask.csv", "--out", "m2") == 0
    counts = json.loads(Path("m2/config.json").read_text())["training"]
    assert counts["rows"] == 300 and counts["labelled_anomalies"] == 3 + truth[rows].sum()
    assert counts["checked_normal"] == 12 - truth[rows].sum()
    capsys.readouterr()
    answered = ("--more", "ask.csv", "-n", "280", "--out", "next.csv")
    assert run_semiad("query", "m", "pay.csv", *words, *answered) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "280 of 285 rows without a label" in said and "--more ask.csv --more next.csv --drop c" in said
    asked = pl.read_csv("next.csv", schema_overrides={"state": pl.String})
    assert not {*asked["semiad_row"]} & {*(rows + 1)}
    asked.with_columns(state=pl.Series(["ok"] * 4 + [None] * 276)).write_csv("next.csv")
    assert run_semiad("fit", "pay.csv", *words, *fit, "--more", "ask.csv", "--more", "next.csv", "--out", "m3") == 0
    again = json.loads(Path("m3/config.json").read_text())["training"]
    assert again["rows"] == 300 and again["checked_normal"] == counts["checked_normal"] + 4
    for by in ("margin", "diverse"):
        assert run_semiad("query", "m", "pay.csv", *words, "-n", "5", "--by", by, "--out", f"{by}.csv") == 0
        assert pl.read_csv(f"{by}.csv").height == 5


def test_codes_stay_text_in_files_where_all_are_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    code = ["0123", "0456", "A12", "7.50"]
    table = pl.DataFrame(
        {"zip": [code[i % 4] for i in range(120)], "a": rng.normal(size=120).round(3), "bad": [1] * 6 + [None] * 114}
    )
    table.write_csv("t.csv")
    digits = pl.col("zip") != "A12"
    table.with_row_index().filter(digits, pl.col("index") > 100).drop("index").with_columns(bad=0).write_csv("more.csv")
    words = ("--label", "bad", "--method", "iforest", "--ensemble", "1", "--fpr", "0.05", "--out", "m")
    assert run_semiad("fit", "t.csv", *words, "--more", "more.csv") == 0
    counts = json.loads(Path("m/config.json").read_text())["training"]
    assert counts["rows"] == 120 and counts["checked_normal"] == 14
    detector = Detector.load("m")
    assert {*detector.preprocessor_.encoders[0].values} == {*code}
    table.filter(digits).write_csv("some.csv")
    for file in ("t", "some"):
        assert run_semiad("score", "m", f"{file}.csv", "--out", f"{file}.scored.csv") == 0
    scores = pl.read_csv("t.scored.csv")["score"].filter(table["zip"] != "A12")
    assert scores.to_list() == pl.read_csv("some.scored.csv")["score"].to_list()
    assert is_plain_number("12.5") and is_plain_number("-3") and not is_plain_number("0456")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--out", "a.csv"), "--label is missing: the name of the column that is to be filled in"),
        (("--label", "bad", "--by", "luck", "--out", "a.csv"), "by is 'luck', expected one of score, margin, diverse"),
        (("--label", "bad", "--out", "a.txt"), "--out a.txt has the suffix '.txt'"),
        (("--label", "all", "--out", "a.csv"), "all 40 rows of t.csv have a label"),
    ],
)
def test_mistakes_are_sentences(
    words: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(rng.normal(size=(40, 2)), schema=["a", "b"])
    Detector("iforest", ensemble=1, fpr=0.1, overrides=["method.trees=5"]).fit(frame).save("m")
    frame.with_columns(all=pl.lit(1)).write_csv("t.csv")
    assert run_semiad("query", "m", "t.csv", *words) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert run_semiad("fit", "t.csv", "--more", "t.csv", "--out", "n") == 2
    assert "--more t.csv has labels, but --label does not name their column" in " ".join(
        capsys.readouterr().err.split()
    )


@pytest.mark.parametrize("words", [("query", "m", "parts", "--out", "a.csv"), ("compare", "parts"), ("plan", "parts")])
def test_a_folder_of_images_is_refused_where_tables_are_meant(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("parts/normal").mkdir(parents=True)
    assert run_semiad(*words, "--label", "x") == 2
    assert f"error: parts is a folder of images, and `semiad {words[0]}` is for tables" in capsys.readouterr().err
