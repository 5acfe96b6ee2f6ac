import datetime as dt
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from rich.console import Console
from scipy import sparse

from semiad.errors import InputError
from semiad.tabular.check import check_table
from semiad.tabular.columns import Column, understand
from semiad.tabular.dates import date_format, parse_dates
from semiad.tabular.frames import as_frame
from semiad.tabular.labels import semi_labels, take_label
from semiad.tabular.preprocessor import TablePreprocessor

NAN = float("nan")
ROWS = 60


def test_semiad_is_imported_without_the_libraries_of_tables() -> None:
    words = (
        "import sys, semiad; assert not {'polars', 'torch', 'sklearn', 'narwhals', 'semiad.tabular'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", words], check=True)


@pytest.mark.parametrize(
    "table",
    [
        np.array([[1.0, 2.0], [3.0, NAN]]),
        np.array([[1.0, 2.0], [3.0, NAN]], dtype=np.float32),
        np.array([[1, 2], [3, None]], dtype=object),
        [[1.0, 2.0], [3.0, NAN]],
        torch.tensor([[1.0, 2.0], [3.0, NAN]], requires_grad=True),
        torch.tensor([[1.0, 2.0], [3.0, NAN]], dtype=torch.bfloat16),
        sparse.csr_matrix(np.array([[1.0, 2.0], [3.0, NAN]])),
        pd.DataFrame([[1.0, 2.0], [3.0, None]]),
        pd.DataFrame({"x0": [1.0, 3.0], "x1": [2.0, None]}),
        pl.LazyFrame({"x0": [1.0, 3.0], "x1": [2.0, NAN]}),
    ],
)
def test_tables_of_any_type_are_the_same_frame(table: object) -> None:
    frame = as_frame(table)
    assert frame.columns == ["x0", "x1"]
    np.testing.assert_array_equal(frame.to_numpy(), [[1, 2], [3, NAN]])


def test_pandas_keeps_text_dates_and_missing_values() -> None:
    frame = as_frame(
        pd.DataFrame(
            {
                "t": ["a", None, "a"],
                "c": pd.Categorical(["u", "v", "u"]),
                "d": pd.to_datetime(["2024-01-01", None, "2024-02-01"]),
                "b": [True, False, True],
            }
        )
    )
    assert frame.rows()[1][0] is None
    assert [column.kind for column in understand(frame, kinds={"t": "category"})] == [
        "category",
        "category",
        "date",
        "boolean",
    ]


