"""SS-DGM: its bounds by hand, how its labels are weighted, and its two models."""

from typing import Any

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from torch.distributions import Bernoulli, Normal, kl_divergence
from torch.nn.functional import logsigmoid

from semiad import losses
from semiad.errors import InputError, RunFailed
from semiad.methods.ss_dgm import SSDGM, VAEPretraining
from semiad.networks.dgm import DGM
from semiad.networks.lenet import LeNet
from semiad.seeding import seeded
from semiad.testing import compose_config
from semiad.types import Batch
from tests.test_rivals import run_of, sgd, table

WIDTHS = {"default": [5, 4, 3]}


def dgm(stacked: bool = False, softplus: bool = True, **settings: Any) -> SSDGM:
    def net(shape: tuple[int, ...]) -> DGM:
        return DGM(shape, WIDTHS, None, stacked, softplus)

    pretraining = {"epochs": 2, "optimizer": sgd}
    with seeded(0):
        return SSDGM((4,), net, sgd, pretraining, **{"alpha": 0.1, "min_labelled": 1, **settings})


def draws(method: SSDGM) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    x, s = torch.rand(6, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0.0, 0, 1, 0, 1, 0])
    return x, s, method.noise(6, torch.Generator().manual_seed(1))


def test_the_divergence_and_the_likelihood_are_those_of_torch() -> None:
    source = torch.Generator().manual_seed(0)
    mean, log_variance, x, logits = (torch.randn(7, 3, generator=source) for _ in range(4))
    normal = Normal(mean, (log_variance / 2).exp())
    expected = kl_divergence(normal, Normal(torch.zeros(3), torch.ones(3))).sum(1)
    assert torch.allclose(losses.gaussian_kl(mean, log_variance), expected, atol=1e-6)
    bits = (x > 0).float()
    assert torch.allclose(losses.bernoulli(bits, logits), -Bernoulli(logits=logits).log_prob(bits).sum(1))
    assert losses.bernoulli(torch.tensor([[0.25]]), torch.tensor([[0.0]])).item() == pytest.approx(np.log(2))
    assert losses.gaussian_sample(mean, torch.full((7, 3), np.log(4.0)), torch.ones(7, 3)).allclose(mean + 2)


@pytest.mark.parametrize("stacked", [False, True])
@torch.no_grad()
def test_ss_dgm_is_its_equation(stacked: bool) -> None:
    """Eq. 6 to 9 row by row, by torch's distributions, and the two means of Deep SAD's code."""
    method = dgm(stacked)
    x, s, noise = draws(method)
    method.prepare(x, s)
    got = method.losses(Batch(x, s, noise))
    assert got.shape == (6,) and noise.shape == (6, 2, 6 if stacked else 3)
    net, by_row = method.net, []
    for i in range(6):
        bounds = []
        for label in (0, 1):
            seen = x[i]
            if net.m1 is not None:
                mean, log_variance = net.m1.encoder(x[i][None])
                seen = (mean + log_variance.exp().sqrt() * noise[i, label, 3:])[0]
            y = torch.tensor([1.0 - label, float(label)])
            mean, log_variance = (part[0] for part in net.encoder(torch.cat([seen, y])[None]))
            assert bool((log_variance > 0).all())
            std = log_variance.exp().sqrt()
            z = mean + std * noise[i, label, :3]
            logits = net.decoder(torch.cat([z, y])[None])[0]
            likelihood = (x[i] * logsigmoid(logits) + (1 - x[i]) * logsigmoid(-logits)).sum()
            prior = np.log(0.5)
            divergence = kl_divergence(Normal(mean, std), Normal(torch.zeros(3), torch.ones(3))).sum()
            bounds.append(-(likelihood + prior - divergence))
        seen = x[i] if net.m1 is None else net.m1.encoder(x[i][None])[0][0]
        q = net.output(net.classifier(seen[None]))[0].softmax(0)
        # U(x): the bound of either class by its probability, less the entropy of q. alpha is .1 times 4 rows to 2.
        unlabelled = q[0] * bounds[0] + q[1] * bounds[1] + (q * q.log()).sum()
        by_row.append(float(bounds[1] - 0.1 * 2 * q[1].log() if s[i] == 1 else unlabelled))
        assert float(method.scores(x[i][None])) == pytest.approx(float((q[1] / q[0]).log()), abs=1e-5)
    rows = np.array(by_row)
    expected = rows[[0, 1, 3, 5]].mean() + rows[[2, 4]].mean()
    assert float(got.mean()) == pytest.approx(expected, rel=1e-5)
    assert got.tolist() == pytest.approx(rows * np.where(s == 1, 3, 1.5), rel=1e-5)


@torch.no_grad()
def test_few_labelled_rows_of_a_batch_count_for_nothing_if_asked_for() -> None:
    method = dgm(min_labelled=2)
    x, s, noise = draws(method)
    method.prepare(x, s)
    both = method.losses(Batch(x, s, noise))
    assert bool((both != 0).all())
    single = torch.tensor([0.0, 0, 1, 0, 0, 0])
    got = method.losses(Batch(x, single, noise))
    assert got[2] == 0 and float(got.mean()) == pytest.approx(float(got.sum() / 1.2 / 5), rel=1e-6)
    method.min_labelled.fill_(1)
    assert method.losses(Batch(x, single, noise))[2] != 0


