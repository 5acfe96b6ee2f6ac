"""Methods that learn from labelled anomalies: their equations by hand, how they draw rows, and input that is scarce."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from semiad.datamodule import SplitDataModule
from semiad.draws import draw_balanced, draw_members, draw_pairs
from semiad.engines import classical
from semiad.engines.context import EpochPoint, Outcome, TrainingContext
from semiad.engines.lightning import LightningEngine
from semiad.engines.packed.engine import PackedEngine
from semiad.engines.packed.stacked_data import StackedData, StepStream
from semiad.engines.packed.stacked_optimizer import clip_norms
from semiad.errors import InputError
from semiad.methods.devnet import DevNet
from semiad.methods.feawad import FeaWAD
from semiad.methods.prenet import PReNet
from semiad.methods.rosas import RoSAS
from semiad.methods.supervised import Supervised
from semiad.methods.wsad_dt import WSADDT
from semiad.runs import Run
from semiad.scenarios.fixed import FixedSplit
from semiad.testing import default_float64, make_context, make_recipe, train_alone
from semiad.testing.method import check_labels_matter
from semiad.types import Batch, Cell, Dataset, Labels, Split
from tests.conftest import read, shortened
from tests.test_train import Command

CELL = Cell((0,), (1,))
NETWORKS = ("supervised", "devnet", "prenet", "feawad", "rosas", "wsad_dt", "ss_dgm", "ss_dgm_stacked")
CLASSICAL = ("logistic", "xgboost", "catboost", "xgbod")
RIVALS = (*NETWORKS, *CLASSICAL)
LIBRARIES = {"xgboost": {"xgboost"}, "xgbod": {"xgboost"}, "catboost": {"catboost"}}


class Two(nn.Module):
    """An encoder of two features by hand: their sum, and their difference."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(2, 2), nn.Identity()
        with torch.no_grad():
            self.encoder.weight.copy_(torch.tensor([[1.0, 1.0], [1.0, -1.0]]))
            self.encoder.bias.copy_(torch.tensor([10.0, 10.0]))


def sgd(parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.1)


def with_output(method: Supervised | PReNet, weights: list[float], bias: float) -> None:
    with torch.no_grad():
        method.output.weight.copy_(torch.tensor([weights]))
        method.output.bias.fill_(bias)


# Equations


def test_supervised_is_cross_entropy_of_the_logit() -> None:
    method = Supervised((2,), Two, sgd, milestones=[2, 4])
    with_output(method, [1.0, 0.5], -14.0)
    x = torch.tensor([[1.0, 2.0], [0.0, 0.0]])  # codes (13, 9) and (10, 10), logits 3.5 and 1
    assert method.scores(x).tolist() == [3.5, 1.0]
    got = method.losses(Batch(x, torch.tensor([1.0, 0.0])))
    assert got.tolist() == pytest.approx([np.log(1 + np.exp(-3.5)), np.log(1 + np.exp(1.0))])
    assert [method.lr_factor(epoch) for epoch in range(5)] == pytest.approx([1, 1, 0.1, 0.1, 0.01])


def devnet(**settings: float) -> DevNet:
    common = {"shape": (2,), "net": Two, "optimizer": sgd}
    return DevNet(**{"steps": 3, "margin": 5.0, "weight_penalty": 0.01, "clip_norm": 1, **common, **settings})


def test_devnet_is_its_equation() -> None:
    method = devnet()
    with_output(method, [1.0, 0.5], -14.0)
    method.mean.fill_(0.5)
    method.std.fill_(2.0)
    x = torch.tensor([[1.0, 2.0], [0.0, 0.0], [1.0, 2.0], [-3.0, -4.0]])  # scores 3.5, 1, 3.5, -5.5
    got = method.losses(Batch(x, torch.tensor([0.0, 1.0, 1.0, 0.0])))
    # Deviations 1.5, .25, 1.5, -3; the penalty is .01 of the four squared weights.
    assert got.tolist() == pytest.approx([1.5 + 0.04, 4.75 + 0.04, 3.5 + 0.04, 3 + 0.04])
    far = method.losses(Batch(x + 100, torch.ones(4)))
    assert far.tolist() == pytest.approx([0.04] * 4), "nothing is asked of an anomaly beyond the margin"


def test_the_prior_of_devnet_is_drawn_once_and_from_the_run() -> None:
    torch.manual_seed(3)
    first, second = devnet(), devnet()
    assert first.mean != second.mean and abs(first.mean) < 0.06 and abs(first.std - 1) < 0.04
    batch = first.make_batch(torch.rand(8, 2), torch.tensor([1.0, 0, 0, 0, 0, 0, 0, 1]))
    assert torch.equal(first.losses(batch), first.losses(batch))
    torch.manual_seed(3)
    again = devnet()
    assert torch.equal(again.mean, first.mean) and torch.equal(again.std, first.std)


