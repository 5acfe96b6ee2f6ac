"""Writes tables to try a choice with few labels on, and answers a query: `python -m semiad.examples.few_labels`.

A row is a tumour of scikit-learn's breast cancer data. `patients.csv` has 250 tumours: 60 that were checked and are
benign (`malignant` is 0), 10 that are known to be malignant (1), and 180 that nobody has checked, of which 30 are
malignant in truth. `new.csv` has 100 others, 50 benign and 50 malignant ones, with the truth. With the name of a file
that `semiad query` has written it fills in the truth there, as a doctor would.
"""

import sys

import numpy as np
import polars as pl
from sklearn.datasets import load_breast_cancer


def tumours() -> tuple[pl.DataFrame, list[str]]:
    """Load the table with the column `truth` (1 is malignant), and the names of its other columns."""
    data = load_breast_cancer()
    names = [name.replace(" ", "_") for name in data.feature_names]
    return pl.DataFrame(data.data, schema=names).with_columns(truth=pl.Series(1 - data.target)), names


def write_tables() -> None:
    """Write both tables into the current folder."""
    table, _ = tumours()
    generator = np.random.default_rng(0)
    benign = generator.permutation(np.flatnonzero(table["truth"] == 0))
    malignant = generator.permutation(np.flatnonzero(table["truth"] == 1))
    labels = pl.Series("malignant", [0] * 60 + [None] * 180 + [1] * 10)
    rows = np.concatenate([benign[:210], malignant[10:40], malignant[:10]])
    train = table[rows].drop("truth").with_columns(labels)
    train[generator.permutation(250)].write_csv("patients.csv")
    new = table[np.concatenate([benign[210:260], malignant[40:90]])].rename({"truth": "malignant"})
    new[generator.permutation(100)].write_csv("new.csv")
    print("patients.csv (250 rows) and new.csv (100 rows) are written")


def answer(path: str) -> None:
    """Fill in the truth for the rows of a query.

    Args:
        path: file that `semiad query` has written.
    """
    table, names = tumours()
    query = pl.read_csv(path, schema_overrides={"malignant": pl.Int64})
    truth = query.join(table.unique(names), on=names, how="left", maintain_order="left")["truth"]
    query.with_columns(malignant=truth).write_csv(path)
    print(f"{truth.sum()} of {len(truth)} tumours are malignant")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        answer(sys.argv[1])
    else:
        write_tables()
