"""Explains exceptions of a job in a sentence: what is wrong, and the line of code at which it was raised."""

import re
import sys
import traceback
from difflib import get_close_matches
from pathlib import Path

from hydra.errors import InstantiationException
from omegaconf.errors import OmegaConfBaseException

from semiad.errors import ConstructionError, InputError, WorkerLost, described, explained, root_cause, user_line
from semiad.ledger.atomic import new_file

HINT = ", set env var HYDRA_FULL_ERROR=1 to see chained exception."
"""What Hydra adds to a message, whether or not the variable is set."""
PACKAGE = Path(__file__).parents[1]


def explain_exception(error: Exception, folder: Path) -> str:
    """Explain in a sentence what went wrong in a job; the traceback is written where code that is not semiad's raised.

    Args:
        error: the exception.
        folder: the job's outputs, which the file with the traceback goes to.
    """
    root = root_cause(error)
    if isinstance(root, InputError | WorkerLost) and not isinstance(root, ConstructionError):
        return str(root)
    if isinstance(error, ConstructionError):
        line = user_line(root)
        return f"{error}{f'; traceback in {write_traceback(error, folder)}' if line else ''}"
    if isinstance(error, InstantiationException | OmegaConfBaseException):
        sentence = " ".join(re.sub(r"\s*full_key: ", " at ", str(error).replace(HINT, "")).split())
        if root is error:
            return sentence
        sentence, _, _ = sentence.partition(repr(root))  # which says the cause, but not where it was raised
        kept = f"; traceback in {write_traceback(error, folder)}" if user_line(root) else ""
        return f"{sentence.rstrip(' :')}: {no_attribute(root) or explained(root)}{kept}"
    last = traceback.extract_tb(error.__traceback__)[-1]
    if "hydra" in Path(last.filename).parts:  # which refuses a setting of its own, such as _partial_
        return " ".join(str(error).replace("full_key:", "at").split())
    return f"{described(error)} ({origin(error)}; traceback in {write_traceback(error, folder)})"


def no_attribute(error: BaseException) -> str | None:
    """Name what a module has in place of a name that Hydra looked for as a module in it; None for other errors."""
    parent, _, name = (getattr(error, "name", None) or "").rpartition(".")
    module = sys.modules.get(parent)
    if not isinstance(error, ModuleNotFoundError) or module is None or hasattr(module, "__path__"):
        return None
    near = get_close_matches(name, vars(module), n=3)
    return f"{parent} has no {name}" + (f", perhaps {', '.join(near)}" if near else "")


def origin(error: Exception) -> str:
    """Say where an error that nobody expected was raised: in a user's code, in semiad, or in code that it called."""
    if line := user_line(error):
        return f"raised in {line}"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    inside = Path(frame.filename).is_relative_to(PACKAGE)
    return "a fault of semiad's" if inside else f"raised in {frame.filename}, line {frame.lineno}"


def write_traceback(error: Exception, folder: Path) -> Path:
    """Write a traceback to a new file: jobs may share a folder, which may hold a user's files."""
    log = new_file(folder / "traceback.txt")
    log.write_text("".join(traceback.format_exception(error)))
    return log
