"""The tables and figures of the AE-SAD paper."""

from itertools import product
from pathlib import Path
from typing import Any

import polars as pl

from semiad.report.coordinates import (
    ANOMALOUS,
    AUC,
    CLASS,
    DATASET,
    LABELLED,
    METHODS,
    NORMAL,
    POLLUTION,
    SCENARIO,
    SEEN,
    TESTED,
    method,
    swept,
)
from semiad.report.drawings import BARS, KINDS, RANKS, Drawing, Setting, labels, matrix, sweep
from semiad.report.experiment import Experiment, Paper
from semiad.report.papers.aesad_causes import (
    CAUSES,
    EXCHANGED,
    FEWER_DATA,
    HARDLY_POLLUTED,
    SHORT_OF_TABLE_7,
    SHUTTLE,
    TABLE_AE,
    UNPOLLUTED,
)
from semiad.report.papers.aesad_claims import CLAIMS

METHOD = method(METHODS)
OPPONENT = method(METHODS, "opponent", "param_value")
ALPHA = swept("alpha", "method.lam.alpha")
RIVALS: dict[str, Any] = {"compared": METHOD, "subject": "AE-SAD"}
EIGHT = "MNIST, normal 8, 100 labelled anomalies of 1, 3, 5, 9: "
MATRIX = matrix("aesad", "ae")

