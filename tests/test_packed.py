"""A run in a pack gets the figures that it would have had alone."""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn

from semiad.datasets import digits
from semiad.engines.context import EpochPoint, Outcome, TrainingContext
from semiad.engines.lightning import LightningEngine
from semiad.engines.packed.engine import PackedEngine
from semiad.engines.packed.memory import fitting_width
from semiad.engines.packed.pack import Pack, count_widths
from semiad.errors import InputError
from semiad.ledger import progress
from semiad.methods.base import Method, OptimizerFactory
from semiad.runs import Recipe, Run
from semiad.scenarios.fixed import FixedSplit
from semiad.testing import default_float64, make_context, make_recipe
from semiad.types import Batch, Cell, Dataset, Labels, Split
from tests.conftest import read, shortened
from tests.test_methods import METHODS
from tests.test_train import NETWORKS, Command, python

CELLS = [Cell((8,), (3,)), Cell((1,), (0,)), Cell((4,), (9,)), Cell((0,), (6,))]
"""Digits have different numbers of rows: 104, 109, 109, 107 for training, and 8 labelled."""


CALM = {"esad": ("method.optimizer.lr=0.001",)}
"""At its rate of 0.1 a difference in the last bit of float32 grows with every step, whatever trains it."""
BIG = {"vgg": ("network.width=0.0625",), "lenet": (), "a3_conv": ()}
"""Networks for larger images than digits."""


def recipe(*overrides: str) -> Recipe:
    return make_recipe(*shortened(overrides))


job = make_context


def packed(width: int | str = "auto", **settings: object) -> PackedEngine:
    usual = {"devices": 1, "precision": "fp32", "compile": False, "checkpoint_minutes": 10, "checkpoints": False}
    return PackedEngine(width=width, **{**usual, **settings})


def silent(points: Sequence[EpochPoint]) -> None:
    pass


def both(runs: Sequence[Run], work: TrainingContext, *engines: PackedEngine) -> Iterator[tuple[Outcome, Outcome]]:
    """Train runs by Lightning, one by one, and in the packs of each engine."""
    alone = [LightningEngine(False, "auto", 1).train_run(run, work, silent) for run in runs]
    for engine in engines:
        together = {outcome.run.key: outcome for outcome in engine.train(runs, work, silent)}
        assert len(together) == len(runs)
        for outcome in alone:
            yield outcome, together[outcome.run.key]


@pytest.mark.parametrize("name", METHODS)
def test_weights_after_an_epoch_equal_those_of_lightning(name: str) -> None:
    with default_float64():  # the order of a sum decides which rows lie within a soft boundary
        made, work = recipe(f"method={name}"), replace(job(1), keep_methods=True)
        runs = [Run(made, cell, 0) for cell in (CELLS[1], CELLS[2])]  # equally many rows: they end together
        phases = [work.phases(run) for run in runs]
        for methods in zip(*phases, strict=True):
            list(Pack(runs, methods, methods[0] is phases[0][-1], work, "fp32").train(silent, False))
        for run, method in zip(runs, methods, strict=True):
            trained = LightningEngine(False, "auto", 1).train_run(run, work, silent).method
            assert isinstance(trained, Method)
            for alone, together in zip(trained.parameters(), method.parameters(), strict=True):
                assert torch.allclose(alone, together, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "others"), [("aesad", ["method.lam.alpha=1", "scenario.labelled=20"]), ("esad", None)]
)
def test_ragged_packs_of_any_width_equal_lightning_in_float32(name: str, others: list[str] | None) -> None:
    recipes = [recipe(f"method={name}", *words) for words in (CALM.get(name, ()), others) if words is not None]
    runs = [Run(made, cell, seed) for made in recipes for cell in CELLS for seed in (0, 1)]
    widths = set()
    for alone, together in both(runs, job(20), packed(1), packed(3), packed("auto")):
        assert abs(alone.metrics["auc"] - together.metrics["auc"]) < 1e-3
        widths.add(together.pack_width)
    assert min(widths) == 1 and 3 in widths and max(widths) <= len(runs)


