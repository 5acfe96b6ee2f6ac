"""What the runs of `method=auto` in the study of labels say: its rank beside each method, and whether it is honest."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float
from scipy.stats import rankdata

from semiad.detector.candidates import AUTO
from semiad.ledger.reader import Ledger
from semiad.ledger.record import CHOICE
from semiad.report.labels import SEEN, of_plans, spread

LABELS = (5, 10, 20)
"""Numbers of labels at which a choice is judged."""
STUDIES = (*SEEN, "few_labels")
"""Experiments whose runs are cases."""
CASE = ("dataset", "labels", "seed")
"""What names a case: a table, a number of labels, a draw."""
EXPECTED = CHOICE[1:]
"""What it expects, and the ends of the interval."""
LABEL_HEADS = " | ".join(f"{k} labels" for k in LABELS)
"""The heads of the columns of `by_labels`."""
DRAWS = 2_000
"""Tables drawn with replacement, for intervals."""
HEAD = """# What a choice with few labels is worth

Written by `python -m benchmarks.choice_page {study} {source} {page}`, from the runs of
`experiment=few_labels` and of [the study of labels](labels.md) in {study}, and the cases in {source}.

## `auto` beside each method

`python -m semiad.train -m experiment=few_labels data_root=DIR` trains `auto` as any method, on the rows that all
others have (`budget=quick` takes one draw instead of ten): 30 % of a table of ODDS are held out, and of the anomalies
among the other rows some have a label. `auto` compares its candidates on five folds, five times, and takes the best
five together, trained once each with its own budget of steps; the other methods have the epochs of their papers.
Average precision (AP) is that on the rows that are held out, which no method, setting or interval was tuned on. Ranks
are among these methods, 1 the best. The last column is what `auto` is better by, with a 95 % interval over tables
drawn with replacement.

**{cases} cases** of {tables} tables ({names}), at most {draws} draws of each.
"""
HONEST = """## Is the figure that is printed honest?

What `auto` expects (`ap_expected`) is judged on folds that had no part in the choice, with an 80 % interval. What is
found is AP on the held-out rows, weighted as if anomalies were as rare there as labels are in training, which is what
folds can estimate (`ap_at_label_rate`).
"""
Values = Float[np.ndarray, " n"]


def interval_over_tables(tables: Sequence[str], values: Values) -> tuple[float, float]:
    """Give a 95 % interval of a mean over cases, from tables drawn with replacement.

    Args:
        tables: of each case.
        values: of each case.
    """
    of_table = [values[np.array(tables) == table] for table in sorted({*tables})]
    source = np.random.default_rng(0)
    means = [
        np.concatenate([of_table[i] for i in source.integers(len(of_table), size=len(of_table))]).mean()
        for _ in range(DRAWS)
    ]
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def gain(tables: Sequence[str], difference: Values) -> str:
    """Write what `auto` is better by, with its interval."""
    low, high = interval_over_tables(tables, difference)
    return f"{difference.mean():+.3f} [{low:+.3f}, {high:+.3f}]"


def by_labels(values: Values, labels: Sequence[int]) -> list[str]:
    """Write the mean over the cases of each number of labels; empty without any."""
    parts = (values[np.array(labels) == k] for k in LABELS)
    return [f"{part.mean():.3f}" if len(part) else "" for part in parts]


def judged(ledger: Ledger) -> pl.DataFrame:
    """Collect the average precision of each case that `auto` has: a column for each method that has them all."""
    runs = spread(of_plans(ledger, STUDIES, None)).filter(pl.col("labels").is_in(LABELS))
    wide = runs.pivot("method", index=[*CASE], values="ap").filter(pl.col(AUTO).is_not_null()).sort(CASE)
    return wide.select(*CASE, *(name for name in wide.columns if name not in CASE and not wide[name].null_count()))


def beside_lines(cases: pl.DataFrame) -> Iterator[str]:
    """Yield the table of methods: mean AP, mean rank, mean AP by the number of labels, and what `auto` has more."""
    names = [name for name in cases.columns if name not in CASE]
    values = {name: cases[name].to_numpy() for name in names}
    ranks = dict(zip(names, rankdata(-np.stack([*values.values()]), axis=0).mean(axis=1), strict=True))
    labels, tables = cases["labels"].to_list(), cases["dataset"].to_list()
    yield f"| | mean AP | mean rank | {LABEL_HEADS} | `auto` minus it |"
    yield "|---|--:|--:|" + "--:|" * (len(LABELS) + 1)
    for name in sorted(names, key=lambda name: -values[name].mean()):
        cells = [f"{values[name].mean():.3f}", f"{ranks[name]:.1f}", *by_labels(values[name], labels)]
        more = "" if name == AUTO else gain(tables, values[AUTO] - values[name])
        yield f"| `{name}` | " + " | ".join(cells) + f" | {more} |"


def expectations(ledger: Ledger) -> pl.DataFrame:
    """Collect what `auto` expected in each case, and what was found: AP where anomalies are as rare as labels."""
    runs = of_plans(ledger, STUDIES, None).filter(pl.col("labels").is_in(LABELS), method=AUTO, status="ok")
    told = ledger.runs.select("key", "ap_at_label_rate", *EXPECTED)
    return runs.join(told, on="key").select(*CASE, "ap_at_label_rate", "seconds", *EXPECTED).sort(CASE)


def honesty_lines(cases: pl.DataFrame) -> Iterator[str]:
    """Yield, for each number of labels and all, how what was expected and what was found agree."""
    yield (
        "| labels | cases | found in the 80 % interval | found below it | expected, mean | found, mean | off by, mean "
        "| width of the interval |"
    )
    yield "|--:|--:|--:|--:|--:|--:|--:|--:|"
    for k in (*LABELS, None):
        these = cases if k is None else cases.filter(labels=k)
        said, low, high, found = these.select(*EXPECTED, "ap_at_label_rate").to_numpy().T
        inside, below = ((low <= found) & (found <= high)).mean(), (found < low).mean()
        yield (
            f"| {k or 'all'} | {len(these)} | {inside:.0%} | {below:.0%} | {said.mean():.3f} | {found.mean():.3f} "
            f"| {np.abs(said - found).mean():.3f} | {(high - low).mean():.2f} |"
        )


def study_lines(ledger: Ledger, expected: pl.DataFrame, study: Path, source: Path, page: Path) -> Iterator[str]:
    """Yield what the runs of the study of labels say.

    Args:
        ledger: of all runs.
        expected: see `expectations`.
        study: the folder of the ledger, as the command that writes the page names it.
        source: the folder of the cases, likewise.
        page: the file, likewise.
    """
    cases = judged(ledger)
    tables = sorted(name.removeprefix("odds/") for name in cases["dataset"].unique())
    means = {name: float(cases[name].to_numpy().mean()) for name in cases.columns if name not in CASE}
    leader = max(means.keys() - {AUTO}, key=lambda name: means[name])
    yield HEAD.format(
        study=study,
        source=source,
        page=page,
        cases=len(cases),
        tables=len(tables),
        names=", ".join(tables),
        draws=cases["seed"].n_unique(),
    )
    yield from beside_lines(cases)
    yield f"\nWithout a choice `{leader}` has the largest mean AP, {means[leader]:.3f}; `auto` has {means[AUTO]:.3f}.\n"
    yield HONEST
    yield from honesty_lines(expected)
    seconds = expected["seconds"].to_numpy()
    yield (
        f"\nChoice and training took {np.median(seconds):.0f} s at the median and {seconds.max():.0f} s at most, with "
        "one thread of a machine that did other work as well.\n"
    )