def prenet(**settings: float) -> PReNet:
    common = {"shape": (2,), "net": Two, "optimizer": sgd}
    return PReNet(
        **{"steps": 3, "step": 4, "weight_penalty": 0.01, "clip_norm": 1, "partners": 3, **common, **settings}
    )


def test_prenet_is_its_equation() -> None:
    method = prenet()
    with_output(method, [0.1, 0.2, 0.3, 0.4], -9.0)
    u, v, a = [1.0, 2.0], [0.0, 0.0], [3.0, 1.0]  # codes (13, 9), (10, 10), (14, 12)
    x = torch.tensor([[u, v], [u, a], [a, a]])
    s = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    # g(u, v) = 1.3 + 1.8 + 3 + 4 - 9, g(u, a) = 3.1 + 4.2 + 4.8 - 9, g(a, a) = 1.4 + 2.4 + 9 - 9
    expected = [abs(0 - 1.1), abs(4 - 3.1), abs(8 - 3.8)]
    assert method.losses(Batch(x, s)).tolist() == pytest.approx([value + 0.04 for value in expected], rel=1e-5)


def test_prenet_scores_a_row_by_its_mean_over_partners() -> None:
    method = prenet(partners=5)
    x, s = torch.rand(20, 2), torch.tensor([0.0] * 17 + [1.0] * 3)
    method.prepare(x, s)
    for drawn, kind in ((method.unlabelled, x[:17]), (method.labelled, x[17:])):
        assert all(bool((row == kind).all(1).any()) for row in drawn)
    for row, score in zip(x, method.scores(x).detach(), strict=True):
        z = method.code(row[None]).expand(5, -1)
        beside = [method.relation(method.code(method.unlabelled), z), method.relation(z, method.code(method.labelled))]
        assert float(score) == pytest.approx(float(torch.stack(beside).detach().mean()), rel=1e-5)