@pytest.mark.parametrize("network", [path.stem for path in NETWORKS])
def test_every_network_packs(network: str) -> None:
    method = {"dgm": "ss_dgm", "dgm_stacked": "ss_dgm_stacked"}.get(network, "aesad")  # a DGM is no autoencoder
    made = recipe(f"method={method}", f"network={network}", *BIG.get(network, ()))
    table = digits.load(Path())
    if network in BIG:
        table = replace(table, x=nn.functional.pad(table.x, (10, 10, 10, 10)))
    epochs = 1 if network == "vgg" else 5  # so deep a network makes much of a last bit
    for alone, together in both([Run(made, cell, 0) for cell in CELLS[:3]], job(epochs, table), packed()):
        assert abs(alone.metrics["auc"] - together.metrics["auc"]) < 1e-3


@pytest.fixture
def float64() -> Iterator[None]:
    with default_float64():
        yield


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", METHODS)
def test_ragged_packs_equal_lightning_in_float64(name: str) -> None:
    made = recipe(f"method={name}")
    runs = [Run(made, cell, seed) for cell in CELLS for seed in (0, 1)]
    for alone, together in both(runs, job(20), packed(5)):
        assert alone.metrics.keys() == together.metrics.keys()
        assert (alone.steps, alone.n_fit, alone.split.digest) == (together.steps, together.n_fit, together.split.digest)
        assert together.engine == "packed"
        for figure in ("auc", "ap", "auc_seen", "auc_unseen"):
            assert abs(alone.metrics[figure] - together.metrics[figure]) < 1e-6


def test_tables_with_a_scaler_a_run() -> None:
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [200, 30])
    x = (
        torch.from_numpy(rng.normal(size=(230, 5)).astype(np.float32)) * torch.tensor([1.0, 10, 100, 0, 1])
        + torch.from_numpy(y)[:, None]
    )
    work = job(10, Dataset(Labels("odds/toy", (0, 1), y, None), x.float(), top=None), eval_every=5)
    runs = [Run(recipe("scenario=table_fraction"), Cell((0,), (1,)), seed) for seed in range(4)]
    for alone, together in both(runs, work, packed(3)):
        assert alone.metrics["auc"] == pytest.approx(together.metrics["auc"], abs=1e-3)
        assert [p[0] for p in together.curve] == [5, 10] == [p[0] for p in alone.curve]
        for one, other in zip(alone.curve, together.curve, strict=True):
            assert one[1:] == pytest.approx(other[1:], abs=1e-3)


