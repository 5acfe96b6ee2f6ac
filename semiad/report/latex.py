"""A result as a LaTeX table, with booktabs."""

from semiad.report import grid
from semiad.report.grid import Grid
from semiad.report.result import Entry, Result, Verdict

SYMBOLS: dict[Verdict, str] = {
    "match": r"$^{+}$",
    "near": r"$^{\approx}$",
    "below": r"$^{-}$",
    "missing": "",
    "unpublished": "",
}
ESCAPES = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"±": r"$\pm$", "<": "$<$", ">": "$>$", "≈": r"$\approx$", "†": r"\dag{}"},
}


def escaped(text: str) -> str:
    """Text that LaTeX prints as it stands."""
    return "".join(ESCAPES.get(character, character) for character in text)


def render(result: Result) -> str:
    """The table; it needs the package booktabs and no other."""
    laid = grid.grid(result)
    near = "2 points" if "%" in result.unit else ".02"
    caption = (
        f"{grid.heading(result)}. {result.caption} {result.unit}: ours, mean±std, above the published figures. "
        f"{result.summary}."
    )
    signs = (
        r"$^{+}$: the published figure lies in our 95\,\% interval (of three runs or more), or ours is as high; "
        rf"$^{{\approx}}$: at most {near} lower; $^{{-}}$: lower; --: no figure."
    )
    return "\n".join(
        [
            "% \\usepackage{booktabs}",
            *(f"% {' '.join(text.split())}" for text in (*result.commands, *result.versions)),
            r"\begin{table}",
            r"\centering\scriptsize",
            rf"\caption{{{escaped(caption)} {signs}}}",
            rf"\label{{tab:{result.experiment}}}",
            *([tabular(laid)] if laid.rows else []),
            *(rf"\par {escaped(note)}" for note in (*laid.footnotes, *result.remarks)),
            r"\end{table}",
            "",
        ]
    )


def tabular(laid: Grid) -> str:
    """Heads and rows, two lines a row."""
    result = laid.result
    lines = [rf"\begin{{tabular}}{{{'l' * len(result.row_heads)}{'r' * len(laid.columns)}}}", r"\toprule"]
    for level in range(len(result.column_heads)):
        last = level == len(result.column_heads) - 1
        left = result.row_heads if last else ("",) * len(result.row_heads)
        lines.append(line([*map(escaped, left), *(escaped(column[level]) for column in laid.columns)]))
    lines.append(r"\midrule")
    for row, entries in laid.rows:
        lines.append(line([*map(escaped, row), *(ours(laid, entry) for entry in entries)]))
        if any(entry and entry.printed for entry in entries):
            lines.append(line([*[""] * len(row), *(published(laid, entry) for entry in entries)]))
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def line(cells: list[str]) -> str:
    """A row of a tabular."""
    return " & ".join(cells) + r" \\"


def ours(laid: Grid, entry: Entry | None) -> str:
    """Our figure and its verdict."""
    if entry is None:
        return ""
    figure = grid.figure(entry, laid.result) if entry.ours else "--"
    return f"{escaped(figure)}{SYMBOLS[entry.verdict]} {entry.holes}".rstrip()


def published(laid: Grid, entry: Entry | None) -> str:
    """The published figure and the letter of its flag."""
    if entry is None:
        return ""
    figure = grid.published(entry, laid.result)
    mark = laid.mark(entry)
    return ("--" if figure == "-" else rf"\textit{{{escaped(figure)}}}") + (f"$^{{{mark}}}$" if mark else "")
