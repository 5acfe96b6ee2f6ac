"""The studies of the number of labels: ranks, tests, words, and the page."""

import json
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from semiad.ledger.reader import read
from semiad.report.__main__ import main
from semiad.report.figures.labels import differences
from semiad.report.labels import SEEN, UNSEEN, study
from tests.conftest import CONF
from tests.ledgers import config, run, write

ROOT = CONF.parent
TABLES = ("arrhythmia", "breastw", "cardio", "musk", "pima", "satellite", "wbc", "wine")
NUMBERS = (0, 1, 5)


def figure(method: str, labels: int, table: int, seed: int) -> float:
    """The AP of a run: `aesad` gains from labels, `logistic` needs many, `ae` has none."""
    rng = np.random.default_rng([table, seed, labels, len(method)])
    base = {"ae": 0.5, "aesad": 0.5 + 0.06 * labels**0.5, "logistic": 0.3 + 0.1 * labels}[method]
    return float(base + 0.02 * table + rng.normal(0, 0.01))


def runs(experiment: str = "labels", numbers: tuple[int, ...] = NUMBERS, **more: Any) -> list[dict[str, Any]]:
    made = []
    for (place, table), seed in product(enumerate(TABLES), range(2)):
        wanted = {"ae": (0,), "aesad": numbers, "logistic": numbers[1:]}
        for method, labels in ((name, labels) for name, list_ in wanted.items() for labels in list_):
            value = figure(method, labels, place, seed)
            made.append(
                run(
                    f"{experiment} {table} {seed} {method} {labels}",
                    np.random.default_rng(0),
                    **{
                        "method": method, "dataset": f"odds/{table}", "seed": seed, "classes": [], "ap": value,
                        "auc": value, "recall_at_1_fpr": value / 2, "config": config(labelled=labels),
                        "seconds": 10.0 if method == "ae" else 1.0, **more,
                    },
                )
            )  # fmt: skip
    return made


def test_methods_are_compared_at_each_number_of_labels(tmp_path: Path) -> None:
    made = study(write(tmp_path, "labels", runs()), SEEN, "ap")
    assert made and [count.labels for count in made.counts] == [0, 1, 5]
    assert [[row.method for row in count.rows] for count in made.counts] == [
        ["ae", "aesad"],
        ["aesad", "ae", "logistic"],
        ["logistic", "aesad", "ae"],
    ]
    last = made.counts[-1]
    means = {
        name: np.array([np.mean([figure(name, n, place, seed) for seed in range(2)]) for place in range(len(TABLES))])
        for name, n in {"ae": 0, "aesad": 5, "logistic": 5}.items()
    }
    ps = [stats.wilcoxon(means["logistic"] - means[name]).pvalue for name in ("aesad", "ae")]
    assert [row.p for row in last.rows[1:]] == pytest.approx(multipletests(ps, method="holm")[1].tolist())
    ap = last.rows[1].values["ap"]
    assert ap and ap.mean == pytest.approx(means["aesad"].mean()) and ap.n == 16
    assert last.ranking and last.ranking.p < 0.001 and last.best.first == 8 and last.beaten == ["aesad", "ae"]


def test_a_method_without_labels_has_the_same_figures_with_any_number(tmp_path: Path) -> None:
    made = study(write(tmp_path, "labels", runs()), SEEN, "ap")
    assert made
    values = [{row.method: row.values["ap"] for row in count.rows}["ae"] for count in made.counts]
    assert values[0] == values[1] == values[2]


def test_cells_count_alike_whatever_their_draws(tmp_path: Path) -> None:
    some = [one for one in runs() if one["seed"] == 0 or one["dataset"] != "odds/wine"]
    made = study(write(tmp_path, "labels", some), SEEN, "ap")
    assert made and all(count.draws == (1, 2) for count in made.counts)
    means = [
        np.mean([figure("aesad", 5, place, seed) for seed in range(1 if table == "wine" else 2)])
        for place, table in enumerate(TABLES)
    ]
    ap = next(row.values["ap"] for row in made.counts[-1].rows if row.method == "aesad")
    assert ap and ap.mean == pytest.approx(np.mean(means)) and ap.low is not None and ap.low < ap.mean < ap.high