class Hard(Method):
    """All that makes packing hard: batch normalisation, noise of the run's own, a learning rate that falls."""

    def __init__(self, shape: Sequence[int], optimizer: OptimizerFactory) -> None:
        super().__init__(optimizer)
        (d,) = shape
        self.d = d
        self.net = nn.Sequential(nn.Linear(d, 16), nn.BatchNorm1d(16, affine=False), nn.ReLU(), nn.Linear(16, d))

    def noise(self, rows: int, source: torch.Generator) -> Float[Tensor, "b d"]:
        return 0.1 * torch.randn(rows, self.d, generator=source)

    def lr_factor(self, epoch: int) -> float:
        return 0.5 ** (epoch // 3)

    def losses(self, batch: Batch) -> Float[Tensor, " b"]:
        assert batch.noise is not None
        return (self.net(batch.x + batch.noise) - batch.x).square().mean(1)

    def scores(self, x: Float[Tensor, "b d"]) -> Float[Tensor, " b"]:
        return (self.net(x) - x).square().mean(1)


def hard(count: int, optimizer: Callable[..., torch.optim.Optimizer]) -> tuple[list[Run], TrainingContext]:
    """Runs with 70, 103, 136 ... training rows of one table, in batches of 32; one has fewer rows than a batch."""
    rng = np.random.default_rng(1)
    x, y = torch.from_numpy(rng.random((600, 6)).astype(np.float32)), np.repeat([0, 1], [500, 100])
    table = Dataset(Labels("toy", (0, 1), y, None), x.to(torch.get_default_dtype()), top=1.0)
    test = np.arange(400, 600)
    runs = []
    for k in range(count):
        rows = np.sort(rng.permutation(400)[: 20 if k == 2 else 70 + 33 * k])
        split = Split(rows, np.zeros(len(rows), dtype=np.int64), 0, test, y[test], None)
        made = Recipe({"k": k}, FixedSplit(split), lambda shape: Hard(shape, optimizer))
        runs.append(Run(made, Cell((0,), (1,)), k))
    return runs, job(8, table)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    "optimizer",
    [
        lambda p: torch.optim.SGD(p, lr=0.1),
        lambda p: torch.optim.Adam(p, lr=0.01),
        lambda p: torch.optim.AdamW(p, lr=0.01),
    ],
    ids=["SGD", "Adam", "AdamW"],
)
def test_batch_norm_noise_and_a_falling_rate_equal_one_by_one(optimizer: Callable[..., torch.optim.Optimizer]) -> None:
    runs, work = hard(4, optimizer)
    for alone, together in both(runs, replace(work, eval_every=2), packed(4)):
        assert alone.steps == together.steps == 8 * max(alone.n_fit // 32, 1)
        assert alone.metrics["auc"] == pytest.approx(together.metrics["auc"], abs=1e-9)
        for one, other in zip(alone.curve, together.curve, strict=True):
            assert one == pytest.approx(other, abs=1e-9)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("others", [[], [1], [3, 1], [0, 1, 3]], ids=["alone", "one", "two", "three"])
def test_other_runs_of_a_pack_change_nothing_for_a_run(others: list[int]) -> None:
    runs, work = hard(4, lambda p: torch.optim.Adam(p, lr=0.01))
    chosen = [runs[k] for k in others] + [runs[2]]
    (mine,) = [o for o in packed(9).train(chosen, work, silent) if o.run.key == runs[2].key]
    (alone,) = [o for o in packed(9).train(runs, work, silent) if o.run.key == runs[2].key]
    assert mine.metrics["auc"] == pytest.approx(alone.metrics["auc"], abs=1e-9)


def test_a_failing_run_leaves_its_pack_alone() -> None:
    good, bad = (
        recipe("method.lam.rule=fixed", "method.lam.alpha=3"),
        recipe("method.lam.rule=fixed", "method.lam.alpha=nan"),
    )
    work = job(6)
    runs = [Run(good, CELLS[0], 0), Run(bad, CELLS[1], 0), Run(good, CELLS[2], 0)]
    got = {o.run.key: o for o in packed().train(runs, work, silent)}
    assert [got[run.key].reason is None for run in runs] == [True, False, True]
    failed, alone = got[runs[1].key], LightningEngine(False, "auto", 1).train_run(runs[1], work, silent)
    assert failed.pack_width == 3 and "the training loss is" in str(failed.reason)
    assert (failed.reason, failed.steps, failed.metrics) == (alone.reason, alone.steps, {})
    for run in (runs[0], runs[2]):
        assert got[run.key].metrics["auc"] == pytest.approx(
            LightningEngine(False, "auto", 1).train_run(run, work, silent).metrics["auc"], abs=1e-3
        )


def test_runs_whose_gradients_are_clipped_differently_do_not_share_a_pack() -> None:
    runs = [Run(recipe("method=esad", f"method.clip={clip}"), CELLS[0], 0) for clip in (0.5, 0.001)]
    assert [len(pack) for pack in packed().make_packs(runs, job(1))] == [1, 1]


def test_structures_that_differ_do_not_share_a_pack() -> None:
    words = [(), ("network.latent=16",), ("method.optimizer.lr=0.01",), ("method.f=f1",), ("method.lam.alpha=1",)]
    runs = [Run(recipe(*w), CELLS[0], 0) for w in words]
    work = job(1)
    packs = packed().make_packs(runs, work)
    assert sorted(len(pack) for pack in packs) == [1, 1, 1, 2]
    assert work.facts(runs[0]).structure == work.facts(runs[4]).structure


class Careless(Hard):
    """Reads what differs between its runs from an attribute."""

    drop_last = False

    def __init__(self, shape: Sequence[int], optimizer: OptimizerFactory, factor: float) -> None:
        super().__init__(shape, optimizer)
        self.factor = factor

    def losses(self, batch: Batch) -> Float[Tensor, " b"]:
        return self.factor * batch.x.square().mean(1) + self.net(batch.x).square().mean(1)


class Shadowing(Careless):
    """Has a number in place of one of its class."""

    factor = 0.5


def careless(kind: type[Careless], *factors: float) -> tuple[list[Run], TrainingContext]:
    """Runs that differ in an attribute."""

    def step(p: Any) -> torch.optim.Optimizer:
        return torch.optim.SGD(p, lr=0.1)

    runs, work = hard(len(factors), step)
    made = [
        Recipe(run.recipe.config, run.recipe.scenario, lambda shape, f=f: kind(shape, step, f))
        for run, f in zip(runs, factors, strict=True)
    ]
    return [Run(recipe, run.cell, run.seed) for recipe, run in zip(made, runs, strict=True)], work


@pytest.mark.parametrize("other", [2.0, 1.0001])
def test_what_differs_between_runs_must_be_a_buffer(other: float) -> None:
    runs, work = careless(Careless, 1.0, other)
    with pytest.raises(InputError, match=r"Careless\.losses reads factor, in which runs .* keep it in a buffer"):
        list(packed().attempt(runs, work, silent))


def test_numbers_in_place_of_one_of_the_class_do_not_share_a_pack() -> None:
    runs, work = careless(Shadowing, 1.0, 2.0)
    assert [len(pack) for pack in packed().make_packs(runs, work)] == [1, 1]


def test_runs_of_one_pack_have_their_own_dropout() -> None:
    runs = [Run(recipe("method=dagmm", f"method.dropout={share}"), CELLS[0], 0) for share in (0.1, 0.7)]
    for alone, together in both(runs, job(2, eval_every=1), packed()):
        assert together.pack_width == 2
        assert together.curve[-1][1] == pytest.approx(alone.curve[-1][1], rel=1e-6)


def test_runs_whose_networks_differ_by_a_switch_do_not_share_a_pack() -> None:
    words = ("method=ss_dgm", "network=dgm")
    runs = [Run(recipe(*words, f"network.softplus={switch}"), CELLS[0], 0) for switch in ("true", "false")]
    assert [len(pack) for pack in packed().make_packs(runs, job(1))] == [1, 1]
    for alone, together in both(runs, job(2), packed()):
        assert abs(alone.metrics["auc"] - together.metrics["auc"]) < 1e-3


def test_a_method_that_cannot_be_packed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("semiad.methods.ae.AE.packable", False)
    with pytest.raises(InputError, match=r"AESAD cannot be packed .*: use engine=lightning"):
        packed().check([Run(recipe(), CELLS[0], 0)], job(1))


def test_out_of_memory_halves_a_pack(monkeypatch: pytest.MonkeyPatch) -> None:
    take_step, widths = Pack.take_step, []

    def small(self: Pack, batch: Sequence[Tensor]) -> None:
        widths.append(len(self.lanes))
        if len(self.lanes) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        take_step(self, batch)

    monkeypatch.setattr(Pack, "take_step", small)
    runs = [Run(recipe(), cell, 0) for cell in CELLS]
    got = list(packed(4).train(runs, job(2), silent))
    assert {o.run.key for o in got} == {run.key for run in runs} and all(o.reason is None for o in got)
    assert widths[0] == 4 and max(widths[1:]) == 2


def test_width_is_bounded_by_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    run, work = Run(recipe(), CELLS[0], 0), job(1)
    monkeypatch.setattr("semiad.engines.packed.memory.free_bytes", lambda device: 10**12)
    widest = fitting_width(run, work)
    monkeypatch.setattr("semiad.engines.packed.memory.free_bytes", lambda device: 40 * 2**20)
    assert 1 < fitting_width(run, work) < widest
    monkeypatch.setattr("semiad.engines.packed.memory.free_bytes", lambda device: 0)
    assert fitting_width(run, work) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("float64")
def test_a_pack_goes_on_in_the_phase_in_which_it_was_stopped(tmp_path: Path) -> None:
    runs = [Run(recipe("method=deep_sad", "method.pretraining.epochs=30"), cell, 0) for cell in CELLS]
    # Runs of 22 and 23 steps an epoch: one has ended its pre-training before the others, when they are stopped at 117.
    work = job(40, resumable=tmp_path, batch_size=5)
    whole = {o.run.key: o for o in packed().train(runs, replace(work, resumable=None), silent)}
    for after in (100, 117, 220):  # epochs of all runs: in the pre-training (120), at its end, in the training
        done: list[int] = []

        def stop(points: Sequence[EpochPoint], done: list[int] = done, last: int = after) -> None:
            done.append(len(points))
            if sum(done) > last:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            list(packed(checkpoint_minutes=0).train(runs, work, stop))
        told: list[Sequence[EpochPoint]] = []
        resumed = {o.run.key: o for o in packed().train(runs, work, told.append)}
        assert len(told[0]) > (120 if after > 120 else 0) and not list(tmp_path.iterdir())
        assert sum(map(len, told)) == len(runs) * (30 + 40)
        each_epoch_once(told, runs, 40)
        for key, outcome in whole.items():
            assert resumed[key].metrics["auc"] == pytest.approx(outcome.metrics["auc"], abs=1e-6)
            assert resumed[key].steps == outcome.steps


def each_epoch_once(told: Sequence[Sequence[EpochPoint]], runs: Sequence[Run], epochs: int) -> None:
    """Every run tells of each epoch of its last phase once, in order; what it did before it was resumed has no loss."""
    for run in runs:
        own = [point for points in told for point in points if point.key == run.key and point.epoch]
        assert [point.epoch for point in own] == [*range(1, epochs + 1)]
        unknown = [point.epoch for point in own if np.isnan(point.loss)]
        assert unknown == [*range(1, len(unknown) + 1)] and len(unknown) < epochs


def test_resumed_pack_equals_an_undisturbed_one(tmp_path: Path) -> None:
    runs = [Run(recipe(), cell, seed) for cell in CELLS for seed in (0, 1)]
    work = job(40, resumable=tmp_path, eval_every=10)
    whole = {o.run.key: o for o in packed().train(runs, replace(work, resumable=None), silent)}
    engine = packed(checkpoint_minutes=0)
    training = engine.train(runs, work, silent)
    first = next(training)  # digit 8 has the fewest rows and ends first; the others are in the middle
    training.close()
    assert len(list(tmp_path.glob("*.pt"))) == 1
    left = [run for run in runs if run.key != first.run.key]
    told: list[Sequence[EpochPoint]] = []
    work = replace(work, recorded={first.run.key})
    resumed = {o.run.key: o for o in engine.train(left, work, told.append)} | {first.run.key: first}
    assert told[0] and not list(tmp_path.iterdir())
    each_epoch_once(told, left, 40)
    for key, outcome in whole.items():
        assert resumed[key].metrics == outcome.metrics and resumed[key].curve == outcome.curve


def test_runs_that_had_ended_start_again_beside_a_resumed_pack(tmp_path: Path) -> None:
    runs = [Run(recipe(), cell, seed) for cell in CELLS[:2] for seed in range(4)]
    work = job(10, resumable=tmp_path, batch_size=16)
    whole = {o.run.key: o for o in packed().train(runs, replace(work, resumable=None), silent)}
    training = packed(checkpoint_minutes=0).train(runs, work, silent)
    ended = [next(training).run.cell for _ in range(5)]  # all of digit 8, and the first of the others
    training.close()
    assert ended == [CELLS[0]] * 4 + [CELLS[1]]
    (keys,) = tmp_path.glob("*.keys")
    assert set(keys.read_text().split()) == {run.key for run in runs[4:]}
    again = {o.run.key: o for o in packed().train(runs, work, silent)}
    assert {key: o.metrics for key, o in again.items()} == {key: o.metrics for key, o in whole.items()}


def test_a_pack_is_resumed_by_jobs_of_another_sharding(tmp_path: Path) -> None:
    runs = [Run(recipe(), cell, seed) for cell in CELLS for seed in (0, 1)]
    work = job(40, resumable=tmp_path)
    whole = {o.run.key: o for o in packed().train(runs, replace(work, resumable=None), silent)}
    engine = packed(checkpoint_minutes=0)
    training = engine.train(runs, work, silent)
    ended = [next(training), next(training)]  # digit 8, both seeds: two of the first part
    training.close()
    got = {o.run.key: o for o in ended}
    for part in (runs[2:5], runs[5:]):
        work = replace(work, recorded=set(got))
        told: list[Sequence[EpochPoint]] = []
        # The first part is stopped as well and goes on, from a place of its own.
        if part[0] is runs[2]:
            again = engine.train(part, work, silent)
            first = next(again)
            again.close()
            got[first.run.key] = first
            part, work = [run for run in part if run.key not in got], replace(work, recorded=set(got))
        got |= {o.run.key: o for o in engine.train(part, work, told.append)}
        assert len(told[0]) > len(part) and len(list(tmp_path.glob("*.pt"))) == (part[-1] is not runs[-1])
    assert {key: o.metrics for key, o in got.items()} == {key: o.metrics for key, o in whole.items()}
    assert not list(tmp_path.iterdir())


def test_a_damaged_checkpoint_starts_its_runs_again(tmp_path: Path) -> None:
    runs = [Run(recipe(), CELLS[0], 0)]
    (tmp_path / "x.pt").write_bytes(b"torn")
    (tmp_path / "x.keys").write_text(runs[0].key)
    with pytest.warns(UserWarning, match=r"x.pt cannot be read .* its runs start again"):
        (got,) = packed().train(runs, job(2, resumable=tmp_path), silent)
    assert got.reason is None


@pytest.mark.slow
def test_killed_in_the_middle_of_a_pack_and_resumed(tmp_path: Path, command: Command) -> None:
    words = ("epochs=200", "seeds=[0]", "scenario.normal=8", "device=cpu", "engine.checkpoint_minutes=0")
    process = python(*words, "results=killed", cwd=tmp_path)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "killed" / "resumable").glob("*.pt")):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not read(tmp_path / "killed")
    for results in ("killed", "whole"):
        assert command(*words, f"results={results}") == 0
    varying = ("seconds", "finished")
    killed, whole = (
        [{k: v for k, v in r.items() if k not in varying} for r in read(tmp_path / d)] for d in ("killed", "whole")
    )
    assert killed == whole and len(whole) == 9 and {r["engine"] for r in whole} == {"packed"}
    assert not list((tmp_path / "killed" / "resumable").iterdir())
    first, second = progress.read(tmp_path / "killed")
    assert first.resumed == 0 < second.resumed < second.epochs == second.of


