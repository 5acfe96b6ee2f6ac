"""TensorBoard's event file, in the folder `tensorboard` of the job's."""

import json
from argparse import Namespace
from typing import Any

from pytorch_lightning.loggers import TensorBoardLogger

from semiad.loggers.base import JobLogger, Title


class TensorBoard(JobLogger, TensorBoardLogger):
    """Lightning's, with group, tags, configuration and tables as texts.

    Args:
        title: of the job or run.
    """

    def __init__(self, title: Title) -> None:
        super().__init__(title.folder / "tensorboard", name="", version=title.key, default_hp_metric=False)
        self.title = {"name": title.name, "group": title.group, **title.tags}

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Write them as a text, and as `hparams.yaml`."""
        super().log_hyperparams(params)
        indented = json.dumps({**self.title, "config": params}, indent=2).replace("\n", "\n    ")
        self.experiment.add_text("config", f"    {indented}")

    def log_table(self, key: str, columns: list[str], data: list[list[Any]]) -> None:
        """Write it as a text."""
        lines = [columns, ["---"] * len(columns), *data]
        self.experiment.add_text(key, "\n".join("|" + "|".join(map(str, line)) + "|" for line in lines))
