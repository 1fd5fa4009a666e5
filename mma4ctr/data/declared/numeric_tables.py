"""Tables of numbers: columns of them, or one column of vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from mma4ctr.cli import UserError
from mma4ctr.data.declared import feature_tables
from mma4ctr.data.declared.feature_tables import FILE, PLACE, ROW, VALUE
from mma4ctr.data.declared.kept import Kept
from mma4ctr.data.declared.schema import Source

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
    head = feature_tables.collect(feature_tables.scan(file, source).head(HEAD), file, source)
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


def _check_finite(
    files: list[Path], source: Source, rows: pl.DataFrame, numbers: np.ndarray, columns: list[str]
) -> None:
    """Raise the `UserError` that names the first row, in the order of the files, that holds something else."""
    finite = np.isfinite(numbers)
    if finite.all():
        return
    bad = rows.select(FILE, ROW).with_row_index("place").filter(pl.Series(~finite.all(axis=1)))
    place, file, row = bad.sort(FILE, ROW).row(0)
    column = source.vector or columns[int(finite[place].argmin())]
    found = feature_tables.cell(files[file], source, row, column)
    raise UserError(
        f"{feature_tables.where(files[file], source, row)}: column {column} is "
        f"{'empty' if found == 'None' else found}, expected numbers that float32 holds; mend the line"
    )


def _unlisted(files: list[Path], source: Source, rows: pl.DataFrame) -> np.ndarray:
    """Return lists of numbers as a matrix (rows, length) float32; null is NaN."""
    in_file = rows.select(FILE, ROW, pl.col(VALUE).list.len()).sort(FILE, ROW)
    lengths = in_file[VALUE]
    odd = (lengths != lengths[0]).arg_true()
    if len(odd):
        file, row = in_file.select(FILE, ROW).row(odd[0])
        raise UserError(f"{feature_tables.where(files[file], source, row)}: the vector has {lengths[odd[0]]} numbers, "
                        f"expected {lengths[0]} as in the first row; mend the line")  # fmt: skip
    return rows[VALUE].explode().to_numpy().reshape(len(rows), lengths[0])


def _vector(column: str) -> feature_tables.Value:
    """Return what makes lists of numbers of a column of lists or of text; null where it is empty."""

    def value(file: Path, schema: dict[str, pl.DataType]) -> list[pl.Expr]:
        feature_tables.require_columns(file, schema, [column])
        dtype = schema[column]
        lists = pl.col(column).str.extract_all(NUMBERS) if dtype == pl.String else pl.col(column)
        if not (dtype == pl.String or isinstance(dtype, pl.List | pl.Array)):
            raise UserError(f"{file}: column {column} is of type {dtype}, expected lists of numbers, or text of them; "
                            "name another column")  # fmt: skip
        numbers = lists.cast(pl.List(pl.Float32), strict=False)
        return [pl.when(numbers.list.len() > 0).then(numbers).alias(VALUE)]

    return value


def _columns(columns: list[str]) -> feature_tables.Value:
    """Return what makes numbers of columns."""

    def value(file: Path, schema: dict[str, pl.DataType]) -> list[pl.Expr]:
        feature_tables.require_columns(file, schema, columns)
        return [_number(name, schema[name]) for name in columns]

    return value


def vectors(files: list[Path], source: Source, kept: Kept) -> tuple[np.ndarray, np.ndarray]:
    """Return the places (items,) of items with numbers, and these, (items, columns) float32."""
    columns: list[str] = []
    if source.vector is not None:
        rows = feature_tables.rows_of(files, source, kept, _vector(source.vector))
        feature_tables.require_some(files, rows, f"column {source.vector}")
        numbers = _unlisted(files, source, rows)
    else:
        columns = columns_of(files[0], source)
        rows = feature_tables.rows_of(files, source, kept, _columns(columns))
        numbers = rows.select(columns).to_numpy(order="c")
    _check_finite(files, source, rows, numbers, columns)
    feature_tables.check_once(files, source, rows, kept, "vectors")
    return rows[PLACE].to_numpy(), numbers
