"""What made a record: versions of packages, and the commit of the checkout."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

DISTRIBUTIONS = {
    "semiad": "semiad",
    "torch": "torch",
    "pytorch_lightning": "pytorch-lightning",
    "numpy": "numpy",
    "sklearn": "scikit-learn",
}
"""The distributions whose versions are in every record, by package."""

_packages_distributions = cache(packages_distributions)


@cache
def versions() -> dict[str, str]:
    """Look up the versions of Python, semiad and the packages that metrics depend on."""
    return {"python": sys.version.split()[0], **{name: version(name) for name in DISTRIBUTIONS.values()}}


def distributions(config: Any) -> dict[str, str]:  # noqa: ANN401
    """Look up the versions of the other distributions that a configuration takes classes and functions from.

    Args:
        config: the configuration: nested mappings and lists.

    Returns:
        The version of each distribution, by name, that a `_target_` comes from and that `versions` does not name. A
        module that belongs to no installed distribution is left out.
    """
    packages = {target.partition(".")[0] for target in targets(config)} - {*DISTRIBUTIONS}
    if not packages:
        return {}  # to go through all that is installed takes most of a second
    names = {name for package in packages for name in _packages_distributions().get(package, ())}
    return {name: version(name) for name in sorted(names)}


def targets(config: Any) -> Iterator[str]:  # noqa: ANN401
    """Yield every `_target_` of a configuration."""
    if isinstance(config, Mapping):
        if isinstance(config.get("_target_"), str):
            yield config["_target_"]
        config = config.values()
    elif not isinstance(config, list | tuple):
        return
    for node in config:
        yield from targets(node)


@cache
def commit() -> str | None:
    """Look up the commit of the checkout that semiad runs from; None if semiad is installed.

    A "+" follows the commit if files of the checkout differ from it.
    """

    def git(*words: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=10).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", Path(__file__).name)
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None
