"""What W&B has kept for want of a network."""

import shlex
from collections.abc import Sequence
from pathlib import Path


def unsynced(folders: Sequence[Path]) -> str | None:
    """Give the command that uploads what W&B has kept in the folders of jobs; None if there is nothing.

    Args:
        folders: of the jobs. Those that lie in one folder are named by a pattern.
    """
    kept = sorted({folder for folder in folders if any(folder.glob("wandb/offline-run-*"))})
    parents = {folder.parent for folder in kept}
    places = [f"{shlex.quote(str(folder))}/" for folder in kept]
    if len(kept) > 1 and len(parents) == 1:
        places = [f"{shlex.quote(str(parents.pop()))}/*/"]
    return f"wandb sync {' '.join(f'{place}wandb/offline-run-*' for place in places)}" if kept else None