class Halves(nn.Module):
    """An autoencoder of two features by hand: the code is their sum, and each is reconstructed as a half of that."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(2, 1, bias=False), nn.Linear(1, 2, bias=False)
        with torch.no_grad():
            self.encoder.weight.fill_(1)
            self.decoder.weight.fill_(0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))


def feawad(**settings: object) -> FeaWAD:
    pretraining = {"epochs": 2, "optimizer": sgd}
    common = {"shape": (2,), "net": Halves, "optimizer": sgd, "pretraining": pretraining, "steps": 3}
    return FeaWAD(**{**common, "margin": 5.0, "reconstruction_weight": 1.0, "hidden": [2], **settings})


@pytest.mark.parametrize("weight", [1.0, 0.0])
def test_feawad_is_its_equation(weight: float) -> None:
    method = feawad(reconstruction_weight=weight)
    with torch.no_grad():
        method.layers[0].weight.copy_(torch.tensor([[1.0, 2.0, 0.1, 1.0], [-1.0, 0.0, 0.0, 0.0]]))
        method.layers[1].weight.copy_(torch.tensor([[1.0, 10.0, 0.25]]))
        method.layers[0].bias.zero_()
        method.layers[1].bias.fill_(0.5)
    half = 0.5**0.5
    # Row (6, 2): code 8, residual (2, -2), norm 2 sqrt 2, direction (sqrt .5, -sqrt .5); row (3, 3) has no residual.
    x, length = torch.tensor([[6.0, 2.0], [3.0, 3.0]]), 2 * 2**0.5
    first = max(half - 2 * half + 0.8 + length, 0) + 10 * max(-half, 0) + 0.25 * length + 0.5
    scores = [first, 0.6 + 0.5]
    assert method.scores(x).tolist() == pytest.approx(scores)
    for s, terms in ((0, (first + weight * length, 1.1)), (1, (5 - first + weight * (5 - length), 3.9 + weight * 5))):
        assert method.losses(Batch(x, torch.full((2,), float(s)))).tolist() == pytest.approx([*terms])
    method.losses(Batch(x, torch.zeros(2))).mean().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in method.parameters())


def test_feawad_trains_its_autoencoder_first_on_unlabelled_rows_and_goes_on_with_it() -> None:
    context = table(3)
    run = run_of(context, "feawad", 3)
    first, last = context.phases(run)
    assert first.unsupervised and first.keep_best and (first.epochs, first.steps) == (2, 5)
    assert {*map(id, first.parameters())} == {*map(id, last.net.parameters())}
    data = context.data(run, first)
    assert data.order(0).shape == (5 * 32,) and len(data.s) == 40 and not bool(data.s.any())
    assert context.facts(run).epochs == (2, 3) and len(feawad(pretraining={"epochs": 0}).phases()) == 1


def rosas(**settings: float) -> RoSAS:
    common = {"shape": (2,), "net": Two, "optimizer": sgd, "steps": 2, "margin": 1.0, "mixing": 0.5, "temperature": 2.0}
    return RoSAS(**{**common, "norm_weight": 0.01, **settings})


def smooth(error: float) -> float:
    return error**2 / 2 if abs(error) < 1 else abs(error) - 0.5


def test_rosas_is_its_equation() -> None:
    method = rosas()
    with torch.no_grad():
        method.encoder.bias.zero_()
        method.hidden.weight.fill_(1)
        method.output.weight.fill_(0.1)
        method.output.bias.fill_(-0.3)
    u, v, a = [1.0, 2.0], [0.0, 0.0], [3.0, 1.0]  # codes (3, -1), (0, 0), (4, 2)
    triplets = [[u, v, a, a, v, u], [v, v, u, u, a, v]]  # the labels of the second do not fit its rows: never mind
    s = torch.tensor([[0.0, 0, 1, 1, 0, 0], [0.0, 0, 1, 0, 1, 0]])
    share = torch.tensor([[0.25, 0.5, 0.75], [1.0, 0.0, 0.5]])
    x = torch.tensor(triplets)
    # A score is a tenth of the doubled first feature, less .3: the two codes sum to that.
    assert method.scores(torch.tensor([u, v, a])).tolist() == pytest.approx([-0.1, -0.3, 0.3])

    def score(rows: Tensor) -> Tensor:
        return (0.2 * rows[..., 0] - 0.3).tanh()

    own, other = score(x[:, :3]), score(x[:, 3:])
    mixed = score(share[..., None] * x[:, :3] + (1 - share)[..., None] * x[:, 3:])
    target = share * (2 * s[:, :3] - 1) + (1 - share) * (2 * s[:, 3:] - 1)
    errors = torch.stack([mixed - target, mixed - share * own - (1 - share) * other])
    by_row = [np.mean([smooth(e) for e in row]) * 2 for row in errors.permute(1, 0, 2).flatten(1).tolist()]
    # Distances of codes: (u, v) sqrt 10, (u, a) sqrt 10, (v, v) 0, (v, u) sqrt 10.
    codes = [max(1 + 0, 0), max(1 + 0 - 10**0.5, 0)]
    norm = sum(c**2 for c in (7, 1, 3, -1)) ** 0.5
    for before in ((1.0, 1.0), (0.5, 2.0), (0.0, 2.0)):
        method.means.copy_(torch.tensor(before))
        lags = [
            np.mean(part) / (2 * mean) if mean else -np.inf for part, mean in zip((codes, by_row), before, strict=True)
        ]
        weights = np.exp(lags) / np.exp(lags).sum()
        expected = [weights[0] * z + weights[1] * e + 0.01 * norm for z, e in zip(codes, by_row, strict=True)]
        got = method.eval().losses(Batch(x, s, share))
        assert got.tolist() == pytest.approx(expected, abs=1e-5)


def test_the_weights_of_rosas_come_from_the_means_of_the_epoch_before() -> None:
    method, losses = rosas(), []
    x, s = torch.rand(20, 2), torch.tensor([0.0] * 17 + [1.0] * 3)
    for epoch in range(2):
        drawn = method.draw_rows(s, 8, torch.Generator().manual_seed(epoch))
        assert drawn.shape == (2, 8, 6) and bool((s[drawn[..., :3]] == torch.tensor([0.0, 0, 1])).all())
        for rows in drawn:
            assert sorted(rows[:, 3:].flatten().tolist()) == sorted(rows[:, :3].flatten().tolist())
            batch = Batch(x[rows], s[rows], method.noise(8, torch.Generator().manual_seed(0)))
            losses.append(method.parts_of(batch)[0].mean(1).detach())
            method.eval().losses(batch)
            assert int(method.step) == (len(losses) - 1) % 2, "nothing is counted outside of training"
            method.train().losses(batch).mean().backward()
        assert torch.allclose(method.means, (losses[-1] + losses[-2]) / 2)
    method.means.zero_()
    assert method.losses(batch).isfinite().all()


def test_the_shares_of_a_mixture_are_of_the_beta_distribution() -> None:
    drawn = rosas(mixing=0.5).noise(4000, torch.Generator().manual_seed(0)).flatten()
    assert float(drawn.mean()) == pytest.approx(0.5, abs=0.01) and float(drawn.var()) == pytest.approx(1 / 8, abs=0.004)


def wsad_dt(**settings: object) -> WSADDT:
    common = {"shape": (2,), "net": Two, "optimizer": sgd, "members": 2, "labelled_share": 0.5, "heavy": 0.2}
    return WSADDT(**{**common, "light": [0.5, 1.0], "crowding": [0.1, 1.0], "clip_norm": None, **settings})


def test_wsad_dt_is_its_equation() -> None:
    """Row by row and member by member: own centre by the light tail, the other by Student's t, and pairs of codes."""
    method = wsad_dt()
    source = torch.Generator().manual_seed(0)
    with torch.no_grad():
        method.encoders[1].weight.copy_(torch.tensor([[0.5, 0.0], [0.0, -1.0]]))
        for encoder in method.encoders:
            encoder.bias.zero_()
        method.centres.copy_(torch.randn(2, 2, 2, generator=source) / 3)
    x, s = torch.randn(7, 2, 2, generator=source) / 3, torch.tensor([[0.0, 0]] * 4 + [[1.0, 1]] * 3)
    x[1], x[5] = x[0], x[4]  # drawn twice
    expected = np.zeros(7)
    for m, encoder in enumerate(method.encoders):
        z, centres = (x[:, m] @ encoder.weight.T).detach().numpy(), method.centres[m].numpy()
        normal, anomalous = (((z - centre) ** 2).sum(1) for centre in centres)
        heavy = [(1 + d / 0.2) ** -0.6 for d in (normal, anomalous)]
        shares = {0: (np.exp(-normal / 0.5), heavy[1]), 1: (heavy[0], np.exp(-anomalous / 1.0))}
        for i in range(7):
            kind = int(i > 3)
            similar = [part[i] for part in shares[kind]]
            q = [part / (sum(similar) + 1e-6) for part in similar]
            expected[i] += (-np.log(q[kind]) - np.log(1 - q[1 - kind])) * 7 / (3 if kind else 4)
        for rows, width in ((range(4), 0.1), (range(4, 7), 1.0)):
            pairs = [((z[a] - z[b]) ** 2).sum() for a in rows for b in rows if not np.array_equal(z[a], z[b])]
            assert len(pairs) == (10 if len(rows) == 4 else 4), "no pair of a row with itself, drawn once or twice"
            expected += np.mean(np.exp(-np.array(pairs) / (2 * width**2)))
    assert method.losses(Batch(x, s)).tolist() == pytest.approx(expected.tolist(), rel=1e-4)
    rows, scores = x[:, 0], []
    for m, encoder in enumerate(method.encoders):
        distances = ((rows @ encoder.weight.T)[:, None] - method.centres[m]).square().sum(2)
        p = (1 + distances / 0.2) ** -0.6
        scores.append(1 - p[:, 0] / (p.sum(1) + 1e-6))
    assert torch.allclose(method.scores(rows), (scores[0] + scores[1]) / 2, atol=1e-6)


