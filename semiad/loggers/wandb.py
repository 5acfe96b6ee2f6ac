"""Weights & Biases: online for who is logged in and has a network, else kept in the job's folder."""

import os
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import WandbLogger

from semiad.loggers.base import JobLogger, Title
from semiad.loggers.reach import reachable


class WandB(JobLogger, WandbLogger):
    """Lightning's, which neither prompts nor waits for a network, with the epoch as the axis of its charts.

    Args:
        title: of the job or run.
        project: of W&B.
        entity: of W&B; None for the user's own.
        timeout: seconds that the server may take to answer, to begin, and at the end to take the last figures.
    """

    def __init__(self, title: Title, project: str, entity: str | None, timeout: int) -> None:
        import wandb

        def begin(mode: str) -> Any:  # noqa: ANN401
            return wandb.init(
                mode=mode,  # type: ignore[arg-type]
                name=title.name,
                dir=title.folder,
                project=project,
                entity=entity,
                group=title.group,
                tags=[*title.tags.values()],
                settings=wandb.Settings(
                    silent=True,
                    console="off",
                    reinit="create_new",
                    init_timeout=timeout,
                    finish_timeout=timeout,
                    x_save_requirements=False,  # versions are in the records, and listing them takes longest
                ),
            )

        try:
            run = begin(self.mode(timeout))
        except (wandb.Error, TimeoutError) as error:  # a key that the server refuses, or no answer after all
            self.remark, run = f"W&B is offline ({' '.join(str(error).split())})", begin("offline")
        super().__init__(experiment=run, project=project, save_dir=title.folder)
        if not run.offline and run.url:
            self.remark = f"W&B: {run.url}"
        run.define_metric("epoch", hidden=True)
        for name in ("train_loss/*", "test_auc/*"):
            run.define_metric(name, step_metric="epoch")

    def mode(self, timeout: int) -> str:
        """As the user says (`WANDB_MODE`, `wandb offline`); else online for who is logged in and has a network."""
        said: str = settings().mode
        if said not in ("online", "run"):
            return said
        if not logged_in():
            return "offline"
        if not reachable(settings().base_url, timeout):
            self.remark = f"W&B is offline (no answer from {settings().base_url})"
            return "offline"
        return "online"

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log them at an epoch."""
        self.experiment.log({**metrics, **({} if step is None else {"epoch": step})})

    def log_hyperparams(self, params: dict[str, Any] | Namespace) -> None:
        """Keep the configuration."""
        self.experiment.config.update(params)

    def log_table(self, key: str, columns: list[str], data: list[list[Any]]) -> None:  # type: ignore[override]
        """Log a table."""
        import wandb

        self.experiment.log({key: wandb.Table(columns=[*columns], data=data, allow_mixed_types=True)})

    def finalize(self, status: str) -> None:
        """End the run, so that the next job of this process begins another."""
        self.experiment.finish(exit_code=int(status != "success"))


def settings() -> Any:  # noqa: ANN401
    """W&B's own, from variables and its settings files."""
    from wandb.sdk import wandb_setup

    return wandb_setup.singleton().settings


def logged_in() -> bool:
    """Whether W&B finds a key or token, by its own rules: variables, netrc, settings files."""
    from wandb.errors import AuthenticationError
    from wandb.sdk.lib import wbauth

    try:
        found = wbauth.authenticate_session(
            host=settings().base_url, source="semiad", prompt=False, update_session=False
        )
    except AuthenticationError:  # a key of the wrong form
        return False
    return found is not None


def configured() -> bool:
    """Whether the user has set W&B up: is logged in, or has said in which mode it is to work.

    W&B itself is asked, which takes half a second, only where there is a variable or a file that it might read.
    """
    folder, netrc = os.environ.get("WANDB_CONFIG_DIR", "~/.config/wandb"), os.environ.get("NETRC", "~/.netrc")
    names = (netrc, "~/_netrc", "wandb/settings", f"{folder}/settings")
    files = [Path(os.path.expanduser(name)) for name in names]  # noqa: PTH111 - which raises nothing without a home
    named = any(name.startswith("WANDB_") and name != "WANDB_CONFIG_DIR" for name in os.environ)
    if not named and not any(file.is_file() for file in files):
        return False
    said = settings().mode
    return said != "disabled" and (said not in ("online", "run") or "WANDB_MODE" in os.environ or logged_in())