def test_lists_that_mix_types_keep_numbers() -> None:
    frame = as_frame([[1, "a"], [2.5, "b"], [None, None]])
    assert frame.dtypes == [pl.Float64, pl.String]


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (np.zeros(3), "Reshape your data"),
        (np.zeros((2, 2, 2)), "dim 3"),
        (np.zeros((0, 2)), r"0 sample\(s\) \(shape=\(0, 2\)\) while a minimum of 1 is required"),
        (np.zeros((2, 0)), r"0 feature\(s\) \(shape=\(2, 0\)\) while a minimum of 1 is required"),
        (np.zeros((2, 2), dtype=complex), "Complex data not supported"),
        (pl.DataFrame({"a": []}), r"0 sample\(s\)"),
        ([[1, 2], [3]], "unequal length"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "several columns named 'a'"),
        (pd.DataFrame([[1, 2]], columns=["a", 1]), "string names"),
        (sparse.csr_matrix((10**6, 10**6)), "is sparse, and would take"),
    ],
)
def test_what_is_no_table_is_a_sentence(table: object, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        as_frame(table)


def test_objects_that_are_neither_numbers_nor_text_are_refused() -> None:
    with pytest.raises(TypeError, match=r"argument must be .* string.* number"):
        as_frame(np.array([[{"foo": "bar"}, 1]], dtype=object))


@pytest.mark.parametrize(
    "values",
    [
        [1, 0, -1, None],
        np.array([1.0, 0.0, -1.0, NAN]),
        np.array(["1", "0", "-1", ""]),
        np.array([1, 0, -1, None], dtype=object),
        torch.tensor([1.0, 0.0, -1.0, NAN]),
        pd.Series([1, 0, None, pd.NA], dtype="Int64"),
        pd.Series([1, 0, -1, None], dtype=object),
        pl.Series(["1", "0 ", "-1", None]),
        pl.Series(["1.0", "0.0", "-1.0", None]),
        pl.Series([True, False, None, None]),
        np.array([[1], [0], [-1], [-1]]),
    ],
)
def test_labels_of_any_spelling(values: object) -> None:
    result = semi_labels(values)
    assert result.dtype == np.float64
    np.testing.assert_array_equal(result, [1, 0, NAN, NAN])


def test_labels_of_other_words() -> None:
    values = ["fraud", "ok", None, "", "-1"]
    np.testing.assert_array_equal(semi_labels(values, anomaly="fraud", normal="ok"), [1, 0, NAN, NAN, NAN])
    np.testing.assert_array_equal(semi_labels([2, 1, -1], anomaly=2, normal="1"), [1, 0, NAN])
    np.testing.assert_array_equal(semi_labels([2.0, 1.0, NAN], anomaly="2", normal=1), [1, 0, NAN])
    np.testing.assert_array_equal(semi_labels([True, False], anomaly=True, normal=False), [1, 0])
    np.testing.assert_array_equal(semi_labels([True, False, None]), [1, 0, NAN])
    booleans = pl.Series([True, False, None])
    np.testing.assert_array_equal(semi_labels(booleans, anomaly="false", normal="True"), [0, 1, NAN])
    three = pl.Series(["fraud", "ok", "unknown"])
    np.testing.assert_array_equal(semi_labels(three, anomaly="fraud", normal="ok", missing=["unknown"]), [1, 0, NAN])
    np.testing.assert_array_equal(semi_labels(np.array([np.True_, None], dtype=object)), [1, NAN])


@pytest.mark.parametrize(
    ("values", "words", "sentence"),
    [
        (["yes", "no"], {}, "there is no, yes: say by `anomaly` and `normal` which values mean these"),
        ([0.5, 1.0], {}, "there is 0.5"),
        ([0, 1, 2], {"anomaly": 2}, "there is 1:"),
        (["a"], {"anomaly": "a", "normal": "a"}, "are both 'a'"),
        (["a"], {"normal": "1"}, "are both '1'"),
        (np.zeros((2, 2)), {}, "expected a label for each row"),
        (list(range(20)), {}, "and 13 more"),
        (
            ["bad", None],
            {"anomaly": "bad", "normal": "NA"},
            "`normal` is 'NA', which is a missing value in a text file",
        ),
        (pl.Series([[1], [0]]), {}, r"labels have the type List\(Int64\), expected numbers or text"),
        (pl.Series([object(), object()], dtype=pl.Object), {}, "labels have the type Object"),
    ],
)
def test_other_labels_are_a_sentence(values: object, words: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        semi_labels(values, **words)


def test_no_label_column_is_a_sentence() -> None:
    with pytest.raises(InputError, match="no column 'y' for the labels; the columns are a"):
        take_label(pl.DataFrame({"a": [1]}), "y")
    with pytest.raises(InputError, match="only column"):
        take_label(pl.DataFrame({"y": [1]}), "y")


def column(values: list[object]) -> Column:
    (understood,) = understand(pl.DataFrame({"c": pl.Series(values, strict=False)}))
    return understood


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1.5, 2.5, 1.5], "number"),
        ([3, 1, 2] * 10, "number"),
        ([*range(1, ROWS), 0], "number"),
        (list(range(ROWS)), "dropped"),
        (list(range(ROWS, 0, -1)), "dropped"),
        ([f"id{i}" for i in range(ROWS)], "dropped"),
        ([7] * ROWS, "dropped"),
        ([None] * 3, "dropped"),
        ([[1], [2]], "dropped"),
        ([7, None, 7], "number"),
        (["1.5", "2", " 3 "], "number"),
        ([True, False], "boolean"),
        (["a", "b"] * 9, "category"),
        (["2024-01-31", "2023-02-01"], "date"),
        (["2024-01-31T10:00:00Z", "2023-02-01T10:00:00+02:00"], "date"),
        (["31.01.2024 10:00", "01.02.2023 10:30"], "date"),
        (["13/01/2024", "01/02/2023"], "date"),
        (["Jan 5, 2024", "December 21, 2023"], "date"),
        (["5-JAN-2024", "21-Dec-2023"], "date"),
        (["1/13/2024 3:07 PM", "02/01/2023 12:10 am"], "date"),
        ([dt.date(2024, 1, 1), dt.date(2024, 1, 14)], "date"),
        ([dt.date(2024, 1, 1), dt.date(2024, 1, 13)], "dropped"),
        (["2024-01-31 10:00", "2024-02-01 21:00"], "dropped"),
        (["2024-01-31 10:00", "2024-02-01 22:00"], "date"),
        ([f"a text of several words, number {i}" for i in range(ROWS)], "text"),
        ([f"v{i}" for i in range(2000)] * 2, "dropped"),
    ],
)
def test_kinds_are_recognised(values: list[object], kind: str) -> None:
    assert column(values).kind == kind