def test_wsad_dt_keeps_eight_codes_of_a_kind_apart_and_bounds_shares() -> None:
    method = wsad_dt(members=1)
    x, s = torch.rand(20, 1, 2), torch.tensor([[0.0]] * 10 + [[1.0]] * 10)
    with torch.no_grad():
        method.encoders[0].bias.zero_()
    method.centres.copy_(torch.tensor([[[0.0, 0.0], [0.5, 0.5]]]))
    changed = x.clone()
    changed[9] = x[9] + 0.01
    rows, others = (method.losses(Batch(value, s)).tolist() for value in (x, changed))
    assert rows[:9] == others[:9] and rows[10:] == others[10:] and rows[9] != others[9], (
        "the tenth row of its kind crowds nobody"
    )
    far = method.losses(Batch(x + 1000, s))
    far.sum().backward()
    assert bool(far.isfinite().all()) and all(bool(p.grad.isfinite().all()) for p in method.parameters())


def test_members_of_wsad_dt_share_labelled_rows_and_no_others() -> None:
    s = torch.tensor([0.0, 1, 0, 0, 0, 0, 1, 0, 0, 0])
    rows = draw_members(s, 3, 60, 10, 4, torch.Generator().manual_seed(0))
    assert rows.shape == (60, 10, 3) and bool((s[rows].sum(1) == 4).all()) and bool((s[rows[:, :6]] == 0).all())
    drawn = [{*rows[:, :6, member].flatten().tolist()} for member in range(3)]
    assert drawn == [{0, 4, 8}, {2, 5, 9}, {3, 7}]
    assert [{*rows[:, 6:, member].flatten().tolist()} for member in range(3)] == [{1, 6}] * 3
    assert draw_members(s[:3], 3, 1, 8, 4, torch.Generator())[0, 0, 2] in (0, 2), "a part without rows is all of them"
    method = wsad_dt(members=3, labelled_share=0.714)
    assert method.draw_rows(torch.cat([s] * 13), 64, torch.Generator()).shape == (3, 64, 3)
    assert s.repeat(13)[method.draw_rows(torch.cat([s] * 13), 64, torch.Generator())].sum(1).unique().tolist() == [46]
    assert method.draw_rows(s, 1, torch.Generator()).shape == (10, 1, 3)


def test_the_centres_of_wsad_dt_are_mean_codes_away_from_zero_and_stay() -> None:
    method = wsad_dt()
    with torch.no_grad():
        method.encoders[0].bias.copy_(torch.tensor([0.0, 0.0]))
    x, s = torch.tensor([[0.02, 0.0], [1.0, 2.0], [0.0, -0.02], [3.0, -1.0]]), torch.tensor([0.0, 1, 0, 0])
    method.prepare(x, s)
    # Member 0 has rows 0 and 3: codes (.02, .02) and (2, 4); member 1 has row 2, and adds 10 to its code (-.02, .02).
    expected = [[[1.01, 2.01], [3.0, -1.0]], [[9.98, 10.02], [13.0, 9.0]]]
    assert torch.allclose(method.centres, torch.tensor(expected))
    method.prepare(x[:3], s[:3])
    assert torch.allclose(method.centres[0, 0], torch.tensor([0.1, 0.1]))
    assert not any("centres" in name for name, _ in method.named_parameters())


