import gzip
import json
import subprocess
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from semiad.errors import InputError
from semiad.ledger import record
from semiad.ledger.reader import Ledger
from semiad.ledger.reader import read as read_ledger
from semiad.ledger.writer import LedgerWriter
from tests.conftest import counted


def make_record(key: str = "k", auc: float | None = 0.9, status: str = "ok", **more: Any) -> dict[str, Any]:
    names = {"method": "ae", "dataset": "digits", "scenario": "one_vs_one", "normal": [8], "anomalous": [3], "seed": 0}
    figures = {"auc": auc, "ap": auc, "auc_seen": None, "auc_unseen": None}
    return {"schema": record.SCHEMA, "key": key, "status": status, "config": {}, **figures, **names, **more}


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
    return json.dumps({**make_record("b"), "finished": "2026-01-01T00:00:00+00:00", **more})


@pytest.mark.parametrize(
    "line",
    [
        *("[]", "3", "{}", '{"key": "a"}', "\x00\x00", "null", '{"key": "a", "status": "ok"'),
        *(bad(key=["a"]), bad(auc="0.9"), bad(auc=None), bad(auc=float("nan")), bad(auc=2), bad(status="fine")),
        *(bad(schema=99), bad(config=None), bad(finished="x"), bad(normal=8), bad(seed=True), bad(seed=0.5)),
        *(bad(seconds="1"), bad(epochs=1.5), bad(auc=True), bad(curve=["c"]), bad(auc_by_class=[1])),
    ],
)
def test_what_is_no_record_is_set_aside(tmp_path: Path, line: str) -> None:
    writer = LedgerWriter(tmp_path)
    writer.append(make_record("a"))
    with writer.file.open("a") as file:
        file.write(line + "\n")
    read = read_ledger(tmp_path)
    assert set(read.recorded) == {"a"} and len(read.warnings) == 1


def written(tmp_path: Path, *lines: dict[str, Any]) -> Ledger:
    for line in lines:
        LedgerWriter(tmp_path).append(line)
    return read_ledger(tmp_path)


def test_records_of_one_key_may_differ_by_rounding_only(tmp_path: Path) -> None:
    assert not written(tmp_path / "near", make_record(auc=0.9), make_record(auc=0.9009)).conflicts
    (conflict,) = written(tmp_path / "far", make_record(auc=0.9), make_record(auc=0.902)).conflicts
    assert "2 records with AUC from 0.9000 to 0.9020" in conflict and "8 vs 3 seed 0" in conflict


def test_a_forced_record_supersedes(tmp_path: Path) -> None:
    ledger = written(tmp_path, make_record(auc=0.9), make_record(auc=0.5, forced=True))
    assert counted(ledger)["k"]["auc"] == 0.5 and not ledger.conflicts


def test_a_good_record_counts_before_a_failed_one(tmp_path: Path) -> None:
    ledger = written(
        tmp_path, make_record(auc=None, status="failed"), make_record(auc=0.7), make_record(auc=None, status="failed")
    )
    assert counted(ledger)["k"]["auc"] == 0.7


def test_failed_runs_are_done_unless_to_be_retried(tmp_path: Path) -> None:
    ledger = written(tmp_path, make_record(auc=None, status="failed"))
    assert ledger.done("k", retry_failed=False) and not ledger.done("k", retry_failed=True)
    assert not ledger.done("other", retry_failed=False)


def test_plans_say_what_is_missing(tmp_path: Path) -> None:
    shared = {"method": "ae", "dataset": "digits", "scenario": "one_vs_one", "config": {"epochs": 5}}
    runs = [{"key": key, "normal": [8], "anomalous": [3], "seed": i} for i, key in enumerate("abc")]
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
    (tmp_path / "plans" / "p.json").write_text(
        json.dumps({**dict.fromkeys(record.SHARED, "x"), "runs": [{"key": "q"}]})
    )
    LedgerWriter(tmp_path).append(make_record("a"))
    read = read_ledger(tmp_path)
    assert set(read.recorded) == {"a"} and not len(read.plans) and len(read.warnings) == 3


def test_plans_below_a_folder_are_found_like_records(tmp_path: Path) -> None:
    shared = {"method": "ae", "dataset": "digits", "scenario": "one_vs_one", "config": {}}
    LedgerWriter(tmp_path / "deep" / "er").plan(shared, [{"key": "a", "normal": [8], "anomalous": [3], "seed": 0}])
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
        LedgerWriter(tmp_path / "file" / "ledger").plan({}, [])
    with pytest.raises(InputError, match="what was recorded before is kept"):
        LedgerWriter(tmp_path / "file" / "ledger").append(make_record())


def test_lines_are_plain_json(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path)
    writer.append(make_record(auc=None))
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
    (tmp_path / "r.jsonl.gz").write_bytes(gzip.compress(json.dumps(make_record()).encode() * 100)[:-20])
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
    shared = {"method": "ae", "dataset": "digits", "scenario": "one_vs_one", "config": {}}
    run = {"key": "a", "normal": [8], "anomalous": [3], "seed": 0}
    writer = LedgerWriter(tmp_path)
    for name in ("aesad_table3", "aesad_table4"):
        writer.plan({**shared, "experiment": name, "budget": "quick"}, [run])
    writer.plan(shared, [run])
    ledger = read_ledger(tmp_path)
    assert len(ledger.runs) == 1
    rows = {(None, None, "a"), ("aesad_table3", "quick", "a"), ("aesad_table4", "quick", "a")}
    assert set(ledger.plans.select("experiment", "budget", "key").iter_rows()) == rows


def test_plans_that_follow_an_experiment_count_before_those_that_change_it(tmp_path: Path) -> None:
    shared = {"method": "ae", "dataset": "digits", "scenario": "one_vs_one", "config": {}, "experiment": "aesad_table3"}
    writer = LedgerWriter(tmp_path)

    def plan(key: str, **more: str) -> None:
        writer.plan({**shared, "budget": "quick", **more}, [{"key": key, "normal": [8], "anomalous": [3], "seed": 0}])

    plan("a", changes="epochs=3")
    assert read_ledger(tmp_path).planned("aesad_table3", "quick")["key"].to_list() == ["a"]
    plan("b")
    assert read_ledger(tmp_path).planned("aesad_table3", "quick")["key"].to_list() == ["b"]
    assert not len(read_ledger(tmp_path).planned("aesad_table3", "full"))


def test_curves_are_found_beside_the_file_that_names_them(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path / "deep")
    writer.append(make_record("a", curve=writer.curve("a", [(1, 0.5, 0.75)])))
    writer.append(make_record("b", curve="curves/lost.csv"))
    assert read_ledger(tmp_path).runs["curve"].to_list() == [str(writer.curves), None]
