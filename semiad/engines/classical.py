"""The engine of classical methods, which have neither network nor epochs."""

import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from multiprocessing import parent_process
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped
from joblib import Parallel, cpu_count, delayed, parallel_config
from torch import Tensor

from semiad.data import SplitData
from semiad.engines.base import Engine
from semiad.engines.context import EpochPoint, OnEpochs, Outcome, TrainingContext
from semiad.engines.evaluation import evaluate
from semiad.engines.signals import exit_if_requested
from semiad.engines.threads import threads_set
from semiad.errors import InputError, RunFailed, described
from semiad.methods.classical import ClassicalMethod
from semiad.methods.contract import check_rows
from semiad.methods.hybrid import Hybrid
from semiad.runs import Run

EncoderState = Mapping[str, Tensor]
"""The weights of a trained encoder."""


class ClassicalEngine(Engine):
    """Fits runs in a process a core, of one thread, each taking the next run as it is done with one.

    One run stays in this process, and so do all where the job is itself one of several side by side. The variable
    `LOKY_MAX_CPU_COUNT` sets the number of cores. There is no curve, and fitted models are not kept as files.

    Args:
        processes: at most; None for one a core.
    """

    name = "classical"

    def __init__(self, processes: int | None = None) -> None:
        self.processes = processes

    def train(self, runs: Sequence[Run], context: TrainingContext, on_epochs: OnEpochs) -> Iterator[Outcome]:
        """Yield the outcome of each run as it ends."""
        return self.fit(runs, context, on_epochs, {})

    def fit(
        self,
        runs: Sequence[Run],
        context: TrainingContext,
        on_epochs: OnEpochs,
        encoders: Mapping[str, EncoderState],
    ) -> Iterator[Outcome]:
        """Yield the outcome of each run as it ends.

        Args:
            runs: to fit.
            context: of the runs.
            on_epochs: is called as runs end.
            encoders: those of hybrids, by the key of the run.
        """
        if not runs:
            return
        cores = self.processes or (1 if parent_process() else cpu_count())
        with parallel_config(backend="loky", inner_max_num_threads=1):
            fit = Parallel(n_jobs=min(cores, len(runs)), return_as="generator_unordered", mmap_mode="c")
        # The rows apart from the context, as an array: joblib writes it once, and all processes map it.
        dataset = context.dataset
        x, bare = dataset.x.numpy(), replace(dataset, x=dataset.x.new_empty(0, *dataset.shape))
        context = replace(context, dataset=bare, recorded=frozenset(), facts_of={}, splits_of={})
        for outcome in fit(delayed(fit_run)(run, context, x, encoders.get(run.key)) for run in runs):
            on_epochs([EpochPoint(outcome.run.key, 0)])
            yield outcome
            exit_if_requested()


def fit_run(
    run: Run,
    context: TrainingContext,
    x: Shaped[np.ndarray, "n *shape"],
    encoder: EncoderState | None = None,
) -> Outcome:
    """Fit and test a run.

    Args:
        run: which one.
        context: of the run, its data set without rows.
        x: the rows of the data set.
        encoder: of a hybrid.
    """
    start, split, method = perf_counter(), context.split(run), context.build(run)
    assert isinstance(method, ClassicalMethod)
    if encoder is not None:
        assert isinstance(method, Hybrid)
        method.load_encoder(encoder)
    dataset = replace(context.dataset, x=torch.from_numpy(x))
    data = SplitData(dataset, split, method.unsupervised, context.batch_size, run.entropy)
    metrics: dict[str, Any] = {}
    n_fit, reason, rng = 0, None, np.random.RandomState(run.entropy % 2**32)
    try:
        with threads_set(1):  # in this process as in any other
            n_fit = method.fit(flat(data.x), data.s.numpy(), rng)
            if len(split.test):
                metrics = {**test_fitted(method, data, rng, context.scores_file(run)), **method.choice}
    except RunFailed as failure:
        reason = str(failure)
    except InputError:
        raise
    except Exception as error:  # whatever a library raises at rows that it cannot learn from
        frame = traceback.extract_tb(error.__traceback__)[-1]
        sentence = described(error)
        reason = f"{run.recipe.method_name} raised {sentence} ({Path(frame.filename).name}, line {frame.lineno})"
    kept = method if context.keep_methods and reason is None else None
    seconds = perf_counter() - start
    return Outcome(run, split, n_fit, 0, seconds, ClassicalEngine.name, 1, metrics, reason, method=kept)


def test_fitted(
    method: ClassicalMethod, data: SplitData, rng: np.random.RandomState, file: Path | None
) -> dict[str, Any]:
    """Score the test rows of a fitted method, and compute its metrics; `file` takes the scores."""
    test = np.concatenate([flat(chunk) for chunk in data.test_chunks()])
    if method.looks_at_test:
        method.choose(test, data.split.truth, rng)
    scores = torch.as_tensor(method.scores(test))
    check_rows(method, "scores", scores, len(test))
    return evaluate(scores, data.split, data.dataset, file)


def flat(x: Float[Tensor, "n *shape"]) -> Float[np.ndarray, "n d"]:
    """Give rows as vectors."""
    vectors: Float[np.ndarray, "n d"] = x.flatten(1).numpy()
    return vectors
