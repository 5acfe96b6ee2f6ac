"""Measurements: `python scripts/bench.py NAME [data_root=DIR] [repeats=N] [device=cpu]`; no name lists them."""

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from itertools import pairwise, product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ledgers
import numpy as np
import rivals
import torch
from hydra import compose, initialize_config_module
from hydra.utils import instantiate
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from semiad.data import SplitData
from semiad.engines.context import EpochPoint, OnEpochs, TrainingContext
from semiad.engines.device import resolve_device, set_precision
from semiad.engines.evaluation import evaluate
from semiad.engines.lightning import LightningEngine
from semiad.engines.packed.engine import PackedEngine
from semiad.engines.packed.pack import Pack
from semiad.ledger.reader import read as read_ledger
from semiad.methods.base import Method
from semiad.runs import Recipe, Run
from semiad.types import Cell, Labels
from semiad.types import Dataset as Images

console = Console(width=100)
ALONE = LightningEngine(checkpoints=False, strategy="auto", devices=1)


def setting(root: Path, where: torch.device, *words: str) -> tuple[TrainingContext, Recipe]:
    """A job and a recipe from overrides of the configuration."""
    with initialize_config_module("semiad.conf", version_base="1.3"):
        cfg = compose("train", list(words))
    recipe = Recipe({}, *(instantiate(node, _convert_="all") for node in (cfg.scenario, cfg.method)))
    table = instantiate(cfg.dataset)(root)
    return TrainingContext(table, cfg.epochs, cfg.batch_size, 0, Path(), where, 2, None).on_device(), recipe


def pairs(recipe: Recipe, seeds: int) -> list[Run]:
    """The runs of all pairs of ten classes."""
    classes = range(10)
    return [Run(recipe, Cell((n,), (a,)), k) for k in range(seeds) for n in classes for a in classes if n != a]


class Kept(TrainingContext):
    """A job that keeps the method that it built last, to compare weights."""

    def build(self, run: Run) -> Method:
        """See `Job`."""
        self.__dict__["built"] = super().build(run)
        return self.__dict__["built"]


def by_hand(run: Run, job: TrainingContext, tick: OnEpochs) -> None:
    """AE-SAD as a plain loop."""
    method, split = job.build(run), job.split(run)
    rows = job.rows(run, split, method)
    x, s = rows.x, rows.s
    method.prepare(x, s)
    weight, optimizer = method.lam, method.configure_optimizers()
    for epoch in range(job.epochs):
        for batch in torch.split(rows.order(epoch).to(x.device), job.batch_size):
            row, label = x[batch], s[batch]
            x_hat = method.net(row)
            to_itself = (row - x_hat).square().flatten(1).mean(1)
            to_negative = (1 - row - x_hat).square().flatten(1).mean(1)
            loss = torch.where(label == 1, weight * to_negative, to_itself).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        tick([])


def seconds_per_epoch(train: Callable[[OnEpochs], object]) -> list[float]:
    """Time between the ends of epochs."""
    ends: list[float] = []

    def tick(points: Sequence[EpochPoint]) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        ends.append(time.perf_counter())

    train(tick)
    return [after - before for before, after in pairwise(ends)]


def engine(root: Path, repeats: int, where: torch.device) -> None:
    """`engine=lightning` beside a hand-written loop, in turn, on the same run; weights must agree."""
    job, recipe = setting(root, where, "method=aesad", "dataset=fmnist", "epochs=4")
    job, run = Kept(**vars(job)), Run(recipe, Cell((0,), (1,)), 0)
    ways = {"engine=lightning": ALONE.one, "hand-written loop": by_hand}
    times: dict[str, list[float]] = {name: [] for name in ways}
    weights = {}
    for _ in range(repeats):
        for name, train in ways.items():
            times[name] += seconds_per_epoch(partial(train, run, job))
            weights[name] = job.__dict__["built"].state_dict().values()
    gap = max(float((a - b).abs().max()) for a, b in zip(*weights.values(), strict=True))
    medians = {name: statistics.median(values) for name, values in times.items()}
    shown = Table("AE-SAD, Fashion-MNIST, batch 32", "s per epoch", "ratio", box=None)
    for name, value in medians.items():
        shown.add_row(name, f"{value:.3f}", f"{value / medians['hand-written loop']:.2f}")
    console.print(shown)
    console.print(f"{len(times['engine=lightning'])} epochs each; largest difference of a weight {gap:.1e}")


