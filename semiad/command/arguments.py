"""Explains in a sentence what is wrong with a command line."""

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import distributions
from importlib.resources import files
from pathlib import Path

from semiad.extras import missing_package
from semiad.ledger.files import user_path

MAX_SHARDS = 10_000
"""Jobs that a plan may be cut into."""
VALUED = ("--config-dir", "-cd", "--config-name", "-cn", "--config-path", "-cp", "--cfg", "-c", "--package", "-p")
"""Options of Hydra that are followed by a value."""
PLUGINS = {
    "processes": ("hydra-joblib-launcher", "processes"),
    "local": ("hydra-submitit-launcher", "slurm"),
    "slurm": ("hydra-submitit-launcher", "slurm"),
    "ray_node": ("hydra-ray-launcher", "ray"),
    "ray_cluster": ("hydra-ray-launcher", "ray"),
    "optuna": ("hydra-optuna-sweeper", "optuna"),
}
"""By launcher or sweeper its package, and the extra that installs it."""

FOLDER = re.compile(r"""(["'])file://(.*?)\1|file://([^,\]'"]+)""")
"""A folder in a search path, in quotes or not."""


HOME = re.compile(
    r"(?P<start>[^=]+=|--config-dir=|hydra\.(?:run|sweep)\.dir=['\"]|hydra\.searchpath=.*?file://)(?P<path>~(/.*)?)"
)
"""A word with a path below the home folder, which neither a shell nor Hydra reads as such."""


def expand_home(words: Sequence[str]) -> list[str]:
    """Write the home folder for a leading `~` of values.

    Raises:
        InputError: there is no home folder.
    """
    expanded = []
    for before, word in zip(["", *words], words, strict=False):
        if before in ("--config-dir", "-cd"):
            word = str(user_path(before, word))
        elif match := HOME.fullmatch(word):
            word = match["start"] + str(user_path(match["start"].partition("=")[0], match["path"]))
        expanded.append(word)
    return expanded


def shadowed_configs(words: Sequence[str]) -> Iterator[str]:
    """Warn of each configuration in a folder that a command names which Hydra takes from semiad instead."""
    options = [words[i] for i in range(1, len(words)) if words[i - 1] in ("--config-dir", "-cd")]
    options += [word.partition("=")[2] for word in words if word.startswith(("--config-dir=", "-cd="))]
    for folder in (*options, *searched_folders(words)):
        for path in sorted(Path(folder).rglob("*.yaml")):
            name = path.relative_to(folder)
            if files("semiad.conf").joinpath(*name.parts).is_file():
                yield f"{path} is not used: semiad has a {name.with_suffix('')} too, so give it another name"


def searched_folders(words: Sequence[str]) -> list[str]:
    """List the folders in the search path that a command gives."""
    named = [word for word in words if word.startswith("hydra.searchpath=")]
    return [match[2] or match[3] for word in named for match in FOLDER.finditer(word)]


def explain_hydra_error(error: str) -> str:
    """Explain in a sentence what Hydra says of a command line."""
    lines = [line.strip() for line in error.splitlines() if line.strip()]
    if match := re.search(r"Could not find '([^']*)'", error):
        start = next((i for i, line in enumerate(lines) if line.startswith("Available options")), len(lines))
        end = next((i for i, line in enumerate(lines) if line.startswith("Config search path")), len(lines))
        names = f", only {', '.join(lines[start + 1 : end])}" if lines[start + 1 : end] else ""
        return f"Could not find '{match[1]}'{names}"
    if match := re.search(r"Could not override '([^']*)'", error):
        return f"{match[1]} is no setting here: semiad train --cfg job shows them all, --help the most common ones"
    if match := re.search(r"(?:Ambiguous value for argument|Sweep parameters) '([^=]*)=(.*)'", error):
        return f"{match[1]} has several values, {match[2]}: add -m, first or last, to train each"
    if match := re.search(r"LexerNoViableAltException: (.*)", error):
        return f"{match[1]} cannot be read: put quotes around a value with special characters, as in 'NAME=\"VALUE\"'"
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
    if absent := [path for path in searched_folders(words) if not Path(path).is_dir()]:
        return f"hydra.searchpath has file://{absent[0]}: there is no such folder"
    placed = [word for word in words if word.startswith(("hydra/launcher=", "hydra/sweeper="))]
    if placed and not many:
        what = "places" if placed[0].startswith("hydra/launcher") else "chooses"
        return f"{placed[0]} {what} the jobs of a sweep: add -m, first or last on the command line"
    if any(word.startswith("hydra/launcher=ray") for word in placed) and os.path.expanduser("~") == "~":  # noqa: PTH111
        return f"{placed[0]}: Ray keeps files in the home folder, and this user has none: set HOME to a folder"
    for word in placed:
        package, extra = PLUGINS.get(word.partition("=")[2], ("", ""))
        if package and not [*distributions(name=package)]:
            return str(missing_package(package, extra, word))
    for shards in (word.removeprefix("shards=") for word in words if word.startswith("shards=")):
        if not shards.isdecimal() or not 1 <= int(shards) <= MAX_SHARDS:  # with -m Hydra counts shards itself
            return f"shards is {shards}, expected a whole number from 1 to {MAX_SHARDS}"
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
