"""Checks of a method."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from semiad.data import replaced
from semiad.engines.base import Engine
from semiad.engines.classical import ClassicalEngine
from semiad.engines.context import Outcome, TrainingContext
from semiad.engines.evaluation import score_test_rows
from semiad.engines.hybrid import HybridEngine
from semiad.engines.lightning import LightningEngine
from semiad.engines.packed.engine import PackedEngine
from semiad.engines.threads import threads_set
from semiad.errors import InputError
from semiad.ledger.records import ROUNDING
from semiad.methods.base import Method
from semiad.runs import Recipe, Run
from semiad.scenarios.base import Scenario
from semiad.testing.runs import CELLS, TrainedRun, default_float64, make_context, make_recipe, train_alone
from semiad.types import Batch, Cell, Dataset, Labels, Split

Equation = Callable[[Any, Batch], Float[Tensor, " b"]]

REPEATS = 3
"""Runs with true labels, and as many with permuted ones."""
ALONE = LightningEngine(False, "auto", 1)


def check_method(*words: str, equation: Equation | None = None, epochs: int = 5) -> None:
    """Check that a method keeps the contract of `semiad.methods.base.Method`.

    It is trained on scikit-learn's digits (8x8) and on a table of 8 features, so its network must take both.

    Args:
        words: overrides that choose the method and its settings, such as `method=mine`. Settings that make it train
            quickly are welcome.
        equation: the objective by hand: gives, for the method and a batch, the loss of each row.
        epochs: to train on digits.

    Raises:
        AssertionError: something does not hold.
    """
    recipe, context = make_recipe(*words), make_context(epochs)
    run = Run(recipe, CELLS[0], 0)
    check_losses(context.phases(run)[-1], equation)
    check_labels_enter(context.phases(run)[-1])
    trained = train_alone(context, run)
    assert trained.outcome.reason is None, f"training fails: {trained.outcome.reason}"
    check_scores(trained)
    check_save_and_load(trained, context, run)
    check_seeds(trained, context, run)
    if context.facts(run).packable:
        check_packed(context, recipe)
    check_labels_matter(*words)


def check_losses(method: Method, equation: Equation | None = None) -> None:
    """Check that losses are one a row, and depend on other rows only where the method says so."""
    draws = torch.Generator().manual_seed(0)
    x, s = torch.rand(6, 1, 8, 8, generator=draws), torch.tensor([0, 1, 0, 1, 0, 0.0])
    method.prepare(x, s)
    method.eval()  # batch normalisation would see one row
    batch = method.make_batch(x, s)
    losses = method.losses(batch)
    assert losses.shape == (6,), f"losses has shape {tuple(losses.shape)} for a batch of 6 rows, expected (6,)"
    assert losses.isfinite().all(), f"losses are not finite: {losses.tolist()}"
    if equation is not None:
        by_hand = equation(method, batch)
        assert torch.allclose(losses, by_hand, rtol=1e-5, atol=1e-6), f"losses are {losses}, by the equation {by_hand}"
    alone = torch.cat([method.losses(batch.part(i, 6)) for i in range(6)])
    independent = torch.allclose(losses, alone, atol=1e-5)
    assert independent != method.batch_coupled, (
        f"the loss of a row {'does not depend' if independent else 'depends'} on the other rows of its batch, but "
        f"batch_coupled is {method.batch_coupled}"
    )


def check_labels_enter(method: Method) -> None:
    """Check that the mean loss of rows depends on which of them are labelled, unless no method sees labelled rows.

    A loss that sets each score against every label, by a result of shape (b, 1) beside labels of shape (b,), is the
    same for labels in any order.
    """
    if method.unsupervised:
        return
    draws = torch.Generator().manual_seed(0)
    x, s = torch.rand(8, 1, 8, 8, generator=draws), torch.tensor([0, 1, 0, 1, 0, 0, 0, 0.0])
    method.prepare(x, s)
    method.eval()
    batch = method.make_batch(x, s)
    swapped = batch.s.flip(0)
    assert not torch.equal(swapped, batch.s)
    target = batch.target
    if target is not None:
        targets = method.targets(batch.x, torch.Generator().manual_seed(0))
        assert targets is not None
        target = replaced(batch.x, swapped, targets)
    before, after = (method.losses(b).mean().detach() for b in (batch, batch._replace(s=swapped, target=target)))
    assert not torch.allclose(before, after, rtol=1e-5), (
        f"the loss of a batch stays {float(before):g} if other rows of it are labelled: are scores of shape (b, 1) set "
        "against labels of shape (b,)?"
    )


def check_scores(trained: TrainedRun) -> None:
    """Check that scores are finite, one a row, follow the order of rows, and do not depend on the batch."""
    x = torch.cat(list(trained.data.test_chunks()))
    method = trained.method.eval()
    with torch.no_grad():
        scores, order = method.scores(x), torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
        assert scores.shape == (len(x),), f"scores has shape {tuple(scores.shape)} for {len(x)} rows"
        assert scores.isfinite().all(), "scores are not finite"
        assert len(set(scores.tolist())) > len(x) // 2, "more than half of the scores are equal"
        assert close(method.scores(x[order]), scores[order]), "scores do not follow the order of rows"
        by_seven = torch.cat([method.scores(part) for part in torch.split(x, 7)])
    assert close(by_seven, scores), "scores depend on the rows that are scored with them"


def close(a: Tensor, b: Tensor) -> bool:
    """Whether scores are equal but for rounding; a logit may be 0."""
    return torch.allclose(a, b, rtol=1e-5, atol=1e-6)


def check_save_and_load(trained: TrainedRun, context: TrainingContext, run: Run) -> None:
    """Check that the state of a trained method, saved and loaded into a fresh one, gives the same scores."""
    fresh = context.build(replace(run, seed=run.seed + 1))
    assert isinstance(fresh, Method)
    scores = score_test_rows(trained.method, trained.data)
    assert not torch.equal(score_test_rows(fresh, trained.data), scores), "training changes no score"
    with TemporaryDirectory() as folder:
        torch.save(trained.method.state_dict(), Path(folder) / "state.pt")
        fresh.load_state_dict(torch.load(Path(folder) / "state.pt", weights_only=True))
    assert torch.equal(score_test_rows(fresh, trained.data), scores), "a loaded method scores otherwise: a buffer lacks"


def check_seeds(trained: TrainedRun, context: TrainingContext, run: Run) -> None:
    """Check that a run gives the same metrics again, and another seed others."""
    again, other = (train_alone(context, replace(run, seed=seed)).outcome.metrics for seed in (run.seed, run.seed + 1))
    assert again == trained.outcome.metrics, "the same seed gives other metrics"
    assert other != trained.outcome.metrics, "another seed gives the same metrics"


def check_packed(context: TrainingContext, recipe: Recipe) -> None:
    """Check that runs of unequal size give, in a pack, the metrics that each has alone, in float64."""
    with default_float64():
        context = replace(context, facts_of={})
        runs = [Run(recipe, cell, seed) for cell in CELLS[:3] for seed in (0, 1)]
        engine = PackedEngine(4, 1, "fp32", False, 10, False)
        try:
            together = {outcome.run.key: outcome for outcome in engine.train(runs, context, lambda points: None)}
        except (RuntimeError, InputError) as error:
            sentence = " ".join(str(error).split())[:300]
            raise AssertionError(
                f"a pack cannot step it ({sentence}): choose rows by torch.where, keep what differs between runs in "
                "buffers, or set packable = False"
            ) from error
        for run in runs:
            alone, packed = train_alone(context, run).outcome, together[run.key]
            assert (alone.steps, alone.n_fit) == (packed.steps, packed.n_fit), "a pack takes other steps"
            for name in ("auc", "ap", "auc_seen", "auc_unseen"):
                difference = abs(alone.metrics[name] - packed.metrics[name])
                # Equal test rows tie exactly alone, and but for rounding in a pack, which moves a metric by so little.
                assert difference < 1e-5, f"{name} is {difference:.1e} apart in a pack"


def check_last_bit(*words: str, epochs: int = 15) -> None:
    """Check that the last bit of a weight does not decide the metrics of a method, unless it says so (`sensitive`).

    The same run is trained again with one weight moved by one bit, with one and with two threads, and in a pack.

    Args:
        words: overrides that choose the method and its settings.
        epochs: to train on digits.

    Raises:
        AssertionError: an AUC differs by more than records of one run may, and the method does not say so.
    """
    recipe, context = make_recipe(*words), make_context(epochs)
    run = Run(recipe, CELLS[0], 0)
    aucs = {"alone": train_alone(context, run).outcome.metrics["auc"]}
    moved = ALONE.train_run(run, OneBitContext(**vars(context)), lambda points: None)
    aucs["with one weight moved by one bit"] = moved.metrics["auc"]
    for count in (1, 2):
        with threads_set(count):
            aucs[f"with {count} threads"] = train_alone(context, run).outcome.metrics["auc"]
    if context.facts(run).packable:
        engine = PackedEngine(4, 1, "fp32", False, 10, False)
        outcomes = engine.train([run, replace(run, seed=1)], context, lambda points: None)
        aucs["in a pack"] = next(outcome.metrics["auc"] for outcome in outcomes if outcome.run == run)
    apart = max(aucs.values()) - min(aucs.values())
    assert apart <= ROUNDING or context.facts(run).sensitive, (
        f"the AUC of one run differs by {apart:.1e} ({aucs}): set `sensitive = True` in the class, or make its "
        "training less chaotic"
    )


class OneBitContext(TrainingContext):
    """A context that moves the first weight of each method by one bit."""

    @torch.no_grad()
    def build(self, run: Run) -> Any:  # noqa: ANN401
        """Build a method and move a weight."""
        method = super().build(run)
        assert isinstance(method, Method)
        first = next(method.parameters()).data.view(-1)
        first[0] = torch.nextafter(first[0], first.new_tensor(torch.inf))
        return method


def check_labels_matter(*words: str, epochs: int = 150) -> None:
    """Check that a method that looks at labels loses its advantage when these are permuted; others are not checked.

    It may be a classical method. Means of three runs each are compared, as one run may have luck.
    """
    recipe, context = make_recipe(*words, "kind=table"), make_context(epochs, hidden_anomalies())
    recipe = replace(recipe, scenario=HiddenAnomalies())
    runs = [Run(recipe, Cell((0,), (1,)), seed) for seed in range(2 * REPEATS)]
    if context.build(runs[0]).unsupervised:
        return
    outcomes = {outcome.run.seed: outcome for outcome in train_or_fit(context, runs)}
    reasons = [outcome.reason for outcome in outcomes.values() if outcome.reason is not None]
    assert not reasons, f"training fails: {reasons}"
    aucs = [outcomes[run.seed].metrics["auc"] for run in runs]
    right, wrong = np.mean(aucs[:REPEATS]), np.mean(aucs[REPEATS:])
    assert right > 0.9, f"AUC is {right:.3f} where 40 labels tell anomalies by one feature, expected > .9"
    assert wrong < 0.75, f"AUC is {wrong:.3f} with permuted labels, expected < .75: what does it learn from?"


def train_or_fit(context: TrainingContext, runs: Sequence[Run]) -> list[Outcome]:
    """Train runs of one recipe, or fit them if it is of a classical method, after its encoder if it has one."""
    recipe = runs[0].recipe
    networks = PackedEngine(len(runs), 1, "fp32", False, 10, False) if context.facts(runs[0]).packable else ALONE
    engine: Engine = networks
    if recipe.engine is not None:
        engine = ClassicalEngine(1) if recipe.encoder is None else HybridEngine(networks, 1)
    return [*engine.train(runs, context, lambda points: None)]


def hidden_anomalies() -> Dataset:
    """Make a table whose anomalies lie among the normal rows but for one feature: reconstruction cannot tell them."""
    draws = np.random.default_rng(0)
    x = draws.random((900, 8)).astype(np.float32)
    y = np.repeat([0, 1], [600, 300])
    x[:600, 0] = draws.random(600) * 0.45
    x[600:, 0] = 0.55 + draws.random(300) * 0.45
    return Dataset(Labels("hidden", (0, 1), y, None), torch.from_numpy(x), top=1.0)


class HiddenAnomalies(Scenario):
    """Trains on 400 normal rows and 40 labelled anomalies of `hidden_anomalies`, tests on the others.

    The first `REPEATS` seeds have the true labels, all others permuted ones.
    """

    def cells(self, labels: Labels) -> list[Cell]:
        """Give the only cell."""
        return [Cell((0,), (1,))]

    def split(self, cell: Cell, labels: Labels, seed: int) -> Split:
        """Split the rows; permute the labels by the seed."""
        train = np.concatenate([np.arange(400), np.arange(600, 640)])
        test = np.setdiff1d(np.arange(900), train)
        s = (train >= 600).astype(np.int64)
        s = s if seed < REPEATS else np.random.default_rng(seed).permutation(s)
        return Split(train, s, 0, test, (test >= 600).astype(np.int64), None)
