"""Packages that the core of semiad does without: extras install them, and a sentence says which one is missing."""

from collections.abc import Iterator
from contextlib import contextmanager

from semiad.errors import InputError, described


def missing_package(package: str, extra: str, use: str = "") -> InputError:
    """Make the error that names a package and the extra that installs it.

    Args:
        package: its name for pip.
        extra: of semiad.
        use: what it is needed for; empty where the user has named the package.
    """
    return InputError(f"the package {package} is needed{f' for {use}' if use else ''}: pip install 'semiad[{extra}]'")


@contextmanager
def optional_import(package: str, extra: str, use: str = "") -> Iterator[None]:
    """Import from a package that may be missing: the body of the `with` statement is the import.

    Args:
        package: its name for pip.
        extra: of semiad.
        use: what it is needed for; empty where the user has named the package.

    Raises:
        InputError: the package is not installed, or its shared objects cannot be loaded.
    """
    try:
        yield
    except InputError:
        raise
    except ModuleNotFoundError as error:
        raise missing_package(package, extra, use) from error
    except Exception as error:
        raise InputError(f"{missing_package(package, extra, use)} ({described(error)})") from error