def test_texts_are_read_as_the_dates_that_they_are() -> None:
    texts = {
        "Jan 5, 2024": dt.datetime(2024, 1, 5),
        "5 January 2024 17:30": dt.datetime(2024, 1, 5, 17, 30),
        "1/15/2024 5:30:01 PM": dt.datetime(2024, 1, 15, 17, 30, 1),
        "2024-01-05T17:30:00+02:00": dt.datetime(2024, 1, 5, 15, 30),
        "2024/01/05": dt.datetime(2024, 1, 5),
        "05.01.24": dt.datetime(2024, 1, 5),
        "2/2/24 17:30": dt.datetime(2024, 2, 2, 17, 30),
        "02/28/99": dt.datetime(1999, 2, 28),
        "5-Jan-24": dt.datetime(2024, 1, 5),
        "0001-01-01": dt.datetime(1, 1, 1),
    }
    for text, date in texts.items():
        form = date_format(pl.Series([text]))
        assert form is not None and parse_dates(pl.Series([text]), form).to_list() == [date]


def test_a_year_has_the_digits_of_its_format() -> None:
    mixed = pl.DataFrame({"a": [1.0, 2.0, 4.0], "when": ["02/03/24", "04/05/24", "06/07/24"]})
    report = check_table(mixed)
    assert report.columns[1].format == "%d/%m/%y"
    assert any("'when'" in warning and "%d/%m/%y" in warning for warning in report.warnings)
    assert column(["24-02-02", "24-02-03", "24-02-02"]).kind == "category"
    assert parse_dates(pl.Series(["02/03/2024", "02/03/24"]), "%d/%m/%Y").is_null().to_list() == [False, True]


def test_counts_of_a_column() -> None:
    understood = column([1.0, None, float("inf"), 1.0, NAN])
    assert (understood.missing, understood.infinite, understood.distinct) == (2, 1, 2)


def test_what_is_understood_can_be_overruled() -> None:
    frame = pl.DataFrame({"zip": [8000, 3000, 8000], "id": [1, 2, 3], "c": ["a", "b", "a"]})
    understood = understand(frame, drop=["id"], kinds={"zip": "category"})
    assert [c.kind for c in understood] == ["category", "dropped", "category"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"drop": ["no"]}, "no column 'no'; the columns are c, many"),
        ({"kinds": {"c": "colour"}}, "cannot be 'colour', expected one of number"),
        ({"kinds": {"c": "number"}}, "is of numbers, but holds 'a'"),
        ({"kinds": {"c": "date"}}, "cannot be a date: it holds 'a'"),
        ({"kinds": {"many": "category"}}, "has 10,000 different values, expected at most 1,000"),
        ({"kinds": {"many": "boolean"}}, "cannot be boolean"),
    ],
)
def test_what_a_column_cannot_be_is_a_sentence(words: dict[str, object], sentence: str) -> None:
    frame = pl.DataFrame({"c": ["a", "b"] * 5000, "many": range(10_000)})
    with pytest.raises(InputError, match=sentence):
        understand(frame, **words)  # type: ignore[arg-type]