def test_draws_that_a_method_lacks_do_not_count(tmp_path: Path) -> None:
    lost = ("aesad", "odds/wine", 1)
    some = [one for one in runs(numbers=(0, 5)) if (one["method"], one["dataset"], one["seed"]) != lost]
    made = study(write(tmp_path, "labels", some), SEEN, "ap")
    assert made and made.counts[-1].draws == (1, 2) and made.counts[-1].runs == 3 * (2 * len(TABLES) - 1)
    place = TABLES.index("wine")
    found = [
        np.mean([figure("logistic", 5, at, seed) for seed in range(1 if at == place else 2)])
        for at in range(len(TABLES))
    ]
    ap = next(row.values["ap"] for row in made.counts[-1].rows if row.method == "logistic")
    assert ap and ap.mean == pytest.approx(np.mean(found))


def test_a_method_whose_labelled_runs_are_not_there_is_none_without_labels(tmp_path: Path) -> None:
    some = [
        {**one, "status": "missing" if one["method"] == "aesad" and one["config"]["scenario"]["labelled"] else "ok"}
        for one in runs(numbers=(0, 5))
    ]
    made = study(write(tmp_path, "labels", some), SEEN, "ap")
    assert made and [row.method for row in made.counts[0].rows] == ["ae", "aesad"]
    assert [row.method for row in made.counts[-1].rows] == ["logistic", "ae"]


def test_with_few_cells_nothing_can_be_told_apart(tmp_path: Path) -> None:
    few = [one for one in runs() if one["dataset"] in {f"odds/{name}" for name in TABLES[:5]}]
    write(tmp_path / "results", "labels", few)
    main(["--labels", f"results={tmp_path / 'results'}", "--out", f"{tmp_path / 'labels.md'}"])
    page = (tmp_path / "labels.md").read_text()
    assert "**`logistic`**; so few cells cannot tell 3 methods apart" in page and "not told apart:" not in page
    assert "| p, Holm |" in page and "1.000" not in page.partition("### 5 labels")[2]


def test_a_method_that_lacks_a_cell_is_left_out_and_named(tmp_path: Path) -> None:
    some = [one for one in runs() if (one["method"], one["dataset"]) != ("aesad", "odds/wine")]
    made = study(write(tmp_path, "labels", some), SEEN, "ap")
    assert made and all("aesad" in count.left_out for count in made.counts)
    assert all("aesad" not in [row.method for row in count.rows] for count in made.counts)


def test_runs_of_a_changed_experiment_do_not_count(tmp_path: Path) -> None:
    assert study(write(tmp_path, "labels", runs()), SEEN, "ap")
    for path in (tmp_path / "plans").iterdir():
        path.write_text(json.dumps({**json.loads(path.read_text()), "changes": "epochs=1"}))
    assert study(read(tmp_path), SEEN, "ap") is None


def test_full_comes_before_quick_unless_a_budget_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path, "labels", runs())
    for plan in (tmp_path / "plans").iterdir():
        plan.rename(plan.with_stem(f"quick-{plan.stem}"))
    (tmp_path / "labels.jsonl").rename(tmp_path / "quick.jsonl")
    ledger = write(tmp_path, "labels", runs(numbers=(0, 1)), budget="full")
    assert [
        len(made.counts) if (made := study(ledger, SEEN, "ap", budget)) else 0 for budget in (None, "full", "quick")
    ] == [2, 2, 3]


