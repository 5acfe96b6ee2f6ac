"""The view of a command's jobs while they train, wherever they train."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from time import time

from rich.console import Console
from rich.live import Live

from semiad.ledger.progress import read, view

VIEW_VARIABLE = "SEMIAD_LIVE"
"""A variable that is set while a view is shown, so that processes on the same terminal do not print over it."""


@contextmanager
def live_view(console: Console, results: Path, command: str) -> Iterator[None]:
    """Show the jobs of a command, once a second, while the body runs; nothing where no terminal is.

    Args:
        console: to show them on.
        results: the ledger that they work on.
        command: see `Progress.command`.
    """
    if not console.is_terminal:
        yield
        return
    over = Event()

    def show(shown: Live) -> None:
        if jobs := [job for job in read(results) if job.command == command]:
            shown.update(view(jobs, time()), refresh=True)

    def refresh(shown: Live) -> None:
        while not over.wait(1):
            show(shown)

    os.environ[VIEW_VARIABLE] = "1"
    with Live(console=console, auto_refresh=False) as shown:
        thread = Thread(target=refresh, args=(shown,), name="live", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            show(shown)
            del os.environ[VIEW_VARIABLE]
