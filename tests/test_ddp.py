"""`engine=lightning trainer=ddp`, or engine.strategy=ddp: several processes that train one run, here two on the CPU."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from semiad.types import Batch
from tests.conftest import SHORT, SMALL, read

pytestmark = pytest.mark.slow

Command = Callable[..., int]
TWO = ("engine=lightning", "engine.strategy=ddp", "engine.devices=2", "device=cpu")


def test_parts_of_a_batch_are_the_batch() -> None:
    batch = Batch(torch.arange(10.0).view(5, 2), torch.arange(5.0), torch.arange(5.0).view(5, 1))
    parts = [batch.part(i, 3) for i in range(3)]
    assert [part.s.tolist() for part in parts] == [[0, 3], [1, 4], [2]]
    assert all(torch.equal(part.x[:, 0], 2 * part.s) and torch.equal(part.noise[:, 0], part.s) for part in parts)
    # The mean of what the processes step by is the mean over the batch.
    assert sum(float(part.s.mean()) * part.weight for part in parts) / 3 == pytest.approx(2.0)
    assert Batch(batch.x, batch.s).part(2, 3).noise is None


@pytest.mark.parametrize(
    ("words", "two_processes"),
    [
        (("method=aesad", "batch_size=37"), TWO),  # 112 rows: the last batch is one row, and a process has none
        (("method=a3", *SHORT["a3"]), ("engine=lightning", "trainer=ddp", "device=cpu")),  # two phases, and noise
    ],
    ids=["a batch of one row", "two phases"],
)
def test_two_processes_give_the_metrics_of_one(
    words: tuple[str, ...], two_processes: tuple[str, ...], command: Command
) -> None:
    same = (*SMALL[1:], "epochs=6", "eval_every=2", "engine.checkpoints=true", *words)
    assert command(*same, "engine=lightning", "device=cpu", "results=one") == 0
    assert command(*same, *two_processes, "results=two") == 0
    (one,), (two,) = read(Path("one")), read(Path("two"))
    for name in ("key", "split", "n_fit", "steps", "status", "engine", "epochs"):
        assert one[name] == two[name]
    assert two["auc"] == pytest.approx(one["auc"], abs=1e-4) and two["ap"] == pytest.approx(one["ap"], abs=1e-4)
    curves = [
        list(csv.DictReader((Path(d) / r["curve"]).read_text().splitlines())) for d, r in (("one", one), ("two", two))
    ]
    for a, b in zip(*curves, strict=True):
        assert float(a["loss"]) == pytest.approx(float(b["loss"]), rel=1e-4) and a["epoch"] == b["epoch"]
    kept = [torch.load(path, weights_only=True)["state_dict"] for path in Path("outputs/runs").rglob("*.ckpt")]
    assert len(kept) == 2
    for name, value in kept[0].items():
        assert torch.allclose(value, kept[1][name], rtol=1e-3, atol=1e-5), name


def test_a_run_that_fails_leaves_the_next_in_step(command: Command) -> None:
    grid = "grid={method.optimizer.lr:[1e38,0.001]}"
    assert command(*SMALL, grid, "results=two", *TWO) == command(*SMALL, grid, "engine=lightning", "results=one") == 0
    one, two = read(Path("one")), read(Path("two"))
    assert [r["status"] for r in two] == [r["status"] for r in one] and {r["status"] for r in two} == {"ok", "failed"}
    assert [r["reason"] for r in two] == [r["reason"] for r in one]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["engine.devices=2"], "engine.devices is 2, which takes engine.strategy=ddp"),
        (["engine.devices=0"], "engine.devices is 0, expected a whole number from 1 on"),
        (["engine.strategy=fsdp"], "engine.strategy is fsdp, expected auto or ddp"),
        (
            ["method=deep_sad", *TWO[1:]],
            "engine.strategy=ddp cuts batches into parts, but this method needs them whole",
        ),
    ],
)
def test_what_cannot_be_is_one_sentence(
    words: list[str], sentence: str, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(*SMALL, "engine=lightning", *words) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and sentence in error and error.count("\n") == 1
