"""The page of what a choice with few labels is worth.

python -m benchmarks.choice_page studies/labels studies/choice docs/few_labels.md
"""

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float
from scipy.stats import rankdata, trim_mean

from benchmarks.auto_runs import CASE, LABEL_HEADS, LABELS, by_labels, expectations, gain, study_lines
from benchmarks.cases import Case, read_cases
from semiad.detector.choosing import choose, corrected_error
from semiad.ledger.reader import read

MEASURED = ("cases", "rivals", "probabilities", "forecasts", "queries")
"""The files of the cases, in the order in which the page has them."""
TEST_SHARE = 1 / 4
"""Tested rows for each training row, of five folds."""
TOLD = (0.01, 0.1, 0.5, 0.9)
"""Ends of the groups of rows that are told similar probabilities."""
STOPS = (0, 10, 20, 50)
"""Answers after which a detector is judged."""
Folds = Float[np.ndarray, "c j"]

# Rules of choice: from the values of candidates (from the simplest) on folds to the row of one


def best(values: Folds) -> int:
    """Choose the largest mean."""
    return int(values.mean(axis=1).argmax())


def within_error_of_best(values: Folds) -> int:
    """Choose the simplest whose mean is within one standard error of the best one's mean."""
    means = values.mean(axis=1)
    return int(np.argmax(means >= means.max() - corrected_error(values[best(values)], TEST_SHARE)))


AUTO = "scores of the best 5"
"""The name under which cases have what `auto` takes."""
SIMPLEST = "simplest within an error of the difference: `auto` with `best=1`"
RULES: Mapping[str, Callable[[Folds], int]] = {
    SIMPLEST: lambda values: choose(values, TEST_SHARE),
    "simplest within an error of the best": within_error_of_best,
    "best mean": best,
    "best mean of ranks": lambda values: int(rankdata(-values, axis=0).mean(axis=1).argmin()),
    "best trimmed mean": lambda values: int(trim_mean(values, 0.1, axis=1).argmax()),
}

RULES_HEAD = """## Rules of choice, and ensembles

`python -m benchmarks choice data_root=DIR out=DIR` measures, and goes on where it was stopped. A case is a table, a
number of labelled anomalies and a draw; at most {most:,} rows train. `Detector(method="auto", ensemble=1)` compares
{candidates} candidates. Then each candidate is fitted to all training rows, and ranks the rows that are held out; AP
is weighted as above. Two things were settled by nine cases of four of these tables (breastw, wine, vertebral, pima):
that scores are standardised by mean and standard deviation (quartiles, other quantiles, logarithms and ranks were
tried), and that the rows of all folds are ranked together.

**{cases} cases** of {tables} tables ({names}), {draws}.

Ranks are among the candidates. An ensemble takes the mean over the candidates of the best AP on folds: of scores in
standard deviations of unlabelled training rows, or of ranks among the rows that are held out.
"""
RIVALS = """## Beside other libraries

`bash scripts/peers.sh rivals`: label-using methods of other libraries, with the defaults of each, on the rows that
`auto` trained on and was tested on above, standardised, and rows without a label taken as normal; versions stand in the
script. AP is weighted as if anomalies were as rare as labels. Deep SAD, PReNet and XGBOD are in semiad too
(`docs/fidelity.md`).
"""
QUERIES = """## Which rows next?

`python -m benchmarks queries`: a detector of one member has five labelled anomalies; the other training rows, other
anomalies among them, have no label. Ten rows at a time are asked for, as by `semiad query --by`, and answered truly,
and the detector is fitted anew. `coniferest` asks for what its AAD forest ranks first, `skactiveml` (scikit-activeml)
for what a logistic regression is least sure of. AP on held-out rows, not weighted; the last column is after 50 answers.
{tables} tables of 300 rows or more: {names}.
"""
PROBABILITIES = """## Are probabilities what they say?

`python -m benchmarks probabilities rows=2500 repeats=2`: `predict_proba` of `Detector(method="auto", ensemble=1)` on
the rows that are held out, at the share of anomalies among them, which a user has to know or to guess. Log loss (0 is
best) stands beside that of telling this share of every row.
{tables} tables of at most 2,500 rows ({names}).

That log odds grow with the inverse hyperbolic sine of the score was settled by the first draw of six of them
(ionosphere, breastw, pima, cardio, vertebral, arrhythmia; 10 and 20 labels, two repeats): mean log loss .228, with a
third of the score in it .240, with the score itself .268, by isotonic regression .290, with the share alone .510. The
figures below are of the second draw, with other labels and other rows held out.
"""
FORECASTS = """## Are more labels worth it?

`python -m benchmarks forecasts`: what `semiad plan` forecasts of twice as many labels, by five folds, five times, and
what the method has with them on rows that are held out (AP weighted as above, by the labels that the forecast was made
with: twice as many would raise it by their number alone). Before it what the folds say of the labels that there are
(trained on four fifths of them), beside what the method has with these now, on the same held-out rows: a forecast can
hardly be nearer than that, since both depend on which rows happen to be labelled and held out. *Means over draws
off by* compares the mean of the forecasts for a table with the mean of what was found, median over tables: most of the
chance in which rows are labelled and held out is gone there.
{tables} tables ({names}).
"""


