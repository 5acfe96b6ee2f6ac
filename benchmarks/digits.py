"""180 models on digits, one-vs-one, as one command; against=DIR: in turn with the command of another checkout."""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.settings import Settings
from benchmarks.timing import Seconds, console, in_turn, slowdowns, time_command

WORDS = ("method=ae,aesad", "dataset=digits", "scenario=one_vs_one", "seeds=[0]", "shards=1", "logger=none", "-m")


def measure(settings: Settings) -> None:
    """Measure the command in a new folder each time, start of Python included."""
    checkouts = {"this checkout": Path(__file__).parents[1]}
    if settings.against is not None:
        checkouts[str(settings.against)] = settings.against
    ways = {name: partial(time_grid, folder, settings.device) for name, folder in checkouts.items()}
    times = in_turn(ways, settings.repeats)
    console.print(slowdowns("180 models on digits", "command", times, [*checkouts][-1]))


def time_grid(checkout: Path, device: str) -> list[Seconds]:
    """Time the command of a checkout."""
    with TemporaryDirectory() as folder:
        return [time_command(("-m", "semiad.train", f"device={device}", *WORDS), Path(folder), checkout)]
