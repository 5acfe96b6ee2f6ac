"""Whatever the writer takes, the reader reads; whatever is damaged costs no more than its own line."""

import json
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict

from semiad.errors import InputError
from semiad.ledger import progress
from semiad.ledger.progress import Progress
from semiad.ledger.reader import Ledger
from semiad.ledger.reader import read as read_ledger
from semiad.ledger.record import CHOICE, MAX_INTEGER, METRICS, SCHEMA, PlannedRun, Record, decode
from semiad.ledger.writer import LedgerWriter
from tests.conftest import counted
from tests.test_records import PLAN, RUN, make_record

FEW = settings(max_examples=60, deadline=None)
WORDS = st.text(st.characters(codec="utf-8"), max_size=8)
SHARES = st.floats(0, 1)
COUNTS = st.none() | st.integers(0, MAX_INTEGER)
SETTINGS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS,
    lambda node: st.lists(node, max_size=3) | st.dictionaries(WORDS, node, max_size=3),
    max_leaves=8,
)
CLASSES = st.lists(st.integers(-(2**70), 2**70) | WORDS, min_size=1, max_size=3)
RECORDS = st.builds(
    Record,
    schema=st.just(SCHEMA),
    status=st.just("ok"),
    reason=st.none() | WORDS,
    key=st.text("abcdef0123456789", min_size=1, max_size=6),
    normal=CLASSES,
    anomalous=CLASSES,
    tested=st.none() | CLASSES,
    seed=st.integers(0, MAX_INTEGER),
    **dict.fromkeys(("method", "dataset", "scenario"), WORDS),
    **{name: SHARES if name == "auc" else st.none() | SHARES for name in METRICS if name != "auc_by_class"},
    **dict.fromkeys(CHOICE[1:], st.none() | SHARES),
    chosen=st.none() | st.lists(WORDS, max_size=3),
    auc_by_class=st.none() | st.dictionaries(WORDS, st.none() | SHARES, max_size=3),
    **dict.fromkeys(("fold", "n_train", "n_validation", "n_fit", "n_test", "epochs", "steps", "pack_width"), COUNTS),
    seconds=st.none() | st.floats(allow_nan=False),
    versions=st.none() | st.dictionaries(WORDS, WORDS, max_size=3),
    sources=st.none() | st.dictionaries(WORDS, WORDS, max_size=3),
    config=st.dictionaries(WORDS, SETTINGS, max_size=4),
    finished=st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
)


def in_folder(check: Callable[[Path], None]) -> None:
    """Call a function with an empty folder; hypothesis would share the one of pytest."""
    with tempfile.TemporaryDirectory() as folder:
        check(Path(folder))


@FEW
@given(RECORDS)
def test_what_is_written_is_read_to_the_last_digit(record: Record) -> None:
    def check(folder: Path) -> None:
        writer = LedgerWriter(folder)
        writer.append(record)
        (line,) = writer.file.read_text().splitlines()
        assert decode(line, Record) == record
        ledger = read_ledger(folder)
        assert not ledger.warnings
        row = counted(ledger)[record.key]
        for name, value in asdict(record).items():
            if isinstance(value, dict):
                assert json.loads(row[name]) == value
            elif isinstance(value, list):
                held = json.loads(row[name]) if name == "chosen" else row[name]
                assert held == [str(item) for item in value]
            else:
                assert row[name] == value

    in_folder(check)


@FEW
@given(st.lists(st.integers(0, MAX_INTEGER), min_size=1, max_size=3, unique=True), st.dictionaries(WORDS, SETTINGS))
def test_what_is_planned_is_read(seeds: list[int], config: dict[str, Any]) -> None:
    def check(folder: Path) -> None:
        runs = [{**RUN, "key": f"k{seed}", "seed": seed} for seed in seeds]
        LedgerWriter(folder).plan({**PLAN, "config": config}, runs)
        ledger = read_ledger(folder)
        assert not ledger.warnings and ledger.runs["seed"].to_list() == seeds
        assert json.loads(ledger.runs["config"][0]) == config

    in_folder(check)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("seed", MAX_INTEGER + 1), ("auc", float("nan")), ("auc", float("inf")), ("auc", 1.5), ("n_test", -1)),
        *(("seconds", "1"), ("normal", [1.5]), ("normal", [None]), ("method", "\udcff"), ("key", 3)),
        *(("status", "fine"), ("config", {"x": object()}), ("f1_best", float("nan"))),
        *(("auc_by_class", {"3": float("nan")}), ("config", {"x": "\udcff", "y": float("inf")})),
    ],
)
def test_what_the_reader_would_not_take_is_not_written(tmp_path: Path, name: str, value: object) -> None:
    writer = LedgerWriter(tmp_path)
    with pytest.raises(InputError, match="cannot be kept"):
        writer.append(make_record(**{name: value}))
    if name in PlannedRun.__struct_fields__:
        with pytest.raises(InputError, match="cannot be kept"):
            writer.plan(PLAN, [{**RUN, name: value}])
    assert not list(tmp_path.rglob("*.json*"))


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**63, 2**64, -(2**63), 10**400, -1])
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["\udcff", "\x00", "/", "..", ".", "x" * 300, "2026-01-01", "Infinity"]),
    lambda node: st.lists(node, max_size=3) | st.dictionaries(st.text(max_size=5), node, max_size=3),
    max_leaves=5,
)
NAMES = sorted(Record.__struct_fields__)


