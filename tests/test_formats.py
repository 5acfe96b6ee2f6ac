"""A reproduced table in each format, from the command."""

import csv
import os
import re
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
from rich.console import Console

from semiad.console import open_console
from semiad.ledger.reader import read
from semiad.report.__main__ import main
from semiad.report.formats import grid, sections, terminal
from semiad.report.papers import catalogue
from semiad.report.result import Entry, Ours, Result
from semiad.report.tables import reproduce
from semiad.report.verdicts import Verdict
from tests.test_tables import Book

TABLES = ("cardio", "wine", "glass", "pima", "musk", "letter")
LAM = {"method": {"lam": {"alpha": 1}}}


@pytest.fixture
def book(tmp_path: Path) -> Book:
    """AE-SAD Table 2 with two tables, a failed and a missing run, and a method that the paper has not."""
    book = Book(tmp_path / "r", "aesad_table2")
    made = {"versions": {"torch": "2.15.0"}, "commit": "abc_1", "device": "cpu", "seconds": 61.0}
    levels = {"aesad": 0.97, "ae": 0.7}
    for seed, table, method in product(range(3), ("cardio", "ionosphere"), levels):
        book.run(method, levels[method] + seed / 1000, f"odds/{table}", seed=seed, **made)
    book.run("iforest", 0.9, "odds/cardio")
    book.run("a3", None, "odds/cardio", status="failed", reason="loss is <nan> & gone_")
    book.run("a3", None, "odds/wine", status="missing")
    (tmp_path / "r" / "notes").mkdir()
    (tmp_path / "r" / "notes" / "aesad_table2.md").write_text("Known: *nothing*.")
    return book