PAPER = Paper(
    name="aesad",
    title="AE-SAD",
    experiments=(
        Experiment(
            "aesad_table1",
            EIGHT + "AUC of 8 against each other class, seen in training or not.",
            (SEEN, CLASS),
            (METHOD,),
            4,
            kind="class",
            difference=("AE-SAD minus AE", "AE-SAD", "AE"),
            drawings=(MATRIX,),
            **RIVALS,
        ),
        Experiment(
            "aesad_fig1",
            EIGHT + "rows and their reconstructions.",
            (METHOD,),
            (AUC,),
            4,
            needs="samples",
            drawings=(
                Drawing(
                    "semiad.report.figures.images:reconstructions",
                    "Rows (x) above their reconstructions (x̂), of each method one run, whose seed is named. Below "
                    f"each stands its class, and whether it is {KINDS}.",
                ),
            ),
        ),
        Experiment(
            "aesad_fig2",
            EIGHT + "scores by class, and the AUC over all classes.",
            (METHOD,),
            (AUC,),
            4,
            source="aesad_fig2c",
            needs="samples",
            drawings=(
                Drawing(
                    "semiad.report.figures.images:boxes",
                    "Scores of the test rows by class on a logarithmic axis, of each method one run, whose seed and "
                    "AUC are named. Boxes reach from the first to the third quartile, the line in them is the median, "
                    "whiskers reach to the last row within 1.5 times the height of the box, dots are rows beyond.",
                    {"one_scale": ("ae", "aesad")},
                ),
            ),
            **RIVALS,
        ),
        Experiment(
            "aesad_table2",
            "ODDS tables, 5 % of the training rows labelled anomalies.",
            (DATASET,),
            (METHOD,),
            3,
            drawings=(RANKS,),
            causes=(SHUTTLE, TABLE_AE),
            **RIVALS,
        ),
        Experiment(
            "aesad_table3",
            "One-vs-one: how often the method of the row has a greater AUC than that of the column.",
            (METHOD,),
            (OPPONENT,),
            2,
            kind="win",
            totals=("method", "opponent"),
            pooled=(270, "cells of three data sets"),
            causes=(FEWER_DATA,),
            drawings=(RANKS, MATRIX),
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
            drawings=(RANKS, MATRIX),
            **RIVALS,
        ),
        Experiment(
            "aesad_table5",
            "3 against three known classes, 50 labelled anomalies of each, under more and more pollution.",
            (DATASET, METHOD),
            (POLLUTION,),
            3,
            causes=(HARDLY_POLLUTED,),
            drawings=(MATRIX,),
            **RIVALS,
        ),
        Experiment(
            "aesad_table6",
            "Each class against all others, all of them known: 2 labelled and 100 polluting anomalies of each.",
            (DATASET, NORMAL),
            (METHOD,),
            3,
            lost=[*product(("MNIST", "Fashion-MNIST"), map(str, range(10)), list(METHODS.values())[:5])],
            drawings=(RANKS, MATRIX),
            **RIVALS,
        ),
        Experiment(
            "aesad_table7",
            "Each class against three known ones: 2 labelled and 100 polluting anomalies of each.",
            (DATASET, NORMAL, ANOMALOUS),
            (METHOD,),
            3,
            causes=(EXCHANGED, UNPOLLUTED, SHORT_OF_TABLE_7),
            drawings=(RANKS, MATRIX),
            **RIVALS,
        ),
        Experiment(
            "aesad_table8",
            "Several normal classes, tested on seen classes only or on unseen ones as well.",
            (DATASET, NORMAL, ANOMALOUS, TESTED),
            (METHOD,),
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
            drawings=(
                sweep(
                    "alpha",
                    "normal_class",
                    "labelled",
                    "Mean AUC of AE-SAD over one-vs-one cells and seeds by alpha, a panel for each number s of "
                    f"labelled anomalies, a line for each normal class. {BARS} More than six lines go without.",
                ),
                labels("alpha"),
            ),
        ),
        Experiment(
            "aesad_fig4",
            "Fashion-MNIST, one-vs-one: AUC by the number of labelled anomalies; the autoencoder ignores them.",
            (NORMAL,),
            (METHOD, LABELLED),
            4,
            totals=("normal",),
            drawings=(
                sweep(
                    "labelled",
                    "method",
                    "normal_class",
                    "Mean AUC over one-vs-one cells and seeds by the number of labelled anomalies, a panel for each "
                    f"normal class. The autoencoder ignores labels and is a level. {BARS} The band is that of the "
                    "level.",
                ),
                labels(),
            ),
        ),
        Experiment(
            "aesad_fig5",
            "ODDS tables: AUC and training loss by epoch; the value is the AUC at the epoch of lowest loss.",
            (DATASET,),
            (METHOD,),
            4,
            metric="auc_at_min_loss",
            needs="curve",
            drawings=(
                Drawing(
                    "semiad.report.figures.curves:epochs",
                    "AUC (above) and training loss (below, on a logarithmic axis) by epoch. Lines are means over "
                    "runs, bands reach from the least to the greatest; in brackets stands the mean AUC at the epoch "
                    "of the lowest loss.",
                ),
            ),
            **RIVALS,
        ),
        Experiment(
            "aesad_fig6",
            "AUC of AE-SAD by lambda under pollution, 100 labelled anomalies.",
            (DATASET, POLLUTION),
            (ALPHA,),
            4,
            drawings=(
                sweep(
                    "alpha",
                    "pollution",
                    "dataset",
                    "Mean AUC of AE-SAD by alpha, a panel for each data set, a line for each share of pollution. "
                    "Bars are 95 % intervals of the mean.",
                ),
            ),
        ),
        Experiment(
            "aesad_fig7",
            "AE-SAD against each rival, on clean data and on polluted (Tables 6 and 7, so not CIFAR-10); the value "
            "is the mean AUC over all cells.",
            (DATASET, SCENARIO),
            (METHOD,),
            4,
            where=(pl.col("dataset") != "cifar10") | (pl.col("scenario") == "one_vs_one"),
            drawings=(
                Drawing(
                    "semiad.report.figures.points:scatter",
                    "AUC of AE-SAD (upwards) against that of each rival (to the right). A mark is a pair of runs of "
                    "one cell and seed; above the diagonal AE-SAD has the greater AUC.",
                    {"method": "aesad"},
                ),
            ),
            **RIVALS,
        ),
    ),
    methods=METHODS,
    folder=Path(__file__).parents[1] / "published",
    causes=CAUSES,
    claims=CLAIMS,
    settings={"alpha": Setting("method.lam.alpha", r"$\alpha$  ($\lambda = 1 + \alpha\,(n/s - 1)$)", r"$\alpha$ = {}")},
)
