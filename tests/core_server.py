"""The server of `command_server`, for which modules and distributions that two variables list are not installed."""

import os
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import Distribution, DistributionFinder
from types import ModuleType

MODULES, DISTRIBUTIONS = ({*os.environ.get(name, "").split()} for name in ("HIDDEN", "HIDDEN_DISTRIBUTIONS"))
EVERY = DistributionFinder.Context()


class CoreFinder(PathFinder):
    """Finds what is installed, but for what is hidden."""

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module."""
        return None if fullname.partition(".")[0] in MODULES else super().find_spec(fullname, path, target)

    @classmethod
    def find_distributions(cls, context: DistributionFinder.Context = EVERY) -> Iterable[Distribution]:
        """Find distributions."""
        return [one for one in super().find_distributions(context) if one.name.lower() not in DISTRIBUTIONS]


if __name__ == "__main__":
    sys.meta_path[sys.meta_path.index(PathFinder)] = CoreFinder
    from tests.command_server import serve

    serve()
