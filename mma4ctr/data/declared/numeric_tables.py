"""Tables of numbers: columns of them, or one column of vectors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from mma4ctr.cli import UserError
from mma4ctr.data.declared import feature_tables
from mma4ctr.data.declared.feature_tables import FILE, PLACE, ROW, VALUE
from mma4ctr.data.declared.kept import Kept
from mma4ctr.data.declared.schema import Source
from mma4ctr.data.raw_files import shown

HEAD = 1_000  # rows of a text file that tell which of its columns are numbers
NUMBERS = r"[^\s,;\[\]\(\)]+"  # what stands between brackets, commas and spaces of a vector that is written as text


def _number(column: str, dtype: pl.DataType) -> pl.Expr:
    """Return a column as numbers; null where it holds none."""
    text = pl.col(column).str.strip_chars() if dtype == pl.String else pl.col(column)
    return text.cast(pl.Float32, strict=False)


def _are_numbers(file: Path, source: Source, schema: dict[str, pl.DataType]) -> list[str]:
    """Return the columns that hold numbers: by their type, or in a file of text by its first rows."""
    if feature_tables.format_of(file, source) == "parquet":
        return [name for name, dtype in schema.items() if dtype.is_numeric() or dtype == pl.Boolean]
    head = feature_tables.collect([feature_tables.scan(file, source).head(HEAD)], file, source)[0]
    number = head.select(_number(name, pl.String()) for name in schema)
    return [name for name in schema if number[name].count() == head[name].count() > 0]


def columns_of(file: Path, source: Source) -> list[str]:
    """Return the columns of numbers that are declared, a star written out, by default all of them but the id."""
    schema = feature_tables.schema_of(file, source)
    name_of_id = feature_tables.id_column(source, schema)
    if source.columns is None:
        names = [name for name in _are_numbers(file, source, schema) if name != name_of_id]
        expected = "a column of numbers beside the id"
    else:
        names = []
        for pattern in source.columns:
            starts = [name for name in schema if name.startswith(pattern[:-1]) and name != name_of_id]
            names += starts if pattern.endswith("*") and pattern not in schema else [pattern]
        expected = f"columns {', '.join(source.columns):.60}"
    if not names:
        raise UserError(f"{file}: found the columns {', '.join(schema):.300}, expected {expected}; change `columns` in "
                        "the declaration, or give `separator` or `header` if these are no names")  # fmt: skip
    return list(dict.fromkeys(names))


def _bad_number(files: list[Path], source: Source, row: dict, columns: list[str]) -> UserError:
    """Return the error of a row that holds something else than numbers."""
    file = files[row[FILE]]
    bad = [value is None or not np.isfinite(value) for value in row[VALUE]].index(True)
    column = columns[bad] if source.vector is None else source.vector
    where = feature_tables.where(file, source, row[ROW])
    what = feature_tables.cell(file, source, row[ROW], column) if source.vector is None else shown(row[VALUE])
    found = "empty" if what in ("None", "''") else what
    return UserError(f"{where}: column {column} is {found}, expected numbers that float32 holds; mend the line")


def _dense(files: list[Path], source: Source, rows: pl.DataFrame, kept: Kept, columns: list[str]) -> np.ndarray:
    """Return lists of numbers as a matrix (rows, length) float32."""
    in_file = rows.select(FILE, ROW, pl.col(VALUE).list.len()).sort(FILE, ROW)
    lengths = in_file[VALUE]
    odd = (lengths != lengths[0]).arg_true()
    if len(odd):
        file, row = in_file.select(FILE, ROW).row(odd[0])
        raise UserError(f"{feature_tables.where(files[file], source, row)}: the vector has {lengths[odd[0]]} numbers, "
                        f"expected {lengths[0]} as in the first row; mend the line")  # fmt: skip
    numbers = rows[VALUE].explode().to_numpy().reshape(len(rows), lengths[0])
    bad = ~np.isfinite(numbers).all(axis=1)
    if bad.any():
        first = rows.filter(pl.Series(bad)).sort(FILE, ROW).row(0, named=True)
        raise _bad_number(files, source, first, columns)
    feature_tables.check_once(files, source, rows, kept, "vectors")
    return numbers


def _vector(column: str) -> Callable[[Path, dict[str, pl.DataType]], pl.Expr]:
    """Return what makes lists of numbers of a column of lists or of text; null where it is empty."""

    def value(file: Path, schema: dict[str, pl.DataType]) -> pl.Expr:
        feature_tables.require_columns(file, schema, [column])
        dtype = schema[column]
        lists = pl.col(column).str.extract_all(NUMBERS) if dtype == pl.String else pl.col(column)
        if not (dtype == pl.String or isinstance(dtype, pl.List | pl.Array)):
            raise UserError(f"{file}: column {column} is of type {dtype}, expected lists of numbers, or text of them; "
                            "name another column")  # fmt: skip
        numbers = lists.cast(pl.List(pl.Float32), strict=False)
        return pl.when(numbers.list.len() > 0).then(numbers)

    return value


def vectors(files: list[Path], source: Source, kept: Kept) -> tuple[np.ndarray, Matrix]:
    """Return the places (items,) of items with numbers, and these, (items, columns) float32."""
    columns: list[str] = []
    if source.vector is not None:
        value = _vector(source.vector)
    else:
        columns = columns_of(files[0], source)

        def value(file: Path, schema: dict[str, pl.DataType]) -> pl.Expr:
            feature_tables.require_columns(file, schema, columns)
            return pl.concat_list(_number(name, schema[name]) for name in columns)

    rows = feature_tables.rows_of(files, source, kept, value)
    feature_tables.require_some(files, rows, f"column {source.vector}")
    return rows[PLACE].to_numpy(), _dense(files, source, rows, kept, columns)
