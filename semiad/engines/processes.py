"""Processes side by side that train, and what they have to say."""

import os
import queue
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch.multiprocessing as mp

from semiad.engines.base import Outcome, Tick
from semiad.engines.stopping import Stopped, held, obey, stopping
from semiad.errors import WorkerLost

GRACE = 60
"""Seconds that processes have to save their packs when they are asked to end."""

Put = Callable[[str, Any], None]
"""Says something to the process that started this one: `tick` and points, or `outcome` and an `Outcome`."""


def side_by_side(target: Callable[..., None], arguments: Sequence[tuple[Any, ...]], tick: Tick) -> Iterator[Outcome]:
    """Start a process for each tuple of arguments; yield the outcomes that they put.

    Args:
        target: called with a `Put`, and with the arguments.
        arguments: of each process.
        tick: told of epochs.

    Raises:
        RuntimeError: one of them failed.
        WorkerLost: one of them was ended.
    """
    context = mp.get_context("spawn")
    results = context.Queue()
    threads = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = threads or str(max((os.cpu_count() or 1) // len(arguments), 1))
    workers = [context.Process(target=begin, args=(target, results, own), daemon=True) for own in arguments]
    try:
        for worker in workers:
            worker.start()
        ended, told = 0, False
        while ended < len(workers):
            if stopping() and not told:  # they save their packs, and what they say until then still counts
                told = True
                for worker in workers:
                    worker.terminate()
            try:
                kind, value = results.get(timeout=1)
            except queue.Empty:
                dead = [worker.exitcode for worker in workers if worker.exitcode]
                if dead and told:
                    break
                if dead:
                    raise WorkerLost(f"a process on another device was ended ({dead[0]})") from None
                continue
            if kind == "tick":
                tick(value)
            elif kind == "outcome":
                yield value
            elif kind == "error":
                raise RuntimeError(f"a process on another device failed: {value}")
            else:
                ended += 1
        obey()
    finally:
        for worker in workers:
            worker.terminate()
            worker.join(GRACE)
            worker.kill()
            worker.join()
        if threads is None:
            del os.environ["OMP_NUM_THREADS"]


def begin(target: Callable[..., None], results: Any, own: tuple[Any, ...]) -> None:  # noqa: ANN401
    """What each process does. Ctrl-C reaches all processes of a terminal; the first one ends the others."""
    try:
        with held(ignored=(signal.SIGINT,)):
            target(lambda kind, value: results.put((kind, value)), *own)
        results.put(("end", None))
    except Stopped:
        results.put(("end", None))
    except Exception as error:
        results.put(("error", f"{type(error).__name__}: {' '.join(str(error).split())}"))
