"""The tables and figures of the ESAD paper."""

from pathlib import Path
from typing import Any

import polars as pl

from semiad.report.coordinates import DATASET, METHODS, Coordinate, config_value, method, number, swept
from semiad.report.drawings import BARS, KINDS, RANKS, Drawing, Setting, labels, matrix, sweep
from semiad.report.experiment import Experiment, Paper
from semiad.report.papers.esad_causes import TABLE_1, TABLE_2, TABLE_4, TABLE_5, TABLE_8, TABLE_9
from semiad.report.papers.esad_claims import CLAIMS

ONE_CLASS, SOFT = "Deep SVDD (one-class)", "Deep SVDD (soft boundary)"
SUPERVISED = {"supervised": "Supervised Classifier"}
M2, M1_M2 = "SS-DGM (M2)", "SS-DGM (M1+M2)"
GENERATIVE = {"ss_dgm": M2, "ss_dgm_stacked": M1_M2}
HYBRIDS = {"ocsvm_hybrid": "OC-SVM Hybrid", "iforest_hybrid": "IF Hybrid", "ssad_hybrid": "SSAD Hybrid"}
SVDD = {"deep_sad": "Deep SAD", "deep_svdd": ONE_CLASS, "deep_svdd_soft": SOFT}
ESAD_METHODS = {**METHODS, **SVDD, **SUPERVISED, **GENERATIVE, **HYBRIDS}
METHOD = method(ESAD_METHODS)
VERSION = Coordinate(
    "method",
    pl.col("method"),
    pl.when(pl.col("method") != "esad")
    .then(METHOD.ours)
    .when(number(config_value("scenario.labelled")) == "0")
    .then(pl.lit("ESAD (unsupervised)"))
    .otherwise(pl.lit("ESAD (full)")),
    ("ESAD (unsupervised)", "ESAD (full)", *ESAD_METHODS.values()),
)
"""Table 2: runs of ESAD without labelled anomalies stand beside those with."""

PARTS = (
    ("enc2", config_value("method.second") == "true"),
    ("ass", number(config_value("method.lam2")) != "0"),
    ("gaussian", number(config_value("method.transform.gaussian")) != "0"),
    ("permutation", config_value("method.transform.permutation") == "true"),
)
DESIGN = Coordinate(
    "design",
    pl.col("param_value"),
    pl.concat_str(
        [pl.when(present).then(pl.lit(name)) for name, present in PARTS], separator="+", ignore_nulls=True
    ).replace("", "none"),
)
"""Table 5: the parts of the design that a run has."""

GAMMA_L = swept("gamma_l", "scenario.labelled")
GAMMA_P = swept("gamma_p", "scenario.pollution")
K_L = swept("k_l", "scenario.classes")
RIVALS: dict[str, Any] = {"percent": True, "compared": METHOD, "subject": "ESAD"}
MATRIX = matrix("esad", "deep_sad")
MEDICAL = "its medical images (Camelyon16 and NIH chest X-rays) are not at hand"

PAPER = Paper(
    name="esad",
    title="ESAD",
    experiments=(
        Experiment(
            "esad_table1",
            "Mean over one-vs-one cells, by the share of labelled anomalies gamma_l.",
            (DATASET, GAMMA_L),
            (METHOD,),
            1,
            pooled=(90, "cells"),
            drawings=(labels(), MATRIX),
            causes=TABLE_1,
            **RIVALS,
        ),
        Experiment(
            "esad_table2",
            "ESAD beside methods that use no labels: means over cells, with no rows and with a fifth of them labelled.",
            (VERSION,),
            (DATASET,),
            1,
            pooled=(90, "cells"),
            causes=TABLE_2,
            **{**RIVALS, "compared": VERSION, "subject": "ESAD (full)"},
        ),
        Experiment(
            "esad_table3",
            "Medical images.",
            (METHOD,),
            (DATASET,),
            1,
            absent=MEDICAL,
            **RIVALS,
        ),
        Experiment(
            "esad_table4",
            "ODDS tables, 1 % of the training rows labelled.",
            (DATASET,),
            (METHOD,),
            1,
            drawings=(RANKS,),
            causes=TABLE_4,
            **RIVALS,
        ),
        Experiment(
            "esad_table5",
            "ESAD with and without the parts of its design, 1 % of the training rows labelled.",
            (DESIGN,),
            (DATASET,),
            1,
            percent=True,
            compared=DESIGN,
            causes=TABLE_5,
            subject="enc2+ass+gaussian+permutation",
        ),
        Experiment(
            "esad_table8",
            "Mean over one-vs-one cells, by the share of polluting anomalies gamma_p; gamma_l = 0.05.",
            (DATASET, GAMMA_P),
            (METHOD,),
            1,
            pooled=(90, "cells"),
            causes=TABLE_8,
            **RIVALS,
        ),
        Experiment(
            "esad_table9",
            "Mean over cells, by the number of known classes k_l; gamma_l = 0.05, gamma_p = 0.1.",
            (DATASET, K_L),
            (METHOD,),
            1,
            pooled=(100, "cells"),
            causes=TABLE_9,
            **RIVALS,
        ),
        Experiment(
            "esad_fig2",
            "AUC of ESAD by lambda_1.",
            (DATASET,),
            (swept("lambda_1", "method.lam1"),),
            1,
            percent=True,
            drawings=(
                sweep(
                    "lam1",
                    "dataset",
                    "method",
                    f"Mean AUC of ESAD over cells and seeds by lambda 1, a line for each data set. {BARS}",
                    pl.col("method") == "esad",
                ),
            ),
        ),
        Experiment(
            "esad_fig3",
            "Codes of Deep SAD and ESAD; the value is the AUC of these runs.",
            (DATASET,),
            (METHOD,),
            1,
            needs="samples",
            percent=True,
            drawings=(
                Drawing(
                    "semiad.report.figures.points:embedding",
                    "Codes of test rows in the plane, by t-SNE: those of Deep SAD, those of ESAD's first encoder and "
                    "those of its second, of each the run of the lowest seed that kept codes. Marks tell whether a "
                    f"row is {KINDS}.",
                    {"codes": (("deep_sad", "z"), ("esad", "z"), ("esad", "z_hat"))},
                ),
            ),
        ),
        Experiment(
            "esad_fig5",
            "AUC of ESAD by lambda_2.",
            (DATASET,),
            (swept("lambda_2", "method.lam2"),),
            1,
            percent=True,
            drawings=(
                sweep(
                    "lam2",
                    "dataset",
                    "method",
                    f"Mean AUC of ESAD over cells and seeds by lambda 2, a line for each data set. {BARS}",
                    pl.col("method") == "esad",
                ),
            ),
        ),
    ),
    methods=ESAD_METHODS,
    folder=Path(__file__).parents[1] / "published",
    claims=CLAIMS,
    better_of={"Deep SVDD": (ONE_CLASS, SOFT), "SS-DGM": (M2, M1_M2)},
    settings={
        "lam1": Setting("method.lam1", r"$\lambda_1$", r"$\lambda_1$ = {}"),
        "lam2": Setting("method.lam2", r"$\lambda_2$", r"$\lambda_2$ = {}"),
    },
)
