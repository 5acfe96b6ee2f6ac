"""What a command says to a person: the one place where an exception or a warning becomes a sentence."""

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress, track

from semiad.console import print_error
from semiad.errors import InputError, RunFailed

T = TypeVar("T")
INPUT, FAILED, STOPPED = 2, 1, 130
"""Exit statuses: what was given cannot be used; a training failed; Ctrl-C."""


def notes() -> Console:
    """Open standard error, for progress and warnings; a pipe cuts nothing to a width."""
    return Console(stderr=True, width=None if sys.stderr.isatty() else 10_000, highlight=False)


def progress(items: Sequence[T], title: str) -> Iterator[T]:
    """Go through items, with a progress bar and the time left on a terminal."""
    console = notes()
    yield from track(items, title, console=console, transient=True, disable=not console.is_terminal)


@contextmanager
def progress_bar(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar with the time left on a terminal; the body calls what it is given with each number done."""
    console = notes()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done: bar.advance(task, done)


def warn(sentence: str) -> None:
    """Print a warning to standard error."""
    notes().print(f"warning: {sentence}", markup=False, soft_wrap=True)


@contextmanager
def sentences() -> Iterator[None]:
    """Turn the exceptions that a user can do something about into a sentence and an exit status.

    Warnings of semiad become a sentence too, once each; those of other libraries are no news to a user.
    """
    told = set()

    def show(message: Warning | str, *rest: object) -> None:
        if str(message) not in told:
            told.add(str(message))
            warn(str(message))

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.filterwarnings("always", category=UserWarning, module=r"semiad\.")
            warnings.showwarning = show  # type: ignore[assignment]
            yield
    except InputError as error:
        print_error(str(error))
        sys.exit(INPUT)
    except RunFailed as error:
        print_error(str(error))
        sys.exit(FAILED)
    except MemoryError:
        print_error("the memory is too small for this table")
        sys.exit(FAILED)
    except KeyboardInterrupt:
        notes().print("stopped; nothing was written", soft_wrap=True)
        sys.exit(STOPPED)
