"""Measurements: `python scripts/bench.py engine [data_root=DIR] [repeats=N]`."""

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import torch
from hydra import compose, initialize_config_module
from hydra.utils import instantiate
from rich.console import Console
from rich.table import Table

from semiad.data import SplitDataModule, batches
from semiad.engines.base import Job
from semiad.engines.lightning import LightningEngine
from semiad.methods.base import Method
from semiad.runs import Run
from semiad.types import Cell

EPOCHS = 4
RUN = Run({}, Cell((0,), (1,)), 0)


def fashion(root: Path) -> Job:
    """AE-SAD on Fashion-MNIST, one pair: 6,008 training rows."""
    with initialize_config_module("semiad.conf", version_base="1.3"):
        cfg = compose("train", ["method=aesad", "dataset=fmnist"])
    table = instantiate(cfg.dataset)(root)
    method, scenario = instantiate(cfg.method, _convert_="all"), instantiate(cfg.scenario, _convert_="all")
    return Job(table, scenario, method, EPOCHS, cfg.batch_size, 0, None, Path())


def by_hand(job: Job, tick: Callable[[], None]) -> None:
    """The same run as a plain loop."""
    method = job.build(RUN)
    entropy = RUN.cell.entropy(RUN.seed)
    data = SplitDataModule(job.table, job.split(RUN), method.unsupervised, job.batch_size, entropy)
    x, s = data.x, data.s
    method.prepare(x, s)
    weight, optimizer = method.lam, method.configure_optimizers()
    for epoch in range(job.epochs):
        for rows in batches(len(s), job.batch_size, entropy, epoch):
            row, label = x[rows], s[rows]
            x_hat = method.net(row)
            to_itself = (row - x_hat).square().flatten(1).mean(1)
            to_negative = (1 - row - x_hat).square().flatten(1).mean(1)
            loss = torch.where(label == 1, weight * to_negative, to_itself).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        tick()


class Kept(Job):
    """A job that keeps the method that it built last, to compare weights."""

    def build(self, run: Run) -> Method:
        """See `Job`."""
        self.__dict__["built"] = super().build(run)
        return self.__dict__["built"]


def seconds_per_epoch(train: Callable[[Callable[[], None]], object]) -> list[float]:
    """Time between the ends of epochs."""
    ends: list[float] = []
    train(lambda: ends.append(time.perf_counter()))
    return [after - before for before, after in pairwise(ends)]


def engine(root: Path, repeats: int) -> None:
    """`engine=lightning` beside a hand-written loop, in turn, on the same run; weights must agree."""
    job = Kept(**vars(fashion(root)))
    ways = {
        "engine=lightning": partial(LightningEngine(checkpoints=False).one, RUN, job),
        "hand-written loop": partial(by_hand, job),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    weights = {}
    for _ in range(repeats):
        for name, train in ways.items():
            times[name] += seconds_per_epoch(train)
            weights[name] = job.__dict__["built"].state_dict().values()
    gap = max(float((a - b).abs().max()) for a, b in zip(*weights.values(), strict=True))
    medians = {name: statistics.median(values) for name, values in times.items()}
    shown = Table("AE-SAD, Fashion-MNIST, batch 32", "s per epoch", "ratio", box=None)
    for name, value in medians.items():
        shown.add_row(name, f"{value:.3f}", f"{value / medians['hand-written loop']:.2f}")
    console = Console()
    console.print(shown)
    console.print(f"{len(times['engine=lightning'])} epochs each; largest difference of a weight {gap:.1e}")
    console.print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")


def main() -> None:
    """The command."""
    name, options = (sys.argv[1:] or [""])[0], dict(word.split("=", 1) for word in sys.argv[2:])
    if name != "engine":
        sys.exit(f"error: no measurement '{name}', expected engine")
    engine(Path(options.get("data_root", "data")), int(options.get("repeats", "5")))


if __name__ == "__main__":
    main()