class Baddbmm:
    """K dense AE-SADs written by hand with `baddbmm`, one Adam for all: the reference of a packed step."""

    def __init__(self, runs: list[Run], job: TrainingContext) -> None:
        methods = [job.build(run) for run in runs]
        self.rows = [job.rows(run, job.split(run), method) for run, method in zip(runs, methods, strict=True)]
        for method, rows in zip(methods, self.rows, strict=True):
            method.prepare(torch.empty(0), rows.s)
        layers = [[m for m in method.net.modules() if isinstance(m, nn.Linear)] for method in methods]
        self.weights = [
            nn.Parameter(torch.stack([m.weight.T for m in same]).detach()) for same in zip(*layers, strict=True)
        ]
        self.biases = [
            nn.Parameter(torch.stack([m.bias[None] for m in same]).detach()) for same in zip(*layers, strict=True)
        ]
        self.lam = torch.stack([method.lam for method in methods])[:, None]
        self.optimizer = torch.optim.Adam([*self.weights, *self.biases], lr=1e-3, eps=1e-7, fused=True)
        self.train = torch.stack([rows.train for rows in self.rows])
        self.s = torch.stack([rows.s for rows in self.rows])
        self.table, self.size = job.table, job.batch_size

    def steps(self, epoch: int) -> Iterator[Tensor]:
        """Positions (K, b) of each step of an epoch."""
        order = torch.stack([rows.order(epoch) for rows in self.rows]).to(self.s.device)
        return iter(torch.split(order, self.size, dim=1))

    def step(self, positions: Tensor) -> None:
        """One step of every run."""
        x = (self.table.x[self.train.gather(1, positions)] / self.table.top).flatten(2)
        s, h = self.s.gather(1, positions), x
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            h = torch.baddbmm(bias, h, weight)
            h = h.relu() if i < len(self.weights) - 1 else h.sigmoid()
        losses = torch.where(s == 1, self.lam * (1 - x - h).square().mean(2), (x - h).square().mean(2))
        self.optimizer.zero_grad()
        losses.mean(1).sum().backward()
        self.optimizer.step()


