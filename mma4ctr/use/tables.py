"""Tables of pairs, of new items and of what was recommended: CSV or Parquet by the ending."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mma4ctr.cli import UserError
from mma4ctr.store import disk

ENDINGS = (".csv", ".parquet")


def ending_of(file: Path) -> str:
    """Return the ending of a file; raise `UserError` if it is none of a table's."""
    if file.suffix not in ENDINGS:
        raise UserError(f"{file}: ends in {file.suffix or 'nothing'}, expected {' or '.join(ENDINGS)}; rename it")
    return file.suffix


def read(file: Path, columns: tuple[str, ...]) -> pl.DataFrame:
    """Return the table in a file; ids of a CSV file are text as they stand there.

    Raises
    ------
    UserError
        If it cannot be read, or lacks one of the columns.
    """
    is_csv = ending_of(file) == ".csv"
    try:
        found = pl.read_csv(file, infer_schema=False) if is_csv else pl.read_parquet(file)
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror or error!s:.80}); give an existing file") from None
    except pl.exceptions.PolarsError as error:
        raise UserError(f"{file}: is no {file.suffix[1:]} file ({str(error).splitlines()[0]:.80}); mend it") from None
    for column in columns:
        if column not in found.columns:
            raise UserError(
                f"{file}: has the columns {', '.join(found.columns):.80}, expected {' and '.join(columns)}; rename them"
            )
    return found


def write(file: Path, table: pl.DataFrame) -> None:
    """Write a table, whole or not at all."""
    is_csv = ending_of(file) == ".csv"
    with disk.replacing(file) as temporary:
        (table.write_csv if is_csv else table.write_parquet)(temporary)


def ids_in(values: Any, name: str) -> pl.Series:
    """Return ids (n,) as text, from a column, a list or an array of text or whole numbers.

    Raises
    ------
    UserError
        If one is missing or is neither.
    """
    found = values if isinstance(values, pl.Series) else pl.Series(name, list(values))
    if len(found) and not (found.dtype.is_integer() or found.dtype == pl.String):
        raise UserError(f"{name}: ids are {found.dtype}, expected text or whole numbers; convert the column")
    if found.null_count():
        raise UserError(f"{name}: row {found.is_null().arg_max()} (from 0) has no id; leave the row out")
    return found.cast(pl.String)


def vectors_in(table: pl.DataFrame, modality: str, width: int, told: str) -> np.ndarray:
    """Return the vectors (n, width) float32 in a column of lists; raise `UserError` where they are something else."""
    found = table[modality]
    try:
        rows = found.cast(pl.List(pl.Float64))
        lengths = rows.list.len()
        if found.null_count() or lengths.n_unique() > 1 or (len(lengths) and lengths[0] != width):
            there = sorted(set(lengths.to_list()), key=str)
            raise UserError(
                f"{told}: {modality} has vectors of {there!s:.60} numbers, expected {width} in every row; mend them"
            )
        matrix = np.array(rows.explode().to_numpy(), dtype=np.float64).reshape(len(table), width)
    except pl.exceptions.PolarsError:
        raise UserError(f"{told}: {modality} is {found.dtype}, expected lists of numbers") from None
    matrix32 = matrix.astype(np.float32)
    if not np.isfinite(matrix32).all():
        raise UserError(f"{told}: {modality} has numbers that are missing or not finite; give others")
    return matrix32


def frame_of(pairs: Any) -> pl.DataFrame:
    """Return pairs as a data frame with the columns user and item; see `TrainedRun.predict`."""
    if not isinstance(pairs, pl.DataFrame):
        if hasattr(pairs, "columns"):
            pairs = pl.DataFrame({name: list(pairs[name]) for name in ("user", "item") if name in pairs.columns})
        else:
            users, items = zip(*pairs, strict=True) if (pairs := list(pairs)) else ((), ())
            pairs = pl.DataFrame({"user": list(users), "item": list(items)})
    for name in ("user", "item"):
        if name not in pairs.columns:
            raise UserError(f"pairs have the columns {', '.join(pairs.columns):.80}, expected user and item")
    return pairs