def precisions(cases: Sequence[Case]) -> tuple[list[str], dict[str, Float[np.ndarray, " n"]]]:
    """Collect the AP of each case: of each candidate that all cases have, each rule of choice, and each ensemble.

    Returns:
        The names of the candidates; by name the AP of each case.
    """
    names = [name for name in cases[0]["candidates"] if all(name in case["candidates"] for case in cases)]
    found = dict[str, list[float]]()
    for case in cases:
        rows = [case["candidates"].index(name) for name in names]
        folds, ap = np.array(case["folds"])[rows].reshape(len(rows), -1), np.array(case["ap"])[rows]
        row = dict(zip(names, ap, strict=True)) | {rule: ap[choice(folds)] for rule, choice in RULES.items()}
        for name, value in {**row, **case["ensembles"]}.items():
            found.setdefault(name, []).append(float(value))
    return names, {name: np.array(values) for name, values in found.items()}


def table_lines(cases: Sequence[Case]) -> Iterator[str]:
    """Yield the table of methods, rules and ensembles."""
    names, ap = precisions(cases)
    tables, labels = ([case[name] for case in cases] for name in ("table", "labels"))
    yield f"| | mean AP | mean rank | {LABEL_HEADS} | `auto` minus it |"
    yield "|---|--:|--:|" + "--:|" * (len(LABELS) + 1)
    candidates = np.array([ap[name] for name in names])
    shared = dict(zip(names, rankdata(-candidates, axis=0), strict=True))  # ties share a rank
    for name, values in ap.items():
        ranks = shared.get(name, 1 + (candidates > values).sum(axis=0))
        more = "" if name == AUTO else gain(tables, ap[AUTO] - values)
        shown = f"`{name}`" if name in names else f"`auto`: {name}" if name == AUTO else name
        cells = [f"{values.mean():.3f}", f"{np.mean(ranks):.1f}", *by_labels(values, labels)]
        yield f"| {shown} | " + " | ".join(cells) + f" | {more} |"


def rival_lines(own: pl.DataFrame, measured: Sequence[Case]) -> Iterator[str]:
    """Yield the table of other libraries' methods, beside `auto` on its cases that have all of them."""
    rivals = [*dict.fromkeys(case["rival"] for case in measured)]
    found = pl.DataFrame(measured).with_columns(table="odds/" + pl.col("table"))
    cases = own.select(*CASE, pl.col("ap_at_label_rate").alias("`auto`"))
    for rival in rivals:
        columns = {"dataset": "table", "labels": "labels", "seed": "draw", rival: "ap", f"s {rival}": "seconds"}
        those = found.filter(rival=rival).select(**{name: pl.col(column) for name, column in columns.items()})
        cases = cases.join(those, on=CASE)
    cases = cases.sort(CASE)
    tables, labels = (cases[name].to_list() for name in ("dataset", "labels"))
    yield f"| | mean AP | {LABEL_HEADS} | `auto` minus it | s a fit, median |"
    yield "|---|--:|" + "--:|" * (len(LABELS) + 2)
    for name in ("`auto`", *rivals):
        ap = cases[name].to_numpy()
        cells = [f"{ap.mean():.3f}", *by_labels(ap, labels)]
        more = gain(tables, cases["`auto`"].to_numpy() - ap) if name in rivals else ""
        seconds = f"{np.median(cases[f's {name}'].to_numpy()):.1f}" if name in rivals else ""
        yield f"| {name} | " + " | ".join(cells) + f" | {more} | {seconds} |"
    yield f"\nThe {len(cases)} cases of `auto` that have all of these, of {len(set(tables))} tables."


def query_lines(cases: Sequence[Case]) -> Iterator[str]:
    """Yield the table of ways to ask: mean AP and labelled anomalies, of the cases that all ways have."""
    complete = defaultdict[tuple[Any, ...], set[str]](set)
    for case in cases:
        complete[case["table"], case["method"], case["draw"]].add(case["way"])
    every = set().union(*complete.values())
    kept = [case for case in cases if complete[case["table"], case["method"], case["draw"]] == every]
    yield "| detector | asks by | " + " | ".join(f"AP, {stop} answers" for stop in STOPS) + " | labelled anomalies |"
    yield "|---|---|" + "--:|" * (len(STOPS) + 1)
    for method in dict.fromkeys(case["method"] for case in kept):
        for way in dict.fromkeys(case["way"] for case in kept):
            these = [case["steps"] for case in kept if case["method"] == method and case["way"] == way]
            if these:
                ap = np.mean([[step["ap"] for step in steps] for steps in these], axis=0)
                found = np.mean([steps[-1]["anomalies"] for steps in these])
                yield f"| `{method}` | {way} | " + " | ".join(f"{v:.3f}" for v in ap) + f" | {found:.1f} |"


