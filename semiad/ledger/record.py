"""What a record is: one run, one JSON object on one line of a ledger."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

SCHEMA = 1
METRICS = ("auc", "ap", "auc_seen", "auc_unseen")
SHARED = ("method", "dataset", "scenario", "config")
"""Fields that the runs of a plan share."""

Record = dict[str, Any]


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """Nested mappings as paths with dots, and what is there."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            yield from leaves(value, f"{path}.{name}" if path else str(name))
    else:
        yield path, node


def describe(run: Mapping[str, Any]) -> str:
    """A run in words."""
    return f"{run['dataset']} {run['scenario']} {run['method']} {short(run)}"


def short(run: Mapping[str, Any]) -> str:
    """A run within its data set, scenario and method, in words."""
    tested = f" (tested on {listed(run['tested'])})" if run.get("tested") else ""
    return f"{listed(run['normal'])} vs {listed(run['anomalous'])}{tested} seed {run['seed']}"


def listed(values: Sequence[object]) -> str:
    """Classes in words."""
    return ",".join(map(str, values))
