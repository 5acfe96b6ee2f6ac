"""Checks that any method, scenario or data set must pass, whoever wrote it: for the tests of a package.

```python
from semiad.testing import check_method


def test_contract() -> None:
    check_method("method=mine")
```

Each check raises an `AssertionError` that says what does not hold.
"""

from semiad.testing.dataset import check_dataset
from semiad.testing.method import check_last_bit, check_method
from semiad.testing.runs import (
    CELLS,
    TrainedRun,
    compose_config,
    default_float64,
    make_context,
    make_recipe,
    train_alone,
)
from semiad.testing.scenario import check_scenario, check_split

__all__ = [
    "CELLS",
    "TrainedRun",
    "check_dataset",
    "check_last_bit",
    "check_method",
    "check_scenario",
    "check_split",
    "compose_config",
    "default_float64",
    "make_context",
    "make_recipe",
    "train_alone",
]
