"""The published tables and figures."""

from collections.abc import Sequence
from difflib import get_close_matches
from itertools import product
from typing import Any

import polars as pl

from semiad.errors import InputError
from semiad.report.experiment import Experiment
from semiad.report.places import (
    AESAD,
    AESAD_METHODS,
    ALPHA,
    ANOMALOUS,
    AUC,
    CLASS,
    DATASET,
    DESIGN,
    ESAD,
    LABELLED,
    NORMAL,
    OPPONENT,
    POLLUTION,
    SEEN,
    TESTED,
    VERSION,
    Place,
    swept,
)

GAMMA_L = swept("gamma_l", "scenario.labelled")
GAMMA_P = swept("gamma_p", "scenario.pollution")
K_L = swept("k_l", "scenario.classes")
SCENARIO = Place("scenario", pl.lit(""), pl.col("scenario"))
RIVALS: dict[str, Any] = {"compared": AESAD, "subject": "AE-SAD"}
ESADS: dict[str, Any] = {"percent": True, "compared": ESAD, "subject": "ESAD"}
EIGHT = "MNIST, normal 8, 100 labelled anomalies of 1, 3, 5, 9: "

EXPERIMENTS: Sequence[Experiment] = (
    Experiment(
        "aesad_table1",
        EIGHT + "AUC of 8 against each other class, seen in training or not.",
        (SEEN, CLASS),
        (AESAD,),
        4,
        kind="class",
        difference=("AE-SAD minus AE", "AE-SAD", "AE"),
        **RIVALS,
    ),
    Experiment("aesad_fig1", EIGHT + "rows and their reconstructions.", (AESAD,), (AUC,), 4, needs="samples"),
    Experiment(
        "aesad_fig2",
        EIGHT + "scores by class, and the AUC over all classes.",
        (AESAD,),
        (AUC,),
        4,
        source="aesad_fig2c",
        needs="samples",
        **RIVALS,
    ),
    Experiment(
        "aesad_table2",
        "ODDS tables, 5 % of the training rows labelled anomalies.",
        (DATASET,),
        (AESAD,),
        3,
        **RIVALS,
    ),
    Experiment(
        "aesad_table3",
        "One-vs-one: how often the method of the row has a greater AUC than that of the column.",
        (AESAD,),
        (OPPONENT,),
        2,
        kind="win",
        totals=("method", "opponent"),
        pooled=(270, "cells of three data sets"),
        **RIVALS,
    ),
    Experiment(
        "aesad_table4",
        "One-vs-one: how often AE-SAD has a greater AUC than another method, for each pair of classes.",
        (DATASET, NORMAL),
        (ANOMALOUS,),
        2,
        kind="win",
        totals=("normal", "anomalous"),
        rivals=("OC-SVM", "AE", "A3", "Deep-SAD"),
        **RIVALS,
    ),
    Experiment(
        "aesad_table5",
        "3 against three known classes, 50 labelled anomalies of each, under more and more pollution.",
        (DATASET, AESAD),
        (POLLUTION,),
        3,
        **RIVALS,
    ),
    Experiment(
        "aesad_table6",
        "Each class against all others, all of them known: 2 labelled and 100 polluting anomalies of each.",
        (DATASET, NORMAL),
        (AESAD,),
        3,
        lost=[*product(("MNIST", "Fashion-MNIST"), map(str, range(10)), list(AESAD_METHODS.values())[:5])],
        **RIVALS,
    ),
    Experiment(
        "aesad_table7",
        "Each class against three known ones: 2 labelled and 100 polluting anomalies of each.",
        (DATASET, NORMAL, ANOMALOUS),
        (AESAD,),
        3,
        **RIVALS,
    ),
    Experiment(
        "aesad_table8",
        "Several normal classes, tested on seen classes only or on unseen ones as well.",
        (DATASET, NORMAL, ANOMALOUS, TESTED),
        (AESAD,),
        2,
        **RIVALS,
    ),
    Experiment(
        "aesad_fig3",
        "MNIST, one-vs-one: AUC of AE-SAD by the number of labelled anomalies and lambda.",
        (NORMAL,),
        (LABELLED, ALPHA),
        4,
        totals=("normal",),
    ),
    Experiment(
        "aesad_fig4",
        "Fashion-MNIST, one-vs-one: AUC by the number of labelled anomalies; the autoencoder ignores them.",
        (NORMAL,),
        (AESAD, LABELLED),
        4,
        totals=("normal",),
    ),
    Experiment(
        "aesad_fig5",
        "ODDS tables: AUC and training loss by epoch; the figure is the AUC at the epoch of lowest loss.",
        (DATASET,),
        (AESAD,),
        4,
        figure="auc_at_min_loss",
        needs="curve",
        **RIVALS,
    ),
    Experiment(
        "aesad_fig6",
        "AUC of AE-SAD by lambda under pollution, 100 labelled anomalies.",
        (DATASET, POLLUTION),
        (ALPHA,),
        4,
    ),
    Experiment(
        "aesad_fig7",
        "AE-SAD against each rival, on clean data and on polluted (Tables 6 and 7, so not CIFAR-10); the figure is the "
        "mean AUC over all cells.",
        (DATASET, SCENARIO),
        (AESAD,),
        4,
        where=(pl.col("dataset") != "cifar10") | (pl.col("scenario") == "one_vs_one"),
        **RIVALS,
    ),
    Experiment(
        "esad_table1",
        "Mean over one-vs-one cells, by the share of labelled anomalies gamma_l.",
        (DATASET, GAMMA_L),
        (ESAD,),
        1,
        pooled=(90, "cells"),
        **ESADS,
    ),
    Experiment(
        "esad_table2",
        "ESAD beside methods that use no labels: means over cells, with no rows and with a fifth of them labelled.",
        (VERSION,),
        (DATASET,),
        1,
        pooled=(90, "cells"),
        **{**ESADS, "compared": VERSION, "subject": "ESAD (full)"},
    ),
    Experiment("esad_table4", "ODDS tables, 1 % of the training rows labelled.", (DATASET,), (ESAD,), 1, **ESADS),
    Experiment(
        "esad_table5",
        "ESAD with and without the parts of its design, 1 % of the training rows labelled.",
        (DESIGN,),
        (DATASET,),
        1,
        percent=True,
        compared=DESIGN,
        subject="enc2+ass+gaussian+permutation",
    ),
    Experiment(
        "esad_table8",
        "Mean over one-vs-one cells, by the share of polluting anomalies gamma_p; gamma_l = 0.05.",
        (DATASET, GAMMA_P),
        (ESAD,),
        1,
        pooled=(90, "cells"),
        **ESADS,
    ),
    Experiment(
        "esad_table9",
        "Mean over cells, by the number of known classes k_l; gamma_l = 0.05, gamma_p = 0.1.",
        (DATASET, K_L),
        (ESAD,),
        1,
        pooled=(100, "cells"),
        **ESADS,
    ),
    Experiment(
        "esad_fig2", "AUC of ESAD by lambda_1.", (DATASET,), (swept("lambda_1", "method.lam1"),), 1, percent=True
    ),
    Experiment(
        "esad_fig3",
        "Codes of Deep SAD and ESAD; the figure is the AUC of these runs.",
        (DATASET,),
        (ESAD,),
        1,
        needs="samples",
        percent=True,
    ),
    Experiment(
        "esad_fig5", "AUC of ESAD by lambda_2.", (DATASET,), (swept("lambda_2", "method.lam2"),), 1, percent=True
    ),
)


def experiment(name: str) -> Experiment:
    """The experiment of this name.

    Raises:
        InputError: there is none.
    """
    found = {one.name: one for one in EXPERIMENTS}
    if name not in found:
        near = get_close_matches(name, found, n=1)
        meant = f" Did you mean {near[0]}?" if near else ""
        raise InputError(f"there is no experiment '{name}', only {', '.join(found)}.{meant}")
    return found[name]
