"""Writes two tables of scikit-learn's breast cancer data: `python -m semiad.examples.breast_cancer`.

A row is a tumour, a column what was measured of its cells. `patients.csv` has 300 benign tumours, of which 120 were
checked (`malignant` is 0) and 180 were not (`malignant` is empty), and 15 that are known to be malignant (1). `new.csv`
has other tumours, 57 benign and 20 malignant, with the truth in `malignant`.
"""

import numpy as np
import polars as pl
from sklearn.datasets import load_breast_cancer


def write_tables() -> None:
    """Write both tables into the current folder."""
    data = load_breast_cancer()
    names = [name.replace(" ", "_") for name in data.feature_names]
    table = pl.DataFrame(data.data, schema=names)
    generator = np.random.default_rng(0)
    benign = generator.permutation(np.flatnonzero(data.target == 1))
    malignant = generator.permutation(np.flatnonzero(data.target == 0))

    labels = pl.Series([0] * 120 + [None] * 180 + [1] * 15)
    train = table[np.concatenate([benign[:300], malignant[:15]])].with_columns(malignant=labels)
    train[generator.permutation(315)].write_csv("patients.csv")
    truth = pl.Series([0] * 57 + [1] * 20)
    new = table[np.concatenate([benign[300:], malignant[15:35]])].with_columns(malignant=truth)
    new[generator.permutation(77)].write_csv("new.csv")
    print("patients.csv (315 rows) and new.csv (77 rows) are written")


if __name__ == "__main__":
    write_tables()
