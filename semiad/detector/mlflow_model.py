"""The code of an MLflow model: MLflow runs this file when it loads one."""

from typing import Any

import pandas as pd  # type: ignore[import-untyped, unused-ignore]
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from semiad.detector.estimator import Detector


class DetectorModel(PythonModel):  # type: ignore[misc, unused-ignore]
    """Scores rows by the detector among the artifacts of the model."""

    def load_context(self, context: Any) -> None:  # noqa: ANN401
        """Load the detector."""
        self.detector = Detector.load(context.artifacts["detector"])

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:  # noqa: ANN401
        """Compute `score`, `p_value` and `alarm` of each row."""
        scores = self.detector.decision_function(model_input)
        p_values, alarms = self.detector.calibration_.p_values(scores), self.detector.alarms(scores)
        return pd.DataFrame({"score": scores, "p_value": p_values, "alarm": alarms})


set_model(DetectorModel())