def forecast_lines(cases: Sequence[Case]) -> Iterator[str]:
    """Write what forecasts were worth, a line for each method and number of labels, and for all of them."""
    yield (
        "| detector | labels | cases | folds, mean | now, mean | folds off by, median | forecast, mean | found, mean "
        "| forecast off by, median | means over draws off by | in the 80 % interval |"
    )
    yield "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    made = [case for case in cases if case["forecast"] is not None]
    for method in (*dict.fromkeys(case["method"] for case in made), None):
        for k in (*LABELS, None):
            these = [case for case in made if method in (None, case["method"]) and k in (None, case["labels"])]
            if these and (method is not None or k is None):
                forecast, low, high = np.array([case["forecast"] for case in these]).T
                folds, now, found = (np.array([case[n] for case in these]) for n in ("measured", "now", "found"))
                inside = ((low <= found) & (found <= high)).mean()
                of_table = {name: [case[name] for case in these] for name in ("table", "labels", "method")}
                means = pl.DataFrame({**of_table, "forecast": forecast, "found": found}).group_by(*of_table).mean()
                name = f"`{method}`" if method else "all"
                yield (
                    f"| {name} | {k or 'all'} | {len(these)} | {folds.mean():.3f} | {now.mean():.3f} "
                    f"| {np.median(np.abs(folds - now)):.3f} | {forecast.mean():.3f} | {found.mean():.3f} "
                    f"| {np.median(np.abs(forecast - found)):.3f} "
                    f"| {np.median((means['forecast'] - means['found']).abs()):.3f} | {100 * inside:.0f}% |"
                )


def probability_lines(cases: Sequence[Case]) -> Iterator[str]:
    """Yield what probabilities were worth for each number of labels, and for rows that were told similar ones."""
    yield "| labels | cases | log loss, mean | of the share alone | anomalies expected for one found, median |"
    yield "|--:|--:|--:|--:|--:|"
    for k in (*LABELS, None):
        if these := [case for case in cases if k in (None, case["labels"])]:
            loss, alone = (np.mean([case[name] for case in these]) for name in ("log_loss", "log_loss_of_rate"))
            ratio = np.median([case["expected"] / case["anomalies"] for case in these])
            yield f"| {k or 'all'} | {len(these)} | {loss:.3f} | {alone:.3f} | {ratio:.2f} |"
    yield "\n| probability | rows | told, mean | anomalies found |\n|---|--:|--:|--:|"
    ends = (0, *TOLD, 1)
    for (low, high), (rows, told, found) in zip(
        pairwise(ends), np.sum([case["bins"] for case in cases], axis=0), strict=True
    ):
        if rows:
            yield f"| {low:g} to {high:g} | {rows:,.0f} | {100 * told / rows:.1f}% | {100 * found / rows:.1f}% |"


def read_measured(folder: Path) -> dict[str, list[Case]]:
    """Read all cases of a folder, by the names of their files."""
    return {name: read_cases(folder / f"{name}.jsonl.gz") for name in MEASURED}


def case_lines(measured: Mapping[str, Sequence[Case]], own: pl.DataFrame) -> Iterator[str]:
    """Yield what the cases say: rules of choice first, then the rest as far as it was measured.

    Args:
        measured: cases, by the names of their files.
        own: the cases of `auto` in the study, see `expectations`.
    """
    cases, rivals, probabilities, forecasts, queries = (measured.get(name, ()) for name in MEASURED)
    tables = sorted({case["table"] for case in cases})
    draws = max(case["draw"] for case in cases) + 1
    names, _ = precisions(cases)
    yield RULES_HEAD.format(
        most=max(case["rows"] for case in cases),
        candidates=len(names),
        cases=len(cases),
        tables=len(tables),
        names=", ".join(tables),
        draws="one draw of each" if draws == 1 else f"at most {draws} draws of each",
    )
    yield from table_lines(cases)
    chosen = {name: sum(case["chosen"] == name for case in cases) for name in names}
    ordered = sorted(chosen.items(), key=lambda item: -item[1])
    yield "\nThe simplest were " + ", ".join(f"`{name}` {count} times" for name, count in ordered if count) + ".\n"
    if rivals:
        yield from (RIVALS, *rival_lines(own, rivals), "")
    yield from section(PROBABILITIES, [case for case in probabilities if case["draw"]], probability_lines)
    yield from section(FORECASTS, forecasts, forecast_lines)
    yield from section(QUERIES, queries, query_lines)


def section(head: str, cases: Sequence[Case], lines: Callable[[Sequence[Case]], Iterator[str]]) -> Iterator[str]:
    """Yield what cases say, below a head that names their tables; nothing where there are none."""
    if cases:
        tables = sorted({case["table"] for case in cases})
        yield from (head.format(tables=len(tables), names=", ".join(tables)), *lines(cases), "")


def make_page(study: Path, source: Path, page: Path) -> str:
    """Make the page of the runs in one folder and the cases in another."""
    ledger = read(study)
    own = expectations(ledger)
    lines = [*study_lines(ledger, own, study, source, page), *case_lines(read_measured(source), own)]
    return "\n".join(lines)


if __name__ == "__main__":
    study, source, page = map(Path, sys.argv[1:])
    page.write_text(make_page(study, source, page))
