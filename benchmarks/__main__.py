"""The command `python -m benchmarks NAME [setting=value ...]`; without a name it lists the measurements."""

import ast
import sys
from importlib import import_module
from pathlib import Path

from benchmarks.settings import Settings, parse
from semiad.errors import InputError

NAMES = (
    *("engine", "packed", "conv", "methods", "libraries", "odds", "digits", "tracking", "report", "start", "threads"),
    *("detector", "own_tables", "false_alarms", "folders", "peers", "stream"),
    *("comparison", "labels", "choice", "rivals", "probabilities", "forecasts", "queries"),
)
"""The measurements, a module each."""


def summary(name: str) -> str:
    """Give the first line of a measurement's docstring, without importing it (and torch)."""
    module = ast.parse((Path(__file__).parent / f"{name}.py").read_text())
    return (ast.get_docstring(module) or "").splitlines()[0]


def main(words: list[str]) -> None:
    """Run a measurement, or list all."""
    if not words:
        print(
            "python -m benchmarks NAME [data_root=DIR] [repeats=N] [device=cpu] [width=K] [rows=N] [against=CHECKOUT]"
            " [out=DIR]\n"
        )
        print("\n".join(f"  {name:13} {summary(name)}" for name in NAMES))
        return
    if words[0] not in NAMES:
        raise InputError(f"there is no measurement '{words[0]}', expected one of {', '.join(NAMES)}")
    settings: Settings = parse(words[1:])
    import_module(f"benchmarks.{words[0]}").measure(settings)
    timing = import_module("benchmarks.timing")
    timing.console.print("; ".join(timing.machine(settings.device)))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except InputError as error:
        sys.exit(f"error: {error}")
