"""What made a record: versions of packages, hashes of a user's own code, and the commit of the checkout."""

import ast
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from functools import cache
from hashlib import sha256
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from inspect import isclass
from itertools import accumulate
from pathlib import Path
from pkgutil import resolve_name
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
        The version of each distribution, by name, that a `_target_` comes from or lists as `libraries`, and that
        `versions` does not name. A module that belongs to no installed distribution is left out.
    """
    used = [*targets(config)]
    names = {name for target in used for name in libraries(target)}
    packages = {target.partition(".")[0] for target in used} - {*DISTRIBUTIONS}
    if packages:  # to go through all that is installed takes most of a second
        names |= {name for package in packages for name in _packages_distributions().get(package, ())}
    return {name: version(name) for name in sorted(names)}


def libraries(target: str) -> tuple[str, ...]:
    """Look up the distributions that a class says it depends on; none for a class that nobody has imported."""
    module, _, name = target.rpartition(".")
    return getattr(getattr(sys.modules.get(module), name, None), "libraries", ())


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


def sources(config: Mapping[str, Any]) -> dict[str, str]:
    """Hash the source code of those classes and functions of a configuration that no version in the record tells of.

    The code of a data set's loader is left out: what it loads is in the key of a run.

    Args:
        config: the configuration of a run.

    Returns:
        A hash for each such `_target_`, by its path; see `source_digest`.
    """
    names = {name for key, node in config.items() if key != "dataset" for name in targets(node)}
    digests = {name: source_digest(name) for name in sorted(names) if not is_known(name)}
    return {name: digest for name, digest in digests.items() if digest is not None}


def is_known(module: str) -> bool:
    """Whether a module belongs to a distribution whose version is in every record."""
    return module.partition(".")[0] in DISTRIBUTIONS


@cache
def source_digest(name: str) -> str | None:
    """Hash the files that a class or function comes from, once a process: a file may change after it was imported.

    These are the modules that its path names, those of its base classes, and what these import of the user's own:
    modules of the same package, and modules that are not installed.

    Args:
        name: a path as in `_target_`.

    Returns:
        The hash; None if there is no such object, or no source code.
    """
    try:
        target = resolve_name(name)
    except (ImportError, AttributeError, ValueError):
        return None
    bases = target.__mro__ if isclass(target) else [target]
    waiting = {*prefixes(name), *(str(getattr(base, "__module__", "")) for base in bases)}
    files: dict[str, bytes] = {}
    seen: set[str] = set()
    while waiting:
        seen.add(module := waiting.pop())
        path = source_path(module, name.partition(".")[0])
        if path is not None:
            files[module] = path.read_bytes()
            package = module if path.name == "__init__.py" else module.rpartition(".")[0]
            waiting |= {*imported(files[module], package)} - seen
    if not files:
        return None
    return sha256(b"".join(sha256(files[module]).digest() for module in sorted(files))).hexdigest()[:16]


def source_path(module: str, package: str) -> Path | None:
    """Find the file of a module if it is the user's own: of a package, or not installed at all."""
    top = module.partition(".")[0]
    if not top or is_known(module):
        return None
    try:
        outer = find_spec(top)
        if outer is None or (top != package and outer.origin is not None and is_installed(Path(outer.origin))):
            return None
        spec = find_spec(module)
    except Exception:  # whatever a package raises when it is imported for its parts to be found
        return None
    path = Path(spec.origin).resolve() if spec is not None and spec.origin is not None else Path()
    own = path.suffix == ".py" and path.is_file() and (top == package or not is_installed(path))
    return path if own else None


def imported(source: bytes, package: str) -> Iterator[str]:
    """Yield the modules, and what may be modules, that a source text of a package imports, wherever in the text."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError):
        return
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from prefixes(alias.name)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            yield from prefixes(base)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def prefixes(path: str) -> Iterator[str]:
    """Yield a path with dots and each of its beginnings: "a", "a.b" and "a.b.c"."""
    return accumulate(path.split("."), "{}.{}".format)


def is_installed(path: Path) -> bool:
    """Whether a file belongs to Python or to an installed package; "frozen" and the like are no files."""
    folders = {sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return any(path.is_relative_to(Path(folder).resolve()) for folder in folders)


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
