"""Where configurations are found: those of semiad, of installed packages, and of folders that a command names."""

import os
import sys
from importlib.metadata import entry_points
from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin

GROUP = "semiad.configs"
"""The entry-point group of packages with configurations: `NAME = "package.conf"`, a package that holds yaml files."""


class PackageConfigs(SearchPathPlugin):
    """Adds the configurations of installed packages, which Hydra itself cannot find by entry points."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append a path for each entry point; configurations of semiad come first."""
        for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
            search_path.append(provider=f"entry point {entry.name}", path=f"pkg://{entry.value}")


def register_search_path() -> None:
    """Register the plugin with Hydra, and let classes of the current folder be found, as `python -m` does."""
    Plugins.instance().register(PackageConfigs)
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))


def command_line_paths() -> dict[str, list[str] | str]:
    """Give what a command names besides: `search_path` for `hydra.searchpath=[...]`, `config_dir` for `--config-dir`.

    Only what is there; a folder below the current one is given relative to that.
    """
    hydra = HydraConfig.get()
    named: dict[str, list[str] | str] = {}
    if hydra.searchpath:
        named["search_path"] = [str(path) for path in hydra.searchpath]
    folders = [source.path for source in hydra.runtime.config_sources if source.provider == "command-line"]
    if folders:
        here = Path(hydra.runtime.cwd)
        folder = Path(folders[0].removeprefix("file://"))
        named["config_dir"] = os.path.relpath(folder, here) if folder.is_relative_to(here) else str(folder)
    return named
