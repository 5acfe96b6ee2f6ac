"""Ledgers of runs that never were: for each experiment the runs that its figure needs, with figures drawn at random."""

import json
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import asdict

from semiad.ledger.reader import Ledger, read
from semiad.ledger.record import SCHEMA, Plan, PlannedRun, Record, encode


def run(name: str, rng: np.random.Generator, **more: Any) -> dict[str, Any]:
    """The fields of a record, its key a hash of a name; `method`, `dataset`, `normal`, `config` and others as given."""
    classes = more.pop("classes", [str(c) for c in range(10)])
    normal, known = more.get("normal", ["0"]), more.get("anomalous", ["1"])
    skill = {"aesad": 0.95, "deep_sad": 0.93, "esad": 0.96, "a3": 0.9, "ae": 0.85, "cae": 0.85, "ocsvm": 0.83}.get(
        more["method"], 0.8
    )
    auc = {
        c: float(np.clip(skill + 0.04 * (c in known) + rng.normal(0, 0.03), 0.3, 1)) for c in classes if c not in normal
    }
    seen, unseen = [v for c, v in auc.items() if c in known], [v for c, v in auc.items() if c not in known]
    mean = float(np.mean([*auc.values()])) if auc else float(np.clip(skill + rng.normal(0, 0.03), 0, 1))
    record = Record(**{
        "schema": SCHEMA, "key": sha256(name.encode()).hexdigest()[:20], "scenario": "one_vs_one", "seed": 0,
        "status": "ok", "normal": normal, "anomalous": known,
        "auc": mean, "ap": mean, "auc_seen": float(np.mean(seen)) if seen else None,
        "auc_unseen": float(np.mean(unseen)) if unseen else None, "auc_by_class": auc or None,
        "seconds": 1.5, "n_train": 6000, "n_labelled": 8, "n_polluted": 0, "n_test": 1000, "epochs": 50, "steps": 5000,
        "pack_width": 9, "engine": "packed", "device": "cpu", "versions": {"torch": "2.15.0"}, "commit": "abc",
        "finished": "2026-01-01T00:00:00+00:00", "split": f"{more.get('seed', 0)}",
        **more,
    })  # fmt: skip
    return asdict(record)


def write(folder: Path, experiment: str, runs: list[dict[str, Any]], budget: str = "quick") -> Ledger:
    """A ledger of one experiment, beside what the folder holds already."""
    (folder / "plans").mkdir(parents=True, exist_ok=True)
    with (folder / f"{experiment}.jsonl").open("w") as file:
        file.writelines(encode(Record(**one)) + "\n" for one in runs if one["status"] != "missing")
    plans: dict[str, Plan] = {}
    for one in runs:
        shared = {name: one[name] for name in Plan.__struct_fields__ if name in one}
        plan = plans.setdefault(json.dumps(shared), Plan(**shared, experiment=experiment, budget=budget, runs=[]))
        plan.runs.append(PlannedRun(**{name: one[name] for name in PlannedRun.__struct_fields__}))
    for i, plan in enumerate(plans.values()):
        (folder / "plans" / f"{experiment}-{i}.json").write_text(encode(plan))
    return read(folder)


def config(**scenario: Any) -> dict[str, Any]:
    """A configuration with settings of the scenario, and of the method under `method`."""
    method = scenario.pop("method", {})
    return {"method": method, "dataset": {}, "scenario": {"labelled": 8, "pollution": 0, **scenario}, "epochs": 50}


def weight(alpha: float) -> dict[str, Any]:
    """The setting of AE-SAD's lambda."""
    return {"lam": {"rule": "paper", "alpha": alpha}}


ALPHAS = (0, 0.1, 0.2115, 0.4472, 0.9457, 2)
LABELS = (8, 16, 32, 64, 128)


def sweep(method: str, **more: Any) -> dict[str, Any]:
    """What all runs of a sweep share."""
    return {"method": method, "dataset": "mnist", **more}


