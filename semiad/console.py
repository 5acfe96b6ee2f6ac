"""The console that all commands print to."""

import io
import sys

from rich.console import Console


def open_console(width: int | None = None) -> Console:
    """Open the terminal, where a pipe cuts nothing to a width; or, given a width, a console that captures text."""
    if width:
        return Console(file=io.StringIO(), width=width, highlight=False)
    return Console(width=None if sys.stdout.isatty() else 10_000, highlight=False)


def print_error(sentence: str) -> None:
    """Print what went wrong, to standard error."""
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"error: {sentence}", markup=False)


console = open_console()
"""The console of `semiad.train`."""
