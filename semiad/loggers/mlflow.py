"""MLflow: by default an SQLite file, which `mlflow ui` shows."""

import csv
import io
import logging
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any

from filelock import FileLock
from pytorch_lightning.loggers import MLFlowLogger

from semiad.loggers.base import JobLogger, Title
from semiad.loggers.reach import reachable

if TYPE_CHECKING:
    from mlflow.entities import Metric

SQLITE = "sqlite:///"
MAX_METRICS = 1000
"""Metrics that MLflow takes at once."""


class MLflow(JobLogger, MLFlowLogger):
    """Lightning's, with a store that several processes may open at once.

    Args:
        title: of the job or run; the group and the tags are tags.
        experiment: MLflow's word for a project.
        uri: of the store. The files of an SQLite store are kept beside it.
        timeout: seconds that a server may take to answer.

    Raises:
        ConnectionError: a server does not answer.
    """

    def __init__(self, title: Title, experiment: str, uri: str, timeout: int) -> None:
        # Nothing goes to a server that the user did not name, and one that has gone is not asked for minutes.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(timeout))
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        import mlflow  # which sets up its logging

        for name in (mlflow.__name__, "alembic", "pytorch_lightning.loggers.mlflow"):
            logging.getLogger(name).setLevel(logging.ERROR)
        files: str | None = None
        alone: AbstractContextManager[Any] = nullcontext()
        if uri.startswith("http") and not reachable(uri, timeout):
            raise ConnectionError(f"no answer from {uri}")
        if uri.startswith(SQLITE):
            store = Path(uri.removeprefix(SQLITE)).expanduser().absolute()
            store.parent.mkdir(parents=True, exist_ok=True)
            files, uri, alone = store.with_suffix("").as_uri(), f"{SQLITE}{store}", FileLock(f"{store}.lock")
        tags = {"group": title.group, **title.tags}
        with alone:  # processes that make a store at the same time all fail
            super().__init__(experiment, title.name, uri, tags, artifact_location=files)
            self.id = self.run_id
        self.waiting: list[Metric] = []
        self.written = time()

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Keep them, and write what has been kept once a second: a transaction costs more than what is in it."""
        from mlflow.entities import Metric

        now = time()
        self.waiting += [Metric(name, value, int(1000 * now), step or 0) for name, value in metrics.items()]
        if now - self.written >= 1:
            self.write()

    def write(self) -> None:
        """Write what has been kept."""
        for first in range(0, len(self.waiting), MAX_METRICS):
            self.experiment.log_batch(self.id, metrics=self.waiting[first : first + MAX_METRICS])
        self.waiting, self.written = [], time()

    def finalize(self, status: str = "success") -> None:
        """Write the rest, and close."""
        self.write()
        super().finalize(status)

    def log_table(self, key: str, columns: list[str], data: list[list[Any]]) -> None:
        """Keep it as a file of the run's."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([columns, *data])
        self.experiment.log_text(self.id, text.getvalue(), f"{key}.csv")
