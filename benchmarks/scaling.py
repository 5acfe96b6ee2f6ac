"""Scalings of tables, by AE-SAD on the ODDS tables as they are, with huge values, and with heavy tails."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import scipy.io
import torch
from rich.table import Table
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import Tensor

from benchmarks.settings import Settings
from benchmarks.timing import both, by_step, console, in_turn, median
from semiad import losses
from semiad.tabular.preprocessor import TablePreprocessor
from semiad.tabular.scaling import Scaler, core_of, fit_scaler

DRAWS, STEPS, BATCH, MOST = 3, 2000, 32, 12_000
Scale = Callable[[np.ndarray], np.ndarray]


def scale_by(scaler: Scaler) -> Scale:
    """Make a function of rows of a scaler."""

    def scale(rows: np.ndarray) -> np.ndarray:
        out = np.empty(rows.shape, dtype=np.float32)
        scaler(list(rows.T), out)
        return out

    return scale


def line(core: np.ndarray, margin: float) -> Scale:
    """Scale a core to [margin, 1 - margin] by a line, with what lies beyond in the margins."""
    low, high = core
    return scale_by(Scaler(low, np.where(high > low, high - low, 1.0), margin))


def quantiles(rows: np.ndarray) -> Scale:
    """Scale by the share of training values below."""
    ordered = np.sort(rows, axis=0)

    def place(column: np.ndarray, values: np.ndarray) -> np.ndarray:
        return (np.searchsorted(column, values) + np.searchsorted(column, values, "right")) / (2 * len(column))

    return lambda x: np.stack([place(ordered[:, j], x[:, j]) for j in range(x.shape[1])], axis=1)


def robust(rows: np.ndarray) -> Scale:
    """Standardise by median and interquartile range, or by the standard deviation where that is 0."""
    first, middle, third = np.quantile(rows, (0.25, 0.5, 0.75), axis=0)
    sigma = np.where(third > first, (third - first) / 1.349, rows.std(0))
    return lambda x: (x - middle) / np.where(sigma > 0, sigma, 1.0)


def squashed(rows: np.ndarray) -> Scale:
    """Standardise robustly and squash."""
    z = robust(rows)
    return lambda x: 0.5 + 0.5 * (z(x) / 3) / np.sqrt(1 + (z(x) / 3) ** 2)


def asinh(rows: np.ndarray, margin: float) -> Scale:
    """Standardise robustly, take asinh, and scale its range."""
    z = robust(rows)
    y = np.arcsinh(z(rows))
    scale = line(np.stack([y.min(0), y.max(0)]), margin)
    return lambda x: scale(np.arcsinh(z(x)))


def fences(rows: np.ndarray, margin: float) -> Scale:
    """Scale as semiad does, with another margin."""
    return line(np.array([core_of(column, True) for column in rows.T]).T, margin)


WAYS: dict[str, Callable[[np.ndarray], Scale]] = {
    "fences": lambda x: scale_by(fit_scaler(list(x.T), "fences")),
    "fences, margin .1": lambda x: fences(x, 0.1),
    "minmax": lambda x: scale_by(fit_scaler(list(x.T), "minmax")),
    "min-max, margin .1": lambda x: line(np.stack([x.min(0), x.max(0)]), 0.1),
    "quantiles .1, 99.9 %, clipped": lambda x: line(np.quantile(x, (0.001, 0.999), axis=0), 0.0),
    "quantiles .1, 99.9 %, margin .1": lambda x: line(np.quantile(x, (0.001, 0.999), axis=0), 0.1),
    "quantiles 1, 99 %, margin .1": lambda x: line(np.quantile(x, (0.01, 0.99), axis=0), 0.1),
    "robust z, squashed": squashed,
    "asinh, clipped": lambda x: asinh(x, 0.0),
    "asinh, margin .1": lambda x: asinh(x, 0.1),
    "quantile transform": quantiles,
}


def versions(x: np.ndarray, y: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield a table as it is, with a huge value in each column, and with exp of every other column."""
    yield "as it is", x
    huge, normal = x.copy(), np.flatnonzero(y == 0)
    rows = np.random.default_rng(5).choice(normal, x.shape[1])
    huge[rows, np.arange(x.shape[1])] = 1e3 * (np.abs(x).max(0) + 1)
    yield "huge value", huge
    deviation, heavy = x.std(0), x.copy()
    z = (x - x.mean(0)) / np.where(deviation > 0, deviation, 1.0)
    heavy[:, ::2] = np.exp(2 * z[:, ::2])
    yield "exp", heavy


