"""The ODDS tables at hand as CSV files: `semiad fit` and `semiad score` beside `semiad.train` on the same split."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from rich.table import Table
from sklearn.metrics import roc_auc_score

from benchmarks.settings import Settings
from benchmarks.setup import compose_context
from benchmarks.timing import console, time_command
from semiad.ledger.reader import read
from semiad.runs import Run
from semiad.types import Cell

METHOD = "aesad"


def measure(settings: Settings) -> None:
    """Measure once: each table takes up to a minute or two."""
    table = Table("table", "rows", "columns", "semiad.train", "semiad fit", "difference", "s to fit", box=None)
    differences = []
    for path in sorted((settings.data_root / "odds").glob("*.mat"), key=lambda path: path.stat().st_size):
        with TemporaryDirectory() as folder:
            trained, fitted, seconds, shape = compare(path.stem, settings, Path(folder))
        differences.append(fitted - trained)
        figures = (f"{trained:.4f}", f"{fitted:.4f}", f"{fitted - trained:+.4f}", f"{seconds:.0f}")
        table.add_row(path.stem, f"{shape[0]:,}", str(shape[1]), *figures)
    console.print(table)
    console.print(f"mean difference over {len(differences)} tables: {np.mean(differences):+.4f}")


def compare(name: str, settings: Settings, folder: Path) -> tuple[float, float, float, tuple[int, int]]:
    """Train both on the split of seed 0.

    Returns:
        The AUC of one run of `semiad.train`, that of the detector, its seconds, and the shape of its table.
    """
    words = (f"method={METHOD}", "dataset=odds", f"dataset.name={name}", "scenario=table_fraction")
    context, recipe = compose_context(settings, *words)
    split = context.split(Run(recipe, Cell((0,), (1,)), 0))
    x = context.dataset.x.cpu().numpy()
    columns = [f"column{i}" for i in range(x.shape[1])]
    train = pl.DataFrame(x[split.train], schema=columns).with_columns(
        label=pl.Series([1 if labelled else None for labelled in split.s], dtype=pl.Int64)
    )
    train.write_csv(folder / "train.csv")
    pl.DataFrame(x[split.test], schema=columns).write_csv(folder / "test.csv")
    fit = ("-m", "semiad", "fit", "train.csv", "--label", "label", "--out", "model", "--method", METHOD)
    seconds = time_command((*fit, "--device", settings.device), folder).wall
    time_command(("-m", "semiad", "score", "model", "test.csv", "--out", "scored.csv"), folder)
    fitted = roc_auc_score(split.truth, pl.read_csv(folder / "scored.csv")["score"].to_numpy())
    where = (f"data_root={settings.data_root.resolve()}", f"device={settings.device}")
    time_command(("-m", "semiad.train", *words, "seeds=[0]", "logger=none", *where), folder)
    (trained,) = read(folder / "outputs" / "results").runs["auc"].to_list()
    return float(trained), float(fitted), seconds, (len(train), x.shape[1])
