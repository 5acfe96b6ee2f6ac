import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from semiad.ledger.reader import Ledger, read
from semiad.report import unlisted
from semiad.report.__main__ import main
from semiad.report.formats import grid, page, page_data
from semiad.report.overview import overview
from semiad.report.papers import catalogue
from semiad.report.result import Result
from semiad.report.tables import reproduce
from semiad.report.verdicts import COMPARED
from tests import browser as chromium
from tests import ledgers

pytestmark = pytest.mark.slow

experiment = catalogue().experiment
EXPERIMENTS = ("aesad_table1", "aesad_fig1", "aesad_table2", "aesad_fig4", "aesad_fig5", "aesad_table7")
EXPERIMENTS += ("esad_table2", "esad_table4")
SCRIPT = "the loss is nan <script>document.title='run'</script><img src=x onerror=\"document.title='run'\">"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of experiments with a failed run, a missing one, and notes."""
    folder = tmp_path_factory.mktemp("ledger")
    for name in EXPERIMENTS:
        runs = ledgers.runs_of(name, folder / name, normals=2, seeds=2)
        if name == "aesad_fig4":
            runs[0].update(status="failed", auc=None, ap=None, auc_by_class=None, reason=SCRIPT)
            runs[5]["status"] = "missing"
        ledgers.write(folder / name, name, runs)
    (folder / "notes").mkdir()
    notes = (
        "Why **lower**: <script>document.title='run'</script> [x](javascript:alert(1)) ![y](https://example.org/y.png)"
    )
    (folder / "notes" / "aesad_table2.md").write_text(f"{notes}\n\n| a | b |\n|---|---|\n| 1 | 2 |\n")
    return folder


@pytest.fixture(scope="session")
def report(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of that ledger, as the command writes it."""
    path = tmp_path_factory.mktemp("page") / "deep" / "report.html"
    main([f"results={folder}", "--format", "html", "--out", str(path)])
    return path


