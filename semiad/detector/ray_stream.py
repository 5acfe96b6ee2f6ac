"""Scores of Parquet files on a Ray cluster, by Ray Data."""

import logging
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch

from semiad.detector.stream import ChunkScores, columns_to_read, score_chunk_of_table
from semiad.errors import InputError
from semiad.extras import optional_import
from semiad.tabular.files import PARQUET, parquet_files
from semiad.tabular.table import Table, chunk_rows

if TYPE_CHECKING:
    from semiad.detector.estimator import Detector


def import_ray() -> Any:  # noqa: ANN401
    """Import Ray Data.

    Raises:
        InputError: it is not installed.
    """
    with optional_import("ray[data]", "ray", "--engine ray"):
        import ray.data
    return ray


def check_ray(path: Path) -> None:
    """Check that Ray Data can score a table.

    Raises:
        InputError: it is not installed, or the table is no Parquet.
    """
    import_ray()
    if path.suffix.lower() not in PARQUET and not parquet_files(path):
        raise InputError(
            f"{path} is no Parquet file or folder of such, which --engine ray reads: the types of a text file follow "
            "from all of its rows, so that machines could not read it in parts"
        )


class Scorer:
    """Scores batches in a process of Ray's.

    Args:
        detector: fitted to a table.
    """

    def __init__(self, detector: "Detector") -> None:
        torch.set_num_threads(1)  # the process has one core of those that Ray shares out
        self.detector = detector

    def __call__(self, batch: Any) -> dict[str, np.ndarray]:  # noqa: ANN401
        """Score a batch, an Arrow table: a row with its `ChunkScores`, or with the error, as a pickle."""
        try:
            frame = pl.from_arrow(batch)
            assert isinstance(frame, pl.DataFrame)
            result: ChunkScores | InputError = score_chunk_of_table(self.detector, frame)
        except InputError as error:
            result = error
        return {"result": np.array([pickle.dumps(result)], dtype=object)}


def score_by_ray(detector: "Detector", table: Table, rows: int | None = None) -> Iterator[ChunkScores]:
    """Score the rows of a Parquet file, or a folder of such, on the machines of a Ray cluster; results come in order.

    Every machine must see the files under the same path. The cluster is the one that the caller has joined, or that
    `RAY_ADDRESS` names; else Ray is started on this machine, for this process. No other cluster is looked for: one that
    runs on the machine may be somebody else's.

    Raises:
        InputError: as `semiad.detector.stream.score_table` does.
    """
    ray = import_ray()
    columns = columns_to_read(detector, table.schema)
    if not ray.is_initialized():
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        logging.getLogger("ray").setLevel(logging.ERROR)
        ray.init(os.environ.get("RAY_ADDRESS", "local"), include_dashboard=False, log_to_driver=False)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current().copy()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    cores = int(ray.cluster_resources().get("CPU", 1))
    files = [str(file.absolute()) for file in parquet_files(table.path) or [table.path]]
    with ray.data.DataContext.current(context):
        rows_read = ray.data.read_parquet(files, columns=columns, partitioning=None, file_extensions=None)
        chunks = rows_read.map_batches(
            Scorer,
            fn_constructor_args=(detector,),
            batch_size=chunk_rows(len(columns)) if rows is None else rows,
            batch_format="pyarrow",
            # A core is left to those who read.
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=max(cores - 1, 1)),
            num_cpus=1,
        )
        for row in chunks.iter_rows():
            result = pickle.loads(row["result"])  # as Ray itself does with what its processes give
            if isinstance(result, InputError):
                raise result
            yield result
