"""Hybrids: what their encoders are, that these are trained once, and what heads make of the codes."""

import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock
from sklearn.ensemble import IsolationForest
from sklearn.svm import OneClassSVM

from semiad import Detector
from semiad.command.recipes import recipes, resolved
from semiad.engines.classical import ClassicalEngine
from semiad.engines.context import EpochPoint, Outcome, TrainingContext
from semiad.engines.encoders import EncoderStore, TrainedEncoder
from semiad.engines.hybrid import HybridEngine
from semiad.engines.lightning import LightningEngine
from semiad.engines.packed.engine import PackedEngine
from semiad.errors import InputError
from semiad.methods.hybrid import Hybrid
from semiad.methods.ssad import SSAD
from semiad.networks.autoencoder import parts
from semiad.runs import Run
from semiad.scenarios.fixed import FixedSplit
from semiad.testing import make_context, make_recipe
from semiad.testing.method import check_labels_matter
from semiad.testing.runs import compose_config
from semiad.types import Cell, Dataset, Labels, Split
from tests.conftest import SMALL, read

Command = Callable[..., int]
HYBRIDS = ("ocsvm_hybrid", "iforest_hybrid", "ssad_hybrid")
CELL = Cell((8,), (3,))
RESULTS = Path("outputs/results")


def packed() -> PackedEngine:
    return PackedEngine(8, 1, "fp32", False, 10, False, 1)


def run_of(name: str, *words: str, seed: int = 0) -> Run:
    return Run(make_recipe(f"method={name}", "epochs=2", *words), CELL, seed)


def fitted(run: Run, context: TrainingContext, engine: HybridEngine | None = None) -> tuple[Outcome, Hybrid]:
    engine = engine or HybridEngine(packed(), 1)
    (outcome,) = engine.train([run], replace(context, keep_methods=True), lambda points: None)
    assert isinstance(outcome.method, Hybrid), outcome.reason
    return outcome, outcome.method


# Encoders


@pytest.mark.parametrize("kind", ["table", "image"])
@pytest.mark.parametrize("name", HYBRIDS)
def test_the_encoder_is_that_of_deep_sads_first_phase(name: str, kind: str) -> None:
    network = ("network=lenet",) if kind == "image" else ()
    ours, sad, cae = (compose_config(f"method={m}", f"kind={kind}", *network) for m in (name, "deep_sad", "cae"))
    encoder, phase = resolved(ours.method.encoder), resolved(sad.method.pretraining)
    assert (encoder["epochs"], encoder["optimizer"]) == (phase["epochs"], phase["optimizer"])
    assert encoder["net"] == resolved(sad.method.net) == resolved(cae.method.net)
    assert encoder["optimizer"] == resolved(cae.method.optimizer) and encoder["epochs"] == cae.epochs
    assert ours.method.batch_size == sad.batch_size == cae.batch_size and encoder["unsupervised"] is False


