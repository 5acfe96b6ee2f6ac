"""Writes tables to try a choice with few labels on, and answers a query: `python examples/few_labels.py [ask.csv]`.

A row is a tumour of scikit-learn's breast cancer data. `patients.csv` has 250 tumours: 60 that were checked and are
benign (`malignant` is 0), 10 that are known to be malignant (1), and 180 that nobody has checked, of which 30 are
malignant in truth. `new.csv` has 100 others, 50 benign and 50 malignant ones, with the truth. With a file that
`semiad query` has written it fills in the truth, as a doctor would.
"""

import sys

import numpy as np
import polars as pl
from sklearn.datasets import load_breast_cancer

cells = load_breast_cancer()
names = [name.replace(" ", "_") for name in cells.feature_names]
table = pl.DataFrame(cells.data, schema=names).with_columns(truth=pl.Series(1 - cells.target))

if len(sys.argv) > 1:
    ask = pl.read_csv(sys.argv[1], schema_overrides={"malignant": pl.Int64})
    answers = ask.join(table.unique(names), on=names, how="left", maintain_order="left")["truth"]
    ask.with_columns(malignant=answers).write_csv(sys.argv[1])
    print(f"{answers.sum()} of {len(answers)} tumours are malignant")
else:
    draws = np.random.default_rng(0)
    benign, malignant = (draws.permutation(np.flatnonzero(cells.target == kind)) for kind in (1, 0))
    labels = pl.Series("malignant", [0] * 60 + [None] * 180 + [1] * 10)
    train = table[np.concatenate([benign[:210], malignant[10:40], malignant[:10]])].drop("truth").with_columns(labels)
    train[draws.permutation(250)].write_csv("patients.csv")
    new = table[np.concatenate([benign[210:260], malignant[40:90]])].rename({"truth": "malignant"})
    new[draws.permutation(100)].write_csv("new.csv")
