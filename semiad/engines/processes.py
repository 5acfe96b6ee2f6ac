"""Training in several processes side by side."""

import os
import queue
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch.multiprocessing as mp

from semiad.engines.context import OnEpochs, Outcome
from semiad.engines.signals import ExitRequested, defer_signals, exit_if_requested, exit_requested
from semiad.errors import WorkerLost, described

GRACE = 60
"""Seconds that processes have to save their packs when they are asked to end."""

Put = Callable[[str, Any], None]
"""Sends something to the process that started this one: `epochs` and points, or `outcome` and an `Outcome`."""


def run_processes(
    target: Callable[..., None], arguments: Sequence[tuple[Any, ...]], on_epochs: OnEpochs
) -> Iterator[Outcome]:
    """Start a process for each tuple of arguments; yield the outcomes that they put.

    Args:
        target: called with a `Put`, and with the arguments.
        arguments: of each process.
        on_epochs: is called with epochs as they end.

    Raises:
        RuntimeError: one of them failed.
        WorkerLost: one of them was ended.
    """
    context = mp.get_context("spawn")
    results = context.Queue()
    threads = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = threads or str(max((os.cpu_count() or 1) // len(arguments), 1))
    workers = [context.Process(target=run_target, args=(target, results, given), daemon=True) for given in arguments]
    try:
        for worker in workers:
            worker.start()
        ended, asked = 0, False
        while ended < len(workers):
            if exit_requested() and not asked:  # they save their packs, and what they say until then still counts
                asked = True
                for worker in workers:
                    worker.terminate()
            try:
                kind, value = results.get(timeout=1)
            except queue.Empty:
                dead = [worker.exitcode for worker in workers if worker.exitcode]
                if dead and asked:
                    break
                if dead:
                    raise WorkerLost(f"a process on another device was ended ({dead[0]})") from None
                continue
            if kind == "epochs":
                on_epochs(value)
            elif kind == "outcome":
                yield value
            elif kind == "error":
                raise RuntimeError(f"a process on another device failed: {value}")
            else:
                ended += 1
        exit_if_requested()
    finally:
        for worker in workers:
            worker.terminate()
            worker.join(GRACE)
            worker.kill()
            worker.join()
        if threads is None:
            del os.environ["OMP_NUM_THREADS"]


def run_target(target: Callable[..., None], results: Any, given: tuple[Any, ...]) -> None:  # noqa: ANN401
    """Run the target in a process. Ctrl-C reaches all processes of a terminal; the first one ends the others."""
    try:
        with defer_signals(ignored=(signal.SIGINT,)):
            target(lambda kind, value: results.put((kind, value)), *given)
        results.put(("end", None))
    except ExitRequested:
        results.put(("end", None))
    except Exception as error:
        results.put(("error", described(error)))
