"""What holds for every method, found by its yaml; and the identities between them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from semiad.engines.base import Engine
from semiad.engines.context import TrainingContext
from semiad.engines.lightning import LightningEngine
from semiad.engines.packed.engine import PackedEngine
from semiad.engines.packed.stacked_data import StackedData, StepStream
from semiad.errors import InputError, RunFailed
from semiad.methods.aesad import weight
from semiad.methods.base import Method
from semiad.methods.esad import ESAD
from semiad.runs import Recipe, Run
from semiad.testing import check_last_bit, check_method, make_context, make_recipe, train_alone
from semiad.types import Batch, Cell
from tests.conftest import CONF, SMALL, shortened


def stems(kind: type) -> list[str]:
    """The names of the yaml files of methods of a kind."""
    names = sorted(path.stem for path in (CONF / "method").glob("*.yaml"))
    return [name for name in names if issubclass(make_recipe(f"method={name}").method_class, kind)]


METHODS = stems(Method)
CELL = Cell((8,), (3,))


def job(method: str, *overrides: str, epochs: int = 3) -> tuple[TrainingContext, Recipe]:
    return make_context(epochs, size=1), make_recipe(*shortened([f"method={method}", *overrides]))


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_methods_keep_the_contract(name: str) -> None:
    check_method(*shortened([f"method={name}"]))


@pytest.mark.parametrize("name", [name for name in METHODS if name != "esad"])
def test_a_method_in_which_the_last_bit_decides_says_so(name: str) -> None:
    check_last_bit(*shortened([f"method={name}"]))


def test_a_chaotic_method_that_does_not_say_so_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ESAD, "sensitive", False)
    with pytest.raises(AssertionError, match=r"the AUC of one run differs by .* set `sensitive = True`"):
        check_last_bit("method=esad", "network=mlp_affine")


@pytest.mark.parametrize("name", METHODS)
def test_loss_falls(name: str) -> None:
    work, recipe = job(name, epochs=20)
    curve = train_alone(replace(work, eval_every=1), Run(recipe, CELL, 0)).outcome.curve
    assert [point[0] for point in curve] == list(range(1, 21))
    assert curve[-1][1] < (0.5 if name in ("ae", "aesad") else 0.9) * curve[0][1]


def test_aesad_without_labels_is_ae() -> None:
    jobs = [job(name, "scenario.labelled=0") for name in ("ae", "aesad")]
    ae, sad = (train_alone(work, Run(recipe, CELL, 0)) for work, recipe in jobs)
    for a, b in zip(ae.method.net.parameters(), sad.method.net.parameters(), strict=True):
        assert torch.equal(a, b)
    assert ae.outcome.metrics == sad.outcome.metrics


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
    svdd, sad = (train_alone(work, Run(recipe, CELL, 0)) for work, recipe in jobs)
    assert torch.equal(svdd.method.centre, sad.method.centre)
    for a, b in zip(svdd.method.encoder.parameters(), sad.method.encoder.parameters(), strict=True):
        assert torch.equal(a, b)
    assert svdd.outcome.metrics == sad.outcome.metrics


def test_esad_without_outliers_norm_and_assistance_is_ae() -> None:
    words = ("network=dense", "method.lam1=0", "method.lam2=0", "scenario.labelled=0", "method.reduction=mean")
    made = [job(name, *rest)[1] for name, rest in (("ae", ("network=dense",)), ("esad", words))]
    work, _ = job("ae")
    ae, esad = (work.build(Run(recipe, CELL, 0)) for recipe in made)
    x, s = torch.rand(6, 1, 8, 8), torch.zeros(6)
    assert torch.equal(ae.losses(Batch(x, s)), esad.losses(Batch(x, s, target=x)))
    assert torch.equal(ae.scores(x), esad.scores(x))


def test_esad_transforms_are_what_they_say() -> None:
    work, recipe = job("esad", "design.gaussian=0")
    turned = work.build(Run(recipe, CELL, 0))
    x, source = torch.rand(40, 1, 8, 8), torch.Generator()
    turns = [[torch.equal(new, torch.rot90(old, k, (1, 2))) for k in range(4)] for old, new in
             zip(x, turned.targets(x, source), strict=True)]  # fmt: skip
    assert all(sum(turn) == 1 for turn in turns) and [sum(column) > 5 for column in zip(*turns, strict=True)] == [
        False, True, True, True,
    ]  # fmt: skip
    plain = work.build(Run(job("esad", "design.gaussian=0", "design.permutation=false")[1], CELL, 0))
    assert torch.equal(plain.targets(x, source), x)
    noised = work.build(Run(job("esad", "design.gaussian=0.5", "design.permutation=false")[1], CELL, 0))
    assert float((noised.targets(x, source) - x).std()) == pytest.approx(0.5, rel=0.05)
    tabular = replace(work, dataset=replace(work.dataset, x=torch.rand(3, 7))).build(Run(recipe, CELL, 0))
    rows = torch.arange(70.0).view(10, 7)
    moved = tabular.targets(rows, source)
    assert torch.equal(moved.sort(1).values, rows)
    orders = {tuple(row) for row in (moved - rows[:, :1]).tolist()}
    assert len(orders) > 7, "each outlier has an order of its own"


def test_each_labelled_outlier_of_esad_has_one_target_in_every_epoch_and_engine() -> None:
    work, recipe = job("esad")
    data = work.data(Run(recipe, CELL, 0), work.build(Run(recipe, CELL, 0)))
    seen: dict[bytes, set[bytes]] = {}
    for batch in (batch for epoch in range(3) for batch in data.batches(epoch)):
        assert batch.target is not None and torch.equal(batch.target[batch.s == 0], batch.x[batch.s == 0])
        for x, target in zip(batch.x[batch.s == 1], batch.target[batch.s == 1], strict=True):
            assert not torch.equal(x, target)
            seen.setdefault(x.numpy().tobytes(), set()).add(target.numpy().tobytes())
    assert len(seen) == int(data.s.sum()) and all(len(targets) == 1 for targets in seen.values())
    again = work.data(Run(recipe, CELL, 0), work.build(Run(recipe, CELL, 0)))
    stacked = StackedData([data, again], [StepStream(data, 0), StepStream(again, 0)])
    assert stacked.fields == ("x", "s", "target")
    steps = zip(stacked.batches(data.steps), data.batches(0), strict=True)
    for (_, x, s, target), batch in steps:
        assert all(
            torch.equal(values[k], alone)
            for values, alone in ((x, batch.x), (s, batch.s), (target, batch.target))
            for k in (0, 1)
        )


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
    phases = work.phases(Run(recipe, CELL, 0))
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
        (("deep_svdd", "method.nu=2"), r"method.nu is 2, expected null or a number above 0 and up to 1"),
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
    trained = train_alone(work, Run(recipe, CELL, 0))
    data, outcome = trained.data, trained.outcome
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
