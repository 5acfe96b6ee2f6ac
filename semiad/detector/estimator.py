"""The estimator: any method that has a yaml file, in the manner of scikit-learn."""

import os
import warnings
from collections.abc import Callable, Sequence
from math import prod
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int64
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from semiad.checks import check_whole
from semiad.detector.auto import Chosen, choose_methods
from semiad.detector.calibration import Calibration
from semiad.detector.candidates import AUTO, BEST, DEFAULT, Candidate
from semiad.detector.comparison import Comparison
from semiad.detector.composition import check_overrides, compose_method
from semiad.detector.ensemble import Ensemble, Group, state_of
from semiad.detector.explanation import check_top, explain_rows
from semiad.detector.export import export_detector
from semiad.detector.heatmaps import explain_images
from semiad.detector.inputs import (
    Preprocessor,
    Rows,
    as_rows,
    choose_preprocessor,
    count_empty,
    fit_transform,
    frame_of,
    images_of,
    kind_of,
    noun_of,
    transform,
)
from semiad.detector.model_folder import load_model, save_model
from semiad.detector.probability import FEWEST, Probability, fit_probability
from semiad.detector.query import choose_rows
from semiad.detector.rows import divide_rows
from semiad.detector.training import train_members
from semiad.engines.device import resolve_device
from semiad.errors import InputError
from semiad.images import Images
from semiad.images.preprocessor import ImagePreprocessor
from semiad.tabular.labels import many_anomalies, semi_labels
from semiad.tabular.sample import TableSample


