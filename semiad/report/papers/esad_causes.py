"""Known causes of differences from the tables of the ESAD paper."""

from semiad.report.causes import Cause
from semiad.report.verdicts import Verdict

EPOCH = (
    "The paper does not say of which epoch its values are; ours are those of the last. What the best "
    "epoch of each draw would give stands in the notes to this table. It does not fit all designs of Table 5, so that "
    "this is no proof."
)
CHOSEN_GAMMA = (
    "Deep SAD's code chooses gamma by the AUC on a tenth of the test rows; ours is fixed. With that choice "
    "(method.head.variant=published) "
)
GAMMA = CHOSEN_GAMMA + "ours is {} on the same cells, see the notes to this table."
POLLUTED_GAMMA = (
    CHOSEN_GAMMA
    + "OC-SVM Hybrid has {} on the same cells, more than half of what is missing, see the notes to this table."
)
HYBRIDS = {"data set": ("MNIST",), "method": ("OC-SVM Hybrid", "SSAD Hybrid")}
TABLE_1 = (
    Cause(GAMMA.format("96.3 at gamma_l 0.05"), {"data set": ("MNIST",), "method": ("SSAD Hybrid",)}, Verdict.BELOW),
)
TABLE_2 = (Cause(GAMMA.format("95.3"), {"data set": ("MNIST",), "method": ("OC-SVM Hybrid",)}, Verdict.BELOW),)
TABLE_8 = (Cause(POLLUTED_GAMMA.format("95.8 at gamma_p 0 and 84.2 at gamma_p 0.1"), HYBRIDS, Verdict.BELOW),)
TABLE_9 = (Cause(POLLUTED_GAMMA.format("82.4"), HYBRIDS, Verdict.BELOW),)
RATE = (
    "No settings are printed for tables. Ours are the defaults of Deep SAD's code, with a rate of 1e-3; the one "
    "command that its authors print, for MNIST, has 1e-4 for 150 epochs. "
)
SLOW_HYBRIDS = (
    f"{RATE}With that, and gamma chosen on test rows as published, SSAD Hybrid lies within 1.5 points of the printed "
    "value on all five tables that were tried, OC-SVM Hybrid within 2.6 on four of them, see the notes to this table."
)
SLOW_NETWORKS = (
    f"{RATE}With that ours is on the other side of the printed value or nearer to it; no one rate fits all tables, see "
    "the notes to this table."
)
TABLE_4 = (
    Cause(EPOCH, {"data set": ("satellite",), "method": ("ESAD",)}, Verdict.BELOW),
    Cause(SLOW_HYBRIDS, {"data set": ("arrhythmia", "cardio"), "method": ("SSAD Hybrid",)}),
    Cause(SLOW_HYBRIDS, {"data set": ("thyroid",), "method": ("OC-SVM Hybrid",)}, Verdict.ABOVE),
    Cause(SLOW_NETWORKS, {"data set": ("cardio", "thyroid"), "method": ("SS-DGM",)}, Verdict.ABOVE),
    Cause(SLOW_NETWORKS, {"data set": ("arrhythmia", "thyroid"), "method": ("CAE",)}, Verdict.ABOVE),
    Cause(SLOW_NETWORKS, {"data set": ("arrhythmia",), "method": ("Deep SAD",)}, Verdict.ABOVE),
    Cause(SLOW_NETWORKS, {"data set": ("cardio",), "method": ("Supervised Classifier",)}, Verdict.ABOVE),
)
TABLE_5 = (Cause(EPOCH, {"data set": ("satellite",)}, Verdict.BELOW),)