def draw(y: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw normal training rows, labelled anomalies, and test rows."""
    rng = np.random.default_rng(seed)
    normal, anomalous = rng.permutation(np.flatnonzero(y == 0)), rng.permutation(np.flatnonzero(y == 1))
    train, labelled = int(0.6 * len(normal)), min(10, len(anomalous) // 2)
    return normal[: min(train, MOST)], anomalous[:labelled], np.r_[normal[train:], anomalous[labelled:]]


def train(x: Tensor, s: Tensor) -> Callable[[Tensor], Tensor]:
    """Train the network 128-32-128 on K x rows x features at once; equal draws begin with equal weights."""
    source, (models, n, d) = torch.Generator().manual_seed(0), x.shape
    weights: list[Tensor] = []
    for i, o in ((d, 128), (128, 32), (32, 128), (128, d)):
        first = (torch.rand(DRAWS, i, o, generator=source) * 2 - 1) * (6 / (i + o)) ** 0.5
        weights += [first.repeat(models // DRAWS, 1, 1).requires_grad_(), torch.zeros(models, 1, o, requires_grad=True)]
    optimizer = torch.optim.Adam(weights, lr=1e-3, eps=1e-7, fused=True)

    def net(rows: Tensor) -> Tensor:
        for k in range(0, 8, 2):
            rows = torch.baddbmm(weights[k + 1], rows, weights[k])
            rows = rows.sigmoid() if k == 6 else rows.relu()
        return rows

    lam, order = torch.tensor(1 + 0.1 * (n / float(s.sum()) - 1)), torch.empty(0, dtype=torch.int64)
    for _ in range(STEPS):
        while len(order) < BATCH:
            order = torch.cat([order, torch.randperm(n, generator=source)])
        rows, order = order[:BATCH], order[BATCH:]
        batch, semi = x[:, rows].flatten(0, 1), s[rows].repeat(models)
        loss = losses.ae_sad(batch, net(x[:, rows]).flatten(0, 1), semi, lam, losses.f0).sum() / BATCH
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    return net


def measure_table(path: Path) -> Iterator[dict[str, str | float]]:
    """Train with each scaling on each version of a table, and yield AUC and average precision."""
    data = scipy.io.loadmat(path)
    y = np.asarray(data["y"]).ravel().astype(int)
    draws = [draw(y, seed) for seed in range(DRAWS)]
    for version, x in versions(np.asarray(data["X"], dtype=np.float64), y):
        scales = [(name, way(x[normal])) for name, way in WAYS.items() for normal, _, _ in draws]
        parts = [draws[i % DRAWS] for i in range(len(scales))]
        trained = [scale(x[np.r_[part[0], part[1]]]) for (_, scale), part in zip(scales, parts, strict=True)]
        tested = [scale(x[part[2]]) for (_, scale), part in zip(scales, parts, strict=True)]
        s = torch.zeros(len(trained[0]))
        s[len(draws[0][0]) :] = 1
        net = train(torch.tensor(np.stack(trained), dtype=torch.float32), s)
        test = torch.tensor(np.stack(tested), dtype=torch.float32)
        with torch.no_grad():
            scores = torch.cat(
                [((net(rows) - rows) ** 2).sum(-1) for rows in torch.split(test, 2000, 1)], dim=1
            ).numpy()
        for (name, _), part, values in zip(scales, parts, scores, strict=True):
            auc, ap = roc_auc_score(y[part[2]], values), average_precision_score(y[part[2]], values)
            yield {"scaling": name, "version": version, "auc": float(auc), "ap": float(ap)}


def measure(settings: Settings) -> None:
    """Compare scalings, and time the default."""
    torch.set_num_threads(1)  # the steps are small, and two threads wait for each other on a busy machine
    paths = sorted((settings.data_root / "odds").glob("*.mat"))
    results = pl.DataFrame([result for path in paths for result in measure_table(path)])
    means = results.group_by("scaling", "version").agg(pl.col("auc", "ap").mean())
    cells = {(row["scaling"], row["version"]): f"{row['auc']:.3f} ({row['ap']:.3f})" for row in means.to_dicts()}
    names = ("as it is", "huge value", "exp")
    table = Table(f"AUC (AP), {len(paths)} tables", *names, box=None)
    for way in WAYS:
        table.add_row(way, *(cells[way, name] for name in names))
    console.print(table)
    time_default(settings.repeats)


def time_default(repeats: int) -> None:
    """Time the default scaling of a million rows of 30 numbers."""
    frame = pl.DataFrame(np.random.default_rng(0).normal(size=(1_000_000, 30)))
    fitted = TablePreprocessor().fit(frame.head(50_000))
    times = in_turn({"fences": by_step(lambda: fitted.transform(frame), 1)}, repeats)
    console.print(f"fences, a million rows x 30: {both(median(times['fences']))} s, processor time in brackets")