def report(book: Book, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    main([f"experiment={book.name}", f"results={book.folder}", *words])
    return capsys.readouterr().out


def test_terminal(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    out = report(book, capsys)
    lines = out.splitlines()
    assert lines[0].startswith("AE-SAD Table 2 (quick): ODDS tables")
    at = next(i for i, line in enumerate(lines) if line.startswith("cardio"))
    shown = [".971±.001", "▼2", ".701±.001", "▼1", "-", "∅", "-", "0/1", "∅", "-", "∅", ".900"]
    assert lines[at].split() == ["cardio", *shown]
    assert lines[at + 1].split()[:4] == [".994±.002", "-.023", ".857±.078", "-.156"]
    assert "110 published cells: 1 match, 3 below, 106 missing" in lines
    assert "failed: 1 of 15 runs: odds/cardio one_vs_one a3 8 vs 3 seed 0 (loss is <nan> & gone_)" in lines
    assert "training took 12 min 12 s" in lines and "12 runs: torch 2.15.0; commit abc_1; cpu" in lines
    assert lines[-1] == "Known: *nothing*." and "musk: as printed: all five methods 1.00±.000" in lines
    assert "AE-SAD against each of the others, Wilcoxon signed-rank with Holm's correction" in lines
    assert f"python -m semiad.report experiment=aesad_table2 budget=quick results={book.folder}" in lines


@pytest.mark.parametrize("width", [40, 60, 70, 80, 100, 120])
def test_a_table_is_folded_to_the_terminal(book: Book, width: int) -> None:
    result = book.result()
    console = open_console(width)
    terminal.show(result, console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    _, _, rest = shown.partition("2/10: two of")
    table, _, below = rest.partition("Shift from")
    assert all(len(line.rstrip()) <= width for line in (table + below).splitlines() if "/" not in line)
    assert "…" not in shown and table.count("data set ") == {40: 4, 60: 2, 70: 2, 80: 2, 100: 1, 120: 1}[width]
    printed = [grid.reference_text(entry, result) for entry in result.entries]
    for text in {text for text in printed if text != "-"}:
        assert table.count(text) >= printed.count(text)
    numbers = [grid.shift_text(shift, result) for shift in result.shifts]
    ps = [row[-1] for statement in grid.statements(result) for row in statement.rows]
    assert all(number in below for text in (*numbers, *ps) for number in text.strip("[]").split())


@pytest.mark.parametrize("width", [40, 60, 70, 100])
@pytest.mark.parametrize("name", [name for name in catalogue().experiments if not name.endswith("table6")])
def test_no_number_is_split_and_no_column_lost_in_a_narrow_terminal(name: str, width: int, tmp_path: Path) -> None:
    result = reproduce(catalogue().experiment(name), read(tmp_path))
    console = open_console(width)
    terminal.show(result, console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    table = shown.partition("2/10: two of")[2]
    words = table.split()
    for entry in result.entries:
        assert not entry.printed or grid.reference_text(entry, result) in words or laid_out(entry, result) in words
    for head in {part for entry in result.entries for column in entry.column for part in column.split()}:
        assert head in table
    assert "…" not in shown and all(len(line) <= width for line in table.splitlines() if "/" not in line)


def laid_out(entry: Entry, result: Result) -> str:
    """The published value with the letters of its flags."""
    mark = grid.grid(result).mark(entry)
    return grid.reference_text(entry, result) + (f"[{mark}]" if mark else "")


def test_csv_has_all_digits(book: Book, tmp_path: Path) -> None:
    main([f"experiment={book.name}", f"results={book.folder}", "--format", "csv", "--out", str(tmp_path / "t.csv")])
    rows = list(csv.DictReader((tmp_path / "t.csv").read_text().splitlines()))
    assert len(rows) == 111
    found = {(row["data set"], row["method"]): row for row in rows}
    cardio, forest, wine = found["cardio", "AE-SAD"], found["cardio", "IF"], found["wine", "A3"]
    assert float(cardio["ours_mean"]) == pytest.approx(0.971, abs=1e-12) and cardio["runs"] == "3"
    assert (cardio["published_mean"], cardio["published_std"], cardio["printed"]) == ("0.994", "0.002", ".994±.002")
    assert float(cardio["difference"]) == pytest.approx(-0.023) and cardio["verdict"] == "below"
    assert (forest["verdict"], forest["published_mean"], forest["ours_std"]) == ("unpublished", "", "")
    assert (wine["verdict"], wine["planned"], wine["missing"], wine["ours_mean"]) == ("missing", "1", "1", "")


def test_csv_leaves_remarks_to_the_errors(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    main([f"experiment={book.name}", f"results={book.folder}", "--format", "csv"])
    said = capsys.readouterr()
    assert (
        "AE-SAD Table 2 (quick): missing: 1 of 15 runs: odds/wine one_vs_one a3 8 vs 3 seed 0" in said.err.splitlines()
    )
    assert "1 of 15 runs" not in said.out


def test_latex_is_booktabs(book: Book, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = report(book, capsys, "--format", "latex")
    assert r"cardio & .971$\pm$.001$^{\downarrow2}$ & .701$\pm$.001$^{\downarrow1}$ & -- & -- 0/1 & -- & .900 \\" in out
    assert r" & \textit{.994$\pm$.002} & \textit{.857$\pm$.078}" in out
    assert r"5 \% of the training rows" in out and out.count(r"\midrule") == 1
    body = out[out.index(r"\begin{tabular}") : out.index(r"\end{tabular}")]
    rows = [line for line in body.splitlines() if line.endswith((r"\\", r"\\*"))]
    assert {line.count(" & ") for line in rows} == {6} and len(rows) == 1 + 2 * 22
    assert r"\par missing: 1 of 15 runs: odds/wine one\_vs\_one a3 8 vs 3 seed 0" in out
    assert f"% python -m semiad.report experiment=aesad_table2 budget=quick results={book.folder}" in out.splitlines()
    assert "% 12 runs: torch 2.15.0; commit abc_1; cpu" in out.splitlines()
    assert out.count("{") - out.count(r"\{") == out.count("}") - out.count(r"\}")
    compiled(out, tmp_path)


def test_latex_breaks_a_table_that_no_page_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = Book(tmp_path / "r", "aesad_table7")
    book.run("aesad", 0.9, normal=[0], anomalous=[1, 2, 3], scenario="one_vs_many")
    out = report(book, capsys, "--format", "latex")
    table = out[out.index(r"\begin{longtable}") : out.index(r"\end{longtable}")]
    first, repeated, rows = re.split(r"\\endfirsthead|\\endhead", table)
    assert r"\caption{AE-SAD Table 7" in first and r"\caption" not in repeated and r"normal & anomalous" in repeated
    assert len(re.findall(r"\\\\\*\n.*\\\\$", rows, re.MULTILINE)) == 60  # the published line stays with ours
    compiled(out, tmp_path)


def test_latex_compares_nothing_where_nothing_is_published(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = Book(tmp_path / "r", "aesad_fig4")
    book.run("aesad", 0.9, "fmnist", [0], [1], config={"scenario": {"labelled": 8}})
    out = report(book, capsys, "--format", "latex")
    assert r"mean$\pm$std over runs.}" in out and "published" not in out.partition(r"\label")[0]
    compiled(out, tmp_path)


def compiled(table: str, folder: Path) -> None:
    """Let LaTeX set a table, where it is installed: no error, nothing wider than the text or longer than the page."""
    if shutil.which("pdflatex"):
        packages = re.findall(r"^% (\\usepackage.*)$", table, re.MULTILINE)
        text = "\n".join(
            (
                r"\documentclass{article}\usepackage[margin=2.5cm]{geometry}",
                *packages,
                r"\begin{document}",
                table,
                r"\end{document}",
            )
        )
        (folder / "t.tex").write_text(text)
        command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "t.tex"]
        for _ in range(3):  # longtable settles the widths of its columns over runs
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout
        assert not re.search("Overfull|too large|multiply", done.stdout), done.stdout


def test_markdown(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    out = report(book, capsys, "--format", "markdown")
    assert out.startswith("## AE-SAD Table 2 (quick)\n")
    (row,) = [line for line in out.splitlines() if line.startswith("| cardio")]
    assert row.startswith("| cardio | .971±.001 ▼<sup>2</sup><br>*.994±.002* -.023 | .701±.001 ▼<sup>1</sup><br>")
    tables = re.findall(r"(?:^\|.*\n)+", out, re.MULTILINE)
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1
    assert r"(loss is \<nan\> & gone\_)" in out and out.endswith("Known: *nothing*.\n")
    assert " - 0/1 ∅<br>" in row and "- settings: seeds 0, 1, 2; data sets cardio, ionosphere, wine\n" in out
    assert "**110 published cells: 1 match, 3 below, 106 missing.**" in out


def test_a_document_of_a_whole_ledger_is_the_same_each_time(book: Book, tmp_path: Path) -> None:
    other = Book(book.folder, "aesad_fig4")
    other.keys = book.keys
    for seed, method, labelled in product((0, 1), ("aesad", "ae"), (8, 16)):
        if (method, labelled) != ("ae", 16):
            config = {**LAM, "scenario": {"labelled": labelled}}
            other.run(method, 0.8 + seed / 100 + labelled / 1000, "fmnist", seed=seed, config=config)
    texts = []
    for _ in range(2):
        main([f"results={book.folder}", "--format", "markdown", "--out", str(tmp_path / "docs" / "all.md")])
        files = [path for path in (tmp_path / "docs").rglob("*") if path.is_file()]
        texts.append({path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in files})
    assert texts[0] == texts[1]
    text = texts[0]["docs/all.md"].decode()
    counts = "110 | 110 | 1 | · | · | 3 | · | 106 | · | · | ·"
    assert f"| [AE-SAD Table 2 (quick)](#ae-sad-table-2-quick) | {counts} | no run is planned: " in text
    assert f"| [AE-SAD Figure 4 (quick)](#ae-sad-figure-4-quick) | {' | '.join('·' * 11)} |  |" in text
    assert "| AE-SAD Table 8 | 16 | 16 |" in text and "[AE-SAD Table 8" not in text
    links = re.findall(r"!\[.*\]\((.*)\)", text)
    assert links and all(f"docs/{link}" in texts[0] for link in links)
    said = catalogue().experiment("aesad_fig4").drawings[0].caption
    assert f"![{said}](all/aesad_fig4.svg)\n\n*{said}*\n" in text
    assert f"results={book.folder} --format markdown --out {tmp_path / 'docs' / 'all.md'}" in text


@pytest.mark.slow
def test_a_document_is_the_same_in_each_process(tmp_path: Path) -> None:
    """Whatever the order of sets of text is there."""
    book = Book(tmp_path / "r", "aesad_table2")
    methods = ("aesad", "ae", "a3", "deep_sad", "ocsvm")
    for i, (table, method) in enumerate(product(TABLES, methods)):
        book.run(method, 0.9 - i * 7 % 5 / 100, f"odds/{table}")
    texts = []
    for seed in "123":
        words = [f"results={book.folder}", "--format", "markdown", "--out", str(tmp_path / "docs" / "all.md")]
        command = [sys.executable, "-m", "semiad.report", *words]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": seed})
        texts.append({path.name: path.read_bytes() for path in (tmp_path / "docs").rglob("*.*")})
    assert texts[0] == texts[1] == texts[2] and len(texts[0]) > 1


def test_figures_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = Book(tmp_path / "r", "aesad_table2")
    for i, (table, method) in enumerate(product(TABLES, ("aesad", "ae", "a3"))):
        book.run(method, 0.9 - i / 100, f"odds/{table}")
    report(book, capsys, "--figures", str(tmp_path / "f"))
    suffixes = {path.suffix for path in (tmp_path / "f").iterdir()}
    assert suffixes == {".svg", ".pdf", ".png"}


def entry(row: str, column: str, flag: str = "", printed: str = ".5") -> Entry:
    return Entry((row,), (column,), 0.5, None, printed, flag, None, Verdict.MISSING, (), 0, 0)


def result(*entries: Entry) -> Result:
    return Result("aesad_table2", "T", "C", None, ("row",), ("column",), "AUC", 3, entries)


@pytest.mark.parametrize("form", ["terminal", "csv", "latex", "markdown"])
def test_torn_lines_are_told_in_each_format(book: Book, capsys: pytest.CaptureFixture[str], form: str) -> None:
    (book.folder / "torn.jsonl").write_text('{"key": ')
    main([f"experiment={book.name}", f"results={book.folder}", "--format", form])
    said = capsys.readouterr()
    assert "torn.jsonl, line 1 is torn or no record" in (said.out if form == "terminal" else said.err)


def test_a_conflict_is_an_error_after_the_table(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    (path, *_) = [path for path in book.folder.glob("*.jsonl") if '"ok"' in path.read_text()]
    line = path.read_text().splitlines()[0]
    auc = re.search(r'"auc": ([\d.]+)', line)
    assert auc
    (book.folder / "other.jsonl").write_text(line.replace(auc[0], '"auc": 0.1') + "\n")
    with pytest.raises(SystemExit, match=r"error: .* has 2 records with AUC from 0.1000 to"):
        main([f"experiment={book.name}", f"results={book.folder}", "--format", "markdown"])
    assert "- error: " in capsys.readouterr().out


def test_flags_are_said_once() -> None:
    laid = grid.grid(result(entry("a", "x", "odd"), entry("a", "y", "odd"), entry("b", "x"), entry("b", "y", "lone")))
    assert laid.footnotes == ["a: odd", "a: lone"] and laid.marks == {"lone": "a"}
    both = grid.grid(result(entry("a", "x", "odd"), entry("b", "x", "odd")))
    assert both.footnotes == ["odd"] and not both.marks
    absent = "not in semiad; read twice"
    cells = [entry("a", "x", absent), entry("b", "x", "not in semiad"), entry("a", "y"), entry("b", "y")]
    columns = grid.grid(result(*cells))
    assert columns.footnotes == ["x: not in semiad", "a: read twice"]
    assert columns.mark(columns.rows[0][1][0]) == "a"  # type: ignore[arg-type]


def test_columns_that_semiad_has_nothing_of_stand_last() -> None:
    cells = [
        entry(row, column, flag) for row in "ab" for column, flag in (("x", "not in semiad"), ("y", ""), ("z", ""))
    ]
    cells[4] = entry("b", "y", "not in semiad")
    laid = sections.absent_last(grid.grid(result(*cells)))
    assert laid.columns == [("y",), ("z",), ("x",)] and [*sections.lacking(laid)] == [False, False, True]
    assert [[cell and cell.column for cell in row] for _, row in laid.rows] == [laid.columns] * 2


@pytest.mark.parametrize(("mean", "std", "unit", "expected"), [
    (0.9, 0.05, "AUC", ".900±.050"),
    (1.0, 0.0, "AUC", "1.000±.000"),
    (-0.0123, None, "AUC", "-.012"),
    (99.45, 0.5, "AUC in %", "99.450±0.500"),
])  # fmt: skip
def test_values_as_printed(mean: float, std: float | None, unit: str, expected: str) -> None:
    shown = Entry(("a",), ("x",), None, None, "", "", Ours(mean, std, None, None, 2), Verdict.UNPUBLISHED, (), 0, 0)
    assert grid.our_text(shown, Result("e", "T", "C", None, ("row",), ("column",), unit, 3, [shown])) == expected


@pytest.mark.parametrize(("seconds", "expected"), [(0.4, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (7260, "2 h 1 min")])
def test_durations(seconds: float, expected: str) -> None:
    assert grid.duration(seconds) == expected


def test_a_console_that_takes_down_is_no_terminal() -> None:
    assert isinstance(open_console(80), Console) and not open_console(80).is_terminal
