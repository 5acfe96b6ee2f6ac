"""What each figure shows, in words: the same on a page and in a document."""

BARS = "Bars are 95 % intervals of the mean, drawn over cells and seeds."
KINDS = "normal, of a class that has labelled anomalies (seen), or of one that has none (unseen)"

MAIN = {
    "aesad_fig1": "Rows (x) above their reconstructions (x̂), of each method one run, whose seed is named. Below each "
    f"stands its class, and whether it is {KINDS}.",
    "aesad_fig2": "Scores of the test rows by class on a logarithmic axis, of each method one run, whose seed and AUC "
    "are named. Boxes reach from the first to the third quartile, the line in them is the median, whiskers reach to "
    "the last row within 1.5 times the height of the box, dots are rows beyond.",
    "aesad_fig3": "Mean AUC of AE-SAD over one-vs-one cells and seeds by alpha, a panel for each number s of labelled "
    f"anomalies, a line for each normal class. {BARS} More than six lines go without.",
    "aesad_fig4": "Mean AUC over one-vs-one cells and seeds by the number of labelled anomalies, a panel for each "
    f"normal class. The autoencoder ignores labels and is a level. {BARS} The band is that of the level.",
    "aesad_fig5": "AUC (above) and training loss (below, on a logarithmic axis) by epoch. Lines are means over runs, "
    "bands reach from the least to the greatest; in brackets stands the mean AUC at the epoch of the lowest loss.",
    "aesad_fig6": "Mean AUC of AE-SAD by alpha, a panel for each data set, a line for each share of pollution. Bars "
    "are 95 % intervals of the mean.",
    "aesad_fig7": "AUC of AE-SAD (upwards) against that of each rival (to the right). A mark is a pair of runs of one "
    "cell and seed; above the diagonal AE-SAD has the greater AUC.",
    "esad_fig2": f"Mean AUC of ESAD over cells and seeds by lambda 1, a line for each data set. {BARS}",
    "esad_fig3": "Codes of test rows in the plane, by t-SNE: those of Deep SAD, those of ESAD's first encoder and "
    "those of its second, of each the run of the lowest seed that kept codes. "
    f"Marks tell whether a row is {KINDS}.",
    "esad_fig5": f"Mean AUC of ESAD over cells and seeds by lambda 2, a line for each data set. {BARS}",
}
"""Of the figures that the papers have, by experiment."""
OTHERS = {
    "labels": "Mean AUC by labelled anomalies, over all test rows, with anomalies of seen classes only, and with those "
    f"of unseen classes only. {BARS}",
    "matrix": "Mean AUC over seeds of a normal class (down; in brackets its labelled classes, where it has several "
    "rows) against each class of test anomalies (across). Bold: the class has labelled anomalies. Hatched: the normal "
    "class. The colours reach from .5 to 1; dark red is below .5.",
    "ranks": "Mean rank of each method by AUC, 1 the best, over the cells that all methods have, each with its mean "
    "over seeds. A thick bar joins methods whose ranks lie closer than Nemenyi's critical difference at the 5 % "
    "level: these are not told apart.",
}
"""Of those that they have not, by what follows the experiment in the figure's name."""


def caption(name: str) -> str:
    """Of the figure of this name."""
    paper, place, *rest = name.split("_")
    return OTHERS[rest[0]] if rest else MAIN[f"{paper}_{place}"]
