"""`semiad export`: a detector for other programs."""

from pathlib import Path
from shlex import quote

from semiad.cli.tables import check_new
from semiad.console import open_console
from semiad.detector.estimator import Detector
from semiad.detector.export import FORMATS, exportable
from semiad.errors import InputError


def run_export(model: Path, format: str, out: Path) -> None:
    """Write a detector for other programs.

    Raises:
        InputError: the model or an option cannot be used.
        RunFailed: what was written does not give the scores of the detector.
    """
    if format not in FORMATS:
        raise InputError(f"--format is '{format}', expected one of {', '.join(FORMATS)}")
    check_new(out)
    detector = Detector.load(model, device="cpu")
    detector.export(out, format)
    console = open_console()
    if format == "mlflow":
        console.print(f"{out} is saved, an MLflow model. Next:", markup=False)
        console.print(f"  mlflow models serve -m {quote(str(out))} --env-manager local", markup=False)
        return
    columns = exportable(detector).needed
    console.print(
        f"{out} is saved; its scores were compared with those of {model}. It takes float64 rows of {len(columns)} "
        f"column{'s' * (len(columns) > 1)}, NaN where a value is missing:",
        markup=False,
    )
    console.print(f"  {', '.join(columns)}", markup=False)
    console.print(
        f"It gives `score` and `alarm` (1 above the threshold {detector.threshold_:.4g}, false alarm rate "
        f"{detector.calibration_.rate(detector.fpr):.3g}).",
        markup=False,
    )
