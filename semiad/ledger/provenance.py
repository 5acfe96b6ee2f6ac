"""What made a record: versions of packages, and the commit of the checkout."""

import subprocess
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path


@cache
def versions() -> dict[str, str]:
    """The versions that matter to figures."""
    names = ("semiad", "torch", "pytorch-lightning", "numpy", "scikit-learn")
    return {"python": sys.version.split()[0], **{name: version(name) for name in names}}


@cache
def commit() -> str | None:
    """The commit of the checkout that semiad runs from, with a "+" if files differ from it; None if it is installed."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=10).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", Path(__file__).name)
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None
