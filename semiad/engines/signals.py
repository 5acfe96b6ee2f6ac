"""Signals that ask a process to end: they are deferred until training is at a place from which it can go on later."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import parent_process
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)
"""Ctrl-C; the end that a scheduler or a user asks for; what submitit sends before a job is preempted or out of time."""

WAITING = b"\nstopping where training can go on later; Ctrl-C again stops at once\n"
"""What the first Ctrl-C prints."""

pending_signals: list[Callable[[], None]] = []
"""What deferred signals are still to do; process-wide, as signals are."""


class ExitRequested(SystemExit):
    """The process was asked to end, and is at a place where it can."""


@contextmanager
def defer_signals(
    numbers: Sequence[signal.Signals] = SIGNALS, ignored: Sequence[signal.Signals] = ()
) -> Iterator[None]:
    """Defer signals until `exit_if_requested` is called; a second one of a kind comes through at once.

    A signal that has no handler and that nobody expects (SIGUSR2 without submitit) keeps its default.

    Args:
        numbers: which signals.
        ignored: those of them to ignore meanwhile.
    """
    if threading.current_thread() is not threading.main_thread():  # which alone may set handlers
        yield
        return
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        for number, handler in before.items():
            if number in ignored:
                signal.signal(number, signal.SIG_IGN)
            elif callable(handler) or number == signal.SIGTERM:
                signal.signal(number, deferring_handler(handler))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def deferring_handler(before: Any) -> Callable[[int, FrameType | None], None]:  # noqa: ANN401
    """Make a handler that keeps a signal, for `exit_if_requested` to do what the handler before would have done.

    After Ctrl-C the process that was started by a user says that it will end: a step or a fit may take a while.
    """
    seen = False

    def defer(number: int, frame: FrameType | None) -> None:
        nonlocal seen
        pending_signals.append(partial(handle, number, frame, before))
        if seen:
            exit_if_requested()
        elif number == signal.SIGINT and parent_process() is None:
            with suppress(OSError):  # there may be no console
                os.write(2, WAITING)  # a handler must not print
        seen = True

    return defer


def handle(number: int, frame: FrameType | None, before: Any) -> None:  # noqa: ANN401
    """Do what a signal would have done: a launcher's own handler may ask for a requeue, or want nothing at all."""
    if before in (signal.SIG_DFL, signal.default_int_handler):
        raise ExitRequested(128 + number)
    before(number, frame)


def is_orphaned() -> bool:
    """Whether this process works for another one that is no more."""
    parent = parent_process()
    return parent is not None and parent.pid != os.getppid()


def exit_requested() -> bool:
    """Whether this process is to end."""
    return bool(pending_signals) or is_orphaned()


def exit_if_requested() -> None:
    """End the process if it was asked to end.

    Raises:
        SystemExit: it was asked to.
    """
    while pending_signals:
        pending_signals.pop(0)()
    if is_orphaned():
        raise ExitRequested(1)
