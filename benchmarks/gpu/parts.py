"""The parts, in order of worth, and the training commands that some of them run. Nothing here imports torch."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product

TOY = {"dataset": "digits", "epochs": "1", "seeds": "[0]", "scenario.normal": "8", "scenario.anomalous": "3"}
"""What makes a training command take a second on a CPU."""


@dataclass(frozen=True)
class Command:
    """A training command.

    Attributes:
        name: of its row in the table of results.
        words: arguments of `semiad.train`, by key; those that all commands have are not among them.
        results: the folder of its ledger.
        toy: arguments besides `TOY` at toy size; None to leave the command out there.
    """

    name: str
    words: Mapping[str, str]
    results: str = "results"
    toy: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Part:
    """A part.

    Attributes:
        name: of the part; without commands also of the module that measures it.
        seconds: the time that it may take in one go.
        title: what it shows.
        commands: the training commands that it consists of, in order of worth.
    """

    name: str
    seconds: int
    title: str
    commands: tuple[Command, ...] = ()


def table(number: int, dataset: str, method: str, **words: str) -> Command:
    """Give the command for the runs of a method on a data set in one of AE-SAD's tables, all of them in one job."""
    fixed = {"experiment": f"aesad_table{number}", "dataset": dataset, "method": method}
    extra = "".join(f" {key}={value}" for key, value in words.items())
    return Command(f"Table {number}, {dataset}, {method}{extra}", {**fixed, **words})


def esad(precision: str, normal: int) -> Command:
    """Give the command for a cell of ESAD's Table 1 (five shares of labels), its network in full width."""
    words = {"experiment": "esad_table1", "dataset": "mnist", "method": "esad", "engine": "packed"}
    cell = {"scenario.normal": str(normal), "scenario.anomalous": "0", "engine.precision": precision}
    return Command(f"ESAD Table 1, mnist, {normal} against 0, {precision}", {**words, **cell})


IMAGES = ("mnist", "fmnist")
METHODS, RIVALS = ("aesad", "ae"), ("a3", "deep_sad")
ONE_DRAW = {"seeds": "[0]"}
ONE_RUN = {"seeds": "[0]", "scenario.normal": "8", "scenario.anomalous": "3", "engine": "lightning"}


def rehearsed(commands: Iterable[Command], **toy: str) -> tuple[Command, ...]:
    """Have the first of some commands run at toy size too."""
    first, *others = commands
    return replace(first, toy=toy), *others


GRID = (
    *rehearsed(table(3, "fmnist", method) for method in METHODS),
    *rehearsed(
        Command(f"engine=lightning, fmnist, {method}", {**table(3, "fmnist", method).words, **ONE_RUN}, "alone")
        for method in METHODS
    ),
)
TABLES = (
    *rehearsed(table(number, dataset, method) for number, dataset, method in product((5, 7), IMAGES, METHODS)),
    *(table(3, "mnist", method) for method in METHODS),
    *(table(5, dataset, method) for dataset, method in product(IMAGES, RIVALS)),
    *(table(3, dataset, "aesad", epochs="1000", **ONE_DRAW) for dataset in IMAGES),
    *(table(number, dataset, method, **ONE_DRAW) for number, method, dataset in product((3, 7), RIVALS, IMAGES)),
    *(table(number, dataset, method) for method, number, dataset in product(RIVALS, (3, 7), IMAGES)),
)
ESAD = rehearsed(
    [
        *(esad(precision, 1) for precision in ("tf32", "bf16", "fp32")),
        *(esad("fp32", normal) for normal in range(2, 10)),
    ]
)
THIRTIETH = {"experiment": "aesad_fig3", "seeds": "[0]", "shards": "3", "shard": "0"}
FIGURE3 = rehearsed(
    [Command("Figure 3, a thirtieth", THIRTIETH)],
    grid="{method.lam.alpha:[0.1,2],scenario.labelled:[8,16]}",
    shard="null",
)

PARTS = (
    Part("right", 200, "packs train what Lightning trains, on this device and on the CPU"),
    Part("packed", 120, "time, roofline and memory of a packed step"),
    Part("grid", 420, "900 runs of Fashion-MNIST, 100 epochs, ae and aesad, and some with engine=lightning", GRID),
    Part("tables", 300, "Tables 3, 4, 5 and 7 of AE-SAD, and AE-SAD for 1,000 epochs", TABLES),
    Part("vgg", 90, "a step of ESAD's network in full width"),
    Part("esad", 240, "cells of ESAD's Table 1, its network in full width", ESAD),
    Part("figure3", 180, "a thirtieth of the runs of AE-SAD's Figure 3", FIGURE3),
)