def table() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    a, fraud = rng.normal(size=200), [1] * 8 + [0] * 4 + [None] * 188
    return pl.DataFrame(
        {
            "a": a,
            "same": a,
            "b": rng.normal(size=200).astype(np.float32),
            "chargeback": [*np.arange(8.0) + 50, *rng.normal(size=192)],
            "status": ["closed"] * 8 + ["open", "new"] * 96,
            "closed_on": ["2024-01-01", "2024-02-01"] * 4 + [None] * 192,
            "constant": ["k"] * 200,
            "fraud": fraud,
        }
    )


def test_leaks_equal_columns_and_labels_are_told() -> None:
    report = check_table(table(), "fraud", plan=["trains for 1,000 steps"])
    assert (report.anomalies, report.normals, report.copies) == (8, 4, 0)
    assert set(report.leaks) == {"chargeback", "status", "closed_on"}
    assert "whether it is missing" in report.leaks["closed_on"]
    assert set(check_table(table(), "fraud", drop=["status"]).leaks) == {"chargeback", "closed_on"}
    assert report.equal == (("a", "same"),)
    text = "\n".join(report.lines)
    assert "constant  dropped   constant: 'k'" in " ".join(text.split("\n")).replace("constant    ", "constant  ")
    assert "'chargeback' may be the label in other words" in text
    assert text.endswith("trains for 1,000 steps")
    console = Console(width=150, record=True)
    console.print(report)
    shown = console.export_text()
    assert "8 anomalies, 4 checked normal, 188 unlabelled" in shown
    assert "columns 'a' and 'same' are equal" in shown


def test_a_leak_is_told_though_unlabelled_rows_hold_anomalies() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat([1, 0, 1, 0], [25, 60, 7, 300])
    fraud = [*[1] * 25, *[0] * 60, *[None] * 307]
    frame = pl.DataFrame({"a": rng.normal(size=392), "truth": truth, "fraud": fraud})
    (leak,) = check_table(frame, "fraud").leaks.items()
    assert leak[0] == "truth" and "separates the labelled anomalies from the checked normal rows" in leak[1]


def test_a_column_of_equal_lists_is_not_understood() -> None:
    frame = pl.DataFrame({"a": [1.0, 2.0, 4.0], "l": [[1, 2]] * 3})
    assert [column.kind for column in check_table(frame).columns] == ["number", "dropped"]
    assert "List(Int64) are not understood" in check_table(frame).columns[1].why
    assert TablePreprocessor().fit(frame).transform(frame).shape[0] == 3


def test_a_word_for_a_missing_number_holds_in_columns_of_numbers() -> None:
    frame = pl.DataFrame({"a": [1.5, -999.0, 3.0, 4.0], "b": [1, 2, -999, 4], "c": ["x", "-999", "y", "x"]})
    assert [column.missing for column in check_table(frame, missing=["-999", "?"]).columns] == [1, 1, 1]
    fitted = TablePreprocessor(missing=["-999"]).fit(frame)
    as_text = frame.with_columns(pl.col("a").cast(pl.String)).vstack(
        pl.DataFrame({"a": ["?"], "b": [1], "c": ["x"]}, schema={"a": pl.String, "b": pl.Int64, "c": pl.String})
    )
    other = TablePreprocessor(missing=["-999", "?"]).fit(as_text)
    np.testing.assert_array_equal(other.transform(as_text)[:4], other.transform(frame))
    assert "a is missing" in fitted.feature_names_out_ and "b is missing" in fitted.feature_names_out_


def test_durations_of_any_unit_are_the_same() -> None:
    times = pl.Series("t", [dt.timedelta(seconds=number) for number in (1, 5, 60, 3600)])
    frames = [pl.DataFrame({"a": [1.0, 2.0, 3.0, 5.0], "t": times.cast(pl.Duration(unit))}) for unit in ("ns", "ms")]
    fitted = TablePreprocessor().fit(frames[0])
    np.testing.assert_array_equal(*(fitted.transform(frame) for frame in frames))


