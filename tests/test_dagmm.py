"""DAGMM: its energy by SciPy's normal distributions, the mixture that it keeps, and runs of the command."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from torch import Tensor

from semiad.errors import InputError
from semiad.methods.dagmm import DAGMM, EPS, energy, sums
from semiad.networks.dagmm import DAGMMNet
from semiad.types import Batch
from tests.conftest import read
from tests.test_rivals import run_of, sgd, table
from tests.test_train import Command


def dagmm(**settings: object) -> DAGMM:
    torch.manual_seed(0)

    def net(shape: Sequence[int]) -> DAGMMNet:
        return DAGMMNet(shape, {"default": [3, 1]})

    common = {"shape": (4,), "net": net, "optimizer": sgd, "components": 2, "hidden": 5, "dropout": 0.5}
    return DAGMM(**{**common, "energy_weight": 0.1, "covariance_weight": 0.005, **settings}).double()


def rows(count: int = 40) -> Tensor:
    return torch.rand(count, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def mixture(z: np.ndarray, shares: np.ndarray) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """Share, mean and covariance of each component: Eq. 5."""
    weights = [share / share.sum() for share in shares.T]
    return [
        (share.mean(), w @ z, np.cov(z.T, aweights=w, bias=True)) for share, w in zip(shares.T, weights, strict=True)
    ]


def energies(z: np.ndarray, parts: list[tuple[float, np.ndarray, np.ndarray]]) -> np.ndarray:
    """Eq. 6, by SciPy."""
    ridge = EPS * np.eye(z.shape[1])
    return -np.log(sum(phi * multivariate_normal(mean, cov + ridge).pdf(z) for phi, mean, cov in parts))


@torch.no_grad()
def test_dagmm_is_its_equation() -> None:
    method, x = dagmm(), rows()
    noise = method.noise(40, torch.Generator().manual_seed(2)).double()
    assert noise.shape == (40, 5) and 0.4 < float((noise >= 0.5).double().mean()) < 0.6
    got = method.losses(Batch(x, torch.zeros(40), noise))
    code = method.net.encoder(x)
    x_hat = method.net.decoder(code)
    away = (x - x_hat).norm(dim=1)
    cosine = (x * x_hat).sum(1) / (x.norm(dim=1) * x_hat.norm(dim=1))
    z = torch.stack([code[:, 0], away / x.norm(dim=1), cosine], dim=1)
    hidden = torch.where(noise < 0.5, 0, 2 * method.hidden(z).tanh())
    parts = mixture(z.numpy(), method.output(hidden).softmax(1).numpy())
    variances = np.concatenate([np.diag(cov) for _, _, cov in parts])
    expected = away.square().numpy() + 0.1 * energies(z.numpy(), parts) + 0.005 * (1 / (variances + EPS)).sum()
    assert got.tolist() == pytest.approx(expected.tolist(), rel=1e-6)
    # After preparation the score is the energy in the mixture of all training rows, without dropout.
    method.prepare(x, torch.zeros(40))
    parts = mixture(z.numpy(), method.output(method.hidden(z).tanh()).softmax(1).numpy())
    assert method.scores(x).tolist() == pytest.approx(energies(z.numpy(), parts).tolist(), rel=1e-6)


@torch.no_grad()
def test_the_mixture_follows_the_batches_of_training_and_no_others() -> None:
    method, x = dagmm(), rows()
    method.prepare(x[:20], torch.zeros(20))
    start, batch = method.scores(x), method.make_batch(x[20:], torch.zeros(20))
    method.eval().losses(batch)
    assert torch.equal(method.scores(x), start), "nothing is added outside of training"
    method.train()
    for _ in range(2400):  # .99 ** 2400 is 3e-11
        method.losses(batch)
    other = dagmm()
    other.prepare(x[20:], torch.zeros(20))
    assert torch.allclose(method.scores(x), other.scores(x), rtol=1e-6)
    assert not torch.allclose(start, other.scores(x), rtol=1e-2)


def test_rows_that_the_mixture_cannot_tell_apart_keep_everything_finite() -> None:
    z = torch.tensor([[1.0, 0.5, 1.0]] * 6, requires_grad=True)
    values, variances = energy(z, sums(z, torch.full((6, 2), 0.5)))
    values.sum().backward()
    assert bool(values.isfinite().all()) and bool(variances.abs().max() < 1e-6) and bool(z.grad.isfinite().all())


def test_labelled_rows_are_left_out_of_training() -> None:
    context = table(3)
    run = run_of(context, "dagmm", 3)
    method = context.build(run)
    assert method.unsupervised and not bool(context.data(run, method).s.any())


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("method.components=0", "method.components is 0, expected a whole number from 1 on"),
        ("method.dropout=1", "method.dropout is 1, expected a number from 0 on and below 1"),
        ("method.energy_weight=-1", "method.energy_weight is -1, expected a number from 0 on"),
        ("network.widths.default=[0]", r"network.widths for 5 features is \[0\], expected whole numbers from 1 on"),
    ],
)
def test_settings_that_make_no_sense(word: str, sentence: str) -> None:
    context = table(3)
    with pytest.raises(InputError, match=sentence):
        context.build(run_of(context, "dagmm", 3, 0, word))


@pytest.mark.parametrize("engine", ["packed", "lightning"])
def test_the_command_trains_it_on_a_table(engine: str, command: Command, shared: Path) -> None:
    words = ("method=dagmm", "dataset=odds", "dataset.name=breastw", f"data_root={shared}", "scenario=holdout")
    assert command(*words, f"engine={engine}", "seeds=[0]", "epochs=60", "logger=none") == 0
    (got,) = read(Path("outputs/results"))
    assert (got["method"], got["status"], got["engine"], got["steps"]) == ("dagmm", "ok", engine, 60)
    assert got["n_fit"] == got["n_train"] - got["n_labelled"] and got["auc"] > 0.7
