"""Which method with how many labelled anomalies, as Markdown."""

from collections.abc import Iterator, Mapping, Sequence

from semiad.report.coordinates import DATASETS
from semiad.report.formats.grid import duration
from semiad.report.formats.markdown import table
from semiad.report.labels import METRICS, Count, Row, Study
from semiad.report.result import Ours
from semiad.report.statistics import CELLS, probability

METHOD = """Every method is trained with its authors' settings on the same splits, with a growing number of labelled
anomalies. The anomalies of the training part that are not labelled are left out, so that draws with more or fewer
labels differ in nothing else. Methods that cannot use labels (`ae`, `iforest`, ...) have the same figures with any
number, and classifiers none without a label. A *cell* is a data set with its normal and known classes.

Methods are ranked in each cell by their mean over draws (1 is best), and the ranks are averaged over cells. Draws that
one of the methods lacks do not count. The method of the lowest mean rank is held against each other one by Wilcoxon's
signed ranks over cells, two-sided, with Holm's correction. *Not told apart* are those that this test does not find
different at the 5 % level; where cells are so few that it could find none, there is no p. Nemenyi's critical difference
(CD) belongs to Friedman's test over all methods. Every cell has the same weight in a mean; intervals are of the mean,
95 %, drawn over cells and draws. No setting was chosen on any of these figures. Seconds are those of a machine that
other trainings shared: they tell ten times from once, not twice."""
OTHERS = """ADBench (Han et al. 2022, 57 data sets, 98,436 experiments) finds that with 1 % of the anomalies labelled
most methods that use labels beat the best one that uses none. WSADBench (Yao et al. 2026, 36 algorithms, over 700,000
experiments) finds that methods made for few labels are ahead only where labels are very few, and that classifiers
and tabular foundation models pass them as labels grow, and on unseen kinds of anomaly. What differs here: unlabelled
anomalies are left out of training (there they pollute it, with all that a table has), labels are counted and not a
share, average precision is compared over tables by ranks, and DevNet, PReNet and FeaWAD are as their authors wrote
them (`docs/peers.md`). Their figures of single tables with labels were not at hand."""
CAPTION = """Means over the cells that have every number of labels. Named are methods of the two lowest mean ranks at
some number; methods that use no labels are level lines."""
RANKS = f"""Mean ranks at each number of labels (the best to the left), where there are {CELLS} cells or more and three
methods or more. A thick bar joins methods whose ranks lie closer than Nemenyi's critical difference at the 5 % level.
It is meant for a p of Friedman's test below that level."""
WITH = {
    False: "## Kinds of anomaly that are labelled: average precision",
    True: "## Kinds of anomaly that nobody has labelled: AUC",
}
NAMED = 5
"""Methods that the table in words names of those that are not told apart, from the lowest mean rank."""
SHOWN = {"ap": ("ap", "auc", "recall_at_1_fpr"), "auc_unseen": ("auc_seen", "auc_unseen", "ap")}


def document(
    known: Study | None, unseen: Study | None, command: str, pictures: Mapping[str, str], notes: Sequence[str]
) -> str:
    """Write the page.

    Args:
        known: tests with the kinds of anomaly that are labelled.
        unseen: tests with others as well.
        command: that writes this document.
        pictures: addresses of figures: of the `means`, and of the critical differences of either study, `known` and
            `unseen`.
        notes: on all runs, a sentence each.
    """
    lines = ["# Which method, with how many labels?", "", f"Written by `{command}`.", "", METHOD]
    lines += [f"**{note}.**" for note in notes]
    lines += ["", "## In words", "", *advice(known, unseen)]
    if "means" in pictures:
        lines += ["", f"![Means]({pictures['means']})", "", CAPTION]
    for study, name in ((known, "known"), (unseen, "unseen")):
        if study:
            took = f"{study.trained:,} runs took {duration(study.seconds)}, trained together where methods allow it."
            lines += ["", WITH[study is unseen], "", took]
            if name in pictures:
                lines += ["", f"![Critical differences]({pictures[name]})", "", RANKS]
            lines += [line for count in study.counts for line in section(count, study.metric)]
    lines += ["", "## What others found", "", OTHERS]
    return "\n".join(lines).strip() + "\n"


