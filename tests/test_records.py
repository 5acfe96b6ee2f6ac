import gzip
import json
import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from msgspec.structs import asdict

from semiad.errors import InputError
from semiad.ledger import provenance, schema
from semiad.ledger.provenance import distributions
from semiad.ledger.reader import Ledger
from semiad.ledger.reader import read as read_ledger
from semiad.ledger.record import CHOICE, SCHEMA, THRESHOLD_METRICS, Plan, PlannedRun, Record, decode, encode
from semiad.ledger.records import read_records
from semiad.ledger.writer import LedgerWriter
from semiad.methods.xgboost import XGBoost
from tests.conftest import SMALL, counted, read

PLAN: dict[str, Any] = {"method": "ae", "dataset": "digits", "scenario": "one_vs_one", "config": {}}
RUN: dict[str, Any] = {"key": "a", "normal": [8], "anomalous": [3], "seed": 0}


def make_record(key: str = "k", auc: float | None = 0.9, status: str = "ok", **more: Any) -> Record:
    identity = {
        "method": "ae",
        "dataset": "digits",
        "scenario": "one_vs_one",
        "normal": [8],
        "anomalous": [3],
        "seed": 0,
    }
    metrics = {"auc": auc, "ap": auc, "auc_seen": None, "auc_unseen": None}
    made = {"schema": SCHEMA, "status": status, "key": key, "config": {}, "finished": datetime.now(UTC).isoformat()}
    return Record(**{**made, **identity, **metrics, **more})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path / "new" / "ledger")
    writer.append(make_record("a", 0.123456789012345678))
    writer.append(make_record("b"))
    read = read_ledger(tmp_path)
    rows = counted(read)
    assert rows["a"]["auc"] == 0.123456789012345678 and set(rows) == {"a", "b"} and not read.warnings
    assert (rows["a"]["normal"], rows["a"]["tested"], rows["a"]["config"]) == (["8"], None, "{}")


def test_an_absent_folder_is_an_empty_ledger(tmp_path: Path) -> None:
    read = read_ledger(tmp_path / "none")
    assert (len(read.runs), len(read.plans), [*read.warnings]) == (0, 0, [])


def test_two_writers_never_share_a_file(tmp_path: Path) -> None:
    for key in "abc":
        LedgerWriter(tmp_path).append(make_record(key))
    assert len(list(tmp_path.glob("*.jsonl"))) == 3 and set(read_ledger(tmp_path).recorded) == set("abc")


