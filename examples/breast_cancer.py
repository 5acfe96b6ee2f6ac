"""Writes two tables of scikit-learn's breast cancer data, to try `semiad` on: `python examples/breast_cancer.py`.

A row is a tumour, a column what was measured of its cells. `patients.csv` has 300 benign tumours, of which 120 were
checked (`malignant` is 0) and 180 were not (`malignant` is empty), and 15 that are known to be malignant (1). `new.csv`
has other tumours, 57 benign and 20 malignant, with the truth in `malignant`.
"""

import numpy as np
import polars as pl
from sklearn.datasets import load_breast_cancer

cells = load_breast_cancer()
names = [name.replace(" ", "_") for name in cells.feature_names]
table = pl.DataFrame(cells.data, schema=names)
draws = np.random.default_rng(0)
benign, malignant = draws.permutation(np.flatnonzero(cells.target == 1)), np.flatnonzero(cells.target == 0)
malignant = draws.permutation(malignant)

labels = [0] * 120 + [None] * 180 + [1] * 15
train = table[np.concatenate([benign[:300], malignant[:15]])].with_columns(malignant=pl.Series(labels))
train[draws.permutation(315)].write_csv("patients.csv")
new = table[np.concatenate([benign[300:], malignant[15:35]])].with_columns(malignant=pl.Series([0] * 57 + [1] * 20))
new[draws.permutation(77)].write_csv("new.csv")