def advice(known: Study | None, unseen: Study | None) -> Iterator[str]:
    """Write the table in words: a sentence for each number of labels, and the cells that speak for it."""
    rows = []
    for study, kinds in ((known, "of the kinds that will come"), (unseen, "and other kinds will come")):
        if study is None:
            continue
        for count in study.counts:
            if study is unseen and not count.labels:
                continue  # without labels no kind is known
            number = f"{count.labels or 'no'} label{'' if count.labels == 1 else 's'}"
            rows.append([f"{number} {kinds}" if count.labels else number, sentence(count), evidence(count)])
    yield from table(("with", "use", "because"), rows)


def sentence(count: Count) -> str:
    """Say what is best at a number of labels, and what is as good as far as the test can tell."""
    text = f"**`{count.best.method}`**"
    if not count.decidable:
        return f"{text}; so few cells cannot tell {len(count.rows)} methods apart"
    if count.open:
        fastest = min(count.open, key=lambda row: row.seconds)
        others = ", ".join(f"`{row.method}`" for row in count.open[:NAMED])
        more = len(count.open) - NAMED
        text += f"; not told apart: {others}" + (f" and {more} more" if more > 0 else "")
        if fastest.seconds < count.best.seconds / 2:
            text += f" (`{fastest.method}` trains {count.best.seconds / fastest.seconds:.0f} times as fast)"
    return text


def evidence(count: Count) -> str:
    """Say which cells speak for a sentence."""
    best, cells = count.best, sum(count.cells.values())
    names = ", ".join(f"`{name}`" for name in count.beaten) if len(count.beaten) < len(count.rows) - 1 else "all others"
    beaten = f"; better than {names} by the test" if count.beaten else ""
    return f"mean rank {best.rank:.1f} of {len(count.rows)}, first in {best.first} of {cells} cells{beaten}"


def section(count: Count, metric: str) -> Iterator[str]:
    """Write all methods at a number of labels."""
    names = ", ".join(
        DATASETS.get(name, name.split("/")[-1]) + (f" ({cells})" if cells > 1 else "")
        for name, cells in count.cells.items()
    )
    yield from ("", f"### {count.labels or 'No'} label{'' if count.labels == 1 else 's'}", "")
    critical = (
        f" Friedman p {probability(count.ranking.p)}, CD {count.ranking.difference:.2f}." if count.ranking else ""
    )
    left = (
        f" Without all of these cells: {', '.join(f'`{name}`' for name in count.left_out)}." if count.left_out else ""
    )
    fewest, most = count.draws
    draws = f"{most} draw{'s' * (most > 1)}" if fewest == most else f"{fewest} to {most} draws"
    yield f"{count.runs:,} runs over {sum(count.cells.values())} cells ({draws} of each): {names}.{critical}{left}"
    yield ""
    shown = [name for name in SHOWN[metric] if any(row.values[name] for row in count.rows)]
    heads = ("method", "mean rank", *(METRICS[name] for name in shown), "first in", "p, Holm", "seconds a run")
    yield from table(heads, [line(row, shown, count.decidable) for row in count.rows])


def line(row: Row, shown: Sequence[str], decidable: bool) -> list[str]:
    """Write a method."""
    values = [text(row.values[name]) for name in shown]
    p = probability(row.p) if decidable and row.p is not None else "-"
    return [f"`{row.method}`", f"{row.rank:.2f}", *values, f"{row.first}", p, f"{row.seconds:.2g}"]


def text(value: Ours | None) -> str:
    """Write a mean with its interval."""
    if value is None:
        return "-"
    return f"{value.mean:.3f}" + (f" [{value.low:.3f}, {value.high:.3f}]" if value.low is not None else "")