@pytest.mark.slow
def test_a_ledger_torn_at_any_byte_loses_the_last_record_at_most(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path)
    for key in "abc":
        writer.append(make_record(key))
    whole = writer.file.read_bytes()
    ends = [i for i, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(len(whole) + 1):
        writer.file.write_bytes(whole[:cut])
        read = read_ledger(tmp_path)
        complete = sum(cut >= end for end in ends)
        assert set(read.recorded) == set("abc"[:complete])
        torn = cut not in {0, *ends, *(end + 1 for end in ends)}
        assert len(read.warnings) == torn
        if torn:
            assert f"line {complete + 1} is torn" in read.warnings[0] and str(writer.file) in read.warnings[0]


def bad(**more: Any) -> str:
    return json.dumps({**asdict(make_record("b")), **more})


def without(name: str) -> str:
    """A record that lacks a field."""
    return json.dumps({field: value for field, value in asdict(make_record("b")).items() if field != name})


@pytest.mark.parametrize(
    "line",
    [
        *("[]", "3", "{}", '{"key": "a"}', "\x00\x00", "null", '{"key": "a", "status": "ok"'),
        *(bad(key=["a"]), bad(auc="0.9"), bad(auc=None), bad(auc=float("nan")), bad(auc=2), bad(status="fine")),
        *(bad(schema=99), bad(config=None), bad(finished="x"), bad(normal=8), bad(seed=True), bad(seed=0.5)),
        *(bad(seconds="1"), bad(epochs=1.5), bad(auc=True), bad(curve=["c"]), bad(auc_by_class=[1])),
        *(bad(auc_by_class={"3": 1.5}), bad(seed=2**63), bad(versions={"torch": 2}), bad(normal=[[8]])),
        *(bad(n_validation=-1), bad(key="\ud800"), '{"config": ' * 10**5, without("auc_seen"), without("finished")),
    ],
)
def test_what_is_no_record_is_set_aside(tmp_path: Path, line: str) -> None:
    writer = LedgerWriter(tmp_path)
    writer.append(make_record("a"))
    with writer.file.open("a") as file:
        file.write(line + "\n")
    read = read_ledger(tmp_path)
    assert set(read.recorded) == {"a"} and len(read.warnings) == 1


def written(tmp_path: Path, *lines: Record) -> Ledger:
    for line in lines:
        LedgerWriter(tmp_path).append(line)
    return read_ledger(tmp_path)


def test_records_of_one_key_may_differ_by_rounding_only(tmp_path: Path) -> None:
    assert not written(tmp_path / "near", make_record(auc=0.9), make_record(auc=0.9009)).conflicts
    (conflict,) = written(tmp_path / "far", make_record(auc=0.9), make_record(auc=0.902)).conflicts
    assert "2 records with AUC from 0.9000 to 0.9020" in conflict and "8 vs 3 seed 0" in conflict


def test_records_of_a_sensitive_run_may_differ_by_as_much_as_seeds_do(tmp_path: Path) -> None:
    aucs = (0.9, 0.93, 0.95, 0.89)
    first = make_record("0", 0.86, sensitive=True)
    seeds = [make_record(str(seed), auc, seed=seed, sensitive=True) for seed, auc in enumerate(aucs)]
    ledger = written(tmp_path, first, *seeds)
    assert not ledger.conflicts and ledger.repeated == {"0": [0.86, 0.9]} and counted(ledger)["0"]["auc"] == 0.9
    far = make_record("1", 0.8, seed=1, sensitive=True)
    (conflict,) = written(tmp_path, far).conflicts
    assert conflict.startswith("1 (") and "2 records with AUC from 0.8000 to 0.9300" in conflict
    few = [make_record("0", auc, sensitive=True) for auc in (0.5, 0.9)]
    assert not written(tmp_path / "few", *few).conflicts  # the spread over seeds is not known


@pytest.mark.parametrize("other", [{"pack_width": 5}, {"threads": 2}, {"device": "cuda"}, {"versions": {"torch": "3"}}])
def test_records_made_in_other_circumstances_may_differ_by_as_much_as_seeds_do(
    tmp_path: Path, other: dict[str, Any]
) -> None:
    alone = {"engine": "packed", "pack_width": 1, "threads": 1, "device": "cpu", "versions": {"torch": "2"}}
    seeds = [make_record(str(seed), auc, seed=seed, **alone) for seed, auc in enumerate((0.9, 0.93, 0.95, 0.89))]
    ledger = written(tmp_path, *seeds, make_record("0", 0.86, **alone | other))
    assert not ledger.conflicts and ledger.repeated == {"0": [0.9, 0.86]}
    assert not written(tmp_path, make_record("0", 0.8605, **alone | other)).conflicts
    (conflict,) = written(tmp_path, make_record("0", 0.87, **alone | other)).conflicts  # as those before, but not near
    assert "4 records with AUC from 0.8600 to 0.9000" in conflict
    (conflict, _) = written(tmp_path, make_record("1", 0.8, seed=1, **alone | other)).conflicts[::-1]
    assert "2 records with AUC from 0.8000 to 0.9300" in conflict  # farther apart than seeds
    assert written(tmp_path / "few", seeds[0], make_record("0", 0.86, **alone | other)).conflicts  # no other seeds


def test_a_failed_record_of_a_sensitive_run_does_not_count_beside_good_ones(tmp_path: Path) -> None:
    lines = [make_record("0", auc) for auc in (0.9, 0.95)]
    lines.append(make_record("0", status="failed", reason="NaN", sensitive=True))
    ledger = written(tmp_path, *lines)
    (conflict,) = ledger.conflicts
    assert counted(ledger)["0"]["auc"] == 0.95 and "2 records with AUC from 0.9000 to 0.9500" in conflict


def test_a_forced_record_supersedes(tmp_path: Path) -> None:
    ledger = written(tmp_path, make_record(auc=0.9), make_record(auc=0.5, forced=True))
    assert counted(ledger)["k"]["auc"] == 0.5 and not ledger.conflicts


def test_a_good_record_counts_before_a_failed_one(tmp_path: Path) -> None:
    ledger = written(
        tmp_path, make_record(auc=None, status="failed"), make_record(auc=0.7), make_record(auc=None, status="failed")
    )
    assert counted(ledger)["k"]["auc"] == 0.7


def test_failed_runs_are_done_unless_to_be_retried(tmp_path: Path) -> None:
    written(tmp_path, make_record(auc=None, status="failed"))
    ledger = read_records(tmp_path)
    assert ledger.done("k", retry_failed=False) and not ledger.done("k", retry_failed=True)
    assert not ledger.done("other", retry_failed=False)


def test_plans_say_what_is_missing(tmp_path: Path) -> None:
    shared = {**PLAN, "config": {"epochs": 5}}
    runs = [{**RUN, "key": key, "seed": i} for i, key in enumerate("abc")]
    for _ in range(2):
        LedgerWriter(tmp_path).plan(shared, runs)
    ledger = written(tmp_path, make_record("b"))
    assert len(list((tmp_path / "plans").iterdir())) == 1
    assert ledger.runs["key"].to_list() == ["a", "b", "c"]
    assert ledger.runs["status"].to_list() == ["missing", "ok", "missing"]
    assert ledger.runs["config"][0] == '{"epochs": 5}' and ledger.runs["seed"].to_list() == [0, 0, 2]


def test_a_torn_plan_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "x.json").write_text('{"method": "ae", "runs": [')
    assert "x.json is torn or no plan" in read_ledger(tmp_path).warnings[0]


