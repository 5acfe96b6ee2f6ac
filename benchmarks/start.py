"""What a user waits for: `--help`, and a command's first step, beside the import of Lightning alone."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.settings import Settings
from benchmarks.timing import Seconds, console, in_turn, slowdowns, time_command

FIRST_STEP = """
import os, sys
from semiad.train import main  # as `python -m semiad.train` does; torch comes later

class FirstStep:
    # Ends the process at the first step of any optimiser, once torch is there.
    def find_spec(self, name, path=None, target=None):
        if name == "semiad.command.job":
            sys.meta_path.remove(self)
            from torch.optim.optimizer import register_optimizer_step_pre_hook
            register_optimizer_step_pre_hook(lambda *given: os._exit(0))

sys.meta_path.insert(0, FirstStep())
main()
sys.exit("no step was taken")
"""
WORDS = ("epochs=1", "seeds=[0]", "scenario.normal=8", "scenario.anomalous=3", "device=cpu", "logger=none")
IMPORT = "import pytorch_lightning"


def measure(settings: Settings) -> None:
    """Measure each command in a process of its own, in turn."""
    several = ("-c", FIRST_STEP, "dataset=digits", "method=aesad", *WORDS[:1], "seeds=[0,1]", *WORDS[2:])
    ways = {
        IMPORT: timed("-c", IMPORT),
        "semiad.train --help": timed("-m", "semiad.train", "--help"),
        "first step, one run": timed("-c", FIRST_STEP, "dataset=digits", "method=aesad", *WORDS),
        "first step, a pack": timed(*several),
    }
    console.print(slowdowns("command", "command", in_turn(ways, settings.repeats), IMPORT))


def timed(*words: str) -> Callable[[], list[Seconds]]:
    """Give a function that times a command in a new folder."""
    return partial(time_in_new_folder, words)


def time_in_new_folder(words: tuple[str, ...]) -> list[Seconds]:
    """Time a command in a new folder."""
    with TemporaryDirectory() as folder:
        return [time_command(words, Path(folder))]