def die(*_: object) -> None:
    os._exit(3)


@pytest.mark.slow
def test_a_process_that_dies_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("semiad.engines.packed.engine.train_packs", die)
    runs = [Run(recipe(), cell, 0) for cell in CELLS]
    with pytest.raises(RuntimeError, match=r"a process on another device was ended \(3\)"):
        list(packed(2, devices=2).train(runs, job(2), silent))


def test_auto_packs_several_runs_and_leaves_one_to_lightning(command: Command) -> None:
    words = ("epochs=2", "scenario.normal=8", "scenario.anomalous=3")
    assert command(*words, "seeds=[0]", "results=one") == 0
    assert command(*words, "seeds=[0,1]", "results=two") == 0
    assert [(r["engine"], r["pack_width"]) for r in read(Path("one"))] == [("lightning", 1)]
    assert [(r["engine"], r["pack_width"]) for r in read(Path("two"))] == [("packed", 2)] * 2
    # One of two is missing: a pack of one, since the job has two.
    records = sorted(Path("two").glob("*.jsonl"))[0]
    lines = records.read_text().splitlines()
    records.write_text(lines[0] + "\n")
    assert command(*words, "seeds=[0,1]", "results=two") == 0
    again = {r["key"]: r for r in read(Path("two"))}
    lost = json.loads(lines[1])
    assert again[lost["key"]]["engine"] == "packed" and again[lost["key"]]["auc"] == pytest.approx(
        lost["auc"], abs=1e-6
    )


