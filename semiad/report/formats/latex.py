"""Results as LaTeX tables, with booktabs."""

from collections.abc import Iterator

from semiad.report.formats import grid
from semiad.report.formats.grid import Grid
from semiad.report.result import Entry, Result
from semiad.report.statistics import probability
from semiad.report.verdicts import rules

ESCAPES = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"±": r"$\pm$", "<": "$<$", ">": "$>$", "≈": r"$\approx$", "†": r"\dag{}"},
}
PAGE = 60
"""Lines in scriptsize that fit a page beside caption and notes."""


def escaped(text: str) -> str:
    """Escape text that LaTeX is to print as it stands."""
    return "".join(ESCAPES.get(character, character) for character in text)


def render(result: Result) -> str:
    """Write the table as a float no wider than the text, or as a longtable where a page does not hold it."""
    laid = grid.grid(result)
    body = [*lines(laid)]
    notes = (*laid.cause_lines, *shifts(result), *laid.footnotes, *result.remarks)
    long = len(body) > PAGE
    if long:
        table = [
            r"\begingroup\scriptsize\setlength{\LTcapwidth}{\linewidth}",
            rf"\begin{{longtable}}{{{alignment(laid)}}}",
            rf"{caption(result)} \\",
            *head(laid),
            r"\endfirsthead",
            *head(laid),
            r"\endhead",
            r"\bottomrule",
            r"\endfoot",
            *body,
            r"\end{longtable}",
        ]
    else:
        table = [r"\begin{table}", r"\centering\scriptsize", caption(result), *(floating(laid, body) if body else [])]
    return "\n".join(
        [
            f"% \\usepackage{{booktabs,{'longtable' if long else 'graphicx'}}}",
            *(f"% {' '.join(text.split())}" for text in (*result.commands, *result.versions)),
            *table,
            r"\par\raggedright",
            *(rf"\par {escaped(note)}" for note in notes),
            r"\par\endgroup" if long else r"\end{table}",
            "",
        ]
    )


def caption(result: Result) -> str:
    """Write the caption, which explains the signs, and the label."""
    text = f"{grid.heading(result)}. {result.caption} {result.unit}: "
    if grid.compares(result):
        words = (f"$^{{{v.latex}}}$ {v}: {escaped(text)}" for v, text in rules(result.unit).items() if v.latex)
        text = escaped(f"{text}ours, mean±std, above the published values. {result.summary}. ")
        text += f"The first of these that holds: {'; '.join(words)}; --: no value. Numbers are those of causes below."
    else:
        text = escaped(f"{text}mean±std over runs.")
    return rf"\caption{{{text}}}\label{{tab:{result.name}}}"


def floating(laid: Grid, body: list[str]) -> list[str]:
    """Write the tabular of a float, made smaller where it is wider than the text."""
    return [
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{alignment(laid)}}}",
        *head(laid),
        *body,
        r"\bottomrule",
        r"\end{tabular}}",
    ]


def alignment(laid: Grid) -> str:
    """Align the columns: names to the left, values to the right."""
    return "l" * len(laid.result.row_heads) + "r" * len(laid.columns)


def head(laid: Grid) -> list[str]:
    """Write the heads of the columns, a line each level, between rules."""
    heads = laid.result.row_heads
    levels = len(laid.result.column_heads)
    names = [*[("",) * len(heads)] * (levels - 1), heads]
    rows = [
        line([*map(escaped, left), *(escaped(column[level]) for column in laid.columns)])
        for level, left in enumerate(names)
    ]
    return [r"\toprule", *rows, r"\midrule"]


def lines(laid: Grid) -> Iterator[str]:
    """Write the rows: ours, and on a line that stays with it the published values."""
    for row, entries in laid.rows:
        two = any(entry and entry.printed for entry in entries)
        yield line([*map(escaped, row), *(our_text(laid, entry) for entry in entries)]) + ("*" if two else "")
        if two:
            yield line([*[""] * len(row), *(reference_text(laid, entry) for entry in entries)])


def line(cells: list[str]) -> str:
    """Write a row of a tabular."""
    return " & ".join(cells) + r" \\"


def our_text(laid: Grid, entry: Entry | None) -> str:
    """Write our value and its verdict."""
    if entry is None:
        return ""
    text = grid.value_text(entry, laid.result) if entry.ours else "--"
    mark = entry.verdict.latex + entry.sign + laid.number(entry)
    return f"{escaped(text)}{f'$^{{{mark}}}$' if mark else ''} {entry.holes}".rstrip()


def shifts(result: Result) -> Iterator[str]:
    """Write the shift of each method, a line each."""
    for shift in result.shifts:
        yield (
            f"{shift.method}: mean difference {grid.shift_text(shift, result)} over {shift.cells} cells, lower in "
            f"{shift.lower}, higher in {shift.higher}, sign test p {probability(shift.p)}"
        )


def reference_text(laid: Grid, entry: Entry | None) -> str:
    """Write the published value and the letter of its flag."""
    if entry is None:
        return ""
    text = grid.reference_text(entry, laid.result)
    mark = laid.mark(entry)
    return ("--" if text == "-" else rf"\textit{{{escaped(text)}}}") + (f"$^{{{mark}}}$" if mark else "")