@pytest.mark.parametrize("at", range(8))
def test_what_a_column_is_does_not_depend_on_the_rows_that_train(at: int) -> None:
    dates = [f"0{1 + number % 9}/0{1 + number % 8}/2024" for number in range(8)]
    dates[at] = "03/25/2024"
    numbers = [f"{number}.5" for number in range(8)]
    numbers[at] = "ERR"
    frame = pl.DataFrame({"d": dates, "n": numbers, "a": [1.0, 2.0, 4.0, 8.0, 16.0, 3.0, 5.0, 7.0]})
    train = np.array([row for row in range(8) if row != at])
    fitted = TablePreprocessor().fit(frame, train)
    assert [(column.kind, column.format) for column in fitted.columns_] == [
        ("date", "%m/%d/%Y"), ("category", None), ("number", None)
    ]  # fmt: skip
    assert fitted.columns_[0].distinct == 7 and np.isfinite(fitted.transform(frame)).all()
    alone = TablePreprocessor(kinds={"n": "category"}).fit(frame[train].drop("d"))
    features = [name for name in alone.feature_names_out_ if name in fitted.feature_names_out_]
    places = [[*some.feature_names_out_].index(name) for some in (fitted, alone) for name in features]
    both = fitted.transform(frame)[:, places[: len(features)]], alone.transform(frame)[:, places[len(features) :]]
    np.testing.assert_array_equal(*both)


def test_numbers_with_marks_between_thousands_are_told() -> None:
    frame = pl.DataFrame({"a": [1.0, 2.0, 3.0], "amount": ["1,000", "12,500.5", "2,000"], "n": ["1", "2", "x"]})
    warnings = check_table(frame).warnings
    assert "'amount' is category and not number: '1,000' is a number with marks between thousands" in " ".join(warnings)


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (["1", "2", "3,57", "4,1"], "'3,57' is a number with a decimal comma"),
        (["5 %", "7%", "$0.5", "3"], "'5 %' is a number with other signs: write it without"),
        (["\u22125", "7", "1\u00a0200"], "is a number with other signs"),
        (["-"] * 30 + [str(i) for i in range(30)], "30 of its 60 values are numbers, but '-' is not"),
    ],
)
def test_texts_that_are_almost_numbers_are_told(texts: list[str], sentence: str) -> None:
    warnings = check_table(pl.DataFrame({"a": range(len(texts)), "amount": texts})).warnings
    assert "'amount' is category and not number" in " ".join(warnings) and sentence in " ".join(warnings)


def test_categories_are_no_strays() -> None:
    frame = pl.DataFrame({"a": [1.0, 2.0, 4.0, 8.0], "gear": ["1", "2", "N", "N"], "size": ["S", "M", "10 x 4", "3"]})
    assert not check_table(frame).strays


def test_a_good_table_has_no_warnings() -> None:
    report = check_table(table().select("a", "b", "fraud"), "fraud")
    assert report.warnings == ()


