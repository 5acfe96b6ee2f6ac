"""What holds for every method, found by its yaml; and the identities between them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_module
from hydra.utils import get_object, instantiate

from semiad.data import SplitData
from semiad.datasets import digits
from semiad.engines.base import Engine
from semiad.engines.context import Outcome, TrainingContext
from semiad.engines.evaluation import score_test_rows
from semiad.engines.lightning import LightningEngine
from semiad.engines.packed.engine import PackedEngine
from semiad.errors import InputError, RunFailed
from semiad.methods.aesad import weight
from semiad.methods.base import Method
from semiad.runs import Recipe, Run
from semiad.scenarios.base import Scenario
from semiad.types import Batch, Cell, Dataset, Labels, Split
from tests.conftest import CONF, SMALL, shortened


def stems(kind: type) -> list[str]:
    """Those of the yaml of methods of a kind."""
    names = sorted(path.stem for path in (CONF / "method").glob("*.yaml"))
    with initialize_config_module("semiad.conf", version_base="1.3"):
        targets = [compose("train", [f"method={name}"]).method._target_ for name in names]
    return [name for name, target in zip(names, targets, strict=True) if issubclass(get_object(target), kind)]


METHODS = stems(Method)
CELL = Cell((8,), (3,))


def job(method: str, *overrides: str, epochs: int = 3, table: Dataset | None = None) -> tuple[TrainingContext, Recipe]:
    with initialize_config_module("semiad.conf", version_base="1.3"):
        cfg = compose("train", shortened([f"method={method}", *overrides]))
    recipe = Recipe({}, *(instantiate(node, _convert_="all") for node in (cfg.scenario, cfg.method)))
    return TrainingContext(table or digits.load(Path()), epochs, 32, 0, Path(), torch.device("cpu"), 1, None), recipe


class Kept(TrainingContext):
    """A job that keeps the method that it built last: engines themselves give figures only."""

    def build(self, run: Run) -> Method:
        self.__dict__["built"] = super().build(run)
        return self.__dict__["built"]


def trained(work: TrainingContext, run: Run) -> tuple[Method, SplitData, Outcome]:
    work = Kept(**vars(work))
    outcome = LightningEngine(False, "auto", 1).train_run(run, work, lambda points: None)
    method = work.__dict__["built"]
    return method, work.data(run, method), outcome


@pytest.mark.parametrize("name", METHODS)
def test_scores_are_finite_follow_the_rows_and_ignore_batches(name: str) -> None:
    work, recipe = job(name)
    method, data, _ = trained(work, Run(recipe, CELL, 0))
    x = torch.cat(list(data.test_chunks()))
    method.eval()
    with torch.no_grad():
        scores, order = method.scores(x), torch.randperm(len(x))
        assert scores.shape == (len(x),) and scores.isfinite().all() and len(scores.unique()) > len(x) // 2
        assert torch.allclose(method.scores(x[order]), scores[order], rtol=1e-5, atol=1e-6)  # a logit may be 0
        by_seven = torch.cat([method.scores(part) for part in x.split(7)])
    assert torch.allclose(by_seven, scores, rtol=1e-5, atol=1e-6)
    assert torch.equal(by_seven.argsort()[-50:], scores.argsort()[-50:])


@pytest.mark.parametrize("name", METHODS)
def test_losses_are_per_row(name: str) -> None:
    work, recipe = job(name)
    method, x, s = work.build(Run(recipe, CELL, 0)), torch.rand(6, 1, 8, 8), torch.tensor([0, 1, 0, 1, 0, 0.0])
    method.prepare(x, s)
    method.eval()  # batch normalisation would see one row
    noise = method.noise(6, torch.Generator())
    whole = method.losses(Batch(x, s, noise))
    assert whole.shape == (6,)
    parts = [slice(i, i + 1) for i in range(6)]
    rows = torch.cat([method.losses(Batch(x[i], s[i], None if noise is None else noise[i])) for i in parts])
    assert torch.allclose(whole, rows, atol=1e-5) != method.batch_coupled


@pytest.mark.parametrize("name", METHODS)
def test_state_dict_round_trip_gives_the_same_scores(name: str, tmp_path: Path) -> None:
    work, recipe = job(name)
    method, data, _ = trained(work, Run(recipe, CELL, 0))
    torch.save(method.state_dict(), tmp_path / "m.pt")
    fresh = work.build(Run(recipe, CELL, 1))
    before = score_test_rows(fresh, data)
    fresh.load_state_dict(torch.load(tmp_path / "m.pt", weights_only=True))
    assert torch.equal(score_test_rows(fresh, data), score_test_rows(method, data)) and not torch.equal(
        before, score_test_rows(fresh, data)
    )


@pytest.mark.parametrize("name", METHODS)
def test_same_seed_same_figures_other_seed_others(name: str) -> None:
    work, recipe = job(name)
    first, again, other = (trained(work, Run(recipe, CELL, seed))[2].metrics for seed in (0, 0, 1))
    assert first == again != other


@pytest.mark.parametrize("name", METHODS)
def test_loss_falls(name: str) -> None:
    work, recipe = job(name, epochs=20)
    curve = trained(replace(work, eval_every=1), Run(recipe, CELL, 0))[2].curve
    assert [point[0] for point in curve] == list(range(1, 21))
    assert curve[-1][1] < (0.5 if name in ("ae", "aesad") else 0.9) * curve[0][1]


def test_aesad_without_labels_is_ae() -> None:
    jobs = [job(name, "scenario.labelled=0") for name in ("ae", "aesad")]
    ae, sad = (trained(work, Run(recipe, CELL, 0)) for work, recipe in jobs)
    for a, b in zip(ae[0].net.parameters(), sad[0].net.parameters(), strict=True):
        assert torch.equal(a, b)
    assert ae[2].metrics == sad[2].metrics


def test_aesad_with_the_identity_as_target_and_weight_one_is_ae_on_all_rows() -> None:
    work, recipe = job("aesad", "method.lam.rule=fixed", "method.lam.alpha=1")
    method = work.build(Run(recipe, CELL, 0))
    method.target = lambda x: x
    x = torch.rand(6, 1, 8, 8)
    s = torch.tensor([0, 1, 0, 1, 0, 0.0])
    method.prepare(x, s)
    assert torch.equal(method.losses(Batch(x, s)), method.losses(Batch(x, torch.zeros(6))))


def test_deep_sad_without_labels_is_deep_svdd() -> None:
    jobs = [job(name, "scenario.labelled=0") for name in ("deep_svdd", "deep_sad")]
    svdd, sad = (trained(work, Run(recipe, CELL, 0)) for work, recipe in jobs)
    assert torch.equal(svdd[0].centre, sad[0].centre)
    for a, b in zip(svdd[0].encoder.parameters(), sad[0].encoder.parameters(), strict=True):
        assert torch.equal(a, b)
    assert svdd[2].metrics == sad[2].metrics


def test_esad_without_outliers_norm_and_assistance_is_ae() -> None:
    words = ("network=dense", "method.lam1=0", "method.lam2=0", "scenario.labelled=0", "method.reduction=mean")
    made = [job(name, *rest)[1] for name, rest in (("ae", ("network=dense",)), ("esad", words))]
    work, _ = job("ae")
    ae, esad = (work.build(Run(recipe, CELL, 0)) for recipe in made)
    x, s = torch.rand(6, 1, 8, 8), torch.zeros(6)
    assert torch.equal(ae.losses(Batch(x, s)), esad.losses(Batch(x, s, esad.noise(6, torch.Generator()))))
    assert torch.equal(ae.scores(x), esad.scores(x))


def test_esad_transforms_are_what_they_say() -> None:
    work, recipe = job("esad", "method.gaussian=0")
    turned = work.build(Run(recipe, CELL, 0))
    x, noise = torch.rand(40, 1, 8, 8), turned.noise(40, torch.Generator())
    turns = [[torch.equal(new, torch.rot90(old, k, (1, 2))) for k in range(4)] for old, new in
             zip(x, turned.transform(x, noise), strict=True)]  # fmt: skip
    assert all(sum(turn) == 1 for turn in turns) and [sum(column) > 5 for column in zip(*turns, strict=True)] == [
        False, True, True, True,
    ]  # fmt: skip
    plain = work.build(Run(job("esad", "method.gaussian=0", "method.permutation=false")[1], CELL, 0))
    assert torch.equal(plain.transform(x, noise), x)
    noised = work.build(Run(job("esad", "method.gaussian=0.5", "method.permutation=false")[1], CELL, 0))
    assert float((noised.transform(x, noise) - x).std()) == pytest.approx(0.5, rel=0.05)
    table = replace(work.dataset, x=torch.rand(3, 7))
    one, again, other = (replace(work, dataset=table).build(Run(recipe, CELL, seed)) for seed in (0, 0, 1))
    rows = torch.arange(70.0).view(10, 7)
    moved = one.transform(rows, one.noise(10, torch.Generator()))
    assert torch.equal(moved.sort(1).values, rows) and not torch.equal(moved, rows)
    assert torch.equal(moved - moved[:, :1], (moved - moved[:, :1])[:1].expand(10, 7))  # one order for all rows,
    assert torch.equal(again.transform(rows, again.noise(10, torch.Generator().manual_seed(5))), moved)  # at every step
    assert not torch.equal(other.transform(rows, other.noise(10, torch.Generator())), moved)


def test_esad_without_a_second_encoder_takes_the_norm_of_the_first_code() -> None:
    work, recipe = job("esad", "method.second=false")
    method = work.build(Run(recipe, CELL, 0)).eval()
    x = torch.rand(5, 1, 8, 8)
    z = method.encoder(x)
    expected = (x - method.decoder(z)).square().flatten(1).sum(1) + z.norm(dim=1)
    assert method.second is None and torch.allclose(method.scores(x), expected)


def test_centre_is_the_mean_code_kept_apart_from_zero_and_never_collapses_silently() -> None:
    work, recipe = job("deep_sad")
    method = work.build(Run(recipe, CELL, 0))
    x, s = torch.rand(300, 1, 8, 8), torch.zeros(300)
    method.prepare(x, s)
    codes = method.encode(x).mean(0)
    far = codes.abs() >= 0.1
    assert torch.allclose(method.centre[far], codes[far])
    assert torch.allclose(method.centre[~far], 0.1 * codes[~far].sign()) and method.centre.abs().min() >= 0.1
    with torch.no_grad():
        for parameter in method.encoder.parameters():
            parameter.zero_()
    with pytest.raises(RunFailed, match="the encoder has collapsed: the codes of all 300 rows are the same"):
        method.prepare(x, s)


@pytest.mark.parametrize("engine", [LightningEngine(False, "auto", 1), PackedEngine(2, 1, "fp32", False, 10, False)])
def test_a_collapsed_encoder_is_a_failed_run(engine: Engine) -> None:
    work, recipe = job("deep_svdd", "method.pretraining.epochs=0")
    runs = [Run(recipe, CELL, seed) for seed in (0, 1)]
    dark = replace(work.dataset, x=torch.zeros_like(work.dataset.x))
    outcomes = [*engine.train(runs, replace(work, dataset=dark), lambda points: None)]
    assert len(outcomes) == 2 and all("the encoder has collapsed" in str(o.reason) and not o.metrics for o in outcomes)


def test_a3_trains_its_alarm_only_and_reads_all_hidden_activations() -> None:
    work, recipe = job("a3")
    phases = Kept(**vars(work)).phases(Run(recipe, CELL, 0))
    method = phases[-1]
    assert [phase.epochs for phase in phases] == [2, None] and phases[0].unsupervised and not method.unsupervised
    x = torch.rand(5, 1, 8, 8)
    encoder, decoder = method.target.encoder, method.target.decoder
    one = encoder[1](x.flatten(1)).relu()
    two = encoder[3](one).relu()
    three = decoder[0](two).relu()
    assert torch.equal(method.activations(x), torch.cat([one, two, three], dim=1))
    method.prepare(x, torch.zeros(5))
    trained = {id(p) for group in method.configure_optimizers()["optimizer"].param_groups for p in group["params"]}
    assert trained == {id(p) for p in method.alarm.parameters()}


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (("deep_sad", "network=dense"), "an encoder without biases, such as mlp or lenet"),
        (("deep_svdd", "method.nu=2"), r"method.nu is 2, expected null or a share"),
        (("esad", "method.reduction=max"), "method.reduction is 'max', expected sum or mean"),
        (("esad", "method.clip=0"), "method.clip is 0, expected null or a number above 0"),
        (("esad", "method.halving=0"), "method.halving is 0, expected a whole number"),
        (("a3", "network=conv"), "a network of layers in sequence, with ReLUs"),
        (("esad", "network=lenet"), "network lenet needs images of 28x28 or 32x32"),
        (("esad", "network=vgg"), "network vgg needs images of 16x16 or more"),
    ],
)
def test_methods_and_networks_that_do_not_fit_say_so(words: tuple[str, ...], match: str) -> None:
    work, recipe = job(*words)
    with pytest.raises(InputError, match=match):
        work.build(Run(recipe, CELL, 0))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("method=deep_sad", "method.pretraining.epochs=-1"), "Pretraining has -1 epochs, expected a whole number"),
        (("method=a3", "method.target.epochs=0"), "Target has 0 epochs, expected a whole number"),
        (("method=deep_sad", "batch_size=1"), "batch_size is 1, but DeepSAD needs batches of two rows or more"),
        (("method=deep_sad", "method.milestones=5"), "the method cannot be built with its settings"),
    ],
)
def test_settings_that_cannot_train_are_refused_before_anything_is_written(
    words: tuple[str, ...], sentence: str, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(*words, *SMALL[1:]) == 1
    assert sentence in capsys.readouterr().err and not Path("outputs/results").exists()


def test_ae_never_sees_labelled_rows() -> None:
    work, recipe = job("ae")
    _, data, outcome = trained(work, Run(recipe, CELL, 0))
    assert outcome.n_fit == len(data.s) == len(outcome.split.train) - 8 and data.s.sum() == 0


@pytest.mark.parametrize(
    ("rule", "alpha", "expected"), [("paper", 0.1, 1 + 0.1 * (6008 / 8 - 1)), ("journal", 1, 750), ("fixed", 3.5, 3.5)]
)
def test_weight_by_its_rule(rule: str, alpha: float, expected: float) -> None:
    assert weight(rule, alpha, 6008, 8) == pytest.approx(expected)
    assert weight(rule, alpha, 6008, 0) == 1
    work, recipe = job("aesad", f"method.lam.rule={rule}", f"method.lam.alpha={alpha}")
    method = work.build(Run(recipe, CELL, 0))
    method.prepare(torch.zeros(6008, 1, 8, 8), torch.tensor([1.0] * 8 + [0.0] * 6000))
    assert method.lam.item() == pytest.approx(expected)


def toy() -> tuple[Dataset, Split, Split]:
    """Anomalies that lie among the normal rows but for one feature: reconstruction alone cannot tell them."""
    rng = np.random.default_rng(0)
    x = rng.random((900, 8)).astype(np.float32)
    y = np.repeat([0, 1], [600, 300])
    x[:600, 0] = rng.random(600) * 0.45
    x[600:, 0] = 0.55 + rng.random(300) * 0.45
    table = Dataset(Labels("toy", (0, 1), y, None), torch.from_numpy(x), top=1.0)
    train = np.concatenate([np.arange(400), np.arange(600, 640)])
    test = np.concatenate([np.arange(400, 600), np.arange(640, 900)])
    right = Split(train, (train >= 600).astype(np.int64), 0, test, (test >= 600).astype(np.int64), None)
    permuted = rng.permutation(right.s)
    return table, right, replace(right, s=permuted)


class Fixed(Scenario):
    """One split, whatever the cell and the seed."""

    def __init__(self, split: Split) -> None:
        self.only = split

    def cells(self, labels: Labels) -> list[Cell]:
        return [Cell((0,), (1,))]

    def split(self, cell: Cell, labels: Labels, seed: int) -> Split:
        return self.only


@pytest.mark.parametrize("name", METHODS)
def test_permuted_labels_lose_the_advantage_of_true_ones(name: str) -> None:
    table, *splits = toy()
    work, recipe = job(name, "kind=table", epochs=150, table=table)
    runs = [Run(replace(recipe, scenario=Fixed(split)), Cell((0,), (1,)), 0) for split in splits]
    if work.build(runs[0]).unsupervised:
        pytest.skip(f"{name} does not look at labels")
    right, wrong = (trained(work, run)[2].metrics["auc"] for run in runs)
    assert right > 0.95 and wrong < 0.75