def test_the_page_says_in_words_what_the_tests_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "results"
    write(folder, "labels", runs())
    write(folder, "labels_unseen", runs("unseen", auc_seen=0.9, auc_unseen=0.7))
    main(["--labels", f"results={folder}", "--out", f"{tmp_path / 'labels.md'}"])
    page = (tmp_path / "labels.md").read_text()
    words = page.partition("## In words")[2].partition("![")[0]
    known = {line.split(" | ")[0].strip("| "): line for line in words.splitlines() if line.startswith("| ")}
    assert "**`ae`**; not told apart: `aesad` (`aesad` trains 10 times as fast)" in known["no labels"]
    assert "**`logistic`**" in known["5 labels of the kinds that will come"]
    assert "first in 8 of 8 cells; better than all others by the test" in known["5 labels of the kinds that will come"]
    # Without a difference in the metric nothing is told apart, and without labels no kind is known.
    assert "not told apart" in known["1 label and other kinds will come"]
    assert "no labels and other kinds will come" not in known
    assert "48 runs over 8 cells (2 draws of each): arrhythmia, breastw" in page.replace("Arrhythmia", "arrhythmia")
    assert "![Means](labels.svg)" in page and "![Critical differences](labels_known.svg)" in page
    assert page.index("## Kinds of anomaly that nobody") < page.index("![Critical differences](labels_unseen.svg)")
    names = ("labels.md", "labels.svg", "labels_known.svg", "labels_unseen.svg")
    before = [(tmp_path / name).read_bytes() for name in names]
    assert all(content.startswith(b"<?xml") for content in before[1:])
    main(["--labels", f"results={folder}", "--out", f"{tmp_path / 'labels.md'}"])
    assert before == [(tmp_path / name).read_bytes() for name in names]


def test_critical_differences_are_drawn_where_there_is_a_test(tmp_path: Path) -> None:
    made = study(write(tmp_path, "labels", runs()), SEEN, "ap")
    assert made
    figure = differences(made)
    assert figure
    figure.draw_without_rendering()
    # Without labels there are two methods, and no test.
    titles = [axis.get_title() for axis in figure.axes]
    assert [title.partition(",")[0] for title in titles] == ["1 label: 8 cells", "5 labels: 8 cells"]
    for axis, count in zip(figure.axes, made.counts[1:], strict=True):
        texts = [text for text in axis.texts if text.get_text()]
        shown = {text.get_text().strip("()") for text in texts}
        left, right = [(row.method, row.rank) for row in count.rows[:2]], count.rows[2]
        assert {f"{method} ({rank:.2f}" for method, rank in left} | {f"{right.rank:.2f}) {right.method}"} <= shown
        assert count.ranking and f"critical difference {count.ranking.difference:.2f}" in shown
        boxes = [text.get_window_extent() for text in texts]
        assert not any(a.overlaps(b) for a, b in combinations(boxes, 2)), "names and numbers stand apart"
    few = [one for one in runs() if one["dataset"] in ("odds/cardio", "odds/wine")]
    made = study(write(tmp_path / "few", "labels", few), SEEN, "ap")
    assert made and differences(made) is None


@pytest.mark.slow  # thousands of records
def test_the_page_of_the_docs_is_what_its_records_give(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("studies").symlink_to(ROOT / "studies")
    main(["--labels", "results=studies/labels", "--out", "docs/labels.md"])
    for name in ("labels.md", "labels.svg", "labels_known.svg", "labels_unseen.svg"):
        assert Path("docs", name).read_bytes() == (ROOT / "docs" / name).read_bytes(), name


def test_without_runs_of_a_study_there_is_no_page(tmp_path: Path) -> None:
    write(tmp_path, "aesad_table2", runs())
    with pytest.raises(SystemExit, match=r"error: results=.* has no runs of experiment=labels, labels_unseen"):
        main(["--labels", f"results={tmp_path}"])
    with pytest.raises(SystemExit, match="error: --labels is written as markdown, not as csv"):
        main(["--labels", f"results={tmp_path}", "--format", "csv"])
    assert study(read(tmp_path), UNSEEN, "auc_unseen") is None
