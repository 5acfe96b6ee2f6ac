"""Dates in a column: the formats in which they are written, and what of them is a feature."""

import re

import numpy as np
import polars as pl

from semiad.errors import InputError

DATE_FORMATS = tuple(
    date + time
    for date in (
        *("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y"),
        *("%B %d, %Y", "%d %B %Y", "%d-%B-%Y"),  # English names of months, or their first three letters
        *("%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d-%B-%y"),
    )
    for time in (
        *("", " %H:%M", " %H:%M:%S%.f", "T%H:%M:%S%.f", "T%H:%M:%S%.f%#z", " %H:%M:%S%.f%#z"),
        *(" %I:%M %p", " %I:%M:%S %p"),
    )
)
DIGITS = {"%Y": r"\d{4}", "%y": r"\d{2}", "%m": r"\d{1,2}", "%d": r"\d{1,2}", "%B": r"[A-Za-z]+"}
"""What stands for a part of a date in a text."""
SPAN_DAYS = 3 * 366
"""Days that dates must span for their distance in time to be a feature."""
CIRCLES = {"weekday": (7.0, 13.0), "month": (365.2425, 330.0), "hour": (1.0, 1.5)}
"""Days of a turn, and days that dates must span for the place on it to be a feature."""
DAYS = "in days"
"""Name of the distance in time."""


def date_format(present: pl.Series) -> str | None:
    """Find the format in which all texts of a column are dates; None if there is none."""
    if present.dtype != pl.String:
        return None
    for form in DATE_FORMATS:
        if not parse_dates(present.head(50), form).null_count() and not parse_dates(present, form).null_count():
            return form
    return None


def parse_dates(texts: pl.Series, form: str) -> pl.Series:
    """Read texts as dates, in UTC where they have a zone; null where a text has another format.

    Years have as many digits as the format says: Polars alone reads 24 as the year 24.
    """
    until_year = re.sub("%.", lambda part: DIGITS[part[0]], re.escape(form[: form.lower().index("%y") + 2]))
    those = texts.set(~texts.str.contains(f"^{until_year}"), None)
    dates = those.str.strptime(pl.Datetime("us", "UTC" if "%#z" in form else None), form, strict=False)
    return dates.dt.replace_time_zone(None)


def as_days(values: pl.Series, name: str, form: str | None) -> np.ndarray:
    """Convert dates to days since 1970, NaN where one is missing.

    Raises:
        InputError: a text that is no date of this format, or values that are no dates.
    """
    dates = values
    if values.dtype == pl.String and form is not None:
        dates = parse_dates(values, form)
        if wrong := values.filter(dates.is_null() & values.is_not_null()).to_list():
            raise InputError(f"column '{name}' is of dates written as {form}, but holds '{wrong[0]}'")
    elif values.null_count() == len(values):
        return np.full(len(values), np.nan)
    elif values.dtype != pl.Datetime:
        raise InputError(f"column '{name}' is of dates, but holds '{values.drop_nulls()[0]}'")
    microseconds = dates.cast(pl.Datetime("us")).dt.epoch("us").cast(pl.Float64)
    days: np.ndarray = (microseconds / 86_400e6).fill_null(np.nan).to_numpy()
    return days


def span(days: np.ndarray) -> tuple[float, float, bool]:
    """Give the first and the last of some days since 1970, NaN left out, and whether there are times of day."""
    present = days[np.isfinite(days)]
    return float(present.min()), float(present.max()), bool((present % 1 > 0).any())


def date_parts(low: float, high: float, hours: bool) -> list[str]:
    """Name what is a feature of dates in a range: the circles of which they span enough, and perhaps `DAYS`.

    Args:
        low: first of the range, in days since 1970.
        high: last of the range.
        hours: whether there are times of day.
    """
    circles = [name for name, (_, least) in CIRCLES.items() if high - low >= least and (hours or name != "hour")]
    return [*circles, DAYS] if high - low > SPAN_DAYS else circles
