"""The table of the package, beside which semiad's report prints the runs of whoever trains it again."""

from pathlib import Path

from semiad.report.coordinates import METHODS, NORMAL, method
from semiad.report.experiment import Experiment, Paper

NAMES = {**METHODS, "margin_ae": "Margin AE"}

PAPER = Paper(
    name="margin",
    title="Margin AE",
    experiments=[
        Experiment(
            name="margin_table1",
            caption="Digits of scikit-learn: each digit against the others, eight 3s labelled anomalous.",
            rows=(NORMAL,),
            columns=(method(NAMES),),
            digits=3,
            compared=method(NAMES),
            subject="Margin AE",
        ),
    ],
    methods=NAMES,
    folder=Path(__file__).parent / "published",
)
