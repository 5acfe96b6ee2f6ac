"""Each logger in turn, W&B offline: a job of 90 models on digits, a sweep of 900 in ten jobs."""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.settings import Settings
from benchmarks.timing import Seconds, console, in_turn, slowdowns, time_command

LOGGERS = ("none", "csv", "wandb", "tensorboard", "mlflow")
CASES = {"90 runs, one job": "seeds=[0]", "900 runs, ten jobs": "-m"}


def measure(settings: Settings) -> None:
    """Measure the commands in a new folder each time, start of Python included."""
    for title, word in CASES.items():
        ways = {name: partial(time_logger, name, word, settings.device) for name in LOGGERS}
        console.print(slowdowns(title, "command", in_turn(ways, settings.repeats), "none"))


def time_logger(name: str, word: str, device: str) -> list[Seconds]:
    """Time a command with a logger."""
    with TemporaryDirectory() as folder:
        words = ("-m", "semiad.train", f"logger={name}", f"device={device}", word)
        return [time_command(words, Path(folder), WANDB_MODE="offline")]
