"""Two files in the job's folder: `curves.csv` with every epoch of every run, and `runs.csv`."""

import csv
from argparse import Namespace
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from semiad.ledger.atomic import new_file
from semiad.loggers.base import CurveRow, JobLogger, Title


class CSV(JobLogger):
    """One file for all runs of a job, where Lightning's logger of this name has a folder for each.

    What others show over the runs can be computed from the curves, and the configuration is in the folder already
    (`.hydra/config.yaml`).

    Args:
        title: of the job.
    """

    every_run: ClassVar[bool] = True

    def __init__(self, title: Title) -> None:
        super().__init__()
        self.title = title
        self.curves = self._write("curves", ["key", "epoch", "loss", "auc"], [])

    @property
    def name(self) -> str:
        """Of the job."""
        return self.title.name

    @property
    def version(self) -> str:
        """There is one."""
        return self.title.key

    def log_curves(self, rows: Sequence[CurveRow]) -> None:
        """Append them."""
        with self.curves.open("a", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Nothing: see above."""

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Nothing: see above."""

    def log_table(self, key: str, columns: list[str], data: list[list[Any]]) -> None:
        """Write it as a file of its own."""
        self._write(key, columns, data)

    def _write(self, stem: str, columns: list[str], data: Iterable[Sequence[Any]]) -> Path:
        path = new_file(self.title.folder / f"{stem}.csv")
        with path.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([columns, *data])
        return path