def timed(step: Callable[[], None], steps: int) -> float:
    """Seconds for so many steps."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(steps):
        step()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def pack_of(runs: list[Run], job: TrainingContext) -> Pack:
    """The last phase of some runs."""
    return Pack(runs, [job.phases(run)[-1] for run in runs], job, "fp32")


def packed_step(pack: Pack) -> Callable[[], None]:
    """A function that takes the next step of a pack."""
    batches: Iterator[Any] = iter(())

    def step() -> None:
        nonlocal batches
        batch = next(batches, None)
        if batch is None:
            batches = pack.block(64)
            batch = next(batches)
        pack.step(*batch)

    return step


def hand_step(loop: Baddbmm) -> Callable[[], None]:
    """A function that takes the next step of a hand-written pack."""
    epoch, batches = 0, iter(())

    def step() -> None:
        nonlocal epoch, batches
        positions = next(batches, None)
        if positions is None:
            batches, epoch = loop.steps(epoch), epoch + 1
            positions = next(batches)
        loop.step(positions)

    return step


def matrix_rate(where: torch.device) -> float:
    """Operations a second of a large matrix product in float32."""
    n = 8192 if where.type == "cuda" else 2048
    a = torch.rand(n, n, device=where)
    seconds = min(timed(lambda: torch.mm(a, a), 3) / 3 for _ in range(4))
    return 2 * n**3 / seconds


def packed(root: Path, repeats: int, where: torch.device) -> None:
    """A packed step beside a hand-written `baddbmm` step, a hand-written loop of one model, and `engine=lightning`."""
    set_precision("fp32")
    job, recipe = setting(root, where, "method=aesad", "dataset=fmnist", "epochs=1000000")
    runs = pairs(recipe, 10)
    widths = [8, 32, 128, 512, 900] if where.type == "cuda" else [8, 32, 90]
    rate = matrix_rate(where)
    multiply_adds = 3 * sum(p.numel() for p in job.build(runs[0]).parameters() if p.ndim == 2) * job.batch_size
    one = replace(job, epochs=3)
    single = {"hand-written loop": by_hand, "engine=lightning": ALONE.one}
    base: dict[str, list[float]] = {name: [] for name in single}
    per_step: dict[tuple[int, str], list[float]] = {}
    for width in widths:
        some = runs[:width]
        plain, compiled = (pack_of(some, job) for _ in range(2))
        compiled.compile = True
        hand = hand_step(Baddbmm(some, job))
        ways = {"packed": packed_step(plain), "packed, compiled": packed_step(compiled), "baddbmm": hand}
        for step in ways.values():
            timed(step, 3)
        for _ in range(repeats):
            for name, train in single.items():
                base[name] += [s / 188 for s in seconds_per_epoch(partial(train, runs[0], one))]
            for name, step in ways.items():
                steps = max(2000 // width, 10) if where.type == "cpu" else 100
                per_step.setdefault((width, name), []).append(timed(step, steps) / steps / width)
        del ways, plain, compiled, hand, step
    loop, lightning = (statistics.median(base[name]) for name in single)
    shown = Table(
        "AE-SAD dense, F-MNIST, batch 32",
        "ms per run and step",
        "x loop",
        "x lightning",
        "x baddbmm",
        "of matrix rate",
        box=None,
    )
    for name, value in (("hand-written loop", loop), ("engine=lightning", lightning)):
        shown.add_row(
            name,
            f"{1e3 * value:.3f}",
            f"{loop / value:.2f}",
            f"{lightning / value:.2f}",
            "",
            f"{2 * multiply_adds / value / rate:.0%}",
        )
    for (width, name), values in per_step.items():
        value, reference = statistics.median(values), statistics.median(per_step[width, "baddbmm"])
        shown.add_row(
            f"{name}, K = {width}", f"{1e3 * value:.3f}", f"{loop / value:.2f}", f"{lightning / value:.2f}",
            f"{reference / value:.2f}", f"{2 * multiply_adds / value / rate:.0%}",
        )  # fmt: skip
    console.print(shown)
    console.print(f"matrix rate {rate / 1e9:.0f} GFLOP/s; {repeats} repeats, medians")
    if where.type == "cuda":
        console.print(f"most GPU memory {torch.cuda.max_memory_allocated() / 2**30:.2f} GiB")
        whole_grid(root, where)


def whole_grid(root: Path, where: torch.device) -> None:
    """900 runs of Fashion-MNIST, 100 epochs, trained and scored: what the GPU is for."""
    job, recipe = setting(root, where, "method=aesad", "dataset=fmnist", "epochs=100")
    runs = pairs(recipe, 10)
    with TemporaryDirectory() as folder:
        start = time.perf_counter()
        together = PackedEngine("auto", 1, "fp32", "auto", 10, False)
        count = sum(o.reason is None for o in together.train(runs, replace(job, folder=Path(folder)), lambda n: None))
    seconds = time.perf_counter() - start
    alone = ALONE.one(runs[0], replace(job, epochs=5), lambda n: None).seconds * 20
    console.print(
        f"{count} runs of 100 epochs in {seconds:.0f} s; engine=lightning {alone:.0f} s a run: "
        f"{900 * alone / seconds:.0f} times"
    )


def odds(root: Path, repeats: int, where: torch.device) -> None:
    """ODDS tables, AE and AE-SAD, five seeds, 300 epochs: one command, beside one by one (timed on 20 epochs)."""
    alone, rows = 0.0, {}
    names = [path.stem for path in (root / "odds").glob("*.mat")]
    for name, method in product(names, ("ae", "aesad")):
        words = (f"method={method}", "dataset=odds", f"dataset.name={name}", "scenario=table_fraction")
        job, recipe = setting(root, where, *words)
        one = partial(ALONE.one, Run(recipe, Cell((0,), (1,)), 0), replace(job, epochs=21))
        alone += 5 * job.epochs * statistics.median(seconds_per_epoch(one))
        rows[name] = len(job.table.x)
    names.sort(key=lambda name: -rows[name])
    with TemporaryDirectory() as folder:
        words = [
            "experiment=aesad_table2",
            "method=ae,aesad",
            f"dataset.name={','.join(names)}",
            f"data_root={root.resolve()}",
        ]
        words += [f"device={where.type}", "hydra/launcher=processes", "-m"]
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "semiad.train", *words], cwd=folder, check=True, capture_output=True)
        seconds = time.perf_counter() - start
        count = len(read_ledger(Path(folder) / "outputs" / "results").recorded)
    console.print(
        f"{len(names)} ODDS tables x {{ae, aesad}} x 5 seeds, 300 epochs: {count} runs in {seconds:.0f} s, start of "
        f"Python included; one by one {alone:.0f} s: {alone / seconds:.1f} times"
    )


def methods(root: Path, repeats: int, where: torch.device) -> None:
    """Deep SAD's LeNet and ESAD's dense net, 32 at once beside one by one; then the libraries that can be imported."""
    shown = Table("K = 32", "one by one, ms per step", "packed, ms per run and step", "times", box=None)
    lenet = ("method=deep_sad", "method.pretraining.epochs=0", "network=lenet", "dataset=mnist")
    for title, words in {
        "deep_sad, lenet, MNIST, batch 128": (*lenet, "scenario=labelled_ratio"),
        "esad, mlp_affine, cardio, batch 32": ("method=esad", "dataset=odds", "scenario=table_stratified"),
    }.items():
        job, recipe = setting(root, where, *words, "epochs=100000")
        cell = recipe.scenario.cells(job.table.labels)[0]
        runs = [Run(recipe, cell, seed) for seed in range(32)]
        alone, together = [], []
        for _ in range(repeats):
            one = partial(ALONE.one, runs[0], replace(job, epochs=4))
            steps = job.rows(runs[0], job.split(runs[0]), job.build(runs[0])).steps
            alone += [seconds / steps for seconds in seconds_per_epoch(one)]
            step = packed_step(pack_of(runs, job))
            timed(step, 3)
            together.append(timed(step, 30) / 30 / 32)
        one_by_one, packed_ = statistics.median(alone), statistics.median(together)
        shown.add_row(title, f"{1e3 * one_by_one:.2f}", f"{1e3 * packed_:.3f}", f"{one_by_one / packed_:.1f}")
    console.print(shown)
    beside(root, repeats, where)


def beside(root: Path, repeats: int, where: torch.device) -> None:
    """Deep SAD and AE on cardio, 50 epochs, beside the same in other libraries: seconds a run, and mean AUC."""
    shown = Table("cardio, 50 epochs", "s a run", "AUC", "times", box=None)
    for name, words, rival in (
        ("deep_sad", ("method=deep_sad", "method.pretraining.epochs=0", "epochs=50"), rivals.deepod),
        ("ae", ("method=ae", "epochs=50"), rivals.pyod),
    ):
        job, recipe = setting(root, where, *words, "dataset=odds", "scenario=table_stratified")
        runs = [Run(recipe, Cell((0,), (1,)), seed) for seed in range(32)]
        few = runs[: 2 * repeats]
        figures = {rival.__name__: [against(rival, run, job) for run in few]} if installed(rival.__name__) else {}
        one = ALONE
        alone = [one.one(run, job, lambda points: None) for run in few]
        packed_ = list(PackedEngine("auto", 1, "fp32", "auto", 10, False).train(runs, job, lambda points: None))
        for way, outcomes in ((f"{name}, one by one", alone), (f"{name}, packed, K = 32", packed_)):
            figures[way] = [(o.seconds, o.figures["auc"]) for o in outcomes if o.run in few]
        reference = statistics.median(seconds for seconds, _ in next(iter(figures.values())))
        for way, values in figures.items():
            seconds = statistics.median(s for s, _ in values)
            mean = statistics.mean(auc for _, auc in values)
            shown.add_row(way, f"{seconds:.3f}", f"{mean:.4f}", f"{reference / seconds:.1f}")
    console.print(shown)


def installed(name: str) -> bool:
    """Whether a library can be imported; said if not."""
    there = find_spec(name) is not None
    if not there:
        console.print(f"{name} is not installed: left out")
    return there


def against(rival: rivals.Rival, run: Run, job: TrainingContext) -> tuple[float, float]:
    """Seconds and AUC of another library on the rows of a run."""
    split = job.split(run)
    rows = SplitData(job.table, split, False, job.batch_size, run.entropy)
    seconds, scores = rival(rows.x.numpy(), rows.s.numpy(), torch.cat([*rows.test_chunks()]).numpy(), job.epochs)
    return seconds, float(evaluate(torch.from_numpy(scores), split, job.table)["auc"])


def conv(root: Path, repeats: int, where: torch.device) -> None:
    """AE-SAD's convolutional network on random images of CIFAR-10's size, K at once beside one by one, batch 32."""
    job, recipe = setting(root, where, "method=aesad", "network=conv", "dataset=digits", "epochs=100000")
    classes = tuple(range(10))
    y = np.arange(6000) % 10
    pixels = torch.randint(0, 256, (6000, 3, 32, 32), dtype=torch.uint8)
    job = replace(job, table=Images(Labels("random", classes, y, 5990), pixels, 255.0)).on_device()
    runs = pairs(recipe, 2)
    widths = [1, 8, 32, 128] if where.type == "cuda" else [1, 8, 32]
    one = partial(ALONE.one, runs[0], replace(job, epochs=4))
    epoch = job.rows(runs[0], job.split(runs[0]), job.build(runs[0])).steps
    packs = {}
    for width, name in product(widths, ("packed", "packed, compiled")):
        pack = pack_of(runs[:width], job)
        pack.compile = name != "packed"
        packs[f"{name}, K = {width}"] = width, packed_step(pack)
    times: dict[str, list[float]] = {name: [] for name in ("engine=lightning", *packs)}
    for _, step in packs.values():
        timed(step, 3)
    for _ in range(repeats):
        times["engine=lightning"] += [seconds / epoch for seconds in seconds_per_epoch(one)]
        for name, (width, step) in packs.items():
            steps = max(200 // width, 5)
            times[name].append(timed(step, steps) / steps / width)
    medians = {name: statistics.median(values) for name, values in times.items()}
    shown = Table("conv, 3x32x32, batch 32", "ms per run and step", "x engine=lightning", box=None)
    for name, value in medians.items():
        shown.add_row(name, f"{1e3 * value:.3f}", f"{medians['engine=lightning'] / value:.2f}")
    console.print(shown)


def tracking(root: Path, repeats: int, where: torch.device) -> None:
    """Each logger in turn, W&B offline: a job of 90 models on digits, a sweep of 900 in ten jobs."""
    loggers = ("none", "csv", "wandb", "tensorboard", "mlflow")
    for title, words in {"90 runs, one job": ["seeds=[0]"], "900 runs, ten jobs": ["-m"]}.items():
        wall, cpu = ({name: [] for name in loggers} for _ in range(2))
        with TemporaryDirectory() as folder:
            for repeat, name in product(range(repeats), loggers):
                own = Path(folder) / f"{name}-{repeat}"
                own.mkdir()
                command = [sys.executable, "-m", "semiad.train", *words, f"logger={name}", f"device={where.type}"]
                env = {**os.environ, "WANDB_MODE": "offline"}
                start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
                subprocess.run(command, cwd=own, check=True, capture_output=True, env=env)
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                wall[name].append(time.perf_counter() - start)
                cpu[name].append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        shown = Table(title, "s", "x none", "CPU s", "x none", "every repeat, s", box=None)
        for name in loggers:
            cells = [name]
            for values in (wall, cpu):
                value = statistics.median(values[name])
                cells += [f"{value:.2f}", f"{value / statistics.median(values['none']):.3f}"]
            shown.add_row(*cells, " ".join(f"{value:.2f}" for value in wall[name]))
        console.print(shown)


def report(root: Path, repeats: int, where: torch.device) -> None:
    """The report on 27,000 synthetic records: the summary, and two published tables."""
    with TemporaryDirectory() as folder:
        count = ledgers.fill(Path(folder) / "r")
        size = sum(path.stat().st_size for path in (Path(folder) / "r").glob("*.jsonl")) / 2**20
        shown = Table(f"{count} records, {size:.0f} MiB", "s", "most memory, MiB", "every repeat, s", box=None)
        for words in ((), ("experiment=aesad_table3",), ("experiment=aesad_table4",)):
            found = [ledgers.measure(*words, f"results={folder}/r") for _ in range(repeats)]
            seconds = [second for second, _ in found]
            every = " ".join(f"{second:.2f}" for second in seconds)
            memory = max(memory for _, memory in found)
            shown.add_row(" ".join(words) or "summary", f"{statistics.median(seconds):.2f}", f"{memory:.0f}", every)
    console.print(shown)


def main() -> None:
    """The command."""
    measurements = {"engine": engine, "packed": packed, "odds": odds, "methods": methods, "conv": conv}
    measurements |= {"tracking": tracking, "report": report}
    name, options = (sys.argv[1:] or [""])[0], dict(word.split("=", 1) for word in sys.argv[2:])
    if name not in measurements:
        sys.exit(f"error: no measurement '{name}', expected one of {', '.join(measurements)}")
    where = resolve_device(options.get("device", "auto"))
    measurements[name](Path(options.get("data_root", "data")), int(options.get("repeats", "3")), where)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    console.print(
        f"torch {torch.__version__}, {where.type}, {torch.get_num_threads()} threads, most memory {memory:.2f} GiB"
    )


if __name__ == "__main__":
    main()
