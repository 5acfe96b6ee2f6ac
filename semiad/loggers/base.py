"""What semiad asks of a logger beyond what Lightning does."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pytorch_lightning.loggers import Logger

CurveRow = tuple[str, int, float, float | None]
"""Key of a run, epoch (from 1), mean training loss in it, test AUC after it if it was tested."""


@dataclass(frozen=True)
class Title:
    """What a job is called, or a single run of it.

    Attributes:
        folder: of the job.
        key: of the single run, empty for a job.
        name: for a list of jobs or runs.
        group: to which jobs belong that are looked at together.
        tags: method, data set and scenario, each under this word.
    """

    folder: Path
    key: str
    name: str
    group: str
    tags: Mapping[str, str]


class JobLogger(Logger):
    """A logger of Lightning's that is opened for a job or a single run: its constructor takes a `Title`."""

    every_run: ClassVar[bool] = False
    """Whether it takes the curves of all runs of a job as they are, and is never opened for a single one."""
    remark: str | None = None
    """What a user should know of it, once it is open."""

    def log_curves(self, rows: Sequence[CurveRow]) -> None:
        """Take epochs of single runs as they end; most loggers take only what is made of them."""

    @abstractmethod
    def log_table(self, key: str, columns: list[str], data: list[list[Any]]) -> None:
        """Take a table."""