class Detector(OutlierMixin, BaseEstimator):  # type: ignore[misc] # sklearn ships no types
    """Learns an anomaly score from rows with few labels or none, and a threshold with a known false alarm rate.

    It composes the configuration of `semiad.train`, and trains an ensemble by the same engines. As in PyOD, a larger
    score is more anomalous and `predict` gives 1 for an anomaly and 0 for a normal row.

    Args:
        method: `auto` for those that a comparison on the training rows chooses, see docs/detector.md (of images, and
            with fewer than five labelled anomalies, AE-SAD); or the name of a method that has a yaml file, of semiad
            or of an installed package.
        network: the name of its network; None for the method's own; for images, for that of the method's paper.
        epochs: of each phase of the training; None for at most 20,000 steps and at most the method's own epochs.
        batch_size: rows in a training step; None for the method's own.
        ensemble: number of members of each method, which differ by their seed.
        calibration: share of the rows without an anomaly label that is held out of training to set the threshold; None
            for a fifth, and for up to a third where `fpr` needs more rows.
        folds: of the comparison of `method="auto"`.
        repeats: how often its folds are cut anew.
        best: number of methods that `method="auto"` takes; 1 for the simplest within one standard error of the best.
        memory: a folder where the comparison of `method="auto"` is kept, so that the same `fit` goes on after a stop;
            None for none.
        fpr: false alarm rate of `predict`: the share of normal rows that it takes for anomalies. `fit` sets the
            threshold by it; `predict(fpr=...)` takes another rate without training anew.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        random_state: decides all that is random.
        overrides: further settings, as on the command line of `semiad.train` (`method.lam.alpha=1`).
        preprocessor: turns columns into numbers from 0 to 1; None for a `TablePreprocessor` with its defaults, and for
            an `ImagePreprocessor` where rows are images.
        verbose: whether it is said how long a comparison takes, and on a terminal a progress bar is shown.

    Attributes:
        decision_scores_: scores of the rows given to `fit`; larger is more anomalous.
        labels_: 1 where these pass the threshold, else 0.
        threshold_: the score above which a row is an anomaly.
        offset_: the threshold of `score_samples`: -threshold_.
        n_features_in_: number of columns.
        feature_names_in_: names of the columns, where they are texts.
        candidates_: its methods with their settings, see `semiad.detector.candidates.Candidate`; one unless `auto` took
            several.
        comparison_: what `auto` chose by, see `semiad.detector.comparison.Comparison`; None where nothing was compared,
            and of a detector that was loaded, of which `summary_["comparison"]` has what the choice is worth.
        cv_results_: figures of the candidates on the folds, see `semiad.detector.comparison.Comparison.results`; only
            where `comparison_` is.
        preprocessor_: fitted to the training rows.
        ensemble_: the trained members.
        calibration_: the scores of the held-out rows.
        probability_: the odds of an anomaly by its score, for `predict_proba`; None where there is none.
        summary_: numbers of rows by their use, steps and seconds.
    """

    def __init__(
        self,
        method: str = AUTO,
        *,
        network: str | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        ensemble: int = 5,
        calibration: float | None = None,
        folds: int = 5,
        repeats: int = 5,
        best: int = BEST,
        memory: str | Path | None = None,
        fpr: float = 0.01,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        overrides: Sequence[str] = (),
        preprocessor: Preprocessor | None = None,
        verbose: bool = False,
    ) -> None:
        self.method, self.network, self.epochs, self.batch_size = method, network, epochs, batch_size
        self.ensemble, self.calibration, self.fpr, self.device = ensemble, calibration, fpr, device
        self.folds, self.repeats, self.best, self.memory = folds, repeats, best, memory
        self.random_state, self.overrides, self.preprocessor, self.verbose = (
            random_state,
            overrides,
            preprocessor,
            verbose,
        )

    def fit(self, X: Any, y: ArrayLike | None = None) -> "Detector":  # noqa: ANN401
        """Train the members, and set the threshold on rows that are held out.

        Args:
            X: rows: a data frame, an array, or whatever `semiad.tabular.frames.as_frame` takes; or images: what
                `semiad.images.read_images` gives, or an array (images, channels, height, width) or (images, height,
                width) from 0 to 1. Of a table that is larger than memory, `semiad.tabular.sample.sample_table` gives
                the labelled rows and a draw of the others.
            y: 1 for an anomaly, 0 for a checked normal row, NaN or -1 for an unlabelled row; None for unlabelled rows,
                and for the labels of images or a sample that were read.

        Raises:
            InputError: a parameter or the rows cannot be used.
            RunFailed: a member could not be trained, say because its loss is not finite.
        """
        start = perf_counter()
        given, asked = (X.given, X.asked) if isinstance(X, TableSample) else (None, None)
        if isinstance(X, TableSample):
            X, y = X.rows, X.labels if y is None else y
        self._check()
        frame = self._frame(X, reset=True)
        device = resolve_device(self.device)
        self.preprocessor_ = choose_preprocessor(self.preprocessor, frame, device)
        noun = noun_of(self.preprocessor_)
        labels = self._labels(frame.labels if y is None and isinstance(frame, Images) else y, len(frame), noun)
        rng = check_random_state(self.random_state)
        use = divide_rows(labels, self.calibration, self.fpr, rng, noun, asked)
        first = int(rng.randint(2**31 - 1))
        s: Int64[np.ndarray, " n"] = (labels == 1).astype(np.int64)
        kind = kind_of(self.preprocessor_)
        self.candidates_, self.comparison_ = self._choose(frame, labels, use.train, first, device)
        compositions = [
            compose_method(one.method, self.network, self.epochs, self.batch_size, one.overrides, kind)
            for one in self.candidates_
        ]
        x = fit_transform(self.preprocessor_, frame, use.train)
        seeds = [first + member for member in range(self.ensemble)]
        groups, steps = [], 0
        for candidate, composition in zip(self.candidates_, compositions, strict=True):
            trained = train_members(
                x[use.train], s[use.train], composition, seeds, device, self.epochs, self.verbose, candidate.name
            )
            if not s.any() and not trained.methods[0].unsupervised:
                warnings.warn(
                    f"no {noun} is labelled anomalous (y has no 1), so that {candidate.method} learns from unlabelled "
                    f"{noun}s alone",
                    stacklevel=2,
                )
            groups.append(Group(composition.method, [state_of(method) for method in trained.methods]))
            steps = max(steps, trained.steps)
        self.ensemble_ = Ensemble(groups, x.shape[1:], device)
        scores = self.ensemble_.member_scores(x)
        self.ensemble_.set_scale(scores[:, use.train[s[use.train] == 0]])
        self.decision_scores_ = self.ensemble_.combine(scores)
        self.calibration_ = Calibration(self.decision_scores_[use.calibration], noun)
        self.probability_: Probability | None = None
        if self.comparison_ is not None:
            self.probability_ = fit_probability(self.comparison_.judged(self.best), self.calibration_.scores)
        self.summary_: dict[str, Any] = {
            "rows_given": len(frame) if given is None else given,
            "rows": len(frame),
            "labelled_anomalies": int(s.sum()),
            "checked_normal": int((labels == 0).sum()),
            "training_rows": len(use.train),
            "calibration_rows": len(use.calibration),
            "calibration_rows_checked": use.checked,
            "steps": steps,
            "seconds": round(perf_counter() - start, 3),
        }
        if self.comparison_ is not None:
            self.summary_["comparison"] = self.comparison_.summary(self.best)
        self.calibration_.warn_of_few_rows(self.fpr)
        self._set_threshold()
        self.labels_ = self.alarms(self.decision_scores_)
        return self

    def fit_predict(self, X: Any, y: ArrayLike | None = None) -> Int64[np.ndarray, " n"]:  # noqa: ANN401
        """Fit to rows and their labels, see `fit`, and decide which of these rows are anomalies: 1, else 0."""
        return self.fit(X, y).labels_

    def decision_function(self, X: Any) -> Float[np.ndarray, " n"]:  # noqa: ANN401
        """Compute the anomaly score of each row, larger for more anomalous.

        The score of a member is brought to the scale of its training rows without an anomaly label: their mean is 0,
        their standard deviation 1. The score is the mean over the methods of the mean over their members.
        """
        check_is_fitted(self)
        rows = self._frame(X, reset=False)
        if empty := count_empty(rows):
            warnings.warn(f"{empty:,} of {len(rows):,} rows have no value: their scores mean nothing", stacklevel=2)
        return self.ensemble_.scores(transform(self.preprocessor_, rows))

    def score_samples(self, X: Any) -> Float[np.ndarray, " n"]:  # noqa: ANN401
        """Compute the score with the sign of scikit-learn: larger for more normal."""
        return -self.decision_function(X)

    def p_values(self, X: Any) -> Float[np.ndarray, " n"]:  # noqa: ANN401
        """Compute the conformal p-value of each row: of a normal row it is at most `a` with probability `a` or less."""
        return self.calibration_.p_values(self.decision_function(X))

    @property
    def predict_proba(self) -> Callable[..., Float[np.ndarray, "n 2"]]:
        """Compute the probabilities that each row is normal and that it is an anomaly: `predict_proba(X, rate=None)`.

        They need anomalies that no member was trained on, so only a comparison of `method="auto"` has them. Rows
        without a label count as normal there: of rows with hidden anomalies probabilities are too low.

        Args:
            X: rows.
            rate: share of anomalies among rows such as these; None for that of labelled anomalies among the rows that
                were compared, which is seldom the share among other rows.

        Raises:
            AttributeError: the detector has no probabilities; the message says why.
            InputError: the rows or the share cannot be used.
        """
        check_is_fitted(self)
        if self.probability_ is None:
            raise AttributeError(f"{self._no_probability()}: p_values(X) needs none")

        def predict_proba(X: Any, rate: float | None = None) -> Float[np.ndarray, "n 2"]:  # noqa: ANN401
            anomalous = self.probabilities(self.decision_function(X), rate)
            return np.stack([1 - anomalous, anomalous], axis=1)

        return predict_proba

    def probabilities(self, scores: Float[np.ndarray, " n"], rate: float | None = None) -> Float[np.ndarray, " n"]:
        """Compute by scores the probability that each row is an anomaly, as `predict_proba` does.

        Raises:
            InputError: the detector has no probabilities, or the share cannot be used.
        """
        if self.probability_ is None:
            raise InputError(self._no_probability())
        return self.probability_.of(scores, rate)

    def predict(self, X: Any, *, fpr: float | None = None, budget: int | None = None) -> Int64[np.ndarray, " n"]:  # noqa: ANN401
        """Decide which rows are anomalies: 1, else 0.

        Args:
            X: rows.
            fpr: false alarm rate, in place of that of the detector.
            budget: take this many rows, those with the largest scores, in place of a threshold.

        Raises:
            InputError: both are given, or one cannot be used.
        """
        return self.alarms(self.decision_function(X), fpr=fpr, budget=budget)

    def alarms(
        self, scores: Float[np.ndarray, " n"], *, fpr: float | None = None, budget: int | None = None
    ) -> Int64[np.ndarray, " n"]:
        """Decide by scores which rows are anomalies, as `predict` does; of rows with equal scores the first ones."""
        if budget is None:
            if fpr is not None:
                self.calibration_.warn_of_few_rows(fpr)
            threshold = self.threshold_ if fpr is None else self.calibration_.threshold(fpr)
            return (scores > threshold).astype(np.int64)
        if fpr is not None:
            raise InputError("fpr and budget are both given, expected one of them")
        if not isinstance(budget, int | np.integer) or isinstance(budget, bool) or budget < 0:
            raise InputError(f"budget is {budget}, expected a whole number of rows from 0 on")
        chosen = np.zeros(len(scores), dtype=np.int64)
        chosen[np.argsort(-scores, kind="stable")[:budget]] = 1
        return chosen

    def explain(self, X: Any, *, top: int = 5) -> pl.DataFrame:  # noqa: ANN401
        """Name the columns with the largest shares in the score of each row, see docs/detector.md.

        Args:
            X: rows, or images.
            top: number of columns that are named for each row; of no meaning for images.

        Returns:
            A Polars frame with a row for each row of X: `score`, `spread`, `base`, `reason_1`, `share_1`, ...; the
            shares of all columns and the base sum to the score. For images: `score`, `base`, and `shares`, of which
            `.to_numpy()` is (images, height, width), see docs/images.md.

        Raises:
            InputError: `top` or the rows cannot be used, or a library that is needed is not installed.
        """
        check_is_fitted(self)
        check_top(top)
        rows = self._frame(X, reset=False)
        if isinstance(self.preprocessor_, ImagePreprocessor):
            return explain_images(self, images_of(rows)).frame()
        return explain_rows(self, frame_of(rows)).frame(top)

    def query(self, X: Any, n: int, *, by: str = "score") -> Int64[np.ndarray, " k"]:  # noqa: ANN401
        """Choose rows that are worth a label, see `semiad.detector.query.choose_rows`.

        Args:
            X: rows without a label.
            n: how many to choose.
            by: `score`, `margin` or `diverse`.

        Returns:
            Row numbers from 0, the one most worth a label first.

        Raises:
            InputError: the rows, `n` or `by` cannot be used.
        """
        x = transform(self.preprocessor_, self._frame(X, reset=False))
        return choose_rows(self.ensemble_.scores(x), n, by, self.threshold_, lambda rows: x[rows])

    def export(self, path: str | Path, format: str = "onnx") -> None:
        """Write the detector for other programs, see docs/detector.md.

        Args:
            path: of the file, or of the folder for `mlflow`; it must not exist.
            format: `onnx`, `pt2` (`torch.export`) or `mlflow`.

        Raises:
            InputError: the format cannot hold the detector, a library is not installed, or the path cannot be used.
            RunFailed: what was written does not give the scores of the detector.
        """
        check_is_fitted(self)
        export_detector(self, Path(path), format)

    def save(self, path: str | Path, *, report: str | None = None) -> None:
        """Write the detector into a new folder, or a zip file of it, completely or not at all.

        Args:
            path: of the folder; of the file, if it ends in `.zip`.
            report: a page for people, see `semiad.detector.fit_report`; it holds rows of the table. None for no page.

        Raises:
            InputError: the path exists, or cannot be written to.
        """
        check_is_fitted(self)
        save_model(self, Path(path), report)

    @property
    def method_(self) -> str:
        """The name of its method; `auto` for several."""
        return self.candidates_[0].method if len(self.candidates_) == 1 else AUTO

    @property
    def cv_results_(self) -> dict[str, np.ndarray]:
        """The figures of the candidates, in the form of scikit-learn's searches.

        Raises:
            AttributeError: nothing was compared, or the detector was loaded.
        """
        made: Comparison | None = getattr(self, "comparison_", None)
        if made is None:
            raise AttributeError(f"cv_results_ is there after a fit of method={AUTO} that compares methods")
        return made.results()

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto", trusted: Sequence[str] = ()) -> "Detector":
        """Read a detector from its folder, or a zip file of it. No code that it holds is run.

        `decision_scores_` and `labels_`, which belong to the rows of `fit`, are not in the folder.

        Args:
            path: of the folder, or of the zip file.
            device: to score on.
            trusted: packages, besides semiad and those with configurations for it, whose classes may be used.

        Raises:
            InputError: the folder is no model, is damaged, or is of a newer format.
        """
        detector = cls()
        load_model(detector, Path(path), resolve_device(device), trusted)
        detector.set_params(device=device)
        detector._set_threshold()
        return detector

    def __sklearn_tags__(self) -> Any:  # noqa: ANN401
        """Say that missing values, columns of texts and sparse matrices are welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.sparse = True
        tags.input_tags.string = True
        return tags

    def _check(self) -> None:
        """Check the parameters that need no rows for it.

        Raises:
            InputError: one cannot be used.
        """
        for name, least in (("ensemble", 1), ("best", 1), ("folds", 2), ("repeats", 1), ("epochs", 1)):
            value = getattr(self, name)
            check_whole(name, value.item() if isinstance(value, np.integer) else value, least, null=name == "epochs")
        if not isinstance(self.method, str):
            raise InputError(f"method is {self.method}, expected the name of a method")
        if not isinstance(self.memory, str | os.PathLike | None):
            raise InputError(f"memory is {self.memory}, expected the path of a folder, or None")
        if self.memory is not None and Path(self.memory).is_file():
            raise InputError(f"memory is {self.memory}, which is a file, expected a folder")

    def _choose(
        self,
        rows: Rows,
        labels: Float[np.ndarray, " n"],
        train: Int64[np.ndarray, " m"],
        seed: int,
        device: torch.device,
    ) -> Chosen:
        """Give the methods with their settings: the one that was named, or those that a comparison chooses.

        Raises:
            InputError: `auto` is given with what only a named method has.
        """
        check_overrides(self.overrides)
        if self.method != AUTO:
            return Chosen((Candidate(self.method, tuple(self.overrides)),), None)
        given = {"network": self.network, "batch_size": self.batch_size, "overrides": self.overrides or None}
        if wrong := [name for name, value in given.items() if value is not None]:
            raise InputError(f"{wrong[0]} is given, but method={AUTO} chooses among methods: name one, say {DEFAULT}")
        memory = None if self.memory is None else Path(self.memory)
        shared = (int(self.folds), int(self.repeats), int(self.best), seed, device, memory, self.verbose)
        return choose_methods(self.preprocessor_, rows, labels, train, *shared)

    def _no_probability(self) -> str:
        """Say why there are no probabilities."""
        if self.method_ == AUTO and self.summary_["labelled_anomalies"] >= FEWEST:
            return "the detector was saved by a semiad that had no probabilities: fit it again"
        return (
            f"a detector has probabilities if method={AUTO} compares methods on {FEWEST} labelled anomalies or more; "
            f"this one is {self.method_} with {self.summary_['labelled_anomalies']}"
        )

    def _set_threshold(self) -> None:
        self.threshold_ = self.calibration_.threshold(self.fpr)
        self.offset_ = -self.threshold_

    def _frame(self, X: Any, reset: bool) -> Rows:  # noqa: ANN401
        """Check rows as scikit-learn does, and give them as a data frame or as images."""
        rows = as_rows(X)
        if not isinstance(rows, Images):
            validate_data(self, X, reset=reset, skip_check_array=True)
        elif reset:
            self.n_features_in_ = prod(rows.shape)
            if hasattr(self, "feature_names_in_"):
                del self.feature_names_in_
        if len(rows) < 1 + reset:
            raise InputError(f"X has {len(rows)} sample{'' if len(rows) == 1 else 's'}, expected {1 + reset} or more")
        return rows

    def _labels(self, y: ArrayLike | None, rows: int, noun: str) -> Float[np.ndarray, " n"]:
        """Give labels as 1, 0 and NaN."""
        if y is None:
            return np.full(rows, np.nan)
        labels: Float[np.ndarray, " n"] = semi_labels(y)
        if len(labels) != rows:
            raise InputError(f"y has {len(labels)} labels, but X has {rows} {noun}s")
        if many := many_anomalies(int((labels == 1).sum()), rows, noun):
            warnings.warn(many, stacklevel=3)
        return labels
