"""semiad: the workbench for semi-supervised anomaly detection."""

import os

__version__ = "0.1.0"

# Large tensors in large pages (Linux): else touching fresh memory is up to a third of a packed step on a CPU.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
