"""`semiad query`: rows of a table that are worth a label, as a table to fill in."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from semiad.cli.folders import refuse_images
from semiad.cli.score import ScoreOptions, collect
from semiad.cli.tables import STDOUT, TableOptions, as_words, write_table
from semiad.console import open_console
from semiad.detector.estimator import Detector
from semiad.detector.inputs import table_preprocessor
from semiad.detector.query import choose_rows
from semiad.detector.stream import columns_to_read, score_table
from semiad.errors import InputError, named
from semiad.tabular.preprocessor import TablePreprocessor
from semiad.tabular.sample import ROW, equal_rows, labelled_rows, read_labels

SCORE = "semiad_score"
"""The column that is put beside those of the table and `ROW`: the score of the row."""


def run_query(model: Path, options: TableOptions, n: int, by: str, out: str, device: str) -> None:
    """Choose rows without a label, and write them with an empty column for it.

    Raises:
        InputError: the model, the table or an option cannot be used.
    """
    refuse_images(options.path, "query")
    if options.label is None:
        raise InputError("--label is missing: the name of the column that is to be filled in")
    if options.label in (ROW, SCORE):
        raise InputError(f"--label is {options.label}, a column that `query` itself writes: name another one")
    detector = ScoreOptions(out).load(model, device)
    preprocessor = table_preprocessor(detector.preprocessor_)
    table = options.open(preprocessor.texts)
    if taken := [name for name in (ROW, SCORE) if name in table.schema]:
        raise InputError(f"{options.path} has a column '{taken[0]}' of its own: rename it")
    open_rows = np.full(table.height, True)
    if options.label in table.schema:
        open_rows = np.isnan(read_labels(table, options.label, **options.meanings))
    schema = {name: kind for name, kind in table.schema.items() if name != options.label}
    columns, answers = list(schema), []
    for path, more in options.answers(schema):
        with named(f"--more {path}"):
            answers.append(labelled_rows(more, schema, options.label, **options.meanings)[0])
    if answers:
        answered = pl.concat(answers)
        open_rows &= ~np.concatenate([equal_rows(frame, answered) for frame in table.chunks(columns)])
    if not open_rows.any():
        raise InputError(f"all {table.height:,} rows of {options.path} have a label")
    scores, _ = collect(score_table(detector, table, taken=open_rows), int(open_rows.sum()))
    numbers = np.flatnonzero(open_rows)
    watched = columns_to_read(detector, table.schema)

    def read(rows: np.ndarray, columns: list[str]) -> pl.DataFrame:
        return table.take(np.isin(np.arange(table.height), rows), columns)

    chosen = choose_rows(
        scores, n, by, detector.threshold_, lambda at: preprocessor.transform(read(numbers[at], watched))
    )
    rows = numbers[chosen]
    frame = read(rows, columns)[np.argsort(np.argsort(rows))]
    asked = frame.with_columns(
        pl.lit(None, pl.String).alias(options.label), pl.Series(ROW, rows + 1), pl.Series(SCORE, scores[chosen])
    )
    write_table([asked.select(ROW, SCORE, options.label, *columns)], out)
    alarms = int(detector.alarms(scores[chosen]).sum())
    console = open_console()
    console.print(
        f"{options.path}: {len(rows):,} of {len(numbers):,} rows without a label, by {by}; {alarms:,} of them are "
        f"alarms; written to {out}",
        markup=False,
    )
    console.print(f"Fill in '{options.label}' (leave empty what you do not know), then:", markup=False)
    answers_file = "ANSWERS.csv" if out == STDOUT else out
    labels = [*options.label_words, *as_words({"--more": [*options.more, answers_file]})]
    again = shlex.join([*detector.overrides, *labels, *fitted_with(detector, preprocessor, columns)])
    console.print(f"  semiad fit TABLE {again} --out MODEL", markup=False)


def fitted_with(detector: Detector, preprocessor: TablePreprocessor, columns: Sequence[str]) -> list[str]:
    """Give the options of `semiad fit` with which a detector of a table was fitted, but for labels and kinds.

    Columns that were left out for what they are (identifiers, constants) are among those to leave out.
    """
    used, standard = {encoder.name for encoder in preprocessor.encoders}, Detector()
    settings = {
        f"--{name}": [value]
        for name in ("method", "ensemble", "fpr")
        if (value := getattr(detector, name)) != getattr(standard, name)
    }
    return as_words({"--drop": [name for name in columns if name not in used], **settings})
