"""Checks of a data set."""

from pathlib import Path

from hydra.utils import instantiate

from semiad.dataset_checks import checked_dataset
from semiad.errors import InputError
from semiad.testing.runs import compose_config


def check_dataset(*words: str, root: Path = Path("data")) -> None:
    """Check that a data set loads the same each time, and that its rows and labels agree.

    Args:
        words: overrides that choose the data set, such as `dataset=mine`.
        root: the folder of the data.

    Raises:
        AssertionError: something does not hold.
    """
    cfg = compose_config(*words)
    first, again = (instantiate(cfg.dataset)(root) for _ in range(2))
    assert isinstance(cfg.kind, str), "the yaml does not say of which kind the data are: image or table"
    try:
        first, again = (checked_dataset(loaded, str(cfg.dataset._target_)) for loaded in (first, again))
    except InputError as error:
        raise AssertionError(str(error)) from error
    assert first.digest == again.digest, "loading twice gives other rows"
