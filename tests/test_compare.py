"""Comparison of methods by few labels: the rule, the nesting, the folds, the command and its page."""

import json
import re
import shlex
import signal
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.preprocessing import StandardScaler

from semiad import Detector
from semiad.data import fit_scaler
from semiad.detector import auto
from semiad.detector.candidates import Candidate, candidates, default_candidates
from semiad.detector.choosing import (
    Fold,
    best,
    choose,
    corrected_error,
    estimate,
    judge,
    over_repeats,
    precisions,
    standardised,
)
from semiad.detector.comparison import Comparison, compared_so_far
from semiad.detector.comparison_jobs import Job, check_labels, make_jobs, train_jobs
from semiad.detector.training import Bar
from semiad.engines.context import EpochPoint, Outcome
from semiad.errors import InputError
from semiad.scenarios.kfold import KFold
from semiad.scenarios.leave_kind_out import LeaveKindOut
from semiad.tabular.frames import as_frame
from semiad.tabular.preprocessor import TablePreprocessor
from semiad.types import Labels
from tests.conftest import read, run_semiad

COMMAND = ("compare", "pay.csv", "--label", "state", "--anomaly", "fraud")
QUICK = [Candidate("logistic"), Candidate("iforest", ("method.trees=10",)), Candidate("logistic", ("method.C=0.01",))]


class Nobody:
    """A callback that does nothing but count runs."""

    def __init__(self) -> None:
        self.runs = 0

    def of(self, job: Job) -> "Nobody":
        return self

    def on_epochs(self, points: Sequence[EpochPoint]) -> None:
        pass

    def on_run_end(self, outcome: Outcome) -> None:
        self.runs += 1


