"""Detectors as MLflow models of the flavour pyfunc: any method, any columns."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import semiad
from semiad.extras import optional_import
from semiad.ledger.atomic import atomic_folder

if TYPE_CHECKING:
    from semiad.detector.estimator import Detector

ARTIFACT = "detector"
"""The name of the detector's folder among the artifacts of the model."""
CODE = Path(__file__).with_name("mlflow_model.py")
"""What MLflow runs when it loads the model: code of semiad, and no pickle."""


def save_mlflow(detector: "Detector", columns: Sequence[str], path: Path) -> None:
    """Write an MLflow model that takes these columns, completely or not at all.

    Raises:
        InputError: MLflow is not installed.
    """
    with optional_import("mlflow", "tracking", "the format mlflow"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of MLflow's own code
        import mlflow.pyfunc
        from mlflow.models import ModelSignature
        from mlflow.types import ColSpec, DataType, Schema
        from mlflow.types.schema import AnyType
    # Columns are checked by the detector, which takes whole numbers for numbers as well; MLflow would refuse them.
    anything = AnyType()  # type: ignore[no-untyped-call]
    inputs = Schema([ColSpec(anything, name, required=False) for name in columns])
    types = {"score": DataType.double, "p_value": DataType.double, "alarm": DataType.long}
    outputs = Schema([ColSpec(kind, name) for name, kind in types.items()])
    with atomic_folder(path) as draft, TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow asks for an example of rows, of which a detector has none
        detector.save(Path(folder) / ARTIFACT)
        mlflow.pyfunc.save_model(
            path=draft,
            python_model=CODE,
            artifacts={ARTIFACT: str(Path(folder) / ARTIFACT)},
            signature=ModelSignature(inputs, outputs),
            pip_requirements=[f"semiad=={semiad.__version__}"],
        )