def damaged(texts: list[str], name: str, kind: type) -> Ledger:
    """The ledger of a folder whose file of records, or each of whose plans, has damaged texts after a good one."""
    with tempfile.TemporaryDirectory() as folder:
        LedgerWriter(Path(folder)).append(make_record("good"))
        if kind is Record:
            lines = "\n".join(texts).encode(errors="surrogatepass")
            (Path(folder) / "a.jsonl").write_bytes(lines)
        else:
            (Path(folder) / "plans").mkdir()
            for i, text in enumerate(texts):
                (Path(folder) / "plans" / f"{i}.json").write_bytes(text.encode(errors="surrogatepass"))
        return read_ledger(Path(folder))


@FEW
@given(st.lists(st.tuples(st.sampled_from(NAMES), ANYTHING), min_size=1, max_size=4))
@example([("seconds", 10**400), ("config", {"a": float("inf")})])
@example([("key", "\udcff"), ("config", {"a": float("inf")})])
@example([("curve", "x" * 300)])
@example([("samples", "/")])
def test_a_field_of_any_value_never_blocks_the_rest(changes: list[tuple[str, Any]]) -> None:
    values = [dict([change]) for change in changes] + [dict(changes)]
    texts = [json.dumps({**asdict(make_record(f"bad{i}")), **value}) for i, value in enumerate(values)]
    ledger = damaged(texts, "a.jsonl", Record)
    assert "good" in ledger.recorded
    for warning in ledger.warnings:
        assert "a.jsonl, line " in warning and "set aside" in warning and "\n" not in warning
    plans = [json.dumps({**PLAN, "runs": [{**RUN, **value}], **value}) for value in values]
    assert "good" in damaged(plans, "plans", PlannedRun).recorded


@FEW
@given(st.lists(st.text() | ANYTHING.map(json.dumps), max_size=4), st.integers(0, 10**4), st.binary(max_size=3))
def test_damaged_lines_never_raise(lines: list[str], at: int, junk: bytes) -> None:
    assert "good" in damaged(lines, "a.jsonl", Record).recorded
    assert "good" in damaged(lines, "plans", PlannedRun).recorded

    def check(folder: Path) -> None:
        writers = [LedgerWriter(folder) for _ in range(2)]
        for writer in writers:
            writer.append(make_record(writer.file.stem))
        whole = writers[0].file.read_bytes()
        writers[0].file.write_bytes(whole[: at % len(whole)] + junk + whole[at % len(whole) + 1 :])
        assert writers[1].file.stem in read_ledger(folder).recorded

    in_folder(check)


@FEW
@given(st.dictionaries(st.sampled_from(sorted(Progress.__dataclass_fields__)), ANYTHING), ANYTHING)
@example({"started": "x"}, None)
@example({"title": 3, "last": [None]}, [])
def test_damaged_files_of_progress_are_left_out(changes: dict[str, Any], other: Any) -> None:
    def check(folder: Path) -> None:
        good = Progress("a", "b", 1, 0, 1)
        good.write(folder / "jobs" / "good.json")
        for i, value in enumerate(({**msgspec.to_builtins(good), **changes}, other)):
            (folder / "jobs" / f"{i}.json").write_text(json.dumps(value))
        jobs = list(progress.read(folder))
        assert good in jobs
        progress.summary(jobs, 0.0)
        progress.view(jobs, 0.0)

    in_folder(check)


def test_a_folder_of_many_damaged_lines_names_each(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path)
    writer.append(make_record("a"))
    with writer.file.open("a") as file:
        file.write(json.dumps({**asdict(make_record("b")), "seed": 2**63}) + "\n")
        file.write(json.dumps({**asdict(make_record("c")), "seed": "0"}) + "\n")
        file.write("{\n")
    writer.append(make_record("d"))
    shutil.copy(writer.file, tmp_path / "again.jsonl")
    ledger = read_ledger(tmp_path)
    assert set(ledger.recorded) == {"a", "d"} and len(ledger.warnings) == 6
    assert (
        f"{writer.file}, line 2 is torn or no record (Expected `int` <= {MAX_INTEGER} - at `$.seed`)"
        in (ledger.warnings[0])
    )