@pytest.fixture
def browser(started: Chrome, report: Path) -> Iterator[Chrome]:
    """Chromium at the page; in the end nothing was complained of, and nothing asked of a network."""
    for log in ("browser", "performance"):
        started.get_log(log)
    chromium.look(started, report)
    yield started
    assert started.get_log("browser") == [] and "semiad" in started.title
    messages = [json.loads(entry["message"])["message"] for entry in started.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert asked and {re.match(r"\w+:", url)[0] for url in asked} <= {"file:", "data:"}  # type: ignore[index]


def find(at: Chrome | WebElement, css: str) -> WebElement:
    return at.find_element(By.CSS_SELECTOR, css)


def texts(at: Chrome | WebElement, css: str) -> list[str]:
    return [one.text for one in at.find_elements(By.CSS_SELECTOR, css)]


def press(browser: Chrome, css: str, key: str = Keys.ENTER) -> None:
    """Go to something and press a key there."""
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'}); arguments[0].focus()", find(browser, css))
    ActionChains(browser).send_keys(key).perform()


def test_overview_names_every_experiment(browser: Chrome, folder: Path) -> None:
    results = {name: reproduce(experiment(name), read(folder)) for name in EXPERIMENTS}
    rows = browser.find_elements(By.CSS_SELECTOR, "#overview tbody tr")
    linked = [row for row in rows if row.find_elements(By.CSS_SELECTOR, "a")]
    assert len(linked) == len(EXPERIMENTS)
    for row in linked:
        link = find(row, "a").get_attribute("href") or ""
        result = results[link.partition("#")[2]]
        counts = [cell.get_attribute("data-v") for cell in row.find_elements(By.CSS_SELECTOR, "td.number")][2:8]
        assert counts == [str(result.count(verdict)) for verdict in COMPARED]
        assert find(row, "th").text == f"{result.title} (quick)"
    others = {find(row, "th").text for row in rows if row not in linked}
    assert {"AE-SAD Table 4", "AE-SAD Table 8", "ESAD Table 3", "ESAD Table 9"} <= others
    total = [
        cell.get_attribute("data-v") for cell in browser.find_elements(By.CSS_SELECTOR, "#overview tfoot td.number")
    ]
    assert total[0] == "1222" and int(total[1]) == sum(map(int, total[2:8]))  # type: ignore[arg-type]
    why = texts(browser, "#overview details.remarks li")
    assert any(text.startswith("ESAD Table 3: not in semiad: its medical images") for text in why)


def test_cells_have_ours_the_published_and_the_verdict(browser: Chrome, folder: Path) -> None:
    result = reproduce(experiment("aesad_table2"), read(folder))
    (entry,) = [e for e in result.entries if (e.row, e.column) == (("cardio",), ("AE",))]
    assert entry.ours is not None and entry.difference is not None
    shown = find(browser, "#aesad_table2 [data-name='data set cardio, method AE']").text.split("\n")
    assert shown[0] == f"{entry.ours.mean:.3f}±{entry.ours.std:.3f}".replace("0.", ".")
    assert shown[1].split()[1] == entry.verdict and shown[1].split()[0] == entry.verdict.symbol
    assert shown[1].split()[2] == f"{entry.difference:+.3f}".replace("0.", ".", 1)
    assert shown[-1].endswith(".857±.078")
    assert len(browser.find_elements(By.CSS_SELECTOR, "#aesad_table2 .cell")) == len(result.entries)


@pytest.mark.parametrize("how", ["click", "keyboard"])
def test_tables_are_sorted(browser: Chrome, how: str) -> None:
    def numbers() -> list[float]:
        found = browser.find_elements(By.CSS_SELECTOR, "#aesad_table2 tbody td:nth-child(3)")
        values = [cell.get_attribute("data-v") for cell in found]
        return [float(value) for value in values if value]

    head = "#aesad_table2 table.values thead tr:last-child th:nth-child(3)"
    before = numbers()
    for way, backwards in (("ascending", False), ("descending", True)):
        if how == "click":
            browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", find(browser, head))
            find(browser, f"{head} button").click()
        else:
            press(browser, f"{head} button")
        assert find(browser, head).get_attribute("aria-sort") == way
        assert numbers() == sorted(before, reverse=backwards) != before
    find(browser, "#aesad_table2 table.values thead tr:last-child th:first-child button").click()
    assert find(browser, head).get_attribute("aria-sort") == "none"
    names = texts(browser, "#aesad_table2 table.values tbody th")
    assert names == sorted(names) and len(names) > 10


def test_a_cell_opens_its_runs(browser: Chrome, folder: Path) -> None:
    press(browser, "#aesad_fig4 [data-name='normal 0, method AE-SAD, labelled 8']")
    panel = find(browser, "#panel")
    assert panel.get_attribute("open") and "AE-SAD Figure 4 (quick): normal 0" in find(panel, "h2").text
    result = reproduce(experiment("aesad_fig4"), read(folder))
    (entry,) = [e for e in result.entries if (e.row, e.column) == (("0",), ("AE-SAD", "8"))]
    assert entry.holes and entry.holes in find(browser, "#aesad_fig4 .holes").text
    cells = [texts(row, "td") for row in panel.find_elements(By.CSS_SELECTOR, "tbody tr")]
    assert len(cells) == len(entry.keys) and {row[-1] for row in cells} == {*entry.keys}
    heads = [head.text for head in panel.find_elements(By.CSS_SELECTOR, "thead th")]
    ledger = read(folder)
    for row in cells:
        run = dict(zip(heads, row, strict=True))
        (recorded,) = ledger.runs.filter(key=run["key"]).iter_rows(named=True)
        assert run["status"] == recorded["status"] and run["seed"] == str(recorded["seed"])
        assert run["AUC"] == ("–" if recorded["auc"] is None else f"{recorded['auc']:.4f}")  # noqa: RUF001
        assert run["reason"] == (recorded["reason"] or "")
    assert [row[2] for row in cells[:2]] == ["failed", "missing"] and cells[0][3] == SCRIPT
    ActionChains(browser).send_keys(Keys.ESCAPE).perform()
    assert not panel.get_attribute("open")


def test_the_panel_of_a_class_has_the_figures_that_its_cell_is_made_of(browser: Chrome, folder: Path) -> None:
    result, ledger = reproduce(experiment("aesad_table1"), read(folder)), read(folder)
    by_class = dict(ledger.runs.select("key", "auc_by_class").iter_rows())
    for method in ("AE-SAD", "AE-SAD minus AE"):
        press(browser, f"#aesad_table1 [data-name='seen, class 1, method {method}']")
        panel = find(browser, "#panel")
        assert find(panel, "h2").text.endswith(f": seen, class 1, method {method}")
        (entry,) = [e for e in result.entries if (e.row, e.column) == (("seen", "1"), (method,))]
        assert entry.ours is not None and entry.ours.std is not None and entry.ours.low is not None
        mean, std, low = (grid.plain(value, result) for value in (entry.ours.mean, entry.ours.std, entry.ours.low))
        assert (
            f"mean {mean}, standard deviation {std}, n = 2, 95 % interval of the mean [{low}, "
            in find(panel, ".said").text
        )
        listed = panel.find_elements(By.CSS_SELECTOR, "table")[-1]
        heads = texts(listed, "thead th")
        rows = [
            dict(zip(heads, texts(row, "td"), strict=True)) for row in listed.find_elements(By.CSS_SELECTOR, "tbody tr")
        ]
        assert {row["key"]: row["AUC of class 1"] for row in rows} == {
            key: f"{json.loads(by_class[key])['1']:.4f}" for key in entry.keys
        }
        if method == "AE-SAD minus AE":
            table = find(panel, "table")
            assert texts(table, "thead th") == ["seed", "AE-SAD", "AE", "difference"] and len(rows) == 4
            seeds = [
                [float(text) for text in texts(row, "td")] for row in table.find_elements(By.CSS_SELECTOR, "tbody tr")
            ]
            assert sum(row[3] for row in seeds) / 2 == pytest.approx(entry.ours.mean, abs=2e-4) and len(seeds) == 2
            assert all(row[3] == pytest.approx(row[1] - row[2], abs=2e-4) for row in seeds)
        press(browser, "#close")


def test_what_comes_from_a_ledger_is_text(browser: Chrome) -> None:
    assert find(browser, "#aesad_fig4 .remarks").text.count("<script>") == 1
    notes = find(browser, "#aesad_table2 .notes")
    assert "<script>" in notes.text and texts(notes, "td") == ["1", "2"] and texts(notes, "strong") == ["lower"]
    links = [link.get_attribute("href") for link in notes.find_elements(By.CSS_SELECTOR, "a")]
    assert links == ["https://example.org/y.png"] and not notes.find_elements(By.CSS_SELECTOR, "img")
    assert browser.title == "Reproduction · semiad"


def test_curves_are_drawn(browser: Chrome, folder: Path) -> None:
    press(browser, "#aesad_fig5 button.cell", Keys.SPACE)
    lines = browser.find_elements(By.CSS_SELECTOR, "#panel .charts svg polyline")
    assert len(lines) == 4 and len((lines[0].get_attribute("points") or "").split()) == 60
    assert texts(browser, "#panel .lines li") == [f"aesad, odds/cardio, 0 vs 1, seed {seed}" for seed in (0, 1)]
    drawn = browser.find_elements(By.CSS_SELECTOR, "#panel .charts > svg")
    assert [svg.get_attribute("aria-label") for svg in drawn] == [
        "AUC by epoch",
        "training loss (logarithmic axis) by epoch",
    ]
    axes = [[float(text) for text in texts(svg, "text[text-anchor=end]")] for svg in drawn]
    assert axes == [[0.7, 0.8, 0.9], [0.1, 0.2, 0.5, 1]]
    heights = [float(point.split(",")[1]) for point in (lines[0].get_attribute("points") or "").split()]
    assert heights[0] > heights[-1]  # the AUC rises
    find(browser, "#close").click()


def test_the_most_normal_and_most_anomalous_rows_are_shown(browser: Chrome) -> None:
    find(browser, "#aesad_fig1 button.cell").click()
    captions = texts(browser, "#panel figcaption")
    assert len(captions) == 16 and captions[0].startswith("8 normal") and captions[-1].startswith("0 unseen")
    image = find(browser, "#panel .tile img")
    assert [image.get_property(name) for name in ("naturalWidth", "naturalHeight")] == [8, 16]
    second = browser.find_elements(By.CSS_SELECTOR, "#panel .pick")[1]
    second.click()
    assert second.get_attribute("aria-pressed") == "true" and len(texts(browser, "#panel figcaption")) == 16
    find(browser, "#close").click()


def test_cells_that_semiad_has_not_are_without_ours_and_names_of_rows_stay(browser: Chrome) -> None:
    assert not browser.find_elements(By.CSS_SELECTOR, ".absent")  # of every column of these tables semiad has a cell
    (row,) = [
        row
        for row in browser.find_elements(By.CSS_SELECTOR, "#esad_table2 table.values tbody tr")
        if find(row, "th").text == "AnoGAN"
    ]
    cells = row.find_elements(By.CSS_SELECTOR, ".cell")
    assert len(cells) == 3 and all("ours" not in (cell.get_attribute("innerHTML") or "") for cell in cells)
    table = "#aesad_table7 .box"
    browser.execute_script("arguments[0].style.width='300px'; arguments[0].scrollLeft = 200", find(browser, table))
    box = find(browser, table).rect["x"]
    at = [cell.rect["x"] - box for cell in browser.find_elements(By.CSS_SELECTOR, f"{table} tbody tr:first-child th")]
    assert find(browser, table).get_property("scrollLeft") == 200 and at == sorted(at) and 0 <= at[0] < 3
    ours = find(browser, f"{table} tbody td").rect["x"] - box
    assert ours < at[-1]


def test_what_is_missing_stands_before_the_table(browser: Chrome, folder: Path) -> None:
    result = reproduce(experiment("aesad_fig4"), read(folder))
    first = texts(browser, "#aesad_fig4 .first li")
    assert [one.partition(":")[0] for one in first] == ["failed", "missing"] and {*first} <= {*result.remarks}
    place = "return arguments[0].compareDocumentPosition(arguments[1]) & Node.DOCUMENT_POSITION_FOLLOWING"
    assert browser.execute_script(place, find(browser, "#aesad_fig4 .first"), find(browser, "#aesad_fig4 table"))
    assert {*first} | {*texts(browser, "#aesad_fig4 .remarks:not(.first) li")} == {*result.remarks}


def test_a_test_that_was_not_made_says_why(browser: Chrome) -> None:
    notes = texts(browser, "#aesad_table7 h3 + .box + .legend")
    assert [note.endswith("-: fewer than 6 cells, too few for a test.") for note in notes] == [False, True]


def test_figures_load(browser: Chrome) -> None:
    widths = browser.execute_script(
        "return [...document.querySelectorAll('section figure img')].map(i => i.naturalWidth)"
    )
    assert len(widths) == 8 and min(widths) > 200
    said = texts(browser, "#aesad_table7 figcaption")
    assert said == [experiment("aesad_table7").drawings[1].caption]


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_no_page_is_wider_than_its_window(browser: Chrome, report: Path, width: int) -> None:
    chromium.look(browser, report, width)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    for css in ("#aesad_fig4 button.cell", "#aesad_fig1 button.cell", "#aesad_fig5 button.cell"):
        press(browser, css)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        box = find(browser, "#panel").rect
        assert box["x"] >= 0 and box["x"] + box["width"] <= width
        press(browser, "#close")


def luminance(colour: str) -> float:
    """Of a colour as a browser writes it (WCAG)."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_schemes_can_be_read(browser: Chrome, report: Path, scheme: str) -> None:
    chromium.look(browser, report, scheme=scheme)
    paper = luminance(find(browser, ".card").value_of_css_property("background-color"))
    assert paper < 0.1 if scheme == "dark" else paper > 0.9
    for verdict in COMPARED:
        mark = find(browser, f".key .{verdict}")
        shades = [luminance(mark.value_of_css_property(name)) for name in ("color", "background-color")]
        assert (max(shades) + 0.05) / (min(shades) + 0.05) >= 4.5


def test_the_page_is_one_file_and_the_same_each_time(folder: Path, report: Path, tmp_path: Path) -> None:
    main([f"results={folder}", "--format", "html", "--out", str(tmp_path / "again.html")])
    text = report.read_text()
    assert text == (tmp_path / "again.html").read_text() and [*report.parent.iterdir()] == [report]
    assert (
        not re.search(r"<(img|script|link)[^>]* (src|href)=\"(?!data:)", text)
        and "url(" not in text.partition("</style>")[0]
    )


def test_one_experiment_has_a_page(folder: Path, tmp_path: Path) -> None:
    main(["experiment=aesad_fig5", f"results={folder}", "--format", "html", "--out", str(tmp_path / "one.html")])
    assert "<title>AE-SAD Figure 5 · semiad</title>" in (tmp_path / "one.html").read_text()


def test_nothing_planned_is_a_page_of_holes(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    text = page.render(results := [reproduce(experiment("aesad_table2"), ledger)], ledger, overview(results, []))
    assert text.count("∅ missing</span>") == 111 and '<button type="button" class="cell"' not in text


def test_a_page_that_cannot_be_written_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "report.html"
    with pytest.raises(SystemExit, match=r"error: --out .*report.html cannot be written"):
        main(["experiment=aesad_fig5", f"results={folder}", "--format", "html", "--out", str(out)])


def test_places_of_keys_are_spans() -> None:
    at = {key: i for i, key in enumerate("abcdefgh")}
    assert page_data.spans(list("cbadgh?"), at) == [0, 4, 6, 2] and page_data.spans([], at) == []


def test_many_runs_make_a_small_page(tmp_path: Path) -> None:
    """A tenth of Figure 3's full protocol."""
    runs = ledgers.runs_of("aesad_fig3", tmp_path, normals=10, seeds=1)
    ledger = ledgers.write(tmp_path, "aesad_fig3", runs)
    result: Result = reproduce(experiment("aesad_fig3"), ledger)
    begun = time.perf_counter()
    data: dict[str, Any] = page_data.payload(*page_data.index([result], ledger))
    assert time.perf_counter() - begun < 5 and len(data["runs"]["key"]) == 2700
    assert len(page_data.script(data)) < 120 * 2700


def test_runs_of_no_experiment_have_a_page_and_panels(tmp_path: Path) -> None:
    ledgers.write(tmp_path, "own", ledgers.runs_of("aesad_table7", tmp_path))
    for plan in (tmp_path / "plans").iterdir():
        plan.write_text(json.dumps({**json.loads(plan.read_text()), "experiment": None, "budget": None}))
    results = unlisted.results(ledger := read(tmp_path), [])
    text = page.render(results, ledger, overview(results, []))
    assert len(results) == 1 and text.count('<button type="button" class="cell"') == len(results[0].entries) > 3
    assert all(f"mean {grid.plain(e.ours.mean, results[0])}" in text for e in results[0].entries if e.ours)
