"""semiad: the workbench for semi-supervised anomaly detection."""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from semiad.detector.estimator import Detector as Detector

__version__ = "0.1.0"

# Large tensors in large pages (Linux): else touching fresh memory is up to a third of a packed step on a CPU.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Import `Detector` when it is first used: torch takes seconds."""
    if name == "Detector":
        from semiad.detector.estimator import Detector

        return Detector
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
