"""The console that all commands print to."""

import io
import logging
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


def silence_libraries() -> None:
    """Silence what libraries have to say of a training that is no news to a user."""
    # The last one looks for CUDA when a step is compiled for a CPU.
    for chatty in ("pytorch_lightning", "lightning.pytorch", "torch.utils.cpp_extension"):
        logging.getLogger(chatty).setLevel(logging.ERROR)


console = open_console()
"""The console of `semiad.train`."""