def test_a_single_run_in_bf16_is_a_pack_of_one(command: Command) -> None:
    assert command("epochs=2", "seeds=[0]", "scenario.normal=8", "scenario.anomalous=3", "engine.precision=bf16") == 0
    (got,) = read(Path("outputs/results"))
    assert (got["engine"], got["pack_width"], got["config"]["precision"]) == ("packed", 1, "bf16")


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_other_precisions_train_and_have_keys_of_their_own(precision: str, command: Command) -> None:
    words = ("epochs=20", "seeds=[0,1]", "scenario.normal=8", "scenario.anomalous=3")
    assert command(*words) == 0 and command(*words, f"engine.precision={precision}") == 0
    got = read(Path("outputs/results"))
    assert len({r["key"] for r in got}) == 4
    assert [r["config"].get("precision") for r in got].count(precision) == 2
    aucs = [sorted(r["auc"] for r in got if r["config"].get("precision") == p) for p in (None, precision)]
    assert aucs[0] == pytest.approx(aucs[1], abs=0.03)


def test_checkpoints_of_packed_runs(command: Command) -> None:
    words = ("epochs=3", "seeds=[0,1]", "scenario.normal=8", "scenario.anomalous=3")
    assert command(*words, "engine.checkpoints=true") == 0
    for record in read(Path("outputs/results")):
        (kept,) = Path("outputs/runs").rglob(f"{record['key']}.ckpt")
        assert torch.load(kept, weights_only=True)["state_dict"]["net.encoder.1.weight"].shape == (128, 64)