@pytest.mark.parametrize("weight", [None, "balanced"])
def test_logistic_is_that_of_scikit_learn_on_standardised_rows(weight: str | None) -> None:
    recipe, context = make_recipe("method=logistic", f"method.class_weight={weight or 'null'}"), make_context(1)
    run = Run(recipe, Cell((8,), (3,)), 0)
    split, x = context.split(run), context.dataset.x.flatten(1).numpy() / np.float32(context.dataset.top)
    outcome = classical.fit_run(run, replace(context, keep_methods=True), context.dataset.x.numpy())
    scaler = StandardScaler().fit(x[split.train].astype(np.float64))
    model = LogisticRegression(class_weight=weight, max_iter=1000)
    model.fit(scaler.transform(x[split.train].astype(np.float64)), split.s)
    expected = model.decision_function(scaler.transform(x[split.test].astype(np.float64)))
    np.testing.assert_allclose(outcome.method.scores(x[split.test]), expected, rtol=1e-6, atol=1e-8)
    assert outcome.n_fit == len(split.train) and outcome.metrics["auc_seen"] > 0.9


def test_logistic_keeps_the_contract_on_labels() -> None:
    check_labels_matter("method=logistic")


# Draws


def test_balanced_batches_have_half_of_each_kind_drawn_with_replacement() -> None:
    s = torch.tensor([0.0] * 97 + [1.0] * 3)
    rows = draw_balanced(s, 50, 33, torch.Generator().manual_seed(0))
    assert rows.shape == (50, 33) and s[rows].sum(1).tolist() == [16.0] * 50
    counts = Counter(rows.flatten().tolist())
    assert len(counts) == 100 and all(200 < counts[row] < 330 for row in (97, 98, 99))
    assert all(0 < counts[row] < 25 for row in range(97))
    again, other = (draw_balanced(s, 50, 33, torch.Generator().manual_seed(seed)) for seed in (0, 1))
    assert torch.equal(rows, again) and not torch.equal(rows, other)


def test_pairs_are_of_two_different_rows_half_a_quarter_and_a_quarter() -> None:
    s = torch.tensor([1.0] * 3 + [0.0] * 20)
    pairs = draw_pairs(s, 40, 18, torch.Generator().manual_seed(0))
    assert pairs.shape == (40, 18, 2) and bool((pairs[..., 0] != pairs[..., 1]).all())
    labelled = s[pairs]
    assert [tuple(kind) for kind in labelled[0].tolist()] == [(0, 0)] * 10 + [(0, 1)] * 4 + [(1, 1)] * 4
    assert bool((labelled == labelled[:1]).all())
    assert {tuple(pair) for pair in pairs[:, -4:].flatten(0, 1).tolist()} == {
        (a, b) for a in range(3) for b in range(3) if a != b
    }


def test_a_single_labelled_row_pairs_with_itself_and_no_row_of_a_kind_is_made_up_for() -> None:
    source = torch.Generator().manual_seed(0)
    pairs = draw_pairs(torch.tensor([0.0, 0, 0, 1]), 2, 8, source)
    assert pairs[:, -2:].tolist() == [[[3, 3], [3, 3]]] * 2
    for s in (torch.zeros(4), torch.ones(4)):
        assert draw_balanced(s, 2, 8, source).shape == (2, 8) and draw_pairs(s, 2, 8, source).shape == (2, 8, 2)


