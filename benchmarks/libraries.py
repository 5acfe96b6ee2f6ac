"""Deep SAD and AE on the table cardio, 50 epochs, beside DeepOD and PyOD where they are installed."""

import contextlib
import io
import statistics
from collections.abc import Callable
from importlib.util import find_spec
from time import perf_counter

import numpy as np
import torch
from rich.table import Table

from benchmarks.settings import Settings
from benchmarks.setup import LIGHTNING, PACKED, compose_context
from benchmarks.timing import console
from semiad.data import SplitData
from semiad.engines.context import TrainingContext
from semiad.engines.evaluation import evaluate
from semiad.runs import Run
from semiad.types import Cell

Train = Callable[[np.ndarray, np.ndarray, np.ndarray, int], tuple[float, np.ndarray]]
"""From training rows, their semi-labels, test rows and epochs to seconds of training and scores."""


def deepod(x: np.ndarray, s: np.ndarray, test: np.ndarray, epochs: int) -> tuple[float, np.ndarray]:
    """Train DeepOD's Deep SAD: widths 32, 16 and 8, batch 128, Adam 1e-3; it has no pre-training."""
    from deepod.models.tabular import DeepSAD  # type: ignore[import-not-found, unused-ignore]

    model = DeepSAD(
        epochs=epochs, batch_size=128, lr=1e-3, rep_dim=8, hidden_dims="32,16", act="LeakyReLU", device="cpu", verbose=0
    )
    with contextlib.redirect_stdout(io.StringIO()):
        start = perf_counter()
        model.fit(x, s.astype(int))
        return perf_counter() - start, model.decision_function(test)


def pyod(x: np.ndarray, s: np.ndarray, test: np.ndarray, epochs: int) -> tuple[float, np.ndarray]:
    """Train PyOD's AutoEncoder on the rows that are not labelled: widths 128 and 32, batch 32, Adam 1e-3."""
    from pyod.models.auto_encoder import AutoEncoder  # type: ignore[import-not-found, unused-ignore]

    model = AutoEncoder(
        preprocessing=False, epoch_num=epochs, batch_size=32, hidden_neuron_list=[128, 32], batch_norm=False,
        dropout_rate=0, optimizer_params={"weight_decay": 0}, verbose=0, device="cpu",
    )  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        start = perf_counter()
        model.fit(x[s == 0])
        return perf_counter() - start, model.decision_function(test)


CASES = {
    "deep_sad": (("method=deep_sad", "method.pretraining.epochs=0"), "deepod", deepod),
    "ae": (("method=ae",), "pyod", pyod),
}


def measure(settings: Settings) -> None:
    """Measure seconds a run and mean AUC; the first way of each method is what the others are compared with."""
    table = Table("cardio, 50 epochs", "s a run", "mean AUC", "times", box=None)
    for method, (overrides, name, library) in CASES.items():
        words = (*overrides, "epochs=50", "dataset=odds", "scenario=table_stratified")
        context, recipe = compose_context(settings, *words)
        runs = [Run(recipe, Cell((0,), (1,)), seed) for seed in range(32)]
        few = runs[: 2 * settings.repeats]
        results: dict[str, list[tuple[float, float]]] = {}
        if find_spec(name) is None:
            console.print(f"{name} is not installed: left out")
        else:
            results[name] = [train_library(library, run, context) for run in few]
        alone = [LIGHTNING.train_run(run, context, lambda points: None) for run in few]
        packed = [o for o in PACKED.train(runs, context, lambda points: None) if o.run in few]
        for way, outcomes in ((f"{method}, one by one", alone), (f"{method}, packed, K = 32", packed)):
            results[way] = [(outcome.seconds, outcome.metrics["auc"]) for outcome in outcomes]
        medians = {way: statistics.median(seconds for seconds, _ in pairs) for way, pairs in results.items()}
        reference = next(iter(medians.values()))
        for way, pairs in results.items():
            auc = statistics.mean(auc for _, auc in pairs)
            table.add_row(way, f"{medians[way]:.3f}", f"{auc:.4f}", f"{reference / medians[way]:.1f}")
    console.print(table)


def train_library(library: Train, run: Run, context: TrainingContext) -> tuple[float, float]:
    """Give seconds and AUC of another library on the rows of a run."""
    split = context.split(run)
    data = SplitData(context.dataset, split, False, context.batch_size, run.entropy)
    seconds, scores = library(data.x.numpy(), data.s.numpy(), torch.cat([*data.test_chunks()]).numpy(), context.epochs)
    return seconds, float(evaluate(torch.from_numpy(scores), split, context.dataset)["auc"])
