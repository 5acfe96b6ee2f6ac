"""Configurations are composed once for equal overrides, and Hydra's state stays that of the caller."""

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from semiad.command.compose import composed
from semiad.errors import InputError
from semiad.testing import compose_config

WORDS = ("method=deep_sad", "scenario.normal=3")


def test_equal_overrides_are_composed_once_and_give_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    with composed(WORDS) as first:
        epochs, method = first.epochs, OmegaConf.to_container(first.method, resolve=True)
        first.epochs = epochs + 1
        first.method.pretraining = None

    def refuse(*given: object, **named: object) -> None:
        raise AssertionError("composed again")

    monkeypatch.setattr("semiad.command.compose.compose", refuse)
    with composed([*WORDS]) as second:
        assert second.epochs == epochs and OmegaConf.to_container(second.method, resolve=True) == method
        assert second.hydra.runtime.choices.method == "deep_sad"
    with pytest.raises(AssertionError, match="composed again"), composed([*WORDS, "seeds=[3]"]):
        pass


def test_the_state_of_hydra_is_that_of_the_caller() -> None:
    cfg = compose_config("method=ae")
    before = GlobalHydra.instance().hydra, HydraConfig.instance().cfg
    with composed(WORDS):
        assert HydraConfig.get().runtime.choices.method == "deep_sad"
    with pytest.raises(InputError, match="no_such"), composed(["method=no_such"]):
        pass
    assert (GlobalHydra.instance().hydra, HydraConfig.instance().cfg) == before
    assert HydraConfig.get().runtime.choices.method == "ae" == cfg.hydra.runtime.choices.method
