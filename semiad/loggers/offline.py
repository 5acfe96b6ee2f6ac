"""What W&B has kept for want of a network."""

import shlex
from pathlib import Path


def unsynced(folder: Path) -> str | None:
    """Give the command that uploads what W&B has kept in the folders of jobs; None if there is nothing."""
    places = ("wandb/offline-run-*", "*/wandb/offline-run-*")
    kept = [place for place in places if any(folder.glob(place))]
    return f"wandb sync {shlex.quote(str(folder))}/{kept[0]}" if kept else None
