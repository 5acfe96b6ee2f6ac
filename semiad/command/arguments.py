"""Explains in a sentence what is wrong with a command line."""

import re
import tempfile
from pathlib import Path

VALUED = ("--config-dir", "-cd", "--config-name", "-cn", "--config-path", "-cp", "--cfg", "-c", "--package", "-p")
"""Options of Hydra that are followed by a value."""

FOLDER = re.compile(r"""(["'])file://(.*?)\1|file://([^,\]'"]+)""")
"""A folder in a search path, in quotes or not."""


def explain_hydra_error(error: str) -> str:
    """Explain in a sentence what Hydra says of a command line."""
    lines = [line.strip() for line in error.splitlines() if line.strip()]
    if match := re.search(r"Could not find '([^']*)'", error):
        start = next((i for i, line in enumerate(lines) if line.startswith("Available options")), len(lines))
        end = next((i for i, line in enumerate(lines) if line.startswith("Config search path")), len(lines))
        names = f", only {', '.join(lines[start + 1 : end])}" if lines[start + 1 : end] else ""
        return f"Could not find '{match[1]}'{names}"
    if match := re.search(r"Could not override '([^']*)'", error):
        return f"{match[1]} is no setting here: --cfg job shows them all, --help the most common ones"
    return " ".join(line for line in lines if not line.startswith("See https"))


def check_arguments(words: list[str]) -> str | None:
    """Give a sentence on what Hydra would misunderstand or answer with a traceback; None if all is well."""
    if any(word.startswith("experiment=") and "," in word for word in words):
        return "experiment takes one name: what experiments sweep over cannot be combined, so run one after the other"
    many = any(word in ("-m", "--multirun") for word in words)
    if many and not {"-m", "--multirun"} & {words[0], words[-1]}:
        return "-m goes first or last on the command line"
    overrides = [i for i, word in enumerate(words) if word[0] != "-" and (i == 0 or words[i - 1] not in VALUED)]
    between = [word for word in words[min(overrides, default=0) : max(overrides, default=0)] if word[0] == "-"]
    if between:
        return f"{between[0]} stands between settings: options go before or after all of them"
    named = [word for word in words if word.startswith("hydra.searchpath=")]
    paths = [match[2] or match[3] for word in named for match in FOLDER.finditer(word)]
    if absent := [path for path in paths if not Path(path).is_dir()]:
        return f"hydra.searchpath has file://{absent[0]}: there is no such folder"
    placed = [word for word in words if word.startswith("hydra/launcher=")]
    if placed and not many:
        return f"{placed[0]} places the jobs of a sweep: add -m, first or last on the command line"
    for shards in (word.removeprefix("shards=") for word in words if word.startswith("shards=")):
        if not shards.isdecimal() or int(shards) < 1:  # with -m Hydra counts shards itself
            return f"shards is {shards}, expected a whole number from 1 on"
    if not any(word.startswith(("--", "hydra.run.dir=", "hydra.sweep.dir=")) for word in words):
        try:
            Path("outputs").mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory(dir="outputs"):
                pass
        except OSError as error:
            return (
                f"this folder cannot be written to ({error.strerror}), and outputs/runs goes here: change to another "
                "folder, or set hydra.run.dir=DIR (with -m hydra.sweep.dir=DIR)"
            )
    return None
