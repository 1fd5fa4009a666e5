"""Writing sample files: whole or not at all, and lists of ids as one string a row."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl

from mma4ctr import ending


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open `path` for binary writing under a temporary name; it gets its own name once everything is written.

    An `OSError` on the way has the name of the file, which libraries leave out.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".partial")
    try:
        with temporary.open("wb") as file:
            yield file
        temporary.replace(path)
    except OSError as error:
        number = ending.number_of(error)
        raise OSError(number, os.strerror(number) if number else str(error), str(path)) from None
    finally:
        temporary.unlink(missing_ok=True)


def join_lists(lengths: np.ndarray, values: pl.Series, separator: str) -> pl.Series:
    """Join a row's values into one string.

    Parameters
    ----------
    lengths : (rows,) number of values of each row.
    values : (sum of lengths,) strings, row by row.
    separator : what stands between two values.

    Returns
    -------
    joined : (rows,) strings, null where a row has no value
    """
    rows = pl.DataFrame({"row": np.arange(len(lengths))})
    flat = pl.DataFrame({"row": np.repeat(np.arange(len(lengths)), lengths), "value": values})
    joined = flat.group_by("row", maintain_order=True).agg(pl.col("value").str.join(separator))
    return rows.join(joined, on="row", how="left", maintain_order="left")["value"]


def write_lines(file: BinaryIO, lines: pl.Series) -> None:
    """Append strings to an open file, one a line."""
    file.write((lines.str.join("\n").item() + "\n").encode())


def chunks(size: int, length: int) -> list[np.ndarray]:
    """Return the indices 0 to `size` - 1 in runs of at most `length`."""
    return [np.arange(start, min(start + length, size)) for start in range(0, size, length)]
