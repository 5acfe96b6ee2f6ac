"""Other libraries on the same rows: what `bench.py methods` compares with. They are no dependency of semiad's."""

import contextlib
import io
import time
from collections.abc import Callable

import numpy as np

Rows = np.ndarray
Rival = Callable[[Rows, Rows, Rows, int], tuple[float, Rows]]
"""From training rows, their semi-labels, test rows and epochs to seconds of training and scores."""


def deepod(x: Rows, s: Rows, test: Rows, epochs: int) -> tuple[float, Rows]:
    """DeepOD's Deep SAD: widths 32, 16 and 8, batch 128, Adam 1e-3; it has no pre-training."""
    from deepod.models.tabular import DeepSAD

    model = DeepSAD(
        epochs=epochs, batch_size=128, lr=1e-3, rep_dim=8, hidden_dims="32,16", act="LeakyReLU", device="cpu", verbose=0
    )
    with contextlib.redirect_stdout(io.StringIO()):
        start = time.perf_counter()
        model.fit(x, s.astype(int))
        return time.perf_counter() - start, model.decision_function(test)


def pyod(x: Rows, s: Rows, test: Rows, epochs: int) -> tuple[float, Rows]:
    """PyOD's AutoEncoder on the rows that are not labelled: widths 128 and 32, batch 32, Adam 1e-3."""
    from pyod.models.auto_encoder import AutoEncoder

    model = AutoEncoder(
        preprocessing=False, epoch_num=epochs, batch_size=32, hidden_neuron_list=[128, 32], batch_norm=False,
        dropout_rate=0, optimizer_params={"weight_decay": 0}, verbose=0, device="cpu",
    )  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        start = time.perf_counter()
        model.fit(x[s == 0])
        return time.perf_counter() - start, model.decision_function(test)
