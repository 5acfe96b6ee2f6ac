"""A detector of a table of 50,000 rows and 30 columns, 30 labelled: from `fit` to the folder, one member and five."""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.table import Table

from benchmarks.settings import Settings
from benchmarks.timing import console

ROWS, COLUMNS, LABELLED = 50_000, 30, 30
SIZES = (1, 5)
CODE = """
import json, resource, sys, time
import numpy as np
from sklearn.metrics import roc_auc_score

rng = np.random.default_rng(0)
rows, columns, labelled, members, path, device = json.loads(sys.argv[1])
mixing = rng.normal(size=(8, columns))
def draw(rows, anomalies):
    # Normal rows lie near a curved surface of 8 dimensions, anomalies off it in some columns.
    x = np.tanh(rng.normal(size=(rows, 8)) @ mixing) + 0.1 * rng.normal(size=(rows, columns))
    x[:anomalies] += (rng.random((anomalies, columns)) < 0.2) * rng.normal(size=(anomalies, columns))
    return x, np.arange(rows) < anomalies
x, truth = draw(rows, rows // 100)
y = np.full(rows, np.nan)
y[:labelled] = 1
fresh, fresh_truth = draw(10_000, 1000)
start = time.perf_counter()
from semiad import Detector
imported = time.perf_counter()
detector = Detector("aesad", ensemble=members, random_state=0, device=device).fit(x, y)
fitted = time.perf_counter()
detector.save(path)
saved = time.perf_counter()
scores = detector.decision_function(fresh)
scored = time.perf_counter()
print(json.dumps({
    "imports": imported - start, "fit": fitted - imported, "save": saved - fitted, "score": scored - saved,
    "gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, "steps": detector.summary_["steps"],
    "auc": roc_auc_score(fresh_truth, scores),
}))
"""


def measure(settings: Settings) -> None:
    """Measure each size in a process of its own, in turn."""
    table = Table(
        "members", "s to import", "s to fit", "s to save", "s to score 10,000", "GiB at most", "steps", "AUC", box=None
    )
    fits: dict[int, list[float]] = {size: [] for size in SIZES}
    for _ in range(settings.repeats):
        for size in SIZES:
            result = fit_once(size, settings.device)
            fits[size].append(result["fit"])
            names = ("imports", "fit", "save", "score", "gib")
            table.add_row(
                str(size), *(f"{result[name]:.2f}" for name in names), str(result["steps"]), f"{result['auc']:.3f}"
            )
    console.print(table)
    one, five = (sorted(fits[size])[len(fits[size]) // 2] for size in SIZES)
    console.print(f"{SIZES[1]} members cost {five / one:.2f} times one")


def fit_once(members: int, device: str) -> dict[str, float]:
    """Fit and save a detector in a process of its own."""
    with TemporaryDirectory() as folder:
        words = [ROWS, COLUMNS, LABELLED, members, str(Path(folder) / "model"), device]
        done = subprocess.run([sys.executable, "-c", CODE, json.dumps(words)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result