def test_odd_files_are_set_aside(tmp_path: Path) -> None:
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "nothing")
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "p.json").write_text(json.dumps({**PLAN, "runs": [{"key": "q"}]}))
    LedgerWriter(tmp_path).append(make_record("a"))
    read = read_ledger(tmp_path)
    assert set(read.recorded) == {"a"} and not len(read.plans) and len(read.warnings) == 2


def test_plans_below_a_folder_are_found_like_records(tmp_path: Path) -> None:
    LedgerWriter(tmp_path / "deep" / "er").plan(PLAN, [RUN])
    assert read_ledger(tmp_path).plans["key"].to_list() == ["a"]


def test_curves_lie_beside_the_ledger(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path)
    name = writer.curve("a", [(10, 0.5, 0.75), (20, 0.25, 1.0)])
    assert writer.curve("b", [(10, 0.125, 0.5)]) == name
    assert (tmp_path / name).read_text() == "key,epoch,loss,auc\na,10,0.5,0.75\na,20,0.25,1.0\nb,10,0.125,0.5\n"
    assert not list(tmp_path.rglob("*.jsonl"))


def test_an_unwritable_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"results=.*file/ledger cannot be written to \(Not a directory\)"):
        LedgerWriter(tmp_path / "file" / "ledger").plan(PLAN, [RUN])
    with pytest.raises(InputError, match="what was recorded before is kept"):
        LedgerWriter(tmp_path / "file" / "ledger").append(make_record())


def test_lines_are_plain_json(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path)
    writer.append(make_record(auc=None, status="failed"))
    (line,) = writer.file.read_text().splitlines()
    assert json.loads(line)["auc"] is None and json.loads(line)["finished"].endswith("+00:00")


@pytest.mark.parametrize("end", [".gz", ".zst"])
def test_packed_files_are_read(tmp_path: Path, end: str) -> None:
    writer = LedgerWriter(tmp_path)
    curve = writer.curve("a", [(1, 0.5, 0.75)])
    for key in "ab":
        writer.append(make_record(key, curve=curve))
    with writer.file.open("a") as file:
        file.write("torn")
    for path in (writer.file, writer.curves):
        path.with_name(path.name + end).write_bytes(pack(path.read_bytes(), end))
        path.unlink()
    ledger = read_ledger(tmp_path)
    assert ledger.runs["key"].to_list() == ["a", "b"]
    assert set(ledger.runs["curve"]) == {f"{tmp_path / curve}{end}"}
    assert pl.read_csv(ledger.runs["curve"][0]).row(0) == ("a", 1, 0.5, 0.75)
    (warning,) = ledger.warnings
    assert f"{writer.file}{end}, line 3 is torn" in warning


def pack(whole: bytes, end: str) -> bytes:
    if end == ".gz":
        return gzip.compress(whole)
    return subprocess.run(["zstd", "-c"], input=whole, capture_output=True, check=True).stdout


def test_a_packed_file_that_is_cut_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl.gz").write_bytes(gzip.compress(encode(make_record()).encode() * 100)[:-20])
    (warning,) = read_ledger(tmp_path).warnings
    assert "r.jsonl.gz cannot be read (it cannot be unpacked)" in warning


def test_bytes_that_are_no_text_cost_their_line_only(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path)
    writer.append(make_record("a"))
    with writer.file.open("ab") as file:
        file.write(b'{"key": "\xff\xfe\x01\n\n')
    writer.append(make_record("b"))
    ledger = read_ledger(tmp_path)
    assert set(ledger.recorded) == {"a", "b"} and "line 2 is torn" in ledger.warnings[0]


