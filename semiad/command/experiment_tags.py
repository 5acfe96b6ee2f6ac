"""The tags of a plan: of which experiment its runs are, and how far they keep to it."""

import shlex
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig

PLACING = {
    *("experiment", "budget", "results", "data_root", "device", "shards", "shard", "eval_every", "samples"),
    *("force", "retry_failed", "dry_run", "audit", "objective"),
}
"""Settings that neither choose runs nor change their metrics."""


def experiment_tags(cfg: DictConfig) -> dict[str, Any]:
    """Collect of which experiment a job's runs are, for its plans; all of it None if of none.

    Returns:
        `experiment`, `budget`; `changes`, what the command gave otherwise than the experiment, as words, None for
        nothing that matters to metrics; `job` and `sweep`, of the words of the experiment's own sweep those of this
        job and all, by setting.
    """
    choices, words = HydraConfig.get().runtime.choices, HydraConfig.get().overrides.task
    if not choices["experiment"]:
        return dict.fromkeys(("experiment", "budget", "changes", "job", "sweep"))
    own, budget = swept(), cfg.get("budget") or {}

    def matters(word: str) -> bool:
        name, _, value = word.partition("=")
        if value in own.get(name, ()):
            return False
        places = name.lstrip("+~") in PLACING or name.split(".")[0] in ("engine", "logger")
        return not places or name in budget or name == "engine.precision"

    job = {name: value for name, _, value in (word.partition("=") for word in words) if value in own.get(name, ())}
    changes = shlex.join(filter(matters, words)) or None
    return {**{name: choices[name] for name in ("experiment", "budget")}, "changes": changes, "job": job, "sweep": own}


def swept() -> dict[str, list[str]]:
    """Collect the values that an experiment sweeps over, by setting."""
    params = {name: value for name, value in (HydraConfig.get().sweeper.params or {}).items() if name != "shard"}
    parsed = OverridesParser.create().parse_overrides([f"{name}={value}" for name, value in params.items()])
    return {
        override.get_key_element(): [*override.sweep_string_iterator()]
        if override.is_sweep_override()
        else [override.get_value_element_as_str()]
        for override in parsed
    }
