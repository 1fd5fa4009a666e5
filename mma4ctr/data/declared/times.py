"""Times of a declared log as int64, and which of them cannot be meant."""

from __future__ import annotations

import math

import numpy as np
import polars as pl

from mma4ctr.data.declared.schema import Time

UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
LATEST = 4_200_000_000  # s: in the year 2103; a later time is one of a finer unit
EARLIEST = 10**8  # s: in the year 1973; an earlier time in ms, us or ns is one of a coarser unit
FIRST_DAY, LAST_DAY = 0, 4_133_980_800  # s: the years 1970 to 2100
EXACT = 2.0**53
DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
COMPACT = r"^[0-9]{8}$"


def ranked(values: pl.Series) -> pl.Series:
    """Return float64 numbers as int64 that are sorted as they are: their bits, those of negative ones turned round."""
    bits = (values.fill_null(0.0).to_numpy() + 0.0).view(np.int64)  # + 0.0: a zero has no sign
    return pl.Series(values.name, np.where(bits < 0, bits ^ np.int64(2**63 - 1), bits))


def _seconds(text: pl.Expr) -> pl.Expr:
    """Return a date as ISO 8601 or YYYYMMDD has it, with or without a time of the day, in seconds."""
    plain = text.str.strip_chars().str.replace(r"^(\S+)[T ]+", "${1} ").str.replace(" ?Z$", "+00:00")
    days = (pl.when(plain.str.contains(form)).then(plain.str.to_date(style, strict=False)).cast(pl.Datetime("us"))
            for form, style in ((DATE, "%Y-%m-%d"), (COMPACT, "%Y%m%d")))  # fmt: skip
    moments = (plain.str.to_datetime(style, strict=False, time_unit="us") for style in
               ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"))  # fmt: skip
    zoned = plain.str.to_datetime("%Y-%m-%d %H:%M:%S%.f%#z", strict=False, time_unit="us", time_zone="UTC")
    return pl.coalesce(*days, *moments, zoned.dt.replace_time_zone(None)).dt.epoch("s")


def value_of(time: Time, kind: str) -> pl.Expr:
    """Return a column of times as int64, in numbers of its own unit (a date in seconds); null where it cannot be.

    Parameters
    ----------
    time : Time
    kind : str
        What the column is read as: int64, float64 (``number``), or text of a date.
    """
    column = pl.col(time.column)
    if time.unit == "date":
        return _seconds(column)
    if kind != "number":
        return column
    if time.unit == "order":
        bits = column.map_batches(ranked, return_dtype=pl.Int64, is_elementwise=True)
        return pl.when(column.is_not_null()).then(bits)
    is_whole = (column == column.round()) & (column.abs() < EXACT)
    return pl.when(is_whole).then(column).cast(pl.Int64, strict=False)


def plausible(value: pl.Expr, unit: str) -> pl.Expr:
    """Tell whether a time (int64) can be of its unit."""
    if unit == "order":
        return value.is_not_null()
    if unit == "date":
        return value.is_between(FIRST_DAY, LAST_DAY, closed="left")
    size = UNITS[unit]
    if unit == "s":
        return value.is_between(-LATEST, LATEST, closed="none")
    high = value.is_between(EARLIEST * size, LATEST * size, closed="left")
    return high | value.is_between(-LATEST * size, -EARLIEST * size, closed="right")


def expected(time: Time, found: str | None) -> str:
    """Say what was expected instead of a time that is not plausible, and what to do."""
    order = "or say unit: order where only the order counts"
    if time.unit == "date":
        return ("a date of the years 1970 to 2100, as ISO 8601 (2017-11-25 or 2017-11-25T08:30:00) or YYYYMMDD; mend "
                "the line, or say time.unit")  # fmt: skip
    try:
        number = float(found or "")
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        return "a number, as times are; mend the line, or say unit: date if these are dates"
    if time.unit == "order":
        return "a number of at most 64 bits; mend the line"
    if number != round(number) or abs(number) >= 2**63:
        return f"a whole number of {time.unit}; mend the line, {order}"
    like = _looks_like(abs(number))
    if like in (None, time.unit):
        return f"a time in {time.unit}; mend the line, {order}"
    return f"a time in {time.unit}: it looks like {like}; say unit: {like} if all do, mend the line, {order}"


def _looks_like(number: float) -> str | None:
    """Return the unit in which a number is a time of our days."""
    return next((unit for unit, size in UNITS.items() if EARLIEST * size <= number < LATEST * size), None)
