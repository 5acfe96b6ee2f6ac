"""A synthetic ledger of AE-SAD's Tables 3 and 4 in full."""

from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np

from semiad.ledger.record import SCHEMA, Plan, PlannedRun, Record, encode

METHODS = {"aesad": 0.95, "ae": 0.88, "ocsvm": 0.85, "a3": 0.87, "deep_sad": 0.91}
DATASETS = ("mnist", "fmnist", "cifar10")
SEEDS = range(20)


def write_ledger(folder: Path) -> int:
    """Write 27,000 records of the real length, and their plans; return the number of records."""
    draws, count = np.random.default_rng(0), 0
    (folder / "plans").mkdir(parents=True)
    for dataset, (method, level) in product(DATASETS, METHODS.items()):
        config = {
            "method": {
                "_target_": f"semiad.methods.{method}",
                "net": {"_target_": "semiad.networks.dense.Dense", "hidden": [128], "latent": 32, "bias": True},
                "optimizer": {"_target_": "torch.optim.Adam", "_partial_": True, "lr": 0.001, "eps": 1e-07},
                "lam": {"rule": "paper", "alpha": 0.1},
            },
            "dataset": {"_target_": f"semiad.datasets.{dataset}.load"},
            "scenario": {"_target_": "semiad.scenarios.one_vs_one.OneVsOne", "labelled": 8, "pollution": 0},
            "epochs": 100,
            "batch_size": 32,
        }
        names: dict[str, Any] = {"method": method, "dataset": dataset, "scenario": "one_vs_one", "config": config}
        runs: list[dict[str, Any]] = []
        with (folder / f"{dataset}-{method}.jsonl").open("w") as file:
            for (normal, known), seed in product(permutations(range(10), 2), SEEDS):
                key = f"{dataset[:2]}{method[:4]}{normal}{known}{seed:02}".ljust(20, "0")
                runs.append({"key": key, "normal": [normal], "anomalous": [known], "tested": None, "seed": seed})
                values = np.clip(draws.normal(level, 0.03, 12), 0, 1).tolist()
                file.write(encode(make_record(names, runs[-1], values)) + "\n")
                count += 1
        for name in ("aesad_table3", "aesad_table4"):
            plan = Plan(**names, experiment=name, budget="full", runs=[PlannedRun(**run) for run in runs])
            (folder / "plans" / f"{name}-{dataset}-{method}.json").write_text(encode(plan))
    return count


def make_record(names: dict[str, Any], run: dict[str, Any], values: list[float]) -> Record:
    """Make a record as training leaves it."""
    metrics: dict[str, Any] = dict(zip(("auc", "ap", "auc_seen", "auc_unseen"), values, strict=False))
    versions = {"python": "3.11.7", "semiad": "0.1.0", "torch": "2.15.0", "pytorch-lightning": "2.6.6"}
    return Record(
        schema=SCHEMA,
        status="ok",
        **run,
        **names,
        forced=False,
        split="40771294e36b427f",
        n_train=6008,
        n_fit=6000,
        n_labelled=8,
        n_polluted=0,
        n_test=10000,
        **metrics,
        auc_by_class={str(i): value for i, value in enumerate(values[2:]) if i != run["normal"][0]},
        epochs=100,
        steps=18800,
        seconds=9.9149,
        engine="packed",
        pack_width=90,
        device="cuda",
        versions={**versions, "numpy": "2.4.6", "scikit-learn": "1.9.1"},
        commit="41aa99398ee24c7bcbd2c5dd",
        finished="2026-11-22T01:46:24.480081+00:00",
    )
