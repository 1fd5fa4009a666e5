"""What the readers of both challenges share: tables of integers and files with one JSON object a line.

Polars reads in parallel and in bounded memory, but says little about where a file is broken. So a failed read is
followed by a plain walk through the file that finds the first broken line and names it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import orjson
import polars as pl
import scipy.sparse

from mma4ctr.cli import UserError

ITEM_ID = r'"item_id"\s*:\s*(\d+)'


def require_file(file: Path, key: str) -> None:
    """Raise `UserError` unless `file` exists and is not empty; `key` is the key of path.json that leads to it."""
    if not file.is_file():
        raise UserError(f"{file}: no such raw file; put it there or change {key} in path.json")
    if file.stat().st_size == 0:
        raise UserError(f"{file}: the file is empty; download it again")


def header_of(file: Path, wanted: Sequence[str]) -> list[str]:
    """Return the column names in the first line of a comma CSV; raise `UserError` if a wanted one is missing."""
    with open(file, encoding="utf-8-sig", errors="replace") as stream:
        columns = stream.readline().rstrip("\r\n").split(",")
    missing = [name for name in wanted if name not in columns]
    if missing:
        raise UserError(
            f"{file}:1: missing column {', '.join(missing)}; found {', '.join(columns)}; expected all of "
            f"{', '.join(wanted)} in the header line"
        )
    return columns


def scan_integers(file: Path, columns: Sequence[str], wanted: Sequence[str], *, separator: str, header: bool):
    """Scan a delimited file of integers lazily.

    Parameters
    ----------
    file : Path
    columns : sequence of str
        The names of all columns, in the order of the file.
    wanted : sequence of str
        The columns to keep.

    Returns
    -------
    polars.LazyFrame
        The wanted columns as int64, one row a line, in the order of the file.
    """
    frame = pl.scan_csv(
        file, separator=separator, has_header=header, quote_char=None,
        schema={name: pl.Int64 if name in wanted else pl.String for name in columns},
    )  # fmt: skip
    return frame.select(wanted)


def explain_integers(file: Path, columns: Sequence[str], wanted: Sequence[str], *, separator: str, header: bool):
    """Raise the `UserError` that names the first line and field of `file` that is no integer."""
    places = [(columns.index(name), name) for name in wanted]
    with open(file, encoding="utf-8", errors="replace") as stream:
        for number, line in enumerate(itertools.islice(stream, int(header), None), start=1 + int(header)):
            fields = line.rstrip("\r\n").split(separator)
            if len(fields) != len(columns):
                raise UserError(
                    f"{file}:{number}: found {len(fields)} fields, expected {len(columns)} "
                    f"({', '.join(columns)}); mend or remove the line"
                )
            for place, name in places:
                if not fields[place].lstrip("-").isdecimal():
                    raise UserError(
                        f"{file}:{number}: field {name} is {fields[place]!r}, expected an integer; "
                        "mend or remove the line"
                    )


def scan_lines(file: Path) -> pl.LazyFrame:
    """Scan a text file lazily as one string column ``line``."""
    # The unit separator does not occur in JSON text, so that each line is one field.
    return pl.scan_csv(file, separator="\x1f", has_header=False, quote_char=None, schema={"line": pl.String})


def scan_kept_objects(file: Path, kept: np.ndarray) -> pl.LazyFrame:
    """Scan the lines of a file of JSON objects whose ``item_id`` is among `kept`, without parsing the others.

    Returns
    -------
    polars.LazyFrame
        Columns ``item`` (int64, null where a line names no item) and ``line`` (the line as it stands), in file order.
    """
    item = pl.col("line").str.extract(ITEM_ID).cast(pl.Int64)
    kept_items = pl.Series("kept", kept)
    return scan_lines(file).with_columns(item=item).filter(pl.col("item").is_in(kept_items.implode()) | item.is_null())


def explain_objects(file: Path, kept: np.ndarray, problem_of: Callable[[dict], str | None]) -> None:
    """Raise the `UserError` that names the first broken line of a file of JSON objects.

    `problem_of` says what is wrong with a parsed line of a kept item, or None.
    """
    wanted = set(kept.tolist())
    with open(file, "rb") as stream:
        for number, line in enumerate(stream, start=1):
            problem = _problem_of_line(line, wanted, problem_of)
            if problem:
                raise UserError(f"{file}:{number}: {problem}; mend or remove the line")


def _problem_of_line(line: bytes, wanted: set[int], problem_of: Callable[[dict], str | None]) -> str | None:
    try:
        content = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return f"broken JSON ({error.msg} at column {error.colno})"
    if not isinstance(content, dict) or not isinstance(content.get("item_id"), int):
        return "found no integer item_id, expected one JSON object with item_id"
    return problem_of(content) if content["item_id"] in wanted else None


def collect(frames: Iterable[pl.LazyFrame], explain: Callable[[], None], file: Path) -> list[pl.DataFrame]:
    """Collect lazy frames in one streamed pass; after a failure let `explain` find the broken line of `file`."""
    try:
        return pl.collect_all(list(frames), engine="streaming")
    except pl.exceptions.PolarsError as error:
        explain()
        raise UserError(f"{file}: cannot be read ({str(error).splitlines()[0]}); check the file's format") from None


def dense_rows(lists: pl.Series, width: int) -> np.ndarray:
    """Return a column of number lists as a matrix (rows, width) float32, padded with zeros at the end."""
    lengths = lists.list.len().to_numpy()
    matrix = np.zeros((len(lists), width), dtype=np.float32)
    values = lists.explode(empty_as_null=False).to_numpy()
    matrix[np.arange(width) < lengths[:, None]] = values
    return matrix


def sparse_rows(lengths: np.ndarray, values: np.ndarray) -> scipy.sparse.csr_array:
    """Return lists laid end to end as the rows of a zero-padded matrix, kept sparse.

    Parameters
    ----------
    lengths : (rows,) int array
        The length of each list.
    values : (sum of lengths,) array
        The lists, one after another.

    Returns
    -------
    scipy.sparse.csr_array, (rows, longest length) float64
        Column k holds the k-th element of each list; what would be padding is not stored.
    """
    ends = np.cumsum(lengths, dtype=np.int64)
    starts = ends - lengths
    places = np.arange(len(values), dtype=np.int64) - np.repeat(starts, lengths)
    width = int(lengths.max(initial=0))
    return scipy.sparse.csr_array(
        (values.astype(np.float64), places, np.concatenate([[0], ends])), shape=(len(lengths), width)
    )
