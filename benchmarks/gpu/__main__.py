"""`python -m benchmarks.gpu PART out=DIR [seconds=N] [device=cpu] [data_root=DIR]`; without a part it lists all."""

import sys
from importlib import import_module
from pathlib import Path

from benchmarks.gpu.parts import PARTS, Part
from benchmarks.gpu.results import UNFINISHED, Go, OutOfTime
from benchmarks.gpu.summary import summarize
from semiad.errors import InputError


def parse(words: list[str]) -> Go:
    """Read what a part is run with.

    Raises:
        InputError: a word is no setting, or `out` is missing.
    """
    given = dict(word.partition("=")[::2] for word in words)
    if unknown := [*given.keys() - {"out", "seconds", "device", "data_root"}]:
        raise InputError(f"'{unknown[0]}' is no setting, expected out, seconds, device or data_root")
    if not given.get("out"):
        raise InputError("out=DIR is missing: the folder for the results")
    device, seconds = given.get("device", "cuda"), given.get("seconds", "600")
    if device not in ("cuda", "cpu"):
        raise InputError(f"device is '{device}', expected cuda or cpu")
    if not seconds.isdecimal():
        raise InputError(f"seconds is '{seconds}', expected a whole number")
    return Go(Path(given["out"]), float(seconds), device, Path(given.get("data_root", "data")))


def run(part: Part, go: Go) -> int:
    """Run a part, and give its exit status."""
    go.folder.mkdir(parents=True, exist_ok=True)
    module = import_module(f"benchmarks.gpu.{'commands' if part.commands else part.name}")
    try:
        module.measure(go, part)
    except OutOfTime:
        return UNFINISHED
    return 0


def main(words: list[str]) -> int:
    """Run a part, print the summary, or list the parts as lines of name, seconds and title."""
    if not words:
        print("\n".join(f"{part.name} {part.seconds} {part.title}" for part in PARTS))
        return 0
    go = parse(words[1:])
    if words[0] == "summary":
        print("\n".join(summarize(go.folder)))
        return 0
    named = [part for part in PARTS if part.name == words[0]]
    if not named:
        expected = ", ".join(part.name for part in PARTS)
        raise InputError(f"there is no part '{words[0]}', expected summary or one of {expected}")
    return run(named[0], go)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except InputError as error:
        sys.exit(f"error: {error}")