def rows(shift: float = 2.0, anomalies: int = 12, others: int = 150) -> tuple[np.ndarray, np.ndarray]:
    """Rows of four features, of which anomalies differ in the first."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(anomalies + others, 4)).astype(np.float32)
    y = np.zeros(len(x), dtype=bool)
    y[rng.permutation(len(x))[:anomalies]] = True
    x[y, 0] += shift
    return x, y


def prepared(x: np.ndarray) -> np.ndarray:
    """Prepare rows as a detector does."""
    return TablePreprocessor().fit(as_frame(x)).transform(as_frame(x))


def compared(
    x: np.ndarray, y: np.ndarray, folder: Path, chosen: Sequence[Candidate] = QUICK, repeats: int = 2
) -> tuple[Comparison, list[Job], int]:
    cut = KFold(4, "all")
    jobs = make_jobs(prepared(x), y, chosen, cut, repeats, 0, torch.device("cpu"), folder, folder / "results")
    counter = Nobody()
    train_jobs(jobs, folder / "results", counter.of)
    made = compared_so_far(jobs, folder / "results")
    assert made is not None
    return made, jobs, counter.runs


def test_the_error_of_a_mean_over_folds_is_that_of_nadeau_and_bengio() -> None:
    values = np.array([0.5, 0.7, 0.9])
    assert corrected_error(values, 0.25) == pytest.approx(np.sqrt((1 / 3 + 0.25) * 0.04))
    made = estimate(values, 0.25)
    assert made.mean == pytest.approx(0.7)
    assert made.high == pytest.approx(min(0.7 + 1.8856 * np.sqrt((1 / 3 + 0.25) * 0.04), 1), abs=1e-4)
    assert estimate(values[:1], 0.25).low == 0 and estimate(values[:1], 0.25).high == 1


def test_a_failed_candidate_is_no_verdict_on_those_that_are_left(tmp_path: Path) -> None:
    x, y = rows()
    failing = Candidate("supervised", ("method.optimizer.lr=1e30",))
    cut, device = KFold(2, "all"), torch.device("cpu")
    jobs = make_jobs(prepared(x), y, [failing, *QUICK], cut, 1, 0, device, tmp_path, tmp_path / "results")
    train_jobs(jobs[:1], tmp_path / "results", Nobody().of)
    assert compared_so_far(jobs, tmp_path / "results") is None
    with pytest.raises(InputError, match="no candidate could be trained: supervised lr=1e30"):
        compared_so_far(jobs[:1], tmp_path / "results")


def test_the_simplest_within_one_standard_error_of_the_best_is_chosen() -> None:
    rng = np.random.default_rng(0)
    best = 0.8 + rng.normal(0, 0.05, 20)
    close, far = best - 0.01 + rng.normal(0, 0.05, 20), best - 0.2
    assert choose(np.stack([far, close, best]), 0.25) == 1
    assert choose(np.stack([far, best, close]), 0.25) == 1
    assert choose(np.stack([far, best - 0.01, best]), 0.25) == 2  # always lower by the same is no chance
    assert choose(np.stack([best, best]), 0.25) == 0


def drawn_folds(seed: int, candidates: int = 4, repeats: int = 2, folds: int = 4, p: int = 3) -> list[list[Fold]]:
    """Folds of 40 normal rows and `p` anomalies, on which all candidates are alike."""
    rng, truth = np.random.default_rng(seed), np.array([0] * 40 + [1] * p)
    return [[Fold(rng.normal(size=(candidates, 40 + p)) + truth, truth) for _ in range(folds)] for _ in range(repeats)]


def take_best(values: np.ndarray) -> list[int]:
    return best(values, 1)


def test_rows_of_all_folds_are_ranked_together() -> None:
    (folds, *_) = drawn_folds(0, candidates=3)
    everything, truth = np.concatenate([f.scores for f in folds], axis=1), np.concatenate([f.truth for f in folds])
    everything = everything.round(1)  # ties
    folds = [Fold(part, fold.truth) for part, fold in zip(np.split(everything, 4, axis=1), folds, strict=True)]
    values = precisions(folds)
    for of_folds, scores in zip(values, everything, strict=True):
        assert of_folds.mean() == pytest.approx(average_precision_score(truth, scores))
        without = [
            average_precision_score(np.delete(truth, k), np.delete(scores, k)) for k in np.split(np.arange(172), 4)
        ]
        assert of_folds == pytest.approx(of_folds.mean() + 3 * (np.mean(without) - without))


def test_the_average_precision_of_folds_with_one_anomaly_is_that_of_ten() -> None:
    """Folds alone say .70, ranked together on any scale .61, where ten anomalies and their normal rows have .59."""
    rng, truth = np.random.default_rng(0), np.array([0] * 60 + [1])
    alone, together, truly = [], [], []
    for _ in range(400):
        drawn = rng.normal(size=(10, 61)) + 2.5 * truth
        scores = drawn * rng.uniform(1, 9, size=(10, 1)) + rng.normal(size=(10, 1))
        alone.append(np.mean([average_precision_score(truth, one) for one in scores]))
        together.append(precisions([Fold(standardised(one, truth)[None], truth) for one in scores]).mean())
        truly.append(average_precision_score(np.tile(truth, 10), drawn.ravel()))
    assert np.mean(alone) > np.mean(truly) + 0.08
    assert np.mean(truly) - 0.01 < np.mean(together) < np.mean(truly) + 0.03


def test_a_fold_has_no_part_in_the_choice_that_it_judges() -> None:
    """The labels of a fold change how it is judged, and not what is taken for it or for another repeat."""
    seen: list[list[int]] = []

    def take(values: np.ndarray) -> list[int]:
        seen.append(best(values, 2))
        return seen[-1]

    repeats = drawn_folds(0)
    before = over_repeats(judge(repeats, take))
    taken = [seen[k : k + 4] for k in range(0, 8, 4)]
    for k in range(4):
        fold = repeats[0][k]
        changed = [[*repeats[0]], repeats[1]]
        changed[0][k] = Fold(fold.scores, np.roll(fold.truth, 7))
        seen.clear()
        after = over_repeats(judge(changed, take))
        assert seen[k] == taken[0][k] and seen[4:] == taken[1]
        assert after[0].mean() != before[0].mean() and (after[1] == before[1]).all()


def test_the_value_of_a_chosen_candidate_is_flattered_and_its_worth_is_not() -> None:
    """Of candidates that are all alike the best mean is above the truth; what choosing is worth is not."""
    drawn = [drawn_folds(seed, candidates=12) for seed in range(150)]
    of_all = [np.concatenate([precisions(folds) for folds in repeats], 1) for repeats in drawn]
    truth = np.mean([values.mean() for values in of_all])
    best_mean = np.mean([values.mean(axis=1).max() for values in of_all])
    worth = np.mean([over_repeats(judge(repeats, take_best)).mean() for repeats in drawn])
    assert best_mean > truth + 0.06 and worth == pytest.approx(truth, abs=0.02)


def test_the_mean_score_of_several_is_judged_as_one() -> None:
    (folds, *_) = drawn_folds(0)
    truth = np.concatenate([fold.truth for fold in folds])
    expected = average_precision_score(truth, np.concatenate([fold.scores.mean(axis=0) for fold in folds]))
    assert over_repeats(judge([folds], lambda values: [0, 1, 2, 3])).mean() == pytest.approx(expected)
    together = np.mean([over_repeats(judge(drawn_folds(seed), lambda v: best(v, 4))).mean() for seed in range(30)])
    single = np.mean([over_repeats(judge(drawn_folds(seed), take_best)).mean() for seed in range(30)])
    assert together > single + 0.1


def test_a_fold_is_trained_and_scaled_without_the_rows_that_it_tests(tmp_path: Path) -> None:
    x, y = rows()
    made, jobs, count = compared(x, y, tmp_path)
    assert count == sum(len(job.runs) for job in jobs) == 3 * 2 * 4
    records = {record["key"]: record for record in read(tmp_path / "results")}
    for run in jobs[0].runs:
        split = jobs[0].context.split(run)
        assert not set(split.train) & set(split.test) and set(split.train) | set(split.test) == set(range(len(x)))
        assert (split.truth == y[split.test]).all() and (split.s == y[split.train]).all()
        scaled = fit_scaler(jobs[0].context.dataset, torch.from_numpy(split.train))(torch.from_numpy(x)).numpy()
        standard = StandardScaler().fit(scaled[split.train])
        model = LogisticRegression(C=1, max_iter=1000).fit(standard.transform(scaled[split.train]), split.s)
        ap = average_precision_score(split.truth, model.decision_function(standard.transform(scaled[split.test])))
        assert records[run.key]["ap"] == pytest.approx(ap, abs=1e-6)
    assert made.chosen.candidate.method == "logistic" and made.worth(1).low < made.worth(1).mean < made.worth(1).high


def test_labels_at_random_are_worth_no_more_than_chance(tmp_path: Path) -> None:
    """A comparison that let held-out labels into training, or chose by what it reports, would find something here."""
    x, y = rows(shift=0)
    made, _, _ = compared(x, y, tmp_path)
    auc = {one.candidate.name: one.estimate("auc") for one in made.compared}
    assert all(one.low < 0.5 < one.high for one in auc.values())
    assert made.worth(1).mean < 0.3 and made.worth(3).mean < 0.3


def test_what_is_recorded_is_not_trained_again(tmp_path: Path) -> None:
    x, y = rows()
    first, _, count = compared(x, y, tmp_path, QUICK[:1])
    more, _, rest = compared(x, y, tmp_path, QUICK[:2])
    assert (count, rest) == (8, 8)
    assert (first.compared[0].values["ap"] == more.compared[0].values["ap"]).all()
    x[0, 0] += 1  # other rows are another comparison
    assert compared(x, y, tmp_path, QUICK[:1])[2] == 8


def test_scores_that_are_not_those_of_a_run_are_told(tmp_path: Path) -> None:
    _, jobs, _ = compared(*rows(), tmp_path, QUICK[:1], repeats=1)
    file = jobs[0].context.scores_file(jobs[0].runs[0])
    assert file is not None
    scores, data = np.load(file), file.read_bytes()
    for wrong in (scores[:, None], scores[1:], scores.astype(str), scores * np.nan, np.zeros(len(scores), "f4,f4")):
        np.save(file, wrong)
        with pytest.raises(InputError, match=f"does not hold {len(scores)} finite numbers, .*: remove it, and the run"):
            compared_so_far(jobs, tmp_path / "results")
    for wrong in (b"", b"PK\x03\x04", b"hello", data[:20], data[:-1]):
        file.write_bytes(wrong)
        with pytest.raises(InputError, match=r"cannot be read .*: remove it, and the run is trained anew"):
            compared_so_far(jobs, tmp_path / "results")
    file.unlink()
    assert compared_so_far(jobs, tmp_path / "results") is None, "the run is to be trained anew, and has no scores yet"
    made, _, runs = compared(*rows(), tmp_path, QUICK[:1], repeats=1)
    assert runs == 1 and made.chosen.candidate == QUICK[0] and np.array_equal(np.load(file), scores)


def test_networks_train_in_packs_with_a_budget_of_steps(tmp_path: Path) -> None:
    x, y = rows()
    made, _, _ = compared(x, y, tmp_path, candidates(["aesad"], ["training.epochs.table=2"]), repeats=1)
    (record, *others) = read(tmp_path / "results")
    assert {r["pack_width"] for r in (record, *others)} == {4} and record["config"]["epochs"] == 2
    assert record["config"]["steps"] == 2000 and made.chosen.candidate.name == "aesad table=2"


def test_settings_of_a_method_share_a_pack(tmp_path: Path) -> None:
    short = "training.epochs.table=2"
    chosen = [
        Candidate("aesad", (short,)),
        Candidate("logistic"),
        Candidate("aesad", (short, "method.lam.alpha=1")),
        Candidate("aesad", ("training.epochs.table=3",)),
    ]
    x, y = rows()
    made, counts = {}, {}
    for name, group in {"together": chosen, "first": chosen[:1], "third": chosen[2:3]}.items():
        counts[name] = Nobody()
        jobs = make_jobs(prepared(x), y, group, KFold(3, "all"), 2, 0, torch.device("cpu"), tmp_path / name)
        train_jobs(jobs, tmp_path / name / "results", counts[name].of)
        made[name] = compared_so_far(jobs, tmp_path / name / "results")
    widths = [record["pack_width"] for record in read(tmp_path / "together/results") if record["method"] == "aesad"]
    assert counts["together"].runs == 24 and sorted(widths) == [6] * 6 + [12] * 12
    alone = [comparison.compared[0] for comparison in (made["first"], made["third"]) if comparison is not None]
    assert made["together"] is not None and len(alone) == 2
    for one, other in zip(made["together"].compared[::2], alone, strict=True):
        assert one.candidate == other.candidate
        np.testing.assert_allclose(one.values["auc"], other.values["auc"], atol=1e-6)
        np.testing.assert_allclose(one.values["ap"], other.values["ap"], atol=1e-6)


def test_a_candidate_that_fails_is_out_of_the_choice_and_says_why(tmp_path: Path) -> None:
    x, y = rows()
    broken = Candidate("aesad", ("training.epochs.table=1", "method.optimizer.lr=1e30"))
    made, _, _ = compared(x, y, tmp_path, [broken, QUICK[0]], repeats=1)
    assert made.compared[0].reason and "loss is nan" in made.compared[0].reason
    assert made.usable == [made.compared[1]] and made.chosen is made.compared[1]
    results = made.results()
    assert results["rank_test_average_precision"].tolist() == results["rank_test_roc_auc"].tolist() == [2, 1]
    mean = results["mean_test_average_precision"]
    assert np.isnan(mean[0]) and mean[1] == pytest.approx(made.chosen.estimate().mean)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ((4, 100, 5), "4 rows are labelled anomalous, and methods are compared from 5 on: with fewer, chance decides"),
        ((1, 100, 5), "1 row is labelled anomalous"),
        ((9, 1, 5), "1 training row is not labelled anomalous, expected two for two folds"),
        ((9, 9, 1), "folds is 1, expected a whole number from 2 on"),
    ],
)
def test_too_few_labels_are_told(counts: tuple[int, int, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_labels(*counts)


def test_there_is_a_fold_for_each_label_and_each_other_row_at_most() -> None:
    assert check_labels(7, 100, 10) == 7 and check_labels(30, 100, 5) == 5 and check_labels(9, 3, 5) == 3


@pytest.mark.filterwarnings("ignore:.*calibration rows allow no false alarm rate below")
def test_rows_are_compared_as_the_detector_prepares_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto, "default_candidates", lambda: QUICK)
    x, y = rows(4.0)
    x = x.astype(np.float64)
    far, odd = x.copy(), x.copy()
    far[:, 0] = 1.7e9 + 10 * far[:, 0]  # seconds, which float32 holds to the nearest 128
    odd[np.flatnonzero(~y)[0], [1, 3]] = 1e5, 1e300
    worth = {}
    for name, table in (("plain", x), ("far", far), ("odd", odd)):
        made = Detector(repeats=1, ensemble=1, random_state=0, device="cpu").fit(table, y.astype(int)).comparison_
        assert made is not None and len(made.usable) == 3
        worth[name] = made.worth(5).mean
    assert worth["far"] == pytest.approx(worth["plain"], abs=1e-6) and worth["plain"] > 0.8
    assert worth["odd"] > 0.8


def test_an_interval_has_a_width_where_all_anomalies_come_first(tmp_path: Path) -> None:
    x, y = rows(60.0)
    made, _, _ = compared(x, y, tmp_path, QUICK[:1], repeats=1)
    for worth in (made.worth(1), made.compared[0].estimate("ap")):
        assert worth.mean == worth.high == 1 and worth.low == pytest.approx(0.1 ** (1 / 12))
    assert made.compared[0].estimate("auc").low == 1


def test_candidates_stand_from_the_simplest_each_once() -> None:
    names = [one.name for one in default_candidates()]
    assert names[:3] == ["logistic", "logistic C=0.1", "logistic C=10"] and len({*names}) == len(names)
    assert [one.name for one in candidates(["ocsvm", "deep_sad"])] == ["ocsvm", "deep_sad", "deep_sad eta=10"]
    for wrong in ([], ["ae", "ae"]):
        with pytest.raises(InputError, match=r"no method is named|ae is named twice"):
            candidates(wrong)


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A CSV with labels of its own words, in the working directory."""
    monkeypatch.chdir(tmp_path)
    x, y = rows()
    frame = pl.DataFrame(x, schema=["a", "b", "c", "d"]).with_columns(
        kind=pl.Series([["red", "blue"][i % 2] for i in range(len(x))]), id=pl.int_range(len(x)),
        state=pl.Series(["fraud" if one else "" for one in y]),
    )  # fmt: skip
    frame.write_csv("pay.csv")
    return Path("pay.csv")


