"""Composes configurations in a process that is no Hydra job: for detectors, tests and benchmarks."""

import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from threading import RLock

from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from semiad.command.arguments import explain_hydra_error
from semiad.command.search_path import register_search_path
from semiad.errors import InputError

_composing = RLock()
"""Hydra has one configuration a process."""


@contextmanager
def composed(words: Sequence[str]) -> Iterator[DictConfig]:
    """Compose the configuration of `semiad.train`, with those of installed packages.

    Equal overrides are composed once: a process reads configurations as it reads modules, and not again where a file
    changes. Interpolations can be resolved in the body; after it Hydra's state is again that of the caller, who may be
    a Hydra job itself.

    Args:
        words: overrides, as on the command line.

    Yields:
        The configuration, a new one each time, with the node `hydra`.

    Raises:
        InputError: Hydra does not find what the overrides name, or a value cannot be used.
    """
    with _composing, hydra_errors(), hydra_set_aside():
        register_search_path()
        cfg: DictConfig = pickle.loads(pickled(tuple(words)))
        HydraConfig.instance().set_config(cfg)
        yield cfg


@lru_cache(maxsize=512)
def pickled(words: tuple[str, ...]) -> bytes:
    """Compose a configuration; as bytes, since loading them is the quickest way to a copy."""
    with initialize_config_module("semiad.conf", version_base="1.3"):
        return pickle.dumps(compose("train", [*words], return_hydra_config=True))


@contextmanager
def hydra_set_aside() -> Iterator[None]:
    """Set Hydra's state aside while the body composes."""
    running, config = GlobalHydra.instance().hydra, HydraConfig.instance().cfg
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        GlobalHydra.instance().hydra, HydraConfig.instance().cfg = running, config


@contextmanager
def hydra_errors() -> Iterator[None]:
    """Say in a sentence what Hydra does not find.

    Raises:
        InputError: there is something.
    """
    try:
        yield
    except HydraException as error:
        if isinstance(error.__cause__, InputError):
            raise error.__cause__ from error
        raise InputError(explain_hydra_error(str(error))) from error
    except OmegaConfBaseException as error:
        raise InputError(explain_hydra_error(str(error))) from error
