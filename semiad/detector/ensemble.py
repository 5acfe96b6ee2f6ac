"""Trained members, and the score that they give together."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from semiad.data import CHUNK
from semiad.detector.composition import method_class, method_factory
from semiad.engines.threads import threads_set
from semiad.errors import InputError, RunFailed
from semiad.methods.base import Method
from semiad.methods.classical import ClassicalMethod
from semiad.methods.contract import check_rows

IMAGES = 256
"""Images that are scored at once: they and their maps take more memory than rows of a table."""
State = Mapping[str, Any]
"""What a member has learnt: tensors by name, or the attributes of a classical method."""


def state_of(method: Method | ClassicalMethod) -> State:
    """Give what a method has learnt, on the CPU."""
    if isinstance(method, ClassicalMethod):
        return method.state()
    return {name: value.detach().cpu().clone() for name, value in method.state_dict().items()}


def build(config: Mapping[str, Any], shape: Sequence[int], state: State) -> Method | ClassicalMethod:
    """Build a method that has learnt.

    Args:
        config: of the method.
        shape: of one row.
        state: what it has learnt, see `state_of`.

    Raises:
        InputError: what it has learnt is of another method.
    """
    with torch.random.fork_rng(devices=[]):
        method = method_factory(config)(shape=tuple(shape))
    if isinstance(method, ClassicalMethod):
        method.load_state(state)
        return method
    try:
        method.load_state_dict(dict(state))
    except RuntimeError as error:
        raise InputError(f"the weights are not those of {type(method).__name__}") from error
    return method.eval()


class Group(NamedTuple):
    """Members of one method, which differ by their seed.

    Attributes:
        config: of the method.
        states: what each member has learnt.
    """

    config: Mapping[str, Any]
    states: Sequence[State]

    @property
    def is_classical(self) -> bool:
        """Whether the method has no network."""
        return issubclass(method_class(self.config), ClassicalMethod)


class Ensemble:
    """Members that score rows together: the mean of their scores, each brought to one scale.

    The scale is that of the training rows without an anomaly label: their mean is 0, their standard deviation 1
    (Aggarwal and Sathe, "Theoretical Foundations and Algorithms for Outlier Ensembles", 2015). It comes from training
    rows only, so that calibration rows stay unseen. Each group has the same share in the mean, whatever the number of
    its members.

    Args:
        groups: of members, one for each method.
        shape: of one row.
        device: to score on.
        centres: means of the members' scores, group by group.
        spreads: their standard deviations.
    """

    def __init__(
        self,
        groups: Sequence[Group],
        shape: Sequence[int],
        device: torch.device,
        centres: Float[np.ndarray, " k"] | None = None,
        spreads: Float[np.ndarray, " k"] | None = None,
    ) -> None:
        self.groups, self.shape = list(groups), tuple(shape)
        self.weights = np.concatenate([np.full(len(group.states), 1 / len(group.states)) for group in groups])
        self.weights /= len(groups)
        self.centres = np.zeros(len(self.weights)) if centres is None else centres
        self.spreads = np.ones(len(self.weights)) if spreads is None else spreads
        self.to(device)

    def to(self, device: torch.device) -> None:
        """Build the members on a device; without a network they stay on the CPU."""
        self.methods = [build(group.config, self.shape, state) for group in self.groups for state in group.states]
        networks = [method.to(device) for method in self.methods if isinstance(method, Method)]
        self.device = device if networks else torch.device("cpu")

    def __getstate__(self) -> dict[str, Any]:
        """Give all but the methods, which are built again: a method holds functions that no pickle takes."""
        return {name: value for name, value in vars(self).items() if name != "methods"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Build the members again; on the CPU, if the device is not in this machine."""
        vars(self).update(state)
        self.to(self.device if self.device.type != "cuda" or torch.cuda.is_available() else torch.device("cpu"))

    def set_scale(self, scores: Float[np.ndarray, "k n"]) -> None:
        """Take the scale of each member from its scores of training rows.

        Raises:
            RunFailed: some are not finite.
        """
        if not np.isfinite(scores).all():
            raise RunFailed(
                f"{int((~np.isfinite(scores)).sum())} of {scores.size} scores of training rows are not finite"
            )
        self.centres, spreads = scores.mean(axis=1), scores.std(axis=1)
        self.spreads = np.where(spreads > 0, spreads, 1.0)

    def member_scores(self, x: Float[np.ndarray, "m *shape"]) -> Float[np.ndarray, "k m"]:
        """Score rows by each member, in chunks of one size, so that a score does not depend on the rows beside it.

        On a CPU, each thread scores a chunk by itself: threads that share a chunk wait for each other.
        """
        scored = np.empty((len(self.methods), len(x)))
        chunk = CHUNK if len(self.shape) == 1 else IMAGES

        def fill(place: tuple[int, int]) -> None:
            start, k = place
            part = x[start : start + chunk]
            size = len(part)
            if isinstance(self.methods[k], Method) and size < chunk:  # classical methods go through rows one by one
                part = np.concatenate([part, np.zeros((chunk - size, *self.shape), dtype=part.dtype)])
            scored[k, start : start + size] = score_chunk(self.methods[k], part, self.device)[:size]

        workers = torch.get_num_threads() if self.device.type == "cpu" else 1
        with threads_set(1), ThreadPoolExecutor(workers) as pool:
            list(pool.map(fill, product(range(0, len(x), chunk), range(len(self.methods)))))
        return scored

    def combine(self, scores: Float[np.ndarray, "k m"]) -> Float[np.ndarray, " m"]:
        """Combine the scores of the members."""
        mean: Float[np.ndarray, " m"] = self.weights @ self.to_scale(scores)
        return mean

    def to_scale(self, scores: Float[np.ndarray, "k m"]) -> Float[np.ndarray, "k m"]:
        """Bring the scores of each member to the common scale."""
        scaled: Float[np.ndarray, "k m"] = (scores - self.centres[:, None]) / self.spreads[:, None]
        return scaled

    def spread(self, scores: Float[np.ndarray, "k m"]) -> Float[np.ndarray, " m"]:
        """Compute how far the members disagree: the standard deviation of their scores on the common scale."""
        difference = self.to_scale(scores) - self.combine(scores)
        spread: Float[np.ndarray, " m"] = np.sqrt(self.weights @ difference**2)
        return spread

    def scores(self, x: Float[np.ndarray, "m *shape"]) -> Float[np.ndarray, " m"]:
        """Compute the anomaly score of each row."""
        return self.combine(self.member_scores(x))


def score_chunk(
    method: Method | ClassicalMethod, x: Float[np.ndarray, "b *shape"], device: torch.device
) -> Float[np.ndarray, " b"]:
    """Score rows by a member, which is in evaluation mode."""
    if isinstance(method, ClassicalMethod):
        scores = torch.as_tensor(method.scores(x.reshape(len(x), -1)))
    else:
        with torch.no_grad():
            scores = method.scores(torch.from_numpy(x).to(device))
    check_rows(method, "scores", scores, len(x))
    values: Float[np.ndarray, " b"] = scores.double().cpu().numpy()
    return values