def test_a_gpu_compiles_where_the_widths_of_a_pack_are_few() -> None:
    assert [count_widths(steps) for steps in ([5], [5] * 900, [1, 2, 3, 4], [1, *[2] * 9])] == [1, 1, 4, 1]
    assert count_widths([n for n in range(10) for _ in range(90)]) == 6
    gpu, cpu = (replace(job(1), device=torch.device(name)) for name in ("cuda", "cpu"))
    auto = packed(compile="auto")
    assert auto.compiles(gpu, [18_800] * 900) and not auto.compiles(gpu, [18_800, 9_000])
    assert auto.compiles(gpu, [20_000, 9_000]) and not auto.compiles(gpu, [9_999])
    assert auto.compiles(cpu, [18_800, 9_000]) is (shutil.which("g++") is not None)


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_step_gives_the_same(command: Command) -> None:
    words = ("epochs=3", "seeds=[0,1]", "scenario.normal=8", "scenario.anomalous=3")
    assert command(*words, "results=plain") == command(*words, "results=fast", "engine.compile=true") == 0
    plain, fast = ([r["auc"] for r in read(Path(d))] for d in ("plain", "fast"))
    assert plain == pytest.approx(fast, abs=1e-3)


@pytest.mark.slow
def test_a_step_that_cannot_be_compiled_is_taken_as_it_is(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(Path("cache").resolve()))  # else an earlier step would be found
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", ("/no/such/compiler",))
    words = ("epochs=3", "seeds=[0,1]", "scenario.normal=8", "scenario.anomalous=3")
    assert command(*words, "results=plain") == 0
    with pytest.warns(UserWarning, match=r"the step cannot be compiled, and is taken as it is") as told:
        assert command(*words, "results=fast", "engine.compile=true") == 0
    assert len(told) == 1
    assert [r["auc"] for r in read(Path("plain"))] == [r["auc"] for r in read(Path("fast"))]
