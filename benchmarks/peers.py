"""Methods that learn from labels beside those of PyOD and DeepOD, with true and with permuted labels.

`bash scripts/peers.sh` installs both libraries in an environment of their own and runs this there. Each method has the
defaults of its library; all get the same rows, scaled to [0, 1], one thread, and the same labels. What a method of a
library has learnt from labels is what it loses when these are permuted among the training rows.
"""

import contextlib
import io
import random
import statistics
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from time import perf_counter
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from rich.table import Table
from torch import Tensor

from benchmarks.settings import Settings
from benchmarks.setup import PACKED, compose_context
from benchmarks.timing import console
from semiad.data import SplitData
from semiad.engines.classical import fit_run
from semiad.engines.context import TrainingContext
from semiad.engines.evaluation import evaluate
from semiad.losses import deviation
from semiad.methods.base import Method
from semiad.runs import Recipe, Run
from semiad.scenarios.fixed import FixedSplit
from semiad.types import Cell

TABLES = ("cardio", "ionosphere", "pima")
KINDS = ("true", "permuted")
METHODS = {
    "devnet": ("deepod", "pyod"),
    "prenet": ("deepod",),
    "feawad": ("deepod",),
    "rosas": ("deepod",),
    "deep_sad": ("deepod",),
    "xgbod": ("pyod",),
}
"""The libraries that have each method."""
Result = tuple[float, float, float]
"""Seconds of training, AUC and average precision."""


def peer(library: str, method: str, seed: int) -> Any:  # noqa: ANN401
    """Make a method of another library with its defaults."""
    if library == "catboost":
        from catboost import CatBoostClassifier

        return CatBoostClassifier(random_seed=seed, verbose=False, thread_count=1, allow_writing_files=False)
    if library == "pyod":
        from pyod.models.devnet import DevNet  # type: ignore[import-not-found, unused-ignore]
        from pyod.models.xgbod import XGBOD  # type: ignore[import-not-found, unused-ignore]

        return DevNet(random_seed=seed) if method == "devnet" else XGBOD(random_state=seed)
    from deepod.models import tabular  # type: ignore[import-not-found, unused-ignore]

    names = {"devnet": "DevNet", "prenet": "PReNet", "feawad": "FeaWAD", "rosas": "RoSAS", "deep_sad": "DeepSAD"}
    return getattr(tabular, names[method])(device="cpu", verbose=0, random_state=seed)


def score_by_peer(
    library: str,
    method: str,
    x: Float[np.ndarray, "n d"],
    s: Int64[np.ndarray, " n"],
    test: Float[np.ndarray, "m d"],
    seed: int,
) -> tuple[Float[np.ndarray, " m"], float]:
    """Fit a method of another library to rows, of which those with `s` 1 are labelled anomalies, and score others.

    Returns:
        The scores, and the seconds that the fit took.
    """
    for plant in (random.seed, np.random.seed, torch.manual_seed):
        plant(seed)
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = peer(library, method, seed)
        start = perf_counter()
        model.fit(x, s)
        seconds = perf_counter() - start
        scores = model.predict_proba(test)[:, 1] if library == "catboost" else model.decision_function(test)
    return np.asarray(scores, dtype=np.float64), seconds


def train_peer(library: str, method: str, run: Run, context: TrainingContext) -> Result:
    """Train a method of another library on the rows of a run."""
    split = context.split(run)
    data = SplitData(context.dataset, split, False, context.batch_size, run.entropy)
    x, s, test = data.x.numpy(), data.s.numpy().astype(int), torch.cat([*data.test_chunks()]).numpy()
    scores, seconds = score_by_peer(library, method, x, s, test, run.seed)
    metrics = evaluate(torch.from_numpy(scores), split, context.dataset)
    return seconds, metrics["auc"], metrics["ap"]


def train_own(runs: Sequence[Run], context: TrainingContext) -> Iterator[tuple[Run, Result]]:
    """Train the method of semiad, all runs in one pack if it can be packed."""
    if issubclass(runs[0].recipe.method_class, Method):
        outcomes = [*PACKED.train(runs, context, lambda points: None)]
    else:
        outcomes = [fit_run(run, context, context.dataset.x.numpy()) for run in runs]
    for outcome in outcomes:
        assert outcome.reason is None, outcome.reason
        yield outcome.run, (outcome.seconds, outcome.metrics["auc"], outcome.metrics["ap"])


