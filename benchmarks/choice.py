"""`auto` on ODDS tables with 5, 10 and 20 labels: what the choice is worth, and what it said it would be.

Each case (a table, a number of labels, a draw) is a line of `out/cases.jsonl`: the values of all candidates on the
folds, and the average precision of each, fitted to all training rows, on the rows that are held out. Rules of choice can
so be compared after the fact, on folds alone; the held-out rows only judge them. The same command goes on with what is
left.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from jaxtyping import Float
from rich.table import Table
from scipy.stats import rankdata, trim_mean
from sklearn.metrics import average_precision_score

from benchmarks.settings import Settings
from benchmarks.timing import console
from semiad import Detector
from semiad.datasets import odds
from semiad.detector.candidates import Candidate
from semiad.detector.choosing import choose, corrected_error
from semiad.errors import InputError
from semiad.scenarios.holdout import Holdout
from semiad.types import Cell, Dataset, Split

LABELS = (5, 10, 20)
MOST_ROWS = 8_000
"""Rows of a table, unless `rows` says another number: larger ones take long."""
TEST_SHARE = 1 / 4
"""Tested rows for each training row, of five folds."""
Case = Mapping[str, Any]
Folds = Float[np.ndarray, "c j"]


def measure(settings: Settings) -> None:
    """Measure `repeats` draws of each table, and summarize all cases that are in `out`.

    Raises:
        InputError: `out` is not given.
    """
    if settings.out is None:
        raise InputError("out=DIR is missing: the folder of the cases")
    settings.out.mkdir(parents=True, exist_ok=True)
    path = settings.out / "cases.jsonl"
    cases = read_cases(path)
    done = {(case["table"], case["labels"], case["draw"]) for case in cases}
    for draw in range(settings.repeats):
        for name, dataset in tables(settings):
            for labels in LABELS:
                if (name, labels, draw) not in done and int(0.7 * dataset.labels.y.sum()) >= labels:
                    case = {
                        "table": name,
                        "labels": labels,
                        "draw": draw,
                        **measure_case(dataset, labels, draw, settings),
                    }
                    with path.open("a") as file:
                        file.write(json.dumps(case) + "\n")
                    console.print(f"{name}, {labels} labels, draw {draw}: {case['seconds']} s", soft_wrap=True)
    for line in summarize(read_cases(path)):
        console.print(line, soft_wrap=True)


def read_cases(path: Path) -> list[Case]:
    """Read the cases of a file; none if it is not there."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def tables(settings: Settings) -> Iterator[tuple[str, Dataset]]:
    """Yield the tables, the smallest first."""
    for path in sorted((settings.data_root / "odds").glob("*.mat"), key=lambda path: path.stat().st_size):
        dataset = odds.load(settings.data_root, path.stem)
        if len(dataset.x) <= (settings.rows or MOST_ROWS):
            yield path.stem, dataset


def measure_case(dataset: Dataset, labels: int, draw: int, settings: Settings) -> dict[str, Any]:
    """Compare the candidates on the training rows, and judge each on the rows that are held out."""
    split = Holdout(0.3, labels).split(Cell((0,), (1,)), dataset.labels, draw)
    start = perf_counter()
    auto = fit("auto", (), dataset, split, draw, settings.device)
    seconds, made = perf_counter() - start, auto.comparison_
    assert made is not None
    fitted = [fit_candidate(one.candidate, dataset, split, draw, settings.device) for one in made.usable]
    # Scores of the held-out rows, in standard deviations of the unlabelled training rows.
    usual = [detector.decision_function(dataset.x[split.train[split.s == 0]].numpy()) for detector in fitted]
    raw = [detector.decision_function(dataset.x[split.test].numpy()) for detector in fitted]
    scaled = np.stack([(test - train.mean()) / (train.std() or 1.0) for test, train in zip(raw, usual, strict=True)])
    ranked = np.stack([rankdata(scores) / len(scores) for scores in raw])
    order = np.argsort(-made.stacked.mean(axis=(1, 2)), kind="stable")
    return {
        "rows": len(split.train),
        "seconds": round(seconds, 1),
        "chosen": made.chosen.candidate.name,
        "worth": [made.worth.mean, made.worth.low, made.worth.high],
        "candidates": [one.candidate.name for one in made.usable],
        "folds": made.stacked.round(5).tolist(),
        "ap": [average_precision(scores, split) for scores in raw],
        "ensembles": {
            f"{way} of the best {count}": average_precision(scores[order[:count]].mean(axis=0), split)
            for way, scores in (("ranks", ranked), ("scores", scaled))
            for count in (3, 5)
        },
    }


