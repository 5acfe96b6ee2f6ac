"""Fits shallow methods, as many runs at a time as there are cores."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from multiprocessing import parent_process
from time import perf_counter
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped
from joblib import Parallel, cpu_count, delayed, parallel_config
from torch import Tensor

from semiad.data import Rows
from semiad.engines.base import Engine, Job, Outcome, Point, Tick, measure
from semiad.engines.stopping import obey
from semiad.errors import RunFailed
from semiad.methods.shallow import Shallow
from semiad.runs import Run


class ShallowEngine(Engine):
    """A process a core, of one thread, each taking the next run as it is done with one.

    One run stays in this process, and so do all where the job is itself one of several side by side. The variable
    `LOKY_MAX_CPU_COUNT` sets the number of cores. There is no curve, and fitted models are not kept.
    """

    def train(self, runs: Sequence[Run], job: Job, tick: Tick) -> Iterator[Outcome]:
        """Yield each run's outcome as it ends."""
        cores = 1 if parent_process() else cpu_count()
        with parallel_config(backend="loky", inner_max_num_threads=1):
            fit = Parallel(n_jobs=min(cores, len(runs)), return_as="generator_unordered", mmap_mode="c")
        # The rows apart from the job, as an array: joblib writes it once, and all processes map it.
        x, bare = job.table.x.numpy(), job.table.x.new_empty(0, *job.table.shape)
        job = replace(job, table=replace(job.table, x=bare), recorded=frozenset())
        for outcome in fit(delayed(one)(run, job, x) for run in runs):
            tick([Point(outcome.run.key, 0)])
            yield outcome
            obey()


def one(run: Run, job: Job, x: Shaped[np.ndarray, "n *shape"]) -> Outcome:
    """Fit and test a run.

    Args:
        run: which one.
        job: of the run, its table without rows.
        x: the rows of the table.
    """
    start, split, method = perf_counter(), job.split(run), job.build(run)
    assert isinstance(method, Shallow)
    rows = Rows(replace(job.table, x=torch.from_numpy(x)), split, method.unsupervised, job.batch_size, run.entropy)
    figures: dict[str, Any] = {}
    n_fit, reason, rng = 0, None, np.random.RandomState(run.entropy % 2**32)
    try:
        n_fit = method.fit(flat(rows.x), rows.s.numpy(), rng)
        test = np.concatenate([flat(chunk) for chunk in rows.test_chunks()])
        if method.looks_at_test:
            method.choose(test, split.truth, rng)
        figures = measure(torch.from_numpy(method.scores(test)), split, job.table)
    except RunFailed as failure:
        reason = str(failure)
    return Outcome(run, split, n_fit, 0, perf_counter() - start, "shallow", 1, figures, reason)


def flat(x: Float[Tensor, "n *shape"]) -> Float[np.ndarray, "n d"]:
    """Rows as vectors."""
    vectors: Float[np.ndarray, "n d"] = x.flatten(1).numpy()
    return vectors