def table(labelled: int, rows: int = 120, d: int = 5, constant: bool = False, equal: bool = False) -> TrainingContext:
    """A context of one table whose anomalies, the last third, lie higher in the first feature."""
    draws = np.random.default_rng(0)
    x, y = draws.random((rows, d)).astype(np.float32), np.repeat([0, 1], [rows - rows // 3, rows // 3])
    x[:, 0] += y
    if constant:
        x[:, 1:] = 7
    if equal:
        x[:] = 7
    dataset = Dataset(Labels("toy", (0, 1), y, None), torch.from_numpy(x), top=None)
    return make_context(3, dataset, keep_methods=True)


def run_of(context: TrainingContext, name: str, labelled: int, seed: int = 0, *words: str) -> Run:
    y = context.dataset.labels.y
    normal, anomalous = np.flatnonzero(y == 0), np.flatnonzero(y == 1)
    train = np.concatenate([normal[::2], anomalous[:labelled]])
    test = np.concatenate([normal[1::2], anomalous[labelled:]])
    split = Split(train, y[train].astype(np.int64), 0, test, y[test].astype(np.int64), None)
    recipe = make_recipe(*shortened([f"method={name}", "kind=table", *words]))
    return Run(replace(recipe, scenario=FixedSplit(split)), CELL, seed)


def test_both_engines_take_the_same_pairs_and_an_epoch_has_the_steps_of_the_method() -> None:
    context = table(3)
    runs = [run_of(context, "prenet", 3, seed) for seed in (0, 1)]
    parts = [context.data(run, context.build(run)) for run in runs]
    assert [part.steps for part in parts] == [5, 5] and parts[0].rows_per_epoch == 5 * 32
    stacked = StackedData(parts, [StepStream(part, 0) for part in parts])
    alone = [[batch for epoch in range(2) for batch in part.batches(epoch)] for part in parts]
    for step, (valid, x, s) in enumerate(stacked.batches(10)):
        assert valid.shape == (2, 32) and bool(valid.all()) and x.shape == (2, 32, 2, 5)
        for k in (0, 1):
            assert torch.equal(x[k], alone[k][step].x) and torch.equal(s[k], alone[k][step].s)
    ensemble = run_of(context, "wsad_dt", 3)  # its steps depend on the rows
    assert context.batches(ensemble, 10**5) == [3125]
    assert context.steps(ensemble) == train_alone(context, ensemble).outcome.steps
    stream = StepStream(parts[0], 7)
    assert torch.equal(stream.take(1).flatten(0, 1), parts[0].order(1)[2 * 32 : 3 * 32])
    assert context.batches(runs[0], 10**6) == [5]
    assert context.steps(runs[0]) == 15 == train_alone(context, runs[0]).outcome.steps


@pytest.mark.parametrize(
    ("drawn", "found"),
    [
        (torch.zeros(3, 31, dtype=torch.int64), r"shape \(3, 31\)"),
        (torch.zeros(0, 32, dtype=torch.int64), r"shape \(0, 32\)"),
        (torch.zeros(3, 32), "torch.float32"),
        ([1, 2], "list"),
        (torch.full((1, 32), 43), "the row number 43, expected 0 to 42"),
        (torch.full((1, 32), -1), "the row number -1, expected 0 to 42"),
    ],
)
def test_what_is_no_draw_of_rows_is_told(drawn: object, found: str, unchecked_types: None) -> None:
    context = table(3)
    run = run_of(context, "devnet", 3)
    method = context.build(run)
    method.draw_rows = lambda s, batch_size, source: drawn
    with pytest.raises(InputError, match=f"draw_rows.* gave {found}"):
        _ = context.data(run, method).steps


# The norm of a run's gradient


def test_the_norm_is_that_of_all_gradients_of_a_run_and_of_no_other() -> None:
    draws = torch.Generator().manual_seed(0)
    stacked = [nn.Parameter(torch.zeros(3, *shape)) for shape in ((4, 2), (4,), ())]
    for leaf in stacked:
        leaf.grad = torch.randn(leaf.shape, generator=draws) * torch.tensor([0.01, 1, 100]).view(
            3, *[1] * (leaf.ndim - 1)
        )
    before = [leaf.grad.clone() for leaf in stacked]
    clip_norms(stacked, 1.0)
    for k in range(3):
        alone = [nn.Parameter(torch.zeros_like(part[k])) for part in before]
        for parameter, part in zip(alone, before, strict=True):
            parameter.grad = part[k].clone()
        nn.utils.clip_grad_norm_(alone, 1.0)
        for parameter, leaf in zip(alone, stacked, strict=True):
            assert torch.allclose(parameter.grad, leaf.grad[k])
    assert torch.equal(stacked[0].grad[0], before[0][0]), "a small gradient stays"


def test_the_norm_is_clipped_in_both_engines() -> None:
    context = make_context(1, table(3).dataset, batch_size=8)
    moved = {}
    for clip in ("0.5", "null"):
        clipped = run_of(
            context, "devnet", 3, 0, "method.steps=1", f"method.clip_norm={clip}", "method.weight_penalty=1"
        )
        made = replace(clipped.recipe, method=lambda shape, m=clipped.recipe.method: m(shape=shape, optimizer=sgd))
        clipped = replace(clipped, recipe=made)
        start = context.build(clipped)
        for trained in (trained_by(engine, context, clipped) for engine in ("lightning", "packed")):
            steps = [a - b for a, b in zip(start.parameters(), trained.parameters(), strict=True)]
            moved.setdefault(clip, []).append(float(torch.cat([step.detach().flatten() for step in steps]).norm()))
    assert moved["0.5"] == pytest.approx([0.05, 0.05], rel=1e-3) and min(moved["null"]) > 0.1


def trained_by(engine: str, context: TrainingContext, run: Run) -> DevNet:
    return outcome_by(engine, replace(context, keep_methods=True), run).method


def outcome_by(engine: str, context: TrainingContext, run: Run) -> Outcome:
    made = {"lightning": LightningEngine(False, "auto", 1), "packed": PackedEngine(2, 1, "fp32", False, 10, False)}
    (outcome,) = made[engine].train([run], context, lambda points: None)
    return outcome


# The weights of the lowest loss


class Bouncing(Supervised):
    """Trains at a rate at which the loss rises and falls."""

    keep_best = True


@pytest.mark.parametrize("engine", ["lightning", "packed"])
def test_training_ends_with_the_weights_of_the_lowest_loss(engine: str) -> None:
    context = replace(table(6), epochs=12, eval_every=1)
    aucs, losses = {}, {}
    for keep in (True, False):
        run = run_of(context, "supervised", 6, 0, "network=dense")
        kind = Bouncing if keep else Supervised
        made = replace(run.recipe, method=lambda shape, m=run.recipe.method, k=kind: k(shape, m.keywords["net"], wild))
        outcome = outcome_by(engine, context, replace(run, recipe=made))
        losses[keep] = [point[1] for point in outcome.curve]
        aucs[keep] = [point[2] for point in outcome.curve]
        assert outcome.metrics["auc"] == aucs[keep][-1]
    assert losses[True] == losses[False], "training itself is the same"
    best = int(np.argmin(losses[True]))
    assert 0 < best < 11 and aucs[True][best:] == [aucs[False][best]] * (12 - best)
    assert aucs[False][-1] != aucs[False][best]


def wild(parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=8.0)


def test_a_pack_that_was_stopped_goes_on_with_the_best_weights(tmp_path: Path) -> None:
    with default_float64():
        context = replace(table(6), epochs=40, resumable=tmp_path)
        runs = [run_of(context, "devnet", 6, seed, "method.optimizer.lr=0.3") for seed in (0, 1, 2)]
        runs = [Run(runs[0].recipe, run.cell, run.seed) for run in runs]
        engine = PackedEngine(4, 1, "fp32", False, 0, False)
        whole = {
            o.run.key: o.metrics for o in engine.train(runs, replace(context, resumable=None), lambda points: None)
        }
        told: list[int] = []

        def stop(points: Sequence[EpochPoint]) -> None:
            told.append(len(points))
            if sum(told) > 90:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            list(engine.train(runs, context, stop))
        (saved,) = tmp_path.glob("*.pt")
        assert torch.load(saved, weights_only=True)["pack"]["best"] is not None
        resumed = {o.run.key: o.metrics for o in engine.train(runs, context, lambda points: None)}
    for key, metrics in whole.items():
        assert resumed[key]["auc"] == pytest.approx(metrics["auc"], abs=1e-9)


@pytest.mark.filterwarnings("ignore:The dirpath has changed")
def test_a_checkpoint_of_lightning_has_the_best_weights_beside_the_last(tmp_path: Path) -> None:
    context = table(6)
    run = run_of(context, "devnet", 6, 0, "method.optimizer.lr=0.3")
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}

    def trained(epochs: int, path: Path | None = None) -> DevNet:
        method, data = context.build(run), SplitDataModule(context.dataset, run.recipe.scenario, CELL, 0, 32)
        saver = pl.callbacks.ModelCheckpoint(tmp_path / f"{epochs}{path is None}", save_top_k=-1, filename="{epoch}")
        trainer = pl.Trainer(max_epochs=epochs, callbacks=[saver], **quiet)
        trainer.fit(method, datamodule=data, ckpt_path=path)
        return method

    whole, _ = trained(12), trained(8)
    resumed = trained(12, tmp_path / "8True" / "epoch=7.ckpt")
    assert torch.load(tmp_path / "8True" / "epoch=7.ckpt", weights_only=False)["semiad_best"][0] > 0
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_loss_of_held_out_rows_is_that_of_batches_as_in_training() -> None:
    context = table(6)
    run = run_of(context, "prenet", 6)
    data = SplitDataModule(context.dataset, run.recipe.scenario, CELL, 0, 32, validation=0.34)
    method = context.build(run)
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    trainer = pl.Trainer(max_epochs=2, enable_checkpointing=False, **quiet)
    trainer.fit(method, datamodule=data)
    assert 0 < float(trainer.callback_metrics["val_loss"]) < 8 and "val_auc" in trainer.callback_metrics


# Scarce input


def outcome_of(context: TrainingContext, run: Run) -> Outcome:
    if run.recipe.engine == "classical":
        return classical.fit_run(run, context, context.dataset.x.numpy())
    return outcome_by("packed", context, run)


@pytest.mark.parametrize("name", RIVALS)
def test_a_run_without_a_labelled_row_fails_by_a_sentence(name: str) -> None:
    context = table(0)
    run = run_of(context, name, 0)
    outcomes = [outcome_of(context, run)]
    if name in NETWORKS:
        outcomes.append(outcome_by("lightning", context, run))
    kind = run.recipe.method_name
    sentence = f"none of the 40 training rows is a labelled anomaly, and {kind} needs one at least"
    assert [(outcome.reason, outcome.metrics) for outcome in outcomes] == [(sentence, {})] * len(outcomes)


@pytest.mark.parametrize("name", RIVALS)
@pytest.mark.parametrize("constant", [False, True])
def test_one_labelled_row_fewer_rows_than_a_batch_and_constant_features_train(name: str, constant: bool) -> None:
    context = replace(table(1, constant=constant), batch_size=64, epochs=100)
    outcome = outcome_of(context, run_of(context, name, 1))
    assert outcome.reason is None and outcome.n_fit == 41
    if constant:  # and the first feature alone tells
        assert outcome.metrics["auc"] > (0.8 if name in ("xgboost", "catboost", "xgbod") else 0.9)


@pytest.mark.parametrize("name", RIVALS)
def test_rows_that_are_all_equal_end_in_a_sentence(name: str) -> None:
    context = table(3, equal=True)
    outcome = outcome_of(context, run_of(context, name, 3))
    sentence = "all 43 training rows are equal" if name == "catboost" else "all 77 test scores equal"
    assert str(outcome.reason).startswith(sentence) and not outcome.metrics


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("logistic", "method.C=0"), "method.C is 0, expected a number above 0"),
        (("logistic", "method.class_weight=even"), "method.class_weight is 'even', expected null or balanced"),
        (("logistic", "method.max_iter=0"), "method.max_iter is 0, expected a whole number from 1 on"),
        (("devnet", "method.steps=0"), "method.steps is 0, expected a whole number of batches from 1 on"),
        (("devnet", "method.clip_norm=0"), "method.clip_norm is 0, expected null or a number above 0"),
        (("prenet", "method.partners=0"), "method.partners is 0, expected a whole number from 1 on"),
        (("feawad", "method.hidden=[0]"), r"method.hidden is \[0\], expected whole numbers from 1 on"),
        (("feawad", "method.steps=0"), "method.steps is 0, expected a whole number of batches from 1 on"),
        (("rosas", "method.mixing=0"), "method.mixing is 0, expected a number above 0"),
        (("wsad_dt", "method.members=0"), "method.members is 0, expected a whole number from 1 on"),
        (("wsad_dt", "method.labelled_share=1"), "method.labelled_share is 1, expected a number above 0 and below 1"),
        (("wsad_dt", "method.light=[1]"), r"method.light is \[1\], expected two numbers above 0"),
        (("wsad_dt", "method.crowding=[1,0]"), r"method.crowding is \[1, 0\], expected two numbers above 0"),
        (("wsad_dt", "method.heavy=0"), "method.heavy is 0, expected a number above 0"),
        (("wsad_dt", "network.latent=0"), r"network.hidden is \[20\] and latent 0, expected whole numbers from 1 on"),
        (("rosas", "network.latent=0"), "network.latent is 0, expected a whole number from 1 on"),
        (("xgboost", "method.trees=0"), "method.trees is 0, expected a whole number from 1 on"),
        (("xgboost", "method.rate=2"), "method.rate is 2, expected null or a number above 0 and up to 1"),
        (("xgboost", "method.subsample=0"), "method.subsample is 0, expected a number above 0 and up to 1"),
        (("xgboost", "method.base_score=1"), "method.base_score is 1, expected a number above 0 and below 1"),
        (("catboost", "method.depth=0"), "method.depth is 0, expected a whole number from 1 on"),
        (("xgbod", "method.nus=[0]"), r"method.nus is \[0\], expected shares above 0, up to 1"),
        (("xgbod", "method.neighbours=[0]"), r"method.neighbours is \[0\], expected whole numbers from 1 on"),
    ],
)
def test_settings_that_make_no_sense(words: tuple[str, ...], sentence: str) -> None:
    context = table(3)
    with pytest.raises(InputError, match=sentence):
        context.build(run_of(context, words[0], 3, 0, *words[1:]))