def runs_of(experiment: str, folder: Path, normals: int = 3, seeds: int = 3) -> list[dict[str, Any]]:
    """The runs that an experiment's figures need, in small."""
    rng, some = np.random.default_rng(0), [str(c) for c in range(normals)]
    pairs = [(n, a, s) for n in some for a in some if a != n for s in range(seeds)]
    wide = [(n, str(a), s) for n in some for a in range(10) if str(a) != n for s in range(seeds)]
    specs: list[dict[str, Any]] = []
    if experiment == "aesad_fig3":
        specs = [sweep("aesad", normal=[n], anomalous=[a], seed=s, config=config(labelled=k, method=weight(alpha)))
                 for (n, a, s), k, alpha in product(pairs, LABELS, ALPHAS)]  # fmt: skip
    elif experiment == "aesad_fig4":
        specs = [sweep("aesad", normal=[n], anomalous=[a], seed=s, config=config(labelled=k, method=weight(0.1)))
                 for (n, a, s), k in product(pairs, LABELS)]  # fmt: skip
        specs += [sweep("ae", normal=[n], anomalous=[a], seed=s, config=config()) for n, a, s in pairs]
    elif experiment == "aesad_fig6":
        specs = [sweep("aesad", normal=["8"], anomalous=["1", "3"], seed=s, n_polluted=9,
                       config=config(pollution=p, labelled=100, method=weight(alpha)))
                 for s, p, alpha in product(range(seeds), (0.02, 0.04), ALPHAS)]  # fmt: skip
    elif experiment in ("esad_fig2", "esad_fig5"):
        name = {"esad_fig2": "lam1", "esad_fig5": "lam2"}[experiment]
        datasets = ("mnist", "fmnist", "cifar10") if name == "lam1" else ("mnist",)
        specs = [{**sweep("esad", normal=[n], anomalous=[a], seed=s, config=config(method={name: v})), "dataset": d}
                 for (n, a, s), v, d in product(pairs, (0, 0.01, 0.1, 1, 10, 100), datasets)]  # fmt: skip
    elif experiment == "esad_table1":
        specs = [sweep(m, normal=[n], anomalous=[a], seed=s, scenario="labelled_ratio", config=config(labelled=g))
                 for (n, a, s), g, m in product(wide, (0, 0.01, 0.05, 0.1, 0.2), ("esad", "deep_sad"))]  # fmt: skip
    elif experiment in ("aesad_fig7", "aesad_table3", "aesad_table4"):
        specs = [sweep(m, normal=[n], anomalous=[a], seed=s, config=config())
                 for (n, a, s), m in product(wide, ("aesad", "ae", "ocsvm", "a3", "deep_sad"))]  # fmt: skip
        if experiment == "aesad_fig7":
            specs += [
                {**spec, "scenario": "one_vs_all", "n_polluted": 100, "config": config(pollution=0.05)}
                for spec in specs[:60]
            ]
    elif experiment in ("aesad_table6", "aesad_table7"):
        groups = (["1", "2", "3"], ["4", "5", "6"], ["7", "8", "9"])
        specs = [sweep(m, normal=["0"], anomalous=g, seed=s, scenario="one_vs_many", config=config(pollution=0.05))
                 for g, s, m in product(groups, range(seeds), ("aesad", "ae", "ocsvm"))]  # fmt: skip
    elif experiment in ("aesad_table2", "esad_table4", "aesad_fig5"):
        names = ("cardio", "wine", "thyroid", "pima", "musk", "glass")
        methods = (
            ("aesad", "ae")
            if experiment == "aesad_fig5"
            else ("aesad", "esad", "cae" if experiment == "esad_table4" else "ae", "ocsvm", "deep_sad")
        )
        specs = [{"method": m, "dataset": f"odds/{d}", "seed": s, "classes": [], "config": config()}
                 for d, s, m in product(names, range(seeds), methods)]  # fmt: skip
    else:
        methods = {"esad_fig3": ("deep_sad", "esad")}.get(experiment, ("ae", "aesad"))
        specs = [sweep(m, normal=["8"], anomalous=["1", "3", "5", "9"], seed=s, config=config(labelled=100))
                 for s, m in product(range(seeds), methods)]  # fmt: skip
    made = [run(f"{experiment} {i}", rng, **spec) for i, spec in enumerate(specs)]
    for i, one in enumerate(made):
        if experiment == "aesad_fig5":
            one["curve"], one["auc_at_min_loss"] = f"curves/{i}.csv", one["auc"]
            write_curve(folder / one["curve"], one["key"], rng)
        if experiment in ("aesad_fig1", "aesad_fig2", "esad_fig3"):
            one["samples"] = f"samples/{experiment}-{i}.npz"
            write_samples(folder / one["samples"], one, rng)
    return made


def write_curve(path: Path, key: str, rng: np.random.Generator, epochs: int = 60) -> None:
    """A curve that falls and an AUC that rises."""
    path.parent.mkdir(parents=True, exist_ok=True)
    loss = np.exp(-np.arange(epochs) / 15) + 0.05 + 0.01 * rng.random(epochs)
    auc = 0.95 - 0.3 * np.exp(-np.arange(epochs) / 10) + 0.01 * rng.normal(size=epochs)
    lines = [f"{key},{e + 1},{loss[e]},{auc[e]}\n" for e in range(epochs)]
    path.write_text("key,epoch,loss,auc\n" + "".join(lines))


def write_samples(path: Path, one: dict[str, Any], rng: np.random.Generator, rows: int = 300, side: int = 8) -> None:
    """Samples of a run on images of a class's own pattern."""
    path.parent.mkdir(parents=True, exist_ok=True)
    classes = np.array([str(c) for c in range(10)])
    patterns = rng.random((10, 1, side, side)) * 255
    of = rng.choice(classes, rows)
    kind = np.array([*["train"] * 3, *["labelled"] * 4, *["test"] * 10, *["lowest"] * 8, *["highest"] * 8])
    shown = np.array([*["8"] * 3, *one["anomalous"], *classes, *["8"] * 8, *["0"] * 8])
    x = (patterns[shown.astype(int)] * rng.uniform(0.8, 1, (len(shown), 1, 1, 1))).astype(np.uint8)
    negative = np.isin(shown, one["anomalous"])[:, None, None, None] & (one["method"] == "aesad")
    arrays = {
        "scores": (rng.lognormal(0, 0.5, rows) * np.where(of == "8", 1, 8)).astype(np.float32),
        "truth": (of != "8").astype(np.uint8), "classes": of, "seen": np.isin(of, one["anomalous"]).astype(np.uint8),
        "x": x, "x_hat": np.where(negative, 255 - x, x).astype(np.uint8), "shown_class": shown,
        "shown_score": np.linspace(0.1, 9, len(shown)).astype(np.float32), "shown_kind": kind,
        "z": (rng.normal(size=(rows, 6)) + 4 * (of != "8")[:, None]).astype(np.float16), "code_class": of,
    }  # fmt: skip
    if one["method"] == "esad":
        arrays["z_hat"] = arrays["z"] * 2
    np.savez(path, **arrays)