def test_without_labels_it_is_cae() -> None:
    context = replace(make_context(2), batch_size=128)
    runs = [run_of("iforest_hybrid", "scenario.labelled=0"), run_of("cae", "scenario.labelled=0")]
    _, method = fitted(runs[0], context)
    (outcome,) = packed().train([runs[1]], replace(context, keep_methods=True), lambda points: None)
    for ours, theirs in zip(method.encoder.parameters(), parts(outcome.method.net).encoder.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_its_phase_trains_on_labelled_rows_and_the_head_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    context, seen = make_context(2), []

    class Spy(PackedEngine):
        def train(self, *arguments: object) -> object:
            for outcome in super().train(*arguments):
                seen.append(outcome)
                yield outcome

    run = run_of("ocsvm_hybrid")
    outcome, _ = fitted(run, context, HybridEngine(Spy(8, 1, "fp32", False, 10, False, 1), 1))
    assert (seen[0].n_fit, outcome.n_fit) == (112, 104) and seen[0].metrics == {}
    assert fitted(run_of("ssad_hybrid"), context)[0].n_fit == 112


def test_hybrids_of_a_split_share_an_encoder_and_others_do_not() -> None:
    keys = [composed_run(name).encoder.key for name in HYBRIDS]
    heads = [composed_run("ssad_hybrid", word).encoder.key for word in ("method.head.kappa=2", PUBLISHED)]
    assert len({*keys, *heads}) == 1 and len({composed_run(name).key for name in HYBRIDS}) == 3
    words = ("epochs=3", "batch_size=64", "network.widths.default=[8,4]", "scenario.labelled=16", "training.lr.image=1")
    others = [composed_run("ssad_hybrid", word) for word in words]
    assert len({*keys, *(run.encoder.key for run in others)}) == len({run.key for run in others}) + 1 == 6


def composed_run(name: str, *words: str) -> Run:
    (recipe,) = recipes(compose_config(f"method={name}", "network=mlp", *words))
    return Run(recipe, CELL, 0)


@pytest.mark.slow
def test_they_are_trained_once_and_metrics_do_not_depend_on_the_store(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[int] = []
    train = HybridEngine.train_encoders

    def counted(self: HybridEngine, runs: list[Run], *rest: object) -> object:
        trained.append(len(self.missing(runs, rest[0])))
        return train(self, runs, *rest)

    monkeypatch.setattr(HybridEngine, "train_encoders", counted)
    words = ("-m", *SMALL[2:], "epochs=2", "logger=none", "network=mlp", "shards=1")
    assert command(*words, f"method={','.join(HYBRIDS)}", "seeds=[0,1]") == 0
    assert trained == [2, 0, 0]
    assert command(*words, "method=ssad_hybrid", "seeds=[0,1,2]") == 0
    assert trained[3:] == [1]
    kept = {record["key"]: record for record in read(RESULTS) if record["method"] == "ssad_hybrid"}
    assert command(*words, "method=ssad_hybrid", "seeds=[0,1,2]", "results=others", "force=true") == 0
    assert trained[4:] == [3], "force=true trains all of it"
    again = {record["key"]: record for record in read(Path("others"))}
    assert not [*Path("others").glob("encoders/*")] and again.keys() == kept.keys()
    for key, record in kept.items():  # of packs of two and one, and of three
        assert record["auc"] == pytest.approx(again[key]["auc"], abs=1e-4) and record["steps"] == again[key]["steps"]


def test_a_run_of_its_own_and_an_estimate(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("method=ocsvm_hybrid", *SMALL, "network=mlp", "logger=none")
    assert command(*words, "dry_run=true") == 0
    assert "1 runs of 2 epochs, 112 training rows" in capsys.readouterr().out and not RESULTS.exists()
    assert command(*words) == 0
    (record,) = read(RESULTS)
    assert (record["status"], record["epochs"], record["steps"], record["device"]) == ("ok", 2, 2, "cpu")
    assert record["seconds"] > 0 and record["auc"] > 0.5 and record["pack_width"] == 1
    assert set(record["config"]) == {"method", "dataset", "scenario"}
    capsys.readouterr()
    assert command(*words, "samples=true", "eval_every=1") == 0
    assert "samples=true: Hybrid is a classical method, and has no curves, samples" in " ".join(
        capsys.readouterr().out.replace("eval_every, ", "").split()
    )


def test_precision_and_arguments_of_a_trainer_enter_the_key(command: Command) -> None:
    words = ("method=iforest_hybrid", *SMALL, "network=mlp", "logger=none")
    others = ((), ("engine=packed", "engine.precision=tf32"), ("trainer.accumulate_grad_batches=2",))
    assert [command(*words, *other) for other in others] == [0, 0, 0]
    assert len({record["key"] for record in read(RESULTS)}) == 3 == len([*RESULTS.glob("encoders/*.encoder")])


@pytest.mark.parametrize("damage", ["byte", "version"])
def test_a_file_that_cannot_be_used_is_trained_anew(damage: str, tmp_path: Path) -> None:
    context, run = replace(make_context(2), encoders=tmp_path), run_of("ocsvm_hybrid")
    before, _ = fitted(run, context)
    (path,) = tmp_path.glob("*.encoder")
    data = path.read_bytes()
    if damage == "version":
        store = EncoderStore(tmp_path)
        store.made_by = {**store.made_by, "torch": "0.1"}
        store.save(run.encoder.key, TrainedEncoder({}, 1, 1.0, 1, 1))
    else:
        middle = len(data) // 2
        flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        path.write_bytes(flipped)
    engine = HybridEngine(packed(), 1)
    if damage == "version":
        assert engine.missing([run], context) == [run.encoder]
    else:
        with pytest.warns(UserWarning, match="cannot be read .*: the encoder is trained again"):
            assert engine.missing([run], context) == [run.encoder]
    with pytest.warns(UserWarning, match="trained again") if damage != "version" else nullcontext():
        after, _ = fitted(run, context)
    assert after.metrics == before.metrics and engine.missing([run], context) == []


def test_a_folder_that_cannot_be_written_to_costs_the_store_only(tmp_path: Path) -> None:
    store = EncoderStore(tmp_path / "file")
    (tmp_path / "file").write_text("")
    with pytest.warns(UserWarning, match="an encoder could not be kept"):
        store.save("key", TrainedEncoder({}, 1, 1.0, 1, 1))


def test_jobs_side_by_side_wait_for_each_other(tmp_path: Path) -> None:
    held, order = FileLock(tmp_path / "name.lock", thread_local=False), []
    held.acquire()

    def let_go() -> None:
        time.sleep(0.3)
        order.append("first")
        held.release()

    thread = threading.Thread(target=let_go)
    thread.start()
    with EncoderStore(tmp_path).locked("name", lambda points: None):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]


def test_progress_counts_the_epochs_of_every_run(tmp_path: Path) -> None:
    context = replace(make_context(2), encoders=tmp_path)
    recipes = [run_of(name).recipe for name in ("ocsvm_hybrid", "iforest_hybrid")]
    runs = [Run(recipe, CELL, seed) for recipe in recipes for seed in (0, 1)]
    assert [context.facts(run).epochs for run in runs] == [(2, 1)] * 4

    def points_of(runs: list[Run]) -> list[EpochPoint]:
        points: list[EpochPoint] = []
        outcomes = [*HybridEngine(packed(), 1).train(runs, context, points.extend)]
        assert all(outcome.reason is None for outcome in outcomes)
        return points

    first, second = points_of(runs[:2]), points_of(runs[:2])
    for points, past in ((first, 0), (second, 4)):
        assert sorted(point.key for point in points) == sorted(run.key for run in runs[:2] for _ in range(3))
        assert {point.epoch for point in points} == {0} and sum(point.past for point in points) == past


def test_an_encoder_that_cannot_be_trained_fails_its_runs_only(tmp_path: Path) -> None:
    context = replace(make_context(2), encoders=tmp_path)
    good, bad = run_of("ocsvm_hybrid"), run_of("ocsvm_hybrid", "epochs=20", "method.encoder.optimizer.lr=1e38")
    outcomes = {outcome.run: outcome for outcome in HybridEngine(packed(), 1).train([bad, good], context, print)}
    assert outcomes[good].reason is None and len([*tmp_path.glob("*.encoder")]) == 1
    reason = str(outcomes[bad].reason)
    assert reason.startswith("the autoencoder could not be trained: the training loss is nan in epoch"), reason


@pytest.mark.slow
def test_any_engine_and_any_number_of_processes_give_the_same() -> None:
    context, recipe = make_context(2), run_of("ssad_hybrid").recipe
    runs = [Run(recipe, cell, seed) for cell in (CELL, Cell((1,), (0,))) for seed in (0, 1)]
    engines = [HybridEngine(packed(), 1), HybridEngine(packed(), 2), HybridEngine(LightningEngine(False, "auto", 1), 1)]
    alone, together, lightning = (
        {outcome.run.key: outcome.metrics["auc"] for outcome in engine.train(runs, context, lambda points: None)}
        for engine in engines
    )
    assert alone == together and lightning == pytest.approx(alone, abs=1e-4)


# Heads


def test_heads_take_the_codes() -> None:
    context = make_context(2)
    x = context.dataset.x.flatten(1).numpy()[:60] / np.float32(context.dataset.top)
    run = run_of("ocsvm_hybrid", "network=mlp")
    _, method = fitted(run, context)
    split = context.split(run)
    rows = context.dataset.x.flatten(1).numpy() / np.float32(context.dataset.top)
    with torch.no_grad():
        codes = method.encoder.eval()(torch.from_numpy(rows).reshape(-1, 1, 8, 8)).flatten(1).numpy()
    assert codes.shape == (1797, 8)
    svm = OneClassSVM(nu=0.1, gamma="scale").fit(codes[split.train[split.s == 0]])
    np.testing.assert_allclose(method.scores(x), -svm.decision_function(codes[:60]), rtol=1e-3, atol=1e-3)
    _, forest = fitted(run_of("iforest_hybrid", "network=mlp"), context)
    draws = np.random.RandomState(run.entropy % 2**32)
    trees = IsolationForest(n_estimators=100, max_samples=104, random_state=draws)
    trees.fit(forest.codes(rows[split.train[split.s == 0]]))
    np.testing.assert_array_equal(forest.scores(x), -trees.decision_function(forest.codes(x)))


def test_a_code_does_not_depend_on_the_rows_beside_it() -> None:
    _, method = fitted(run_of("iforest_hybrid"), make_context(2))
    x = np.random.default_rng(0).random((1500, 64)).astype(np.float32)
    np.testing.assert_array_equal(method.codes(x)[1100:1103], method.codes(x[1100:1103]))


def test_the_head_looks_at_test_rows_only_if_told() -> None:
    context = make_context(2)
    honest, published = (fitted(run_of("ssad_hybrid", *words), context)[1] for words in ((), (PUBLISHED,)))
    assert (honest.looks_at_test, published.looks_at_test) == (False, True)
    assert isinstance(published.head, SSAD) and len(published.head.machines) == 1
    with pytest.raises(InputError, match="Hybrid with these settings looks at test rows, which a detector has not"):
        Detector("ssad_hybrid", overrides=[PUBLISHED]).fit(np.random.default_rng(0).random((30, 2)))


PUBLISHED = "method.head.variant=published"


@pytest.mark.slow
def test_ssad_hybrid_keeps_the_contract_on_labels() -> None:
    """With codes as wide as can hold the feature that tells anomalies; features of this table are independent."""
    check_labels_matter("method=ssad_hybrid", "network.widths.default=[32,16]")


# Scarce and degenerate input


def table(labelled: int, equal: bool = False, constant: bool = False) -> tuple[Dataset, Split]:
    draws = np.random.default_rng(0)
    x, y = draws.random((120, 5)).astype(np.float32), np.repeat([0, 1], [80, 40])
    x[80:, 0] += 1
    if constant:
        x[:, 1:] = 0.5
    if equal:
        x[:] = 0.5
    train = np.concatenate([np.arange(40), np.arange(80, 80 + labelled)])
    test = np.concatenate([np.arange(40, 80), np.arange(80 + labelled, 120)])
    s, truth = (train >= 80).astype(np.int64), (test >= 80).astype(np.int64)
    dataset = Dataset(Labels("small", (0, 1), y, None), torch.from_numpy(x), top=2.0)
    return dataset, Split(train, s, 0, test, truth, None)


def outcome_on(name: str, labelled: int, **kind: bool) -> Outcome:
    dataset, split = table(labelled, **kind)
    recipe = replace(make_recipe(f"method={name}", "kind=table", "epochs=5"), scenario=FixedSplit(split))
    run, context = Run(recipe, Cell((0,), (1,)), 0), make_context(5, dataset)
    engine = HybridEngine(packed(), 1) if name.endswith("_hybrid") else ClassicalEngine(1)
    (outcome,) = engine.train([run], context, lambda points: None)
    return outcome


@pytest.mark.parametrize("name", [*HYBRIDS, "ssad", "kde"])
@pytest.mark.parametrize(("labelled", "constant"), [(0, False), (1, False), (1, True)])
def test_few_labels_few_rows_and_constant_features(name: str, labelled: int, constant: bool) -> None:
    outcome = outcome_on(name, labelled, constant=constant)
    assert outcome.reason is None and outcome.n_fit == 40 + (labelled if "ssad" in name else 0)


@pytest.mark.parametrize("name", [*HYBRIDS, "ssad", "kde"])
def test_rows_that_are_all_equal_end_in_a_sentence(name: str) -> None:
    sentences = {"ssad": "all 42 training rows are equal", "kde": "all 78 test scores equal"}
    assert sentences.get(name, "the encoder has collapsed") in str(outcome_on(name, 2, equal=True).reason)


# The detector


def test_a_detector_is_saved_and_loaded(tmp_path: Path) -> None:
    draws = np.random.default_rng(0)
    x, y = draws.normal(size=(200, 4)), np.full(200, np.nan)
    x[:8] += 4
    y[:5] = 1
    settings = {"epochs": 20, "ensemble": 2, "random_state": 0, "fpr": 0.1, "device": "cpu"}
    detector = Detector("ssad_hybrid", **settings).fit(x, y)
    scores = detector.decision_function(x)
    assert (scores == Detector("ssad_hybrid", **settings).fit(x, y).decision_function(x)).all()
    detector.save(tmp_path / "model")
    assert not [path for path in (tmp_path / "model").iterdir() if path.suffix in (".pkl", ".pt")]
    loaded = Detector.load(tmp_path / "model")
    assert (scores == loaded.decision_function(x)).all() and len(loaded.ensemble_.methods) == 2