def with_labels(recipe: Recipe, run: Run, context: TrainingContext, kind: str) -> Run:
    """Fix the split of a run, its labels true or permuted."""
    split = context.split(run)
    if kind == "permuted":
        split = replace(split, s=np.random.default_rng(run.seed).permutation(split.s))
    return Run(replace(recipe, config={"labels": kind}, scenario=FixedSplit(split)), run.cell, run.seed)


def measure(settings: Settings) -> None:
    """Measure each method on each table, with as many draws of rows as there are repeats."""
    for library in ("deepod", "pyod"):
        if find_spec(library) is None:
            console.print(f"{library} is not installed: left out (scripts/peers.sh installs it)")
    console.print(losses_by_order())
    table = Table("table", "method", "of", "AUC", "permuted", "AP", "permuted", "s a run", box=None)
    for name in TABLES:
        for method, libraries in METHODS.items():
            words = (f"method={method}", "dataset=odds", f"dataset.name={name}", "scenario=table_fraction")
            context, recipe = compose_context(replace(settings, device="cpu"), *words)
            drawn = [Run(recipe, Cell((0,), (1,)), seed) for seed in range(settings.repeats)]
            runs = {kind: [with_labels(recipe, run, context, kind) for run in drawn] for kind in KINDS}
            own = dict(train_own([run for kind in KINDS for run in runs[kind]], context))
            ways: dict[str, Callable[[Run], Result]] = {"semiad": own.__getitem__}
            for library in libraries:
                if find_spec(library) is not None:
                    ways[library] = lambda run, library=library: train_peer(library, method, run, context)  # type: ignore[misc] # noqa: B023
            for way, train in ways.items():
                results = {kind: [train(run) for run in runs[kind]] for kind in KINDS}
                cells = [f"{mean(results[kind], i):.3f}" for i in (1, 2) for kind in KINDS]
                seconds = mean(results["true"] + results["permuted"], 0)
                row = (name, method, way, *cells, f"{seconds:.2f}")
                console.print(*row)
                table.add_row(*row)
    console.print(table)


def losses_by_order() -> Table:
    """Compute losses of one batch of eight scores with labels as they are, reversed and shuffled."""
    draws = torch.Generator().manual_seed(0)
    scores, s = torch.randn(8, generator=draws), torch.tensor([1.0, 1, 0, 0, 0, 1, 0, 1])
    orders = {"as they are": s, "reversed": 1 - s, "shuffled": s[torch.randperm(8, generator=draws)]}
    margin = torch.tensor(5.0)
    ways: dict[str, Callable[[Tensor], Tensor]] = {"semiad": lambda s: deviation(scores, s, margin).mean()}
    if find_spec("deepod") is not None:
        from deepod.models.tabular.devnet import DevLoss  # type: ignore[import-not-found, unused-ignore]
        from deepod.models.tabular.feawad import FeaWADLoss  # type: ignore[import-not-found, unused-ignore]

        unit = torch.nn.functional.normalize(torch.randn(8, 3, generator=draws), dim=1)
        ways["deepod DevNet"] = lambda s: DevLoss()(s, scores[:, None])
        ways["deepod FeaWAD"] = lambda s: FeaWADLoss()(s, scores[:, None], unit)
    if find_spec("pyod") is not None:
        from pyod.models.devnet import deviation_loss  # type: ignore[import-not-found, unused-ignore]

        ways["pyod DevNet"] = lambda s: deviation_loss(scores[:, None], s)  # in the order in which its `fit` calls it
    table = Table("loss of a batch, labels", *orders, box=None)
    for way, loss in ways.items():
        cells = []
        for labels in orders.values():
            torch.manual_seed(0)  # both libraries draw the prior anew for each batch
            cells.append(f"{float(loss(labels)):.4f}")
        table.add_row(way, *cells)
    return table


def mean(results: Sequence[Result], index: int) -> float:
    """Compute the mean of one of the values."""
    return statistics.mean(result[index] for result in results)