def test_the_command_compares_writes_a_page_and_names_the_fit(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = (*COMMAND, "--drop", "id", "--folds", "3", "--repeats", "2")
    assert run_semiad(*words, "--method", "logistic,iforest") == 0
    said = capsys.readouterr().out
    assert "4 candidates on 3 folds, 2 times: 24 models, about 0:00:0" in " ".join(said.split())
    assert "\n*  logistic " in said or "\n*  iforest " in said
    page = Path("pay.compare/compare.html").read_text()
    assert "<h1>Methods on pay.csv</h1>" in page and page.count("<tr") == 5 and "<script" not in page
    fit = said.strip().splitlines()[-1].strip()
    assert fit in page and fit.startswith("semiad fit pay.csv") and "--anomaly fraud" in fit and "--drop id" in fit
    assert run_semiad(*shlex.split(fit.replace("MODEL", "m"))[1:], "--ensemble", "1", "--fpr", "0.05") == 0
    assert json.loads(Path("m/config.json").read_text())["methods"]
    capsys.readouterr()
    assert run_semiad(*words, "--method", "logistic,iforest") == 0
    assert "24 models, all of them recorded" in " ".join(capsys.readouterr().out.split())


def test_a_kind_of_anomaly_is_left_out_of_training() -> None:
    _, y = rows()
    kinds = np.full(len(y), -1)
    kinds[y] = np.arange(12) % 3
    labels = Labels("rows", (0, 1), y.astype(np.int64), None)
    scenario = LeaveKindOut(kinds)
    tested = []
    for cell in scenario.cells(labels):
        split = scenario.split(cell, labels, 0)
        assert not set(split.train) & set(split.test) and len(split.train) + len(split.test) == len(y)
        assert (kinds[split.test[split.truth == 1]] == cell.fold).all() and (split.truth == 1).sum() == 4
        assert {*kinds[split.train[split.s == 1]]} == {0, 1, 2} - {cell.fold} and (split.s == y[split.train]).all()
        tested.extend(split.test)
    assert sorted(tested) == [*range(len(y))]
    with pytest.raises(InputError, match="there is one kind of anomaly"):
        LeaveKindOut(np.where(y, 0, -1))


def test_the_command_says_how_methods_do_on_kinds_that_were_not_seen(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pl.read_csv(table)
    far = pl.when(pl.col("kind") == "blue").then(pl.col("d") + 9).otherwise("d")
    frame.with_columns(d=pl.when(pl.col("state") == "fraud").then(far).otherwise("d")).write_csv(table)
    words = (*COMMAND, "--drop", "id", "--repeats", "1", "--method", "logistic,iforest")
    assert run_semiad(*words, "--subtype", "kind") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "4 candidates on each of 2 kinds of anomaly left out, 1 time: 8 models" in said
    unseen = dict(re.findall(r"(blue|red), where no label of this kind was seen: AP (\d\.\d+)", said))
    assert {*unseen} == {"blue", "red"}
    page = Path("pay.compare/compare.html").read_text()
    assert "one for each kind of anomaly" in page
    assert all(f'<td class="number">{ap}</td>' in page for ap in unseen.values())
    assert "--label state --anomaly fraud --drop id --drop kind --method" in said, "a kind tells the label"
    records = read(Path("pay.compare/results"))
    assert {record["fold"] for record in records} == {0, 1} and len(records) == 8
    assert {record["scenario"] for record in records} == {"leave_kind_out"}
    for column, message in (("nothing", "there is no column 'nothing'"), ("state", "state is the column of labels")):
        assert run_semiad(*words, "--subtype", column) == 2
        assert message in " ".join(capsys.readouterr().err.split())
    frame.with_columns(kind=pl.when(pl.col("kind") == "red").then(None).otherwise("kind")).write_csv(table)
    assert run_semiad(*words, "--subtype", "kind") == 2
    assert "labelled anomalous without a value in 'kind', expected a kind of each" in " ".join(
        capsys.readouterr().err.split()
    )


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        (["red"] * 6, "all labelled anomalies are of the kind 'red' by 'kind', expected two kinds or more"),
        (list("abcdef"), "4 rows are not labelled anomalous, expected one for each of 6 kinds"),
    ],
)
def test_kinds_that_no_fold_can_leave_out_are_told(
    kinds: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = np.random.default_rng(0).normal(size=10)
    frame = pl.DataFrame({"a": values, "kind": [*kinds, *[None] * 4], "y": [1] * 6 + [None] * 4})
    frame.write_csv(tmp_path / "t.csv")
    assert run_semiad("compare", str(tmp_path / "t.csv"), "--label", "y", "--subtype", "kind") == 2
    assert message in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "--label is missing: methods are compared by labelled anomalies"),
        (("--label", "state", "--anomaly", "fraud", "--method", "nothing"), "Could not find 'method/nothing'"),
        (("--label", "state", "--anomaly", "fraud", "--method", "auto"), "auto is the choice among methods that are"),
        (("--label", "state", "--anomaly", "fraud", "epochs"), "'epochs' is neither an option nor a setting"),
        (("--label", "state", "--anomaly", "fraud", "method.C=1"), "is a setting of all candidates: name these with"),
        (("--label", "kind", "--anomaly", "red", "--normal", "blue", "--method", ",,"), "Could not find 'method/'"),
    ],
)
def test_the_command_says_what_cannot_be_used(
    words: tuple[str, ...], message: str, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_semiad("compare", "pay.csv", *words) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def stop(self: Bar, outcome: Outcome) -> None:
    """Press Ctrl-C at the end of a run of an isolation forest, in place of `Bar.on_run_end`."""
    if outcome.run.recipe.method_name == "IForest":
        signal.raise_signal(signal.SIGINT)


def test_a_stopped_comparison_says_what_it_has_and_goes_on(
    table: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (*COMMAND, "--repeats", "1", "--method", "logistic,iforest")
    with monkeypatch.context() as patch:
        patch.setattr(Bar, "on_run_end", stop)
        assert run_semiad(*words) == 130
    said = capsys.readouterr()
    assert "stopped: what was trained is kept in pay.compare/results, and the same command goes on" in said.err
    assert "logistic C=10" in said.out and "iforest" not in said.out.partition("seconds")[2].partition("within")[0]
    assert run_semiad(*words) == 0
    assert "20 models, about" in " ".join(capsys.readouterr().out.split())
    assert len(read(Path("pay.compare/results"))) == 20


def test_a_fit_that_was_stopped_goes_on_with_its_comparison(
    table: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto, "default_candidates", lambda: QUICK)
    words = ("fit", "pay.csv", "--label", "state", "--anomaly", "fraud", "--fpr", "0.05", "--out", "m")
    with monkeypatch.context() as patch:
        patch.setattr(Bar, "on_run_end", stop)
        assert run_semiad(*words) == 130
    said = capsys.readouterr()
    assert "stopped: what was trained is kept in m.comparison, and the same command goes on: semiad" in said.err
    assert "choosing among 3 candidates: 75 models, about 0:00:0" in said.out and not Path("m").exists()
    before = len(read(Path("m.comparison")))
    assert 25 <= before < 75
    assert run_semiad(*words) == 0
    said = capsys.readouterr()
    assert f"choosing among 3 candidates: {75 - before} models" in said.out and "chosen: " in said.out
    assert not Path("m.comparison").exists() and Detector.load("m").summary_["comparison"]["repeats"] == 5
    page = Path("m/report.html").read_text()
    assert "3 of 3 candidates are in the detector" in page and page.count('<tr class="chosen">') == 3
    Path("m2.comparison/scores").mkdir(parents=True)  # what is there before the first plan
    assert run_semiad(*words[:-1], "m2") == 0 and not Path("m2.comparison").exists()
    Path("n.comparison").mkdir()
    assert run_semiad(*words[:-1], "n") == 2
    assert "n.comparison is no comparison that was stopped, expected nothing there" in capsys.readouterr().err


def test_what_is_kept_in_memory_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto, "default_candidates", lambda: QUICK)
    x, y = rows()
    labels = np.where(y, 1.0, np.nan)
    detector = Detector(folds=3, repeats=1, best=1, ensemble=1, fpr=0.05, random_state=0, memory=tmp_path / "kept")
    first = detector.fit(x, labels).decision_function(x)
    ledger = sorted((tmp_path / "kept").glob("*.jsonl"))
    content = [path.read_bytes() for path in ledger]
    assert len(read(tmp_path / "kept")) == 9
    assert (detector.fit(x, labels).decision_function(x) == first).all()
    assert [path.read_bytes() for path in sorted((tmp_path / "kept").glob("*.jsonl"))] == content
    detector.set_params(random_state=1).fit(x, labels)
    assert len(read(tmp_path / "kept")) == 18


def test_auto_trains_what_the_comparison_on_its_training_rows_chooses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto, "default_candidates", lambda: QUICK)
    x, y = rows()
    labels = np.where(y, 1.0, np.nan)
    detector = Detector("auto", folds=4, repeats=2, best=1, ensemble=1, fpr=0.05, random_state=0).fit(x, labels)
    made, (candidate,) = detector.comparison_, detector.candidates_
    assert made is not None and made.anomalies == 12 and made.others == detector.summary_["training_rows"] - 12
    assert candidate == made.chosen.candidate and detector.method_ == candidate.method
    results = pd.DataFrame(detector.cv_results_)
    first = results.sort_values("rank_test_average_precision").iloc[0]
    assert first["params"] == asdict(made.taken(2)[0].candidate) and len(results) == len(QUICK)
    assert first["mean_test_roc_auc"] == pytest.approx(made.taken(2)[0].values["auc"].mean())
    assert first["std_test_recall_at_1_fpr"] == pytest.approx(made.taken(2)[0].values["recall_at_1_fpr"].std())
    named = Detector(candidate.method, overrides=candidate.overrides, ensemble=1, fpr=0.05, random_state=0).fit(
        x, labels
    )
    assert (named.decision_function(x) == detector.decision_function(x)).all()
    detector.save(tmp_path / "m")
    loaded = Detector.load(tmp_path / "m")
    assert loaded.candidates_ == detector.candidates_ and not hasattr(loaded, "cv_results_")
    assert loaded.summary_["comparison"]["average_precision"] == pytest.approx(made.worth(1).mean, abs=1e-4)
    assert (loaded.decision_function(x) == detector.decision_function(x)).all()