def fit_candidate(candidate: Candidate, dataset: Dataset, split: Split, seed: int, device: str) -> Detector:
    """Fit a candidate to the training rows of a split."""
    return fit(candidate.method, candidate.overrides, dataset, split, seed, device)


def fit(method: str, overrides: Sequence[str], dataset: Dataset, split: Split, seed: int, device: str) -> Detector:
    """Fit a detector of one member to the training rows of a split."""
    y = np.where(split.s == 1, 1.0, np.nan)
    detector = Detector(method, ensemble=1, random_state=seed, device=device, overrides=overrides)
    return detector.fit(dataset.x[split.train].numpy(), y)


def average_precision(scores: Float[np.ndarray, " n"], split: Split) -> float:
    """Compute the average precision on the test rows, as if anomalies were as rare among them as labels in training.

    The folds of a comparison have that share of anomalies, and average precision depends on it.
    """
    trained, tested = (np.mean(values) / (1 - np.mean(values)) for values in (split.s, split.truth))
    weights = np.where(split.truth == 1, trained / tested, 1.0)
    return round(float(average_precision_score(split.truth, scores, sample_weight=weights)), 5)


# Rules of choice: from the values of candidates (from the simplest) on folds to the row of one


def best(values: Folds) -> int:
    """Choose the largest mean."""
    return int(values.mean(axis=1).argmax())


def within_error_of_best(values: Folds) -> int:
    """Choose the simplest whose mean is within one standard error of the best one's mean."""
    means = values.mean(axis=1)
    return int(np.argmax(means >= means.max() - corrected_error(values[best(values)], TEST_SHARE)))


RULES: Mapping[str, Callable[[Folds], int]] = {
    "simplest within an error of the difference": lambda values: choose(values, TEST_SHARE),
    "simplest within an error of the best": within_error_of_best,
    "best mean": best,
    "best mean of ranks": lambda values: int(rankdata(-values, axis=0).mean(axis=1).argmin()),
    "best trimmed mean": lambda values: int(trim_mean(values, 0.1, axis=1).argmax()),
}


def summarize(cases: Sequence[Case]) -> Iterator[Table | str]:
    """Yield what cases say, of the candidates that all have."""
    if not cases:
        return
    names = [name for name in cases[0]["candidates"] if all(name in case["candidates"] for case in cases)]
    columns = [[case["candidates"].index(name) for name in names] for case in cases]
    ap = {
        name: [case["ap"][rows[i]] for case, rows in zip(cases, columns, strict=True)] for i, name in enumerate(names)
    }
    for rule, choice in RULES.items():
        found = []
        for case, rows in zip(cases, columns, strict=True):
            values = np.array(case["folds"])[rows].reshape(len(rows), -1)
            found.append(case["ap"][rows[choice(values)]])
        ap[f"auto: {rule}"] = found
    for name in cases[0]["ensembles"]:
        ap[f"auto: {name}"] = [case["ensembles"][name] for case in cases]
    fixed = rankdata(-np.array([ap[name] for name in names]), axis=0)
    table = Table("", "mean AP", "mean rank", *(f"AP, {k} labels" for k in LABELS), box=None)
    for name, precisions in ap.items():
        # The rank that it has among the methods without a choice.
        ranks = [1 + sum(ap[other][i] > value for other in names) for i, value in enumerate(precisions)]
        rank = fixed[names.index(name)].mean() if name in names else np.mean(ranks)
        by_labels = [[v for v, case in zip(precisions, cases, strict=True) if case["labels"] == k] for k in LABELS]
        table.add_row(
            name, f"{np.mean(precisions):.4f}", f"{rank:.2f}", *(f"{np.mean(v):.3f}" if v else "" for v in by_labels)
        )
    yield table
    inside = [
        case["worth"][1] <= case["ap"][case["candidates"].index(case["chosen"])] <= case["worth"][2] for case in cases
    ]
    yield f"{len(cases)} cases of {len({case['table'] for case in cases})} tables"
    yield f"the AP lies in the 80 % interval that was said in {np.mean(inside):.0%} of the cases"