def test_plans_say_of_which_experiment_runs_are(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path)
    for name in ("aesad_table3", "aesad_table4"):
        writer.plan({**PLAN, "experiment": name, "budget": "quick"}, [RUN])
    writer.plan(PLAN, [RUN])
    ledger = read_ledger(tmp_path)
    assert len(ledger.runs) == 1
    rows = {(None, None, "a"), ("aesad_table3", "quick", "a"), ("aesad_table4", "quick", "a")}
    assert set(ledger.plans.select("experiment", "budget", "key").iter_rows()) == rows


def test_plans_that_follow_an_experiment_count_before_those_that_change_it(tmp_path: Path) -> None:
    shared = {**PLAN, "experiment": "aesad_table3"}
    writer = LedgerWriter(tmp_path)

    def plan(key: str, **more: str) -> None:
        writer.plan({**shared, "budget": "quick", **more}, [{**RUN, "key": key}])

    plan("a", changes="epochs=3")
    assert read_ledger(tmp_path).planned("aesad_table3", "quick")["key"].to_list() == ["a"]
    plan("b")
    assert read_ledger(tmp_path).planned("aesad_table3", "quick")["key"].to_list() == ["b"]
    plan("c", changes="epochs=3", method="another")  # of which no plan follows the experiment
    assert sorted(read_ledger(tmp_path).planned("aesad_table3", "quick")["key"]) == ["b", "c"]
    assert not len(read_ledger(tmp_path).planned("aesad_table3", "full"))


def test_curves_are_found_beside_the_file_that_names_them(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path / "deep")
    writer.append(make_record("a", curve=writer.curve("a", [(1, 0.5, 0.75)])))
    writer.append(make_record("b", curve="curves/lost.csv"))
    assert read_ledger(tmp_path).runs["curve"].to_list() == [str(writer.curves), None]


