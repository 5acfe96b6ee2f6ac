"""The ODDS tables at hand, AE and AE-SAD, five seeds, as one command, beside one by one (timed on 20 epochs)."""

from dataclasses import replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.settings import Settings
from benchmarks.setup import compose_context, train_alone
from benchmarks.timing import console, median, time_command, time_epochs
from semiad.ledger.reader import read
from semiad.runs import Run
from semiad.types import Cell


def measure(settings: Settings) -> None:
    """Measure once: the command takes minutes."""
    alone, rows = 0.0, {}
    names = [path.stem for path in (settings.data_root / "odds").glob("*.mat")]
    for name, method in product(names, ("ae", "aesad")):
        words = (f"method={method}", "dataset=odds", f"dataset.name={name}", "scenario=table_fraction")
        context, recipe = compose_context(settings, *words)
        train = train_alone(Run(recipe, Cell((0,), (1,)), 0), replace(context, epochs=21))
        alone += 5 * context.epochs * median(time_epochs(train)).wall
        rows[name] = len(context.dataset.x)
    names.sort(key=lambda name: -rows[name])
    with TemporaryDirectory() as folder:
        command = (
            *("-m", "semiad.train", "experiment=aesad_table2", "method=ae,aesad", f"dataset.name={','.join(names)}"),
            *(f"data_root={settings.data_root.resolve()}", f"device={settings.device}"),
            *("hydra/launcher=processes", "logger=none", "-m"),
        )
        seconds = time_command(command, Path(folder)).wall
        count = len(read(Path(folder) / "outputs" / "results").recorded)
    console.print(
        f"{len(names)} ODDS tables x {{ae, aesad}} x 5 seeds, 300 epochs: {count} runs in {seconds:.0f} s, start of "
        f"Python included; one by one {alone:.0f} s: {alone / seconds:.1f} times"
    )