def test_auto_averages_the_scores_of_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks and methods without one, saved, loaded, explained and fitted again; each method has the same share."""
    chosen = [QUICK[0], Candidate("aesad", ("training.epochs.table=2",)), Candidate("iforest", ("method.trees=10",))]
    monkeypatch.setattr(auto, "default_candidates", lambda: chosen)
    x, y = rows()
    labels = np.where(y, 1.0, np.nan)
    settings: dict[str, Any] = {"folds": 2, "repeats": 1, "ensemble": 2, "fpr": 0.05, "random_state": 0}
    detector = Detector("auto", best=3, **settings).fit(x, labels)
    assert detector.method_ == "auto" and {*detector.candidates_} == {*chosen}
    assert [len(group.states) for group in detector.ensemble_.groups].count(1) == 1  # logistic does not draw
    alone = [
        Detector(one.method, ensemble=2, fpr=0.05, random_state=0, overrides=one.overrides).fit(x, labels)
        for one in detector.candidates_
    ]
    together = np.mean([one.decision_function(x) for one in alone], axis=0)
    np.testing.assert_allclose(detector.decision_function(x), together, rtol=1e-5, atol=1e-6)
    explained = detector.explain(x[:20], top=4)
    shares = explained.select("base", pl.selectors.starts_with("share_")).sum_horizontal()
    np.testing.assert_allclose(shares, explained["score"], rtol=1e-5, atol=1e-5)
    members = detector.ensemble_.to_scale(
        detector.ensemble_.member_scores(detector.preprocessor_.transform(as_frame(x[:20])))
    )
    spread = np.sqrt(np.average((members - together[:20]) ** 2, axis=0, weights=detector.ensemble_.weights))
    np.testing.assert_allclose(explained["spread"], spread, rtol=1e-4)
    detector.save(tmp_path / "m")
    loaded = Detector.load(tmp_path / "m", device="cpu")
    assert loaded.candidates_ == detector.candidates_ and (loaded.method, loaded.best) == ("auto", 3)
    assert (loaded.decision_function(x) == detector.decision_function(x)).all()
    card = (tmp_path / "m" / "README.md").read_text()
    assert "`logistic`" in card and "Of 3 candidates the methods were chosen on 2 folds, 1 time. On folds" in card
    with pytest.raises(InputError, match="one of 3 methods, has no network, which the formats onnx and pt2 need"):
        loaded.export(tmp_path / "m.onnx")
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again" / "methods.yaml").read_text() == (tmp_path / "m" / "methods.yaml").read_text()


def test_a_setting_needs_a_method_that_is_named(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("fit", "pay.csv", "method.C=1", "--label", "state", "--anomaly", "fraud", "--method", "auto", "--out", "m")
    assert run_semiad(*words) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "'method.C=1' is a setting of a method, and none is named: add, say, --method aesad" in said


def test_auto_takes_the_default_and_says_why_where_it_cannot_choose() -> None:
    x, y = rows(anomalies=4)
    with pytest.warns(UserWarning, match="method=auto is aesad: 4 rows are labelled anomalous"):
        detector = Detector("auto", ensemble=1, epochs=1, fpr=0.05).fit(x, np.where(y, 1.0, np.nan))
    assert detector.method_ == "aesad" and detector.comparison_ is None and "comparison" not in detector.summary_
    with pytest.raises(AttributeError, match="cv_results_ is there after a fit of method=auto that compares methods"):
        _ = detector.cv_results_
    with pytest.raises(
        InputError, match="network is given, but method=auto chooses among methods: name one, say aesad"
    ):
        Detector("auto", network="dense").fit(x, np.where(y, 1.0, np.nan))
