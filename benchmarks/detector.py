"""A detector of a table of 50,000 rows and 30 columns, 30 labelled: from `fit` to the folder, one member and five.

Where PyOD and DeepOD are installed, their AutoEncoder and DeepSAD train on the same rows for as many steps of as many
rows; they get standardised columns, one thread (more make them slower), and have their own networks and defaults.
"""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.table import Table

from benchmarks.settings import Settings
from benchmarks.timing import console

ROWS, COLUMNS, LABELLED = 50_000, 30, 30
DATA = """
import contextlib, json, resource, sys, time
import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

rng = np.random.default_rng(0)
rows, columns, labelled, path, device, method, members = json.loads(sys.argv[1])
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
"""
SEMIAD = """
from semiad import Detector
imported = time.perf_counter()
detector = Detector(method, ensemble=members, random_state=0, device=device).fit(x, y)
fitted = time.perf_counter()
detector.save(path)
steps = detector.summary_["steps"]
"""
# As many steps as semiad takes: 16 epochs of the 40,000 rows that its threshold leaves, 32 rows a step.
EPOCHS, BATCH = 16, 32
OTHERS = f"""
train = rng.permutation(rows)[: rows * 4 // 5]
mean, deviation = x[train].mean(axis=0), x[train].std(axis=0)
x, fresh = (x - mean) / deviation, (fresh - mean) / deviation
settings = dict(batch_size={BATCH}, device="cpu" if device == "auto" else device, random_state=0, verbose=0)
steps = {EPOCHS} * -(-len(train) // {BATCH})
"""
PYOD = f"""
from pyod.models.auto_encoder import AutoEncoder
imported = time.perf_counter()
detector = AutoEncoder(preprocessing=False, epoch_num={EPOCHS}, **settings)
with contextlib.redirect_stdout(sys.stderr):
    detector.fit(x[train])
fitted = time.perf_counter()
"""
DEEPOD = f"""
from deepod.models.tabular import DeepSAD
imported = time.perf_counter()
detector = DeepSAD(epochs={EPOCHS}, **settings)
with contextlib.redirect_stdout(sys.stderr):
    detector.fit(x[train], (y[train] == 1).astype(int))
fitted = time.perf_counter()
"""
END = """
saved = time.perf_counter()
scores = detector.decision_function(fresh)
scored = time.perf_counter()
print(json.dumps({
    "imports": imported - start, "fit": fitted - imported, "save": saved - fitted, "score": scored - saved,
    "gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, "steps": steps,
    "auc": roc_auc_score(fresh_truth, scores), "ap": average_precision_score(fresh_truth, scores),
}))
"""
WAYS = {
    "semiad AE-SAD, 1 member": (SEMIAD, "semiad", "aesad", 1),
    "semiad AE-SAD, 5 members": (SEMIAD, "semiad", "aesad", 5),
    "semiad AE, 1 member": (SEMIAD, "semiad", "ae", 1),
    "PyOD AutoEncoder": (OTHERS + PYOD, "pyod", "", 1),
    "semiad Deep SAD, 1 member": (SEMIAD, "semiad", "deep_sad", 1),
    "DeepOD DeepSAD": (OTHERS + DEEPOD, "deepod", "", 1),
}


def measure(settings: Settings) -> None:
    """Measure each way in a process of its own, in turn."""
    names = ("imports", "fit", "save", "score", "gib")
    table = Table(
        "", "s to import", "s to fit", "s to save", "s to score 10,000", "GiB at most", "steps", "AUC", "AP", box=None
    )
    fits: dict[str, list[float]] = {}
    for _ in range(settings.repeats):
        for way, (code, package, method, members) in WAYS.items():
            if find_spec(package) is None:
                console.print(f"{package} is not installed: left out")
                continue
            result = fit_once(code, method, members, settings.device)
            fits.setdefault(way, []).append(result["fit"])
            table.add_row(
                way,
                *(f"{result[name]:.2f}" for name in names),
                str(result["steps"]),
                f"{result['auc']:.3f}",
                f"{result['ap']:.3f}",
            )
    console.print(table)
    medians = {way: sorted(seconds)[len(seconds) // 2] for way, seconds in fits.items()}
    first = next(iter(medians.values()))
    for way, seconds in medians.items():
        console.print(f"{way}: {seconds / first:.2f} times the first way")


def fit_once(code: str, method: str, members: int, device: str) -> dict[str, float]:
    """Fit a detector in a process of its own."""
    with TemporaryDirectory() as folder:
        words = [ROWS, COLUMNS, LABELLED, str(Path(folder) / "model"), device, method, members]
        done = subprocess.run(
            [sys.executable, "-c", DATA + code + END, json.dumps(words)],
            capture_output=True,
            text=True,
            env=os.environ if code == SEMIAD else {**os.environ, "OMP_NUM_THREADS": "1"},
        )
    if done.returncode:
        sys.exit(done.stderr)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result
