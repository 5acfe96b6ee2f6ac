"""The demo trains the protocol that it describes, and shows what labels bring."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from semiad.report.__main__ import main
from tests.conftest import read

RESULTS = Path("outputs/demo")


def train(command: Callable[..., int], *words: str) -> list[dict[str, Any]]:
    assert command("-m", "experiment=demo", f"results={RESULTS}", *words) == 0
    return read(RESULTS)


@pytest.mark.slow
def test_the_protocol_is_the_one_described(command: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    got = train(command, "epochs=1", "seeds=[0]", "samples=true")
    assert len(got) == 20 and all(record["status"] == "ok" and record["n_labelled"] == 24 for record in got)
    cells = {(*record["normal"], -1, *record["anomalous"], -1, *record["tested"]) for record in got}
    ring = [[digit % 10 for digit in range(start, start + 10)] for start in range(10)]
    assert cells == {(*sorted(d[:5]), -1, *sorted(d[5:8]), -1, *sorted(d[5:])) for d in ring}
    for record in got:
        normal = record["n_train"] - record["n_labelled"] - record["n_polluted"]
        assert record["n_polluted"] == round(0.05 * normal) > 0
        assert record["auc_seen"] is not None and record["auc_unseen"] is not None
        assert (RESULTS / record["samples"]).is_file()
    capsys.readouterr()
    assert train(command, "epochs=1", "seeds=[0]", "samples=true") == got
    assert "10 runs, 10 recorded already, 0 to train" in capsys.readouterr().out
    main([f"results={RESULTS}"])
    shown = capsys.readouterr().out
    assert [" ".join(line.split()[:4]) for line in shown.splitlines()[1:3]] == [
        f"digits many_vs_many {method} 10/10" for method in ("ae", "aesad")
    ]


@pytest.mark.slow
def test_labels_find_the_known_anomalies_and_lose_no_unseen_ones(command: Callable[..., int]) -> None:
    means: dict[tuple[str, str], list[float]] = {}
    for record in train(command, "seeds=[0]", "logger=none"):
        for metric in ("auc_seen", "auc_unseen"):
            means.setdefault((record["method"], metric), []).append(record[metric])
    assert all(len(values) == 10 for values in means.values())
    seen, unseen = (
        [sum(means[method, metric]) / 10 for method in ("ae", "aesad")] for metric in ("auc_seen", "auc_unseen")
    )
    assert seen[1] > seen[0] + 0.1
    assert unseen[1] > unseen[0]
