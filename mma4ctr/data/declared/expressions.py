"""Expressions of SQL in declarations: of one row each, over the columns of the files."""

from __future__ import annotations

import re

import polars as pl

from mma4ctr.cli import UserError
from mma4ctr.paths_file import shown

PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")  # the name of a column, even where SQL has a meaning for it
# What sees more than the row it is of, and so would depend on how a file is cut into parts.
OVER_ROWS = re.compile(
    r"\b(over|select)\b|\b(sum|avg|mean|min|max|count|first|last|median|mode|stddev\w*|stdev\w*|var\w*|corr|covar\w*|"
    r"quantile\w*|array_agg|row_number|rank|dense_rank|lag|lead|rand|random)\s*\(", re.IGNORECASE,
)  # fmt: skip
TEXTS = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"")  # and names in quotes


def parsed(sql: str) -> pl.Expr:
    """Return an expression of SQL, or the column of that name.

    Raises
    ------
    ValueError
        If it is none, or looks at other rows; its text is a message in short.
    """
    if PLAIN.fullmatch(sql):
        return pl.col(sql)
    if over := OVER_ROWS.search(TEXTS.sub("''", sql)):
        raise ValueError(f"{over[0].rstrip('(').strip()} looks at more than one row")
    try:
        found = pl.sql_expr(sql)
        found.meta.root_names()
    except (pl.exceptions.PolarsError, RecursionError) as error:
        raise ValueError(short(error)) from None
    return found


def short(error: Exception) -> str:
    """Return the first line of what Polars says, cut where it is long."""
    return shown((str(error).splitlines() or [type(error).__name__])[0])


def columns_of(sql: str) -> list[str]:
    """Return the columns that an expression is made of, each once."""
    return list(dict.fromkeys(parsed(sql).meta.root_names()))


def is_column(sql: str) -> bool:
    """Whether an expression is a column as it is."""
    return parsed(sql).meta.is_column()


def check(where: str, key: str, sql: str) -> None:
    """Raise the `UserError` of an expression that cannot be read, or that has no column."""
    try:
        columns = columns_of(sql)
    except ValueError as error:
        raise UserError(
            f"{where}: {key}: {shown(sql)} is no SQL expression of one row ({error}), expected one such as "
            '"rating >= 4"; mend it: names that SQL knows stand in "double" quotes, text in \'single\' ones'
        ) from None
    if not columns:
        raise UserError(f"{where}: {key}: found {shown(sql)}, which has no column, expected the name of a column or a "
                        "SQL expression over columns; name one")  # fmt: skip
