"""The study of labels on a table, as it is trained, and how long its runs take one by one by `engine=lightning`.

Each packable method trains the quick budget's runs of the table; then a single run of it trains alone. Both times are
those of the records: training and evaluation, without start of Python.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from rich.table import Table

from benchmarks.settings import Settings
from benchmarks.timing import console, time_command
from semiad.ledger.reader import read

METHODS = (
    *("ae", "aesad", "esad", "deep_sad", "deep_svdd", "dagmm", "supervised", "devnet", "prenet", "feawad", "rosas"),
    *("wsad_dt", "ss_dgm", "ss_dgm_stacked"),
)
TABLE = "breastw"
LABELLED = 10
"""Labelled anomalies of the run that trains alone, of a method that uses any."""


def measure(settings: Settings) -> None:
    """Measure once: the packs of a table take ten minutes."""
    table = Table("method", "runs", "s in packs", "s a run", "s alone", "times", box=None)
    packed = alone = 0.0
    for method in METHODS:
        runs = train(settings, method)
        labelled = LABELLED if (runs["n_labelled"] > 0).any() else 0
        words = ("engine=lightning", "seeds=[0]", f"grid={{scenario.labelled:[{labelled}]}}")
        (single,) = train(settings, method, *words)["seconds"]
        together = float(runs["seconds"].sum())
        packed, alone = packed + together, alone + single * len(runs)
        times = f"{single * len(runs) / together:.1f}"
        each = f"{together / len(runs):.2f}"
        table.add_row(method, str(len(runs)), f"{together:.1f}", each, f"{single:.1f}", times)
    console.print(table)
    console.print(f"{TABLE}: {packed:.0f} s in packs, {alone:.0f} s one by one: {alone / packed:.1f} times")


def train(settings: Settings, method: str, *words: str) -> pl.DataFrame:
    """Train a job of the study in a new folder, and give its records."""
    command = (
        *("-m", "semiad.train", "-m", "experiment=labels", "budget=quick", f"method={method}", "logger=none"),
        *(f"dataset.name={TABLE}", f"data_root={settings.data_root.resolve()}", f"device={settings.device}"),
    )
    with TemporaryDirectory() as folder:
        time_command((*command, *words), Path(folder))
        return read(Path(folder) / "outputs" / "results").runs.filter(status="ok")