def test_copies_and_contradictions_are_counted() -> None:
    frame = pl.DataFrame({"a": [1.0, 1.0, 2.0, 3.0, 2.0], "b": ["x", "x", "y", "y", "y"], "y": [1, 0, 1, None, None]})
    report = check_table(frame, "y")
    assert (report.copies, report.contradictions) == (2, 2)
    assert any("too few to choose" in warning for warning in report.warnings)


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        ({"a": [1.0], "y": [1]}, "1 row"),
        ({"a": [1.0, 2.0], "y": [1, 1]}, "all 2 rows are labelled anomalous"),
        ({"a": [1.0, 2.0], "z": [1, 1]}, "no column 'y'"),
    ],
)
def test_tables_that_cannot_be_learned_from_are_a_sentence(frame: dict[str, list[float]], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        check_table(pl.DataFrame(frame), "y")


def test_without_labels_the_report_says_so() -> None:
    assert "all rows count as unlabelled" in check_table(table().drop("fraud")).labels
    report = check_table(table().with_columns(fraud=pl.lit(None)), "fraud")
    assert any("training is unsupervised" in warning for warning in report.warnings)


def test_labels_with_the_signs_of_scikit_learn_are_told() -> None:
    frame = pl.DataFrame({"a": range(10), "y": [1] * 7 + [-1] * 3})
    assert "7 of 10 rows are labelled anomalous: 1 is an anomaly here" in " ".join(check_table(frame, "y").warnings)
    assert "1 is an anomaly here" not in " ".join(check_table(frame.with_columns(y=-pl.col("y")), "y").warnings)


def test_a_text_among_numbers_is_told() -> None:
    values = [f"{number / 7:.6f}" for number in range(199)]
    frame = pl.DataFrame(
        {"a": [*values, "-"], "b": [*values[:99], *["-"] * 50, *["?"] * 51], "c": range(200), "d": [*values, None]}
    )
    (warning,) = [text for text in check_table(frame).warnings if "values are numbers" in text]
    assert warning == (
        "column 'a' is dropped and not number: 199 of its 200 values are numbers, but '-' is not; if that stands "
        "for a missing value, say so by --missing"
    )


@pytest.mark.parametrize(
    ("days", "features"),
    [(1, []), (3, ["hour"]), (90, ["weekday", "hour"]), (364, ["weekday", "month", "hour"])],
)
def test_a_place_on_a_circle_is_a_feature_where_training_has_seen_enough_of_the_circle(
    days: int, features: list[str]
) -> None:
    start = dt.datetime(2024, 1, 6)
    frame = pl.DataFrame(
        {
            "x": [i % 7 for i in range(100)],
            "at": [start + dt.timedelta(days=days * i / 99, hours=1) for i in range(100)],
        }
    )
    circles = [f"at {name} {part}" for name in features for part in ("sin", "cos")]
    preprocessor = TablePreprocessor().fit(frame)
    assert list(preprocessor.feature_names_out_) == ["x", *circles]
    assert preprocessor.needed == (("x", "at") if features else ("x",))
    later = frame.with_columns(at=pl.col("at") + pl.duration(days=40))
    assert np.array_equal(preprocessor.transform(later), preprocessor.transform(frame)) == (days <= 3)


def test_an_identifier_is_one_where_some_rows_are_copies_too() -> None:
    frame = pl.DataFrame({"part": [f"p-{i}" for i in range(600)], "row": range(600), "line": ["a", "b", "c"] * 200})
    copied = pl.concat([frame, frame[:4]])
    part, row, line = understand(copied)
    assert part == Column("part", "dropped", "an identifier: 600 different values in 604 rows", 0, 600)
    assert (
        row.kind == "dropped" and row.why == "an identifier: 600 different values in 604 rows, whole numbers in order"
    )
    assert line.kind == "category"
    assert [column.kind for column in understand(pl.concat([frame, frame[:60]]))] == ["category", "number", "category"]


def test_dates_that_span_too_little_are_left_out_and_told() -> None:
    frame = pl.DataFrame({"x": [i % 7 for i in range(40)], "at": ["2024-01-01", "2024-01-03"] * 20})
    why = "dates that span 2 days have no feature: a weekday needs 13 days"
    (hours,) = understand(pl.DataFrame({"at": ["2024-01-01 10:00", "2024-01-02 16:00"]}))
    assert hours.why == "dates that span 1.2 days have no feature: an hour of the day needs 1.5 days"
    for kinds in ({}, {"at": "date"}):
        assert [(c.kind, c.why) for c in understand(frame, kinds=kinds)][1] == ("dropped", why)
    with pytest.raises(InputError, match=f"no column is left to learn from .at: {why}"):
        TablePreprocessor().fit(frame[["at"]])


def test_categories_of_which_most_occur_once_are_told() -> None:
    frame = pl.DataFrame({"x": [i % 7 for i in range(40)], "ref": [f"R{i % 30}" for i in range(40)]})
    assert "column 'ref' has 30 different values in 40 rows: drop it if it names the row" in check_table(frame).warnings
    twice = pl.concat([frame, frame])
    assert not any("names the row" in warning for warning in check_table(twice).warnings)
