"""Checks of a scenario."""

from pathlib import Path

import numpy as np
import torch
from hydra.utils import instantiate

from semiad.scenarios.base import Scenario
from semiad.testing.runs import compose_config
from semiad.types import Cell, Labels, Split


def check_scenario(
    *words: str, labels: Labels | None = None, overlaps: bool = False, root: Path = Path("data")
) -> None:
    """Check that a scenario is a pure function of labels, and that its splits say what they hold.

    Args:
        words: overrides that choose the scenario and its settings, such as `scenario=mine`, and perhaps a data set;
            without one it is scikit-learn's digits.
        labels: to split; None for those of the data set.
        overlaps: whether a test row may be a training row too, as in some published protocols.
        root: the folder of the data.

    Raises:
        AssertionError: something does not hold.
    """
    cfg = compose_config(*words)
    scenario: Scenario = instantiate(cfg.scenario, _convert_="all")
    labels = labels or instantiate(cfg.dataset)(root).labels
    cells = scenario.cells(labels)
    assert cells, "the scenario has no cell"
    assert len(set(cells)) == len(cells), "a cell comes twice"
    for cell in cells[:5]:
        state = torch.get_rng_state(), repr(np.random.get_state())
        first, again, other = (scenario.split(cell, labels, seed) for seed in (0, 0, 1))
        assert torch.equal(state[0], torch.get_rng_state()), "the split draws from torch's global generator"
        assert state[1] == repr(np.random.get_state()), "the split draws from numpy's global generator"
        assert first.digest == again.digest, f"{cell}: the same seed gives another split"
        assert first.digest != other.digest, f"{cell}: another seed gives the same split"
        check_split(first, cell, labels, overlaps)


def check_split(split: Split, cell: Cell, labels: Labels, overlaps: bool = False) -> None:
    """Check that a split's semi-labels, truth and counts agree with the classes of its rows."""
    normal = [labels.classes.index(c) for c in cell.normal]
    known = [labels.classes.index(c) for c in cell.anomalous]
    y, train_y = labels.y[split.test], labels.y[split.train]
    assert set(np.unique(split.s)) <= {0, 1} and len(split.s) == len(split.train), "s has not a 0 or 1 for each row"
    assert (split.truth == ~np.isin(y, normal)).all(), "truth is not 1 exactly where a test row is not normal"
    assert set(np.unique(split.truth)) == {0, 1}, "the test rows are all normal or all anomalous"
    assert np.isin(train_y[split.s == 1], known).all(), "a labelled row is of no known anomalous class"
    assert (split.s == 0).any(), "every training row is labelled"
    hidden = len(np.unique(split.train[(split.s == 0) & ~np.isin(train_y, normal)]))
    assert overlaps or hidden == split.n_polluted, f"n_polluted is {split.n_polluted}, but {hidden} rows pollute"
    assert overlaps or not np.isin(split.test, split.train).any(), "a test row is a training row too"
