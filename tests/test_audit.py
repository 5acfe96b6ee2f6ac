"""What an audit finds, on rows whose copies are known, and what the command prints of it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from semiad.command.audit import COUNTS, FINDINGS, as_table, audit, first_same, remarks
from semiad.types import Dataset, Labels, Split

Command = Callable[..., int]

# Rows 0, 1 and 5 are the same, and so are 2 and 6, and 3 and 7; the last feature is 1 but for row 8.
FEATURES = [[0, 0, 1], [0, 0, 1], [1, 0, 1], [2, 0, 1], [3, 5, 1], [0, 0, 1], [1, 0, 1], [2, 0, 1], [4, 0, 7]]
Y = [0, 0, 0, 0, 0, 1, 1, 0, 1]


def table(top: float | None) -> Dataset:
    return Dataset(Labels("toy", (0, 1), np.array(Y), None), torch.tensor(FEATURES).float(), top)


def split(train: list[int], s: list[int], n_polluted: int, test: list[int]) -> Split:
    return Split(np.array(train), np.array(s), n_polluted, np.array(test), np.array(Y)[test], None)


def audited(chosen: Split, top: float | None = None) -> tuple[list[int], list[int], str]:
    found = audit("", chosen, table(top), first_same(table(top)))
    assert tuple(found.counts) == COUNTS and found.findings.keys() == FINDINGS.keys()
    return list(found.counts.values()), list(found.findings.values()), found.scaled_by


def test_rows_with_the_same_bytes() -> None:
    assert first_same(table(None)).tolist() == [0, 0, 2, 3, 4, 0, 2, 3, 8]


def test_copies_contradictions_and_constant_features() -> None:
    # Row 5, labelled, is a copy of rows 0 and 1; row 6 pollutes, a copy of row 2; row 7 is tested, a copy of row 3.
    found = audited(split([0, 1, 2, 3, 6, 5], [0, 0, 0, 0, 0, 1], 1, [4, 7, 8]))
    assert found == ([4, 1, 1, 2, 1], [0, 0, 3, 1, 2, 2], "6 training rows")


def test_a_clean_split_has_no_findings() -> None:
    clean = split([2, 4], [0, 0], 0, [0, 8])
    assert audited(clean, top=255) == ([2, 0, 0, 1, 1], [0, 0, 0, 0, 0, 1], "0 to 255")
    assert audited(replace(clean, scaling=np.array([2, 4, 5])))[2] == "3 rows, unclipped"


def test_rows_that_stand_twice_or_are_tested_too() -> None:
    # Row 8 pollutes and is labelled; rows 4 and 8 are tested as well, which makes them no copies.
    found = audited(split([2, 4, 8, 8], [0, 0, 1, 1], 0, [4, 8]))
    assert found == ([2, 0, 2, 1, 1], [2, 1, 0, 0, 0, 0], "4 training rows")
    assert audited(split([4, 8, 8], [0, 0, 1], 1, [0]))[1] == [0, 1, 0, 0, 1, 0]


def test_remarks_count_splits() -> None:
    splits = [split([2, 4], [0, 0], 0, test) for test in ([4, 2], [2], [0])]
    found = [audit(f"cell {i}", one, table(None), first_same(table(None))) for i, one in enumerate(splits)]
    said = list(remarks(found))
    assert len(said) == len(FINDINGS) and said[1].endswith("before: none")
    assert said[0] == "in both: test rows that are training rows too: 2 of 3 splits, at most 2"
    assert as_table(found).row_count == 3


def lines(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    """The words of each row of the table that was printed."""
    return [line.split() for line in capsys.readouterr().out.splitlines() if " seed " in line]


def test_variants_on_classes(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["audit=true", "scenario=pollution_ratio", "scenario.normal=8", "seeds=[0,1]"]
    twice = {}
    for variant in ("clean", "published"):
        shares = ["scenario.labelled=0.3", "scenario.pollution=0.4", f"scenario.variant={variant}"]
        assert command(*words, *shares, "grid={method.lam.alpha:[0.1,1]}") == 0
        got = [row[5:] for row in lines(capsys)]
        # 104 rows of class 8 train, 69.3 anomalies pollute, 74.3 are labelled; one line for both values of the grid.
        assert len(got) == 18 and all(sum(map(int, row[:3])) == 104 + 69 + 74 for row in got)
        assert all(int(row[0]) == 104 and row[5] == "0" and row[-3:] == ["0", "to", "16"] for row in got)
        twice[variant] = [int(row[6]) for row in got]
        assert [int(row[2]) - 74 for row in got] == twice[variant]
    # 74 of 974 anomalies are labelled, so of 69 polluting ones 5 are expected to be.
    assert set(twice["clean"]) == {0} and 3 < np.mean(twice["published"]) < 8
    assert not Path("outputs/results").exists()


def test_variants_on_tables(
    command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    y = np.repeat([0, 1], [100, 20])
    x = torch.arange(120).float()[:, None].repeat(1, 2)
    monkeypatch.setattr(
        "semiad.command.job.load_dataset", lambda *_: Dataset(Labels("odds/toy", (0, 1), y, None), x, None)
    )
    words = ["audit=true", "scenario=table_stratified", "dataset=odds", "scenario.labelled=0.1"]
    assert command(*words) == 0
    assert [row[5:] for row in lines(capsys)] == [
        [*"60 0 6 40 8 0 0 0 0 0 0 66".split(), "training", "rows"] for _ in range(10)
    ]
    assert command(*words, "scenario.variant=published") == 0
    shared = [int(row[10]) for row in lines(capsys)]
    # 60 % of 40 normal rows, and 6 of 20 of 8 anomalies.
    assert len(shared) == 10 and 22 < np.mean(shared) < 31
