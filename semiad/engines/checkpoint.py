"""Trained methods, kept as files."""

from collections.abc import Mapping

import torch
from torch import Tensor

from semiad.engines.context import TrainingContext
from semiad.runs import Run


def save_checkpoint(state: Mapping[str, Tensor], run: Run, context: TrainingContext) -> None:
    """Write `checkpoints/KEY.ckpt` in the job's folder: a dictionary for `torch.load`.

    It has the method's `state_dict`, and the `config`, `cell` and `seed` of the run's record.
    """
    folder = context.folder / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    identity = {"config": run.recipe.config, "cell": run.cell.fields, "seed": run.seed}
    torch.save({"state_dict": dict(state), **identity}, folder / f"{run.key}.ckpt")
