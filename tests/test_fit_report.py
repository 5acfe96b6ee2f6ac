import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from selenium.webdriver import Chrome
from typer.testing import CliRunner

from semiad import Detector
from semiad.cli.app import app
from semiad.detector.fit_report import expected
from semiad.detector.histogram import Histogram
from semiad.errors import InputError
from tests import browser as chromium

SCRIPT = "note <script>document.title='run'</script>"


def payments(rows: int) -> pl.DataFrame:
    """Payments with labels, the first of them odd; names and values that a page has to escape."""
    draws, odd = np.random.default_rng(0), np.arange(rows) < 12
    return pl.DataFrame(
        {
            "id": [f"p{i}" for i in range(rows)],
            "amount": np.where(odd, 300.0, 50.0) + draws.normal(0, 10, rows),
            "hour": np.where(odd, 2, draws.integers(8, 20, rows)),
            SCRIPT: draws.choice(["<b>DE</b>", "FR"], rows),
            "a long name of a column, as those have who ask people whole sentences": draws.normal(size=rows),
            "fraud": [1] * 6 + [None] * 6 + [0] * 30 + [None] * (rows - 42),
        }
    )


def fit(folder: Path, *words: str) -> Path:
    table = folder / "payments <1>.csv"
    payments(300).write_csv(table)
    out = folder / "fraud.semiad"
    done = CliRunner().invoke(
        app,
        [
            "fit",
            str(table),
            "--label",
            "fraud",
            "--method",
            "aesad",
            "--ensemble",
            "2",
            "--device",
            "cpu",
            "--out",
            str(out),
            *words,
        ],
    )
    assert done.exit_code == 0 and "is saved, with report.html" in done.stdout, done.stderr
    return out


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fit(tmp_path_factory.mktemp("model"), "--epochs", "20", "--fpr", "0.2")


class Words(HTMLParser):
    """What a reader sees of a page, and the elements that it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.words += data.split()


def test_the_page_says_what_was_learnt(model: Path) -> None:
    page = (model / "report.html").read_text()
    seen = Words(page)
    text, detector = " ".join(seen.words), Detector.load(model, device="cpu")
    assert (
        "script" not in seen.tags
        and not re.search(r"https?:|//", page)
        and "b" not in seen.tags
        and "link" in seen.tags
    )
    assert "aesad detector of payments <1>.csv" in text and f"threshold {detector.threshold_:.4g}" in text
    counts = detector.summary_
    assert f"trained on {counts['training_rows']}" in text and f"held out {counts['calibration_rows']}" in text
    assert "id left out an identifier: all values differ" in text and f"{SCRIPT} category 2 different values" in text
    assert f"semiad score {model} NEW_TABLE --out scored.csv" in text
    rows = pl.read_csv(model.parent / "payments <1>.csv").drop("fraud")
    told = detector.explain(rows[6:12], top=1)
    assert {"amount", "hour"} & set(told["reason_1"])
    for row, reason, share in zip(range(7, 13), told["reason_1"], told["share_1"], strict=True):
        value = rows[reason][row - 1]
        value = f"{value:.6g}" if isinstance(value, float) else value
        assert re.search(rf"\b{row} [\d.]+ none {re.escape(f'{reason} = {value} ({share:.3g})')}", text), "unlabelled"
    assert not re.search(r"\b1 [\d.]+ none amount", text), "labelled anomalies need no label"


def test_the_bars_are_the_held_out_rows(model: Path) -> None:
    page, detector = (model / "report.html").read_text(), Detector.load(model, device="cpu")
    bars = re.findall(r"<rect( class=\"alarm\")? .*?<title>([\d,]+) rows with a score above", page)
    assert sum(int(number.replace(",", "")) for _, number in bars) == len(detector.calibration_.scores)
    alarms = sum(int(number.replace(",", "")) for alarm, number in bars if alarm)
    assert alarms == (detector.calibration_.scores > detector.threshold_).sum() > 0


@pytest.mark.parametrize(
    ("scores", "anomalous", "cut"),
    [([0.0, 0.0, 0.0], [], 0.0), ([1.0], [1e8], 1.0), ([-3.0, -2.5], [], -2.5), (list(range(1000)), [5.0], 990.0)],
)
def test_histograms_of_few_equal_and_far_scores(scores: list[float], anomalous: list[float], cut: float) -> None:
    plot = Histogram(np.array(scores, dtype=float), np.array(anomalous), cut)
    bars = list(plot.bars)
    assert sum(int(bar.label.split()[0].replace(",", "")) for bar in bars) == len(scores)
    assert all(0 <= bar.x and bar.x + bar.width <= plot.width and bar.y >= plot.top and bar.height > 0 for bar in bars)
    assert len(plot.anomalies) == len(anomalous) and 0 < plot.threshold < plot.width and plot.ticks
    assert any(bar.alarm for bar in bars) == (max(scores) > cut)


def test_expected_alarms_are_those_of_the_calibration(model: Path) -> None:
    detector = Detector.load(model, device="cpu")
    for line in expected(detector):
        rate = float(line.rate)
        assert line.threshold == f"{detector.calibration_.threshold(rate):.3g}"
        assert line.alarms == f"{1000 * detector.calibration_.rate(rate):.3g}"
        assert float(line.low) < float(line.alarms) < float(line.high)
        assert line.chosen == (rate == 0.2)


def test_without_captum_the_page_says_why_there_are_no_reasons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    page = (fit(tmp_path, "--epochs", "1", "--method", "deep_sad") / "report.html").read_text()
    assert "There are no shares: the package captum is needed for explanations of DeepSAD by" in page


def test_a_changed_page_is_refused_and_a_folder_without_one_is_read(model: Path, tmp_path: Path) -> None:
    Detector.load(model).save(tmp_path / "again")
    assert not (tmp_path / "again" / "report.html").exists()
    Detector.load(tmp_path / "again")
    page = (model / "report.html").read_bytes()
    (model / "report.html").write_bytes(page.replace(b"threshold", b"Threshold"))
    with pytest.raises(InputError, match=r"report.html is damaged"):
        Detector.load(model)
    (model / "report.html").write_bytes(page)


@pytest.mark.slow  # starts Chromium
def test_the_page_fits_a_desk_and_a_phone_and_asks_for_nothing(started: Chrome, model: Path) -> None:
    started.get("about:blank")  # the page that it starts with asks for much
    for log in ("browser", "performance"):
        started.get_log(log)
    inks = set()
    for width, scheme in ((1280, "light"), (390, "light"), (390, "dark")):
        chromium.look(started, model / "report.html", width=width, scheme=scheme)
        assert started.title == "aesad detector of payments <1>.csv · semiad", "a script of the table has run"
        assert started.execute_script("return document.documentElement.scrollWidth") <= width
        inks.add(started.execute_script("return getComputedStyle(document.body).color"))
    assert len(inks) == 2 and started.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in started.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert asked and all(url.startswith(("file:", "data:")) for url in asked)