def test_a_run_without_a_batch_of_enough_labelled_rows_fails() -> None:
    with pytest.raises(RunFailed, match=r"1 of the 3 training rows is a labelled anomaly, and .*min_labelled is 2"):
        dgm(min_labelled=2).prepare(torch.rand(3, 4), torch.tensor([0.0, 1, 0]))
    with pytest.raises(RunFailed, match="none of the 3 training rows is a labelled anomaly, and SSDGM needs one"):
        dgm().prepare(torch.rand(3, 4), torch.zeros(3))


def test_the_variances_of_codes_are_free_without_softplus() -> None:
    method = dgm(softplus=False)
    x, _, _ = draws(method)
    assert bool((method.net.encoder(torch.cat([x, x[:, :2]], dim=1))[1] < 0).any())


def test_m1_is_trained_first_on_all_rows_and_stays() -> None:
    context = table(3)
    run = run_of(context, "ss_dgm_stacked", 3)
    first, last = context.phases(run)
    assert isinstance(first, VAEPretraining) and first.net is last.net.m1 and not first.unsupervised
    assert (first.epochs, context.facts(run).epochs) == (2, (2, 3)) and len(context.phases(run)) == 2
    x, s = torch.rand(6, 5), torch.tensor([0.0, 0, 1, 0, 1, 0])
    batch = first.make_batch(x, s)
    mean, log_variance = first.net.encoder(x)
    logits = first.net.decoder(mean + (log_variance / 2).exp() * batch.noise)
    terms = -Bernoulli(logits=logits, validate_args=False).log_prob(x).sum(1), losses.gaussian_kl(mean, log_variance)
    assert torch.allclose(first.losses(batch), sum(terms), atol=1e-5)
    last.prepare(x, s)
    last.losses(last.make_batch(x, s)).mean().backward()
    assert all(parameter.grad is None for parameter in last.net.m1.parameters())
    assert all(p.grad is not None for name, p in last.net.named_parameters() if not name.startswith("m1."))
    assert [type(phase) for phase in context.phases(run_of(context, "ss_dgm", 3))] == [SSDGM]


@torch.no_grad()
def test_reconstruction_and_code_are_of_the_normal_class() -> None:
    x, normal = torch.rand(6, 4), torch.tensor([1.0, 0.0]).expand(6, -1)
    for method in (dgm(), dgm(stacked=True)):
        views, net = method.views(x), method.net
        seen = x if net.m1 is None else net.m1.encoder(x)[0]
        assert torch.equal(views["z"], net.encoder(torch.cat([seen, normal], dim=1))[0])
        assert torch.equal(views["x_hat"], net.decoder(torch.cat([views["z"], normal], dim=1)).sigmoid())


@pytest.mark.parametrize(
    ("dataset", "shape", "widths", "filters"),
    [
        ("mnist", (1, 28, 28), [128, 64, 32], [8, 4]),
        ("fmnist", (1, 28, 28), [256, 128, 64], [16, 32]),
        ("cifar10", (3, 32, 32), [512, 256, 128], [32, 64, 128]),
        ("digits", (1, 8, 8), [32, 16, 8], None),
    ],
)
def test_the_networks_of_images_are_those_of_the_authors(
    dataset: str, shape: tuple[int, ...], widths: list[int], filters: list[int] | None
) -> None:
    for method in ("ss_dgm", "ss_dgm_stacked"):
        cfg = compose_config(f"dataset={dataset}", f"method={method}", "network=papers")
        net = instantiate(cfg.network)(shape=shape)
        d, stacked = int(np.prod(shape)), method == "ss_dgm_stacked"
        hidden = [layer.out_features for layer in net.encoder.hidden if hasattr(layer, "out_features")]
        assert [*hidden, net.encoder.mean.out_features] == widths == [*hidden, net.latent]
        assert net.decoder[-1].out_features == d and (net.m1 is not None) == stacked
        assert net.logits(torch.rand(3, *shape)).shape == (3, 2)
        conv = [layer.out_channels for layer in net.classifier.modules() if hasattr(layer, "out_channels")]
        assert conv == ([] if stacked or filters is None else filters)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("method.alpha=-1",), "method.alpha is -1, expected a number from 0 on"),
        (("method.min_labelled=0",), "method.min_labelled is 0, expected a whole number from 1 on"),
        (("network=mlp",), "method ss_dgm needs network=dgm, but network is MLP"),
        (("network.stacked=maybe",), "network.stacked is maybe, expected true or false"),
        (("network.widths.default=[8]",), r"network.widths for 5 features is \[8\], expected two or more"),
        (("network.widths.default=null",), "network.widths for 5 features is None, expected whole numbers from 1 on"),
    ],
)
def test_settings_that_make_no_sense(words: tuple[str, ...], sentence: str, unchecked_types: None) -> None:
    context = table(3)
    with pytest.raises(InputError, match=sentence):
        context.build(run_of(context, "ss_dgm", 3, 0, *words))


def test_a_classifier_of_rows_is_none_of_codes() -> None:
    with pytest.raises(InputError, match=r"network\.classifier is a network of rows"):
        DGM((1, 28, 28), WIDTHS, LeNet, stacked=True, softplus=True)
