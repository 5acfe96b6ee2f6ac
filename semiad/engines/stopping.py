"""Being asked to end: signals are held back until training is at a place from which it can go on later."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing import parent_process
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)
"""Ctrl-C; the end that a scheduler or a user asks for; what submitit sends before a job is preempted or out of time."""

asked: list[Callable[[], None]] = []
"""What this process was asked for and has not done yet; process-wide, as signals are."""


class Stopped(SystemExit):
    """The process was asked to end, and is at a place to do so."""


@contextmanager
def held(numbers: Sequence[signal.Signals] = SIGNALS, ignored: Sequence[signal.Signals] = ()) -> Iterator[None]:
    """Hold signals back until `obey` is called; a second one of a kind comes through at once.

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
                signal.signal(number, holder(handler))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def holder(before: Any) -> Callable[[int, FrameType | None], None]:  # noqa: ANN401
    """A handler that notes a signal, for `obey` to do what the handler before it would have done."""
    seen = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal seen
        asked.append(partial(act, number, frame, before))
        if seen:
            obey()
        seen = True

    return note


def act(number: int, frame: FrameType | None, before: Any) -> None:  # noqa: ANN401
    """Do what a signal would have done: a launcher's own handler may ask for a requeue, or want nothing at all."""
    if before in (signal.SIG_DFL, signal.default_int_handler):
        raise Stopped(128 + number)
    before(number, frame)


def orphan() -> bool:
    """Whether this process works for another one that is no more."""
    parent = parent_process()
    return parent is not None and parent.pid != os.getppid()


def stopping() -> bool:
    """Whether this process is to end."""
    return bool(asked) or orphan()


def obey() -> None:
    """End if that was asked for.

    Raises:
        SystemExit: it was.
    """
    while asked:
        asked.pop(0)()
    if orphan():
        raise Stopped(1)
