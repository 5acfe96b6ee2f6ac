"""What holds of the claims of papers, as Markdown and as CSV."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence

from semiad.report.evidence import RULES, WORDS, Finding, Outcome, Verified, Word
from semiad.report.experiment import Paper
from semiad.report.formats.markdown import anchor, escaped, table
from semiad.report.statistics import probability

Papers = Sequence[tuple[Paper, Sequence[Verified]]]
HEADS = ("comparison", "table", "cells", "difference in AUC [95 %]", "printed", "p", "p, Holm", "outcome")
METHOD = """Each claim is taken apart into comparisons, each over all cells (data set, classes, settings) of a table
that have runs of both sides. The difference of a cell is the mean over its seeds of the difference
between the two runs that share the seed, and so the same rows. What is shown is the mean of all
differences with its 95 % interval, drawn over cells and seeds (bootstrap), and beside it the mean
difference of the values that the paper prints for the same cells. The test is Wilcoxon's signed ranks
over the mean differences of cells, two-sided: it asks nothing of their distribution but symmetry, and
one cell that is far off cannot decide it. Where the claim is that nothing changes, two one-sided tests
against .02 on either side are made, and the greater p counts. Holm's correction is over all tests of a
paper.

A word is about the cells that have runs, and these stand beside it: a paper's claim may reach farther,
*quick* is a part of its protocol, and the rivals are as semiad has them (`docs/fidelity.md`). Cells that
share a normal class are not independent, so p is optimistic where few normal classes stand behind many
cells. The claims are data of `semiad/report/papers/`."""


def document(papers: Papers, command: str = "", notes: Sequence[str] = ()) -> str:
    """Write the claims of all papers, an overview first.

    Args:
        papers: with what was found on their claims.
        command: that writes this document; named in it.
        notes: on all runs, a sentence each.
    """
    lines = ["# What holds of the papers", "", *([f"Written by `{command}`.", ""] if command else []), METHOD, ""]
    lines += [f"**{note}.**" for note in notes]
    lines += ["", *rules("A comparison is", RULES), "", *rules("The word is", WORDS)]
    for paper, claims in papers:
        lines += ["", f"## {paper.title or paper.name}", ""]
        rows = [
            [f"[{escaped(one.claim.text)}](#{anchor(heading(one))})", f"**{one.word}**", *tally(one)] for one in claims
        ]
        lines += table(("claim", "holds?", *Outcome), rows)
        for one in claims:
            lines += section(one)
    return "\n".join(lines).strip() + "\n"


def rules(subject: str, words: Mapping[Outcome, str] | Mapping[Word, str]) -> Iterator[str]:
    """Say what each word means, a line each."""
    for word, text in words.items():
        yield f"- {subject} **{word}**: {text}."


def heading(verified: Verified) -> str:
    """Write the heading of a claim."""
    return f"{verified.claim.text.rstrip('.')}: {verified.word}"


def tally(verified: Verified) -> list[str]:
    """Count the outcomes of a claim's comparisons."""
    outcomes = [finding.outcome for finding in verified.findings]
    return [f"{outcomes.count(outcome)}" if outcome in outcomes else "·" for outcome in Outcome]


def section(verified: Verified) -> Iterator[str]:
    """Write a claim with its comparisons."""
    yield from ("", f"### {heading(verified)}", "", f"{verified.claim.source}.", "")
    yield from table(HEADS, [[*map(escaped, row(finding))] for finding in verified.findings])


def row(finding: Finding) -> list[str]:
    """Write a comparison."""
    comparison = finding.comparison
    tested = finding.p is not None and finding.corrected is not None
    ps = [probability(p) if tested and p is not None else "-" for p in (finding.p, finding.corrected)]
    cells = f"{finding.cells}" + (f" ({finding.scope})" if finding.cells else "")
    return [
        comparison.text + (" (predicted: within .02)" if comparison.kind == "same" else ""),
        finding.title,
        cells,
        effect(finding),
        "-" if finding.printed is None else f"{finding.printed:+.3f}",
        *ps,
        finding.outcome if finding.cells else "not tested: no runs",
    ]


def effect(finding: Finding) -> str:
    """Write the mean difference with its interval."""
    if finding.mean is None:
        return "-"
    between = "" if finding.low is None else f" [{finding.low:+.3f}, {finding.high:+.3f}]"
    return f"{finding.mean:+.3f}{between}"


def as_csv(papers: Papers) -> str:
    """Write a row for each comparison, with all digits."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    names = ("cells", "scope", "mean", "low", "high", "printed", "p", "corrected", "outcome")
    writer.writerow(["paper", "claim", "source", "word", "comparison", "kind", "experiment", *names])
    for paper, claims in papers:
        for one in claims:
            for finding in one.findings:
                made = finding.comparison
                values = [getattr(finding, name) for name in names]
                where = [paper.name, one.claim.text, one.claim.source, one.word]
                writer.writerow([*where, made.text, made.kind, made.table, *values])
    return file.getvalue()