@pytest.mark.parametrize("name", RIVALS)
def test_the_command_trains_it_on_a_table(name: str, command: Command, shared: Path) -> None:
    words = (
        f"method={name}",
        "dataset=odds",
        "dataset.name=wine",
        f"data_root={shared}",
        f"epochs={60 if 'dgm' in name else 5}",
    )
    words += ("seeds=[0]",) if name in CLASSICAL else ("seeds=[0,1]",)  # two would start processes
    words += ("method.pretraining.epochs=5",) if name in ("feawad", "ss_dgm_stacked") else ()
    assert command(*words, "scenario=table_stratified", "logger=none") == 0
    got = read(Path("outputs/results"))
    steps = {
        "supervised": 5,
        "ss_dgm": 60,
        "ss_dgm_stacked": 65,
        "feawad": 200,
        "rosas": 80,
        "wsad_dt": 10,
        **dict.fromkeys(CLASSICAL, 0),
    }.get(name, 100)
    expected = (name, "ok", "classical" if name in CLASSICAL else "packed", steps)
    assert [(r["method"], r["status"], r["engine"], r["steps"]) for r in got] == [expected] * len(got) and got
    assert all({*(r.get("distributions") or {})} == LIBRARIES.get(name, set()) for r in got)
    assert all(r["n_fit"] == r["n_train"] and 0.5 < r["auc"] <= 1 for r in got)