def test_absent_and_null_are_the_same_and_other_fields_are_allowed(tmp_path: Path) -> None:
    required = {name for name, field in schema.fields(Record).items() if field.required}
    values = asdict(make_record("a"))
    short = {name: values[name] for name in required}
    for name, line in (("short", short), ("long", values), ("more", {**values, "mood": {"a": [1]}})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jsonl").write_text(json.dumps(line))
    frames = [read_ledger(tmp_path / name).runs for name in ("short", "long", "more")]
    assert len(short) < len(values) and [len(frame) for frame in frames] == [1, 1, 1]
    assert frames[0].equals(frames[1]) and frames[1].equals(frames[2])


def test_a_record_and_a_plan_are_the_same_after_they_are_written_and_read() -> None:
    record = make_record(
        config={"lr": 1e-07, "limit": float("inf"), "names": ["é", None]},
        tested=[1, "a"],
        fold=4,
        sensitive=True,
        n_validation=3,
        threads=2,
        distributions={"own": "1"},
        sources={"own.Method": "0123"},
        chosen=["aesad alpha=1", "logistic"],
        **dict.fromkeys((*THRESHOLD_METRICS, "ap_at_label_rate", *CHOICE[1:]), 0.5),
    )
    plan = Plan(**PLAN, search_path=["pkg://own.conf"], config_dir="conf", runs=[PlannedRun(**RUN)])
    assert decode(encode(record), Record) == record and decode(encode(plan).encode(), Plan) == plan
    assert "\n" not in encode(record)
    assert [*json.loads(encode(record))] == [*schema.fields(Record)]
    later = {"fold", "n_validation", "threads", "distributions", "sources", "ap_at_label_rate"}
    assert not {*later, *CHOICE, *THRESHOLD_METRICS} & json.loads(encode(make_record())).keys()


def test_a_record_that_ended_well_has_an_auc_and_a_time() -> None:
    with pytest.raises(ValueError, match="must have an AUC"):
        make_record(auc=None)
    with pytest.raises(ValueError, match="isoformat"):
        make_record(finished="yesterday")
    assert make_record(auc=None, status="failed").auc is None


def test_infinite_settings_are_read_but_infinite_metrics_are_not(tmp_path: Path) -> None:
    LedgerWriter(tmp_path).append(make_record("a", config={"limit": float("inf")}))
    (tmp_path / "b.jsonl").write_text(encode(make_record("b", auc=float("inf"))))
    ledger = read_ledger(tmp_path)
    assert ledger.runs.select("key", "config").rows() == [("a", '{"limit": Infinity}')] and len(ledger.warnings) == 1


def test_frames_have_a_column_for_each_field(tmp_path: Path) -> None:
    LedgerWriter(tmp_path).append(make_record("a", n_validation=11, distributions={"own": "1.2"}))
    writer = LedgerWriter(tmp_path)
    writer.plan({**PLAN, "search_path": ["pkg://own.conf"], "config_dir": "conf"}, [RUN])
    writer.plan(PLAN, [{**RUN, "key": "b"}])
    ledger = read_ledger(tmp_path)
    assert ledger.runs.columns == [*schema.fields(Record)] == read_ledger(tmp_path / "none").runs.columns
    assert ledger.runs.select("n_validation", "distributions").row(0) == (11, '{"own": "1.2"}')
    assert set(ledger.plans.select("key", "search_path", "config_dir").rows()) == {
        ("a", '["pkg://own.conf"]', "conf"),
        ("b", None, None),
    }


def test_the_page_on_records_has_the_tables_of_the_schema() -> None:
    page = Path(__file__).parents[1] / "docs" / "records.md"
    text = page.read_text()
    assert schema.with_tables(text) == text, "python -m semiad.ledger.schema docs/records.md writes the tables again"
    for kind in schema.KINDS.values():
        assert schema.markdown_table(kind) in text


def test_a_table_says_type_range_and_meaning() -> None:
    lines = schema.markdown_table(Record).splitlines()
    meaning = "Area under the ROC curve on the test rows; null only if the run failed."
    assert f"| `auc` | number from 0 to 1 or null | yes | {meaning} |" in lines
    assert any(line.startswith("| `tested` | array (string or integer) or null | no | ") for line in lines)
    assert any(line.startswith("| `n_test` | integer from 0 or null | no | ") for line in lines)
    assert schema.with_tables("a\n<!-- fields of Plan -->\nold\n<!-- end -->\nb") == (
        f"a\n<!-- fields of Plan -->\n{schema.markdown_table(Plan)}<!-- end -->\nb"
    )


@pytest.fixture
def own_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An installed package with an optimizer, of distribution `Their-Method` 1.2, and beside it a lone module."""
    site = tmp_path / "site"
    (site / "their_method").mkdir(parents=True)
    (site / "their_method" / "__init__.py").write_text("from torch.optim import Adam as Adam\n")
    (site / "lone_module.py").write_text("")
    (site / "their_method-1.2.dist-info").mkdir()
    (site / "their_method-1.2.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: Their-Method\nVersion: 1.2\n"
    )
    (site / "their_method-1.2.dist-info" / "top_level.txt").write_text("their_method\n")
    monkeypatch.syspath_prepend(str(site))
    provenance._packages_distributions.cache_clear()
    return "their_method"


def test_distributions_of_a_configuration(own_package: str) -> None:
    config = {
        "method": {"_target_": "semiad.methods.ae.AE", "optimizer": {"_target_": "torch.optim.Adam"}},
        "dataset": [{"_target_": f"{own_package}.Adam"}, [{"_target_": "sklearn.svm.OneClassSVM"}]],
        "other": [{"_target_": "lone_module.f"}, {"_target_": "builtins.dict"}, {"_target_": None}, "_target_"],
    }
    assert distributions(config) == {"Their-Method": "1.2"}
    assert distributions({"_target_": "pytest.fixture"}) == {"pytest": pytest.__version__}
    assert distributions({"_target_": "semiad.methods.ae.AE"}) == distributions({}) == {}
    assert XGBoost.libraries == ("xgboost",)  # and imported, as it is where runs are recorded
    assert {*distributions({"_target_": "semiad.methods.xgboost.XGBoost"})} == {"xgboost"}


def test_a_record_names_the_distributions_of_its_classes(
    own_package: str, command: Callable[..., int], tmp_path: Path
) -> None:
    assert command(*SMALL, "engine=packed", f"method.optimizer._target_={own_package}.Adam", "results=own") == 0
    assert command(*SMALL, "engine=packed", "results=plain") == 0
    assert [record.get("distributions") for name in ("own", "plain") for record in read(Path(name))] == [
        {"Their-Method": "1.2"},
        None,
    ]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "a.jsonl").write_text(encode(make_record("a")) + "\n")
    ledger = read_ledger(tmp_path)
    assert ledger.recorded == {"a"} and ledger.warnings == [f"{tmp_path / 'pipe.jsonl'} is no file: set aside"]
