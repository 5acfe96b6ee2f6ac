"""Detectors for other programs: one file in the format of ONNX or of `torch.export`, or an MLflow model.

The files of ONNX and `torch.export` take rows of numbers as they are in the table, float64 (rows, columns) with NaN for
a missing value, and give `score`, float64 (rows,), and `alarm`, int64 (rows,).
"""

import json
import warnings
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Float
from torch.export import Dim, ExportedProgram

import semiad
from semiad.detector.ensemble import Ensemble
from semiad.detector.inputs import table_preprocessor
from semiad.detector.mlflow_export import save_mlflow
from semiad.detector.scoring import TableScoring
from semiad.errors import InputError, RunFailed
from semiad.extras import optional_import
from semiad.ledger.atomic import atomic_write, check_absent
from semiad.tabular.encoders import Number
from semiad.tabular.preprocessor import TablePreprocessor

if TYPE_CHECKING:
    from semiad.detector.estimator import Detector

TOLERANCE = 1e-5
"""Largest difference between a score and that of the exported file, relative to the score, or to 1 if that is more."""
CHECKED_ROWS = 500
METADATA = "semiad"
"""The name of the metadata in a file: JSON."""


def export_detector(detector: "Detector", path: Path, format: str) -> None:
    """Write a detector for other programs, completely or not at all.

    What was written is run on made rows, with missing and extreme values, and compared with the detector.

    Raises:
        InputError: an unknown format, a path that exists or cannot be written to, a library that is not installed, or a
            detector that the format cannot hold.
        RunFailed: the scores are not those of the detector.
    """
    if format not in FORMATS:
        raise InputError(f"format is '{format}', expected one of {', '.join(FORMATS)}")
    check_absent(path)
    try:
        FORMATS[format](detector, path)
    except OSError as error:
        raise InputError(f"{path} cannot be written to ({error.strerror}); nothing was left there") from error


def export_pt2(detector: "Detector", path: Path) -> None:
    """Write the file that `torch.export.load` reads, wherever torch is installed."""
    program = trace(detector)
    buffer = BytesIO()
    torch.export.save(program, buffer, extra_files={f"{METADATA}.json": json.dumps(metadata(detector))})
    buffer.seek(0)
    with warnings.catch_warnings():  # torch 2.11 reads the bytes of its own file in place
        warnings.filterwarnings("ignore", "The given buffer is not writable", UserWarning)
        module = torch.export.load(buffer).module()
    check_scores(detector, lambda rows: module(torch.from_numpy(rows))[0].numpy())
    with atomic_write(path) as draft:
        draft.write_bytes(buffer.getvalue())


def export_onnx(detector: "Detector", path: Path) -> None:
    """Write a file of ONNX, which onnxruntime and many other programs run."""
    with optional_import("onnx", "export", "the format onnx"):
        import onnx  # noqa: F401
    with optional_import("onnxscript", "export", "the format onnx"):
        import onnxscript  # noqa: F401
    with optional_import("onnxruntime", "export", "the format onnx"):
        import onnxruntime
    program = torch.onnx.export(
        trace(detector),
        dynamo=True,
        input_names=["rows"],
        output_names=["score", "alarm"],
        verbose=False,
    )
    assert program is not None
    program.model.metadata_props[METADATA] = json.dumps(metadata(detector))
    content = program.model_proto.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    check_scores(detector, lambda rows: np.asarray(session.run(["score"], {"rows": rows})[0]))
    with atomic_write(path) as draft:
        draft.write_bytes(content)


FORMATS: Mapping[str, Callable[["Detector", Path], None]] = {
    "onnx": export_onnx,
    "pt2": export_pt2,
    "mlflow": lambda detector, path: save_mlflow(detector, exportable(detector).needed, path),
}


def exportable(detector: "Detector") -> TablePreprocessor:
    """Give the preprocessor of a detector that can be exported.

    Raises:
        InputError: it is of images.
    """
    return table_preprocessor(detector.preprocessor_, "and only detectors of tables are exported")


def trace(detector: "Detector") -> ExportedProgram:
    """Export the module of a detector, for any number of rows.

    Raises:
        InputError: a column is not of numbers, or the method has no network.
    """
    others = [
        f"'{encoder.name}' ({encoder.__struct_config__.tag})"
        for encoder in exportable(detector).encoders
        if encoder.name in exportable(detector).needed and not isinstance(encoder, Number)
    ]
    if others:
        raise InputError(
            "the formats onnx and pt2 take columns of numbers only, but the detector was trained on "
            f"{', '.join(others)}: leave these out when it is fitted, give them as numbers, or take format mlflow"
        )
    ensemble = detector.ensemble_
    for candidate, group in zip(detector.candidates_, ensemble.groups, strict=True):
        if group.is_classical:
            one = f", one of {len(ensemble.groups)} methods," if len(ensemble.groups) > 1 else ""
            raise InputError(
                f"{candidate.method}{one} has no network, which the formats onnx and pt2 need: take format mlflow"
            )
    ensemble = Ensemble(ensemble.groups, ensemble.shape, torch.device("cpu"), ensemble.centres, ensemble.spreads)
    module = TableScoring(exportable(detector), ensemble, detector.threshold_).eval().requires_grad_(False)
    rows = torch.from_numpy(made_rows(exportable(detector)))
    with torch.no_grad():
        return torch.export.export(module, (rows,), dynamic_shapes={"rows": {0: Dim("n")}})


def metadata(detector: "Detector") -> dict[str, Any]:
    """Give what a program must know of a file: the columns in their order, and the threshold."""
    return {
        "semiad": semiad.__version__,
        "methods": [candidate.name for candidate in detector.candidates_],
        "members": len(detector.ensemble_.methods),
        "columns": list(exportable(detector).needed),
        "threshold": detector.threshold_,
        "fpr": detector.calibration_.rate(detector.fpr),
    }


def made_rows(preprocessor: TablePreprocessor) -> Float[np.ndarray, "n c"]:
    """Make rows within, at and far beyond the range of training, some values missing."""
    draws = np.random.default_rng(0)
    numbers = [encoder for encoder in preprocessor.encoders if isinstance(encoder, Number)]
    low, high = (np.array([getattr(encoder, name) for encoder in numbers]) for name in ("low", "high"))
    share = draws.random((CHECKED_ROWS, len(numbers)))
    rows: Float[np.ndarray, "n c"] = low * (1 - share) + high * share
    extremes = np.array([np.nan, np.inf, -np.inf, 1e300, -1e300, 1e9, -1e9, 0.0])
    changed = draws.random(rows.shape) < 0.2
    rows[changed] = draws.choice(extremes, changed.sum())
    rows[0], rows[1] = low, high
    return rows


def check_scores(detector: "Detector", score: Callable[[np.ndarray], np.ndarray]) -> None:
    """Compare the scores of what is written with those of the detector.

    Raises:
        RunFailed: they are not the same.
    """
    preprocessor = exportable(detector)
    rows = made_rows(preprocessor)
    frame = pl.DataFrame(rows, schema=list(preprocessor.needed))
    expected = detector.ensemble_.scores(preprocessor.transform(frame))
    difference = np.abs(score(rows) - expected) / np.maximum(np.abs(expected), 1)
    if not (difference <= TOLERANCE).all():
        raise RunFailed(
            f"the exported scores differ from those of the detector by up to {np.nanmax(difference):.2g}, expected at "
            f"most {TOLERANCE:g}; nothing was written"
        )
