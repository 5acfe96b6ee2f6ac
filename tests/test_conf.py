"""Every configuration composes, instantiates, and mirrors the code."""

import inspect
from pathlib import Path

import pytest
from hydra.utils import get_object, instantiate
from omegaconf import OmegaConf, open_dict

from semiad.engines.trainer import TrainerFactory
from semiad.testing import compose_config
from tests.conftest import CONF

GROUPS = sorted(path.name for path in CONF.iterdir() if path.is_dir() and list(path.glob("*.yaml")))
FILES = [(path.parent.name, path.stem) for path in sorted(CONF.glob("*/*.yaml"))]


def test_groups_are_those_promised() -> None:
    assert GROUPS == ["budget", "dataset", "engine", "experiment", "logger", "method", "network", "scenario", "trainer"]


@pytest.mark.parametrize(("group", "name"), FILES, ids=["/".join(file) for file in FILES])
def test_composes_and_instantiates(group: str, name: str, tmp_path: Path) -> None:
    cfg = compose_config(f"{group}={name}")
    with open_dict(cfg):
        del cfg["hydra"]
    OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    node = cfg.get(group)
    if group == "logger":  # several may be chosen, each below the name of its own
        opened = {key: instantiate(part, _convert_="all") for key, part in node.items() if key != "per_run"}
        assert [*opened] == ([] if name == "none" else [name])
        for maker in opened.values():
            inspect.signature(maker.func).bind(None, **maker.keywords)
            assert maker.func.__module__.startswith("semiad.loggers.")
        return
    if group == "trainer":
        factory = TrainerFactory(OmegaConf.to_container(node, resolve=True), instantiate)
        assert not factory.changes and bool(factory.given) == (name in ("debug", "ddp"))
        assert factory.make([], tmp_path, accelerator="cpu", devices=1, strategy="auto").callbacks == []
        return
    if not node:  # experiments set other groups
        assert group in ("budget", "experiment")
        return
    made = instantiate(node, _convert_="all")
    target = get_object(node._target_)
    given = {key for key in node if key not in ("_target_", "_partial_")}
    # Exactly the constructor's arguments: the yaml's, and those that Python supplies.
    if node.get("_partial_"):
        assert callable(made)
        inspect.signature(target).bind(**dict.fromkeys(given | SUPPLIED[group]))
    # `method=auto` is a detector that compares methods.
    package = "detector" if (group, name) == ("method", "auto") else f"{group}s"
    assert target.__module__.startswith(f"semiad.{package}.")


SUPPLIED = {"method": {"shape"}, "network": {"shape"}, "dataset": {"root"}}


def test_epochs_go_command_line_over_experiment_over_method_default() -> None:
    assert compose_config("dataset=odds", "method=ae").epochs == 300
    assert compose_config("dataset=mnist", "method=aesad").epochs == 100
    assert compose_config("dataset=mnist", "epochs=7").epochs == 7
    assert compose_config("experiment=aesad_table1", "epochs=7").epochs == 7
    table1 = compose_config("experiment=aesad_table1")
    assert table1.epochs != 7
    assert table1.scenario.labelled == 100 and list(table1.scenario.anomalous) == [1, 3, 5, 9]


def test_network_follows_the_data() -> None:
    for overrides, expected in (
        (["dataset=cifar10"], "conv.Conv"),
        (["dataset=fmnist"], "dense.Dense"),
        (["dataset=cifar10", "network=dense"], "dense.Dense"),
        (["network=conv", "dataset=mnist"], "conv.Conv"),
    ):
        assert compose_config(*overrides).method.net._target_.endswith(expected)


def test_seeds_and_shards_of_the_scenarios() -> None:
    assert [len(compose_config(f"scenario={s}").seeds) for s in ("one_vs_one", "table_fraction")] == [10, 5]
    assert compose_config("scenario=one_vs_one").shards == 10
    assert compose_config("scenario=one_vs_many").shards == 1
    assert compose_config("scenario=one_vs_one", "seeds=[4]", "shards=2").seeds == [4]
