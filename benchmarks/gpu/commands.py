"""Training commands: each is run as `semiad.train` would run it, and its time and its records are noted."""

import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from threading import Timer
from typing import Any

import torch
from hydra.core.global_hydra import GlobalHydra

import semiad.train
from benchmarks.gpu.card import card, most_memory
from benchmarks.gpu.parts import TOY, Command, Part
from benchmarks.gpu.results import Go, OutOfTime, timed

KEYS = ("card", "part", "command")
COLUMNS = ("status", "wall_s", "runs", "failed", "run_s", "auc", "epochs", "engine", "pack_width", "gib", "words")
GRACE = 20
"""Seconds before the end of a part at which a command is asked to save what it is at."""


def measure(go: Go, part: Part) -> None:
    """Run the commands of a part one after the other; those that have ended before are left out.

    Raises:
        OutOfTime: there is more to do.
        RuntimeError: a command has failed; the others were run.
    """
    table, failed = go.table("commands", KEYS, COLUMNS), []
    for command in part.commands:
        if go.toy and command.toy is None:
            continue
        key = card(go.device), part.name, command.name
        if table.has(*key, status="done"):
            continue
        if (seconds := go.left() - GRACE) <= 0:
            raise OutOfTime
        words = arguments(command, go)
        ledger = go.folder / command.results
        before = {*ledger.glob("*.jsonl")}
        if go.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        with timed() as wall:
            status = train(words, seconds)
        said = {0: "done", 143: "stopped"}.get(status, "failed")
        found = facts([path for path in ledger.glob("*.jsonl") if path not in before])
        memory = most_memory(go.device)
        table.add(*key, status=said, wall_s=f"{wall[0]:.2f}", **found, gib=memory, words=" ".join(words))
        if said == "stopped":
            raise OutOfTime
        failed += [command.name] if said == "failed" else []
    if failed:
        raise RuntimeError(f"{len(failed)} commands failed: {'; '.join(failed)}")


def arguments(command: Command, go: Go) -> list[str]:
    """Give the arguments of a command."""
    here = {
        "results": str(go.folder / command.results),
        "data_root": str(go.data_root),
        "device": go.device,
        "logger": "none",
        "hydra.run.dir": str(go.folder / "runs" / "${now:%H-%M-%S-%f}"),
    }
    toy = {**TOY, **(command.toy or {})} if go.toy else {}
    words = {**command.words, **toy, **here}
    return [f"{key}={value}" for key, value in words.items()]


def train(words: Sequence[str], seconds: float) -> int:
    """Run `semiad.train` in this process, which spares the import of torch; give its exit status.

    Args:
        words: its arguments.
        seconds: after which it is asked to save what it is at, and to end (status 143).
    """
    GlobalHydra.instance().clear()
    timer = Timer(seconds, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    sys.argv = ["train", *words]
    try:
        semiad.train.main()
    except SystemExit as ended:
        return int(ended.code or 0)
    finally:
        timer.cancel()
    return 0


def facts(paths: Sequence[Path]) -> dict[str, object]:
    """Collect from the records in some files of a ledger what a row says of them."""
    records: list[dict[str, Any]] = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    good = [record for record in records if record["status"] == "ok"]
    if not good:
        return {"runs": len(records), "failed": len(records)}
    return {
        "runs": len(records),
        "failed": len(records) - len(good),
        "run_s": f"{fmean(record['seconds'] for record in good):.4f}",
        "auc": f"{fmean(record['auc'] for record in good):.4f}",
        "epochs": good[0]["epochs"],
        "engine": good[0]["engine"],
        "pack_width": max(record["pack_width"] for record in good),
    }
