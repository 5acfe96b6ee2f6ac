"""Which rows to label next: average precision after 10, 20 and 50 answers, by each way of asking.

A detector has five labelled anomalies; all other training rows, other anomalies among them, have no label. Each way
asks for ten rows at a time, is told the truth, and the detector is fitted anew. Other libraries are asked where they
are installed: coniferest's AAD forest for the rows that it ranks first, and scikit-activeml for those of which a
logistic regression is least sure; the detector is then trained on what these have asked for. `out=DIR` keeps what is
measured.
"""

from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from itertools import product

import numpy as np
from jaxtyping import Float, Int64
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.preprocessing import StandardScaler

from benchmarks.cases import Case, measure_cases
from benchmarks.choice import TEST_SHARE, tables
from benchmarks.choice_page import STOPS, query_lines
from benchmarks.settings import Settings
from semiad import Detector
from semiad.scenarios.holdout import Holdout
from semiad.types import Cell, Dataset

METHODS = ("logistic", "deep_sad")
OWN = ("score", "margin", "diverse")
FIRST, BATCH = 5, 10
Rows = Float[np.ndarray, "n d"]
Values = Float[np.ndarray, " n"]
Ask = Callable[[Detector, Rows, Values, np.random.Generator], Int64[np.ndarray, " k"]]
"""From the detector, all training rows and their labels (1, 0, NaN) to the numbers of the rows that are asked for."""


def ask_own(by: str) -> Ask:
    """Make a way of `Detector.query`."""

    def ask(detector: Detector, x: Rows, y: Values, draws: np.random.Generator) -> Int64[np.ndarray, " k"]:
        free = np.flatnonzero(np.isnan(y))
        asked: Int64[np.ndarray, " k"] = free[detector.query(x[free], BATCH, by=by)]
        return asked

    return ask


def ask_random(detector: Detector, x: Rows, y: Values, draws: np.random.Generator) -> Int64[np.ndarray, " k"]:
    """Ask for random rows."""
    return draws.choice(np.flatnonzero(np.isnan(y)), BATCH, replace=False)


def ask_coniferest(detector: Detector, x: Rows, y: Values, draws: np.random.Generator) -> Int64[np.ndarray, " k"]:
    """Ask for the rows that coniferest's AAD forest, which learns from the labels, ranks first."""
    from coniferest.aadforest import AADForest  # type: ignore[import-not-found, unused-ignore]

    known, free = ~np.isnan(y), np.flatnonzero(np.isnan(y))
    forest = AADForest(n_jobs=1, random_seed=int(draws.integers(2**31)))
    forest.fit_known(x, x[known], np.where(y[known] == 1, -1, 1))
    return free[np.argsort(forest.score_samples(x[free]), kind="stable")[:BATCH]]


def ask_skactiveml(detector: Detector, x: Rows, y: Values, draws: np.random.Generator) -> Int64[np.ndarray, " k"]:
    """Ask for the rows of which scikit-activeml's logistic regression is least sure; all classes must be known."""
    from skactiveml.classifier import SklearnClassifier  # type: ignore[import-not-found, unused-ignore]
    from skactiveml.pool import UncertaintySampling  # type: ignore[import-not-found, unused-ignore]

    seed = int(draws.integers(2**31))
    classifier = SklearnClassifier(LogisticRegression(max_iter=1000), classes=[0, 1], random_state=seed)
    scaled = StandardScaler().fit_transform(x)
    asked = UncertaintySampling(random_state=seed).query(scaled, y, classifier, batch_size=BATCH)
    return np.asarray(asked, dtype=np.int64)


def ways() -> dict[str, Ask]:
    """Give the ways of asking, those of other libraries where they are installed."""
    others = {"coniferest": ask_coniferest, "skactiveml": ask_skactiveml}
    found = {name: ask for name, ask in others.items() if find_spec(name) is not None}
    return {"random": ask_random, **{by: ask_own(by) for by in OWN}, **found}


def measure(settings: Settings) -> None:
    """Measure `repeats` draws of each table; the same command goes on with what is left.

    Raises:
        InputError: `out` is not given.
    """
    if cases := measure_cases(settings, "queries", planned_cases(settings)):
        print("\n".join(query_lines(cases)))


def planned_cases(settings: Settings) -> Iterator[tuple[Case, Callable[[], Case]]]:
    """Yield the cases: each way of asking for each method, of tables that have enough rows and anomalies."""
    for draw in range(settings.repeats):
        for table, dataset in tables(settings):
            if int((1 - TEST_SHARE) * dataset.labels.y.sum()) < 2 * FIRST or len(dataset.x) < 300:
                continue
            for method, (way, ask) in product(METHODS, ways().items()):
                named = {"table": table, "method": method, "way": way, "draw": draw}
                yield named, partial(measure_case, dataset, method, ask, draw, settings)


def measure_case(dataset: Dataset, method: str, ask: Ask, draw: int, settings: Settings) -> Case:
    """Ask by one way, and keep what came of it."""
    return {"steps": [*simulate(dataset, method, ask, draw, settings.device)]}


def simulate(dataset: Dataset, method: str, ask: Ask, draw: int, device: str) -> Iterator[dict[str, float]]:
    """Ask, answer and fit in turn; yield what came of it at each of `STOPS`."""
    split = Holdout(TEST_SHARE, "all").split(Cell((0,), (1,)), dataset.labels, draw)
    truth, draws = split.s, np.random.default_rng(draw)
    x, test = dataset.x[split.train].numpy(), dataset.x[split.test].numpy()
    y = np.full(len(x), np.nan)
    y[draws.choice(np.flatnonzero(truth == 1), FIRST, replace=False)] = 1
    for answers in range(0, STOPS[-1] + 1, BATCH):
        detector = Detector(method, ensemble=1, random_state=draw, device=device, fpr=0.05).fit(x, y)
        if answers in STOPS:
            ap = average_precision_score(split.truth, detector.decision_function(test))
            yield {"answers": answers, "ap": round(float(ap), 5), "anomalies": int((y == 1).sum())}
        if answers < STOPS[-1]:
            asked = ask(detector, x, y, draws)
            y[asked] = truth[asked]
