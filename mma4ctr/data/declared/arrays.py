"""Arrays of features: ``.npy`` files of which only the rows of kept items are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from mma4ctr.cli import UserError
from mma4ctr.data.declared import feature_tables
from mma4ctr.data.declared.feature_tables import ROW
from mma4ctr.data.declared.kept import ID, PLACE, Kept
from mma4ctr.data.declared.schema import Source
from mma4ctr.data.raw_files import shown
from mma4ctr.reduction import CHUNK

ROW_NUMBER = "^(?:0|[1-9][0-9]*)$"  # text that is written as a row number would be


def load(file: Path) -> np.ndarray:
    """Map an array, of which nothing is read yet."""
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError, SyntaxError) as error:
        reason = shown((str(error).splitlines() or ["nothing is said"])[0])
        raise UserError(f"{file}: cannot be read as an array ({reason}), expected a .npy file of numbers without "
                        "pickled objects; write it with numpy.save, or download it again") from None  # fmt: skip
    if not isinstance(array, np.ndarray):
        raise UserError(f"{file}: holds several arrays, expected one; write the one that is meant with numpy.save")
    return array


def load_matrix(file: Path) -> np.ndarray:
    """Map an array (rows, columns) of numbers."""
    array = load(file)
    if array.ndim != 2:
        raise UserError(f"{file}: found an array of shape {array.shape}, expected (items, columns); reshape it")
    if array.dtype.kind not in "fiub":
        raise UserError(f"{file}: found an array of {array.dtype}, expected numbers; convert it")
    return array


def _ids_of_array(file: Path) -> pl.Series:
    array = load(file)
    if array.ndim != 1 or array.dtype.kind not in "iuU":
        raise UserError(
            f"{file}: found an array of {array.dtype} and shape {array.shape}, expected one id a row, int64 or unicode "
            "text; convert it"
        )
    return pl.Series(ID, np.asarray(array, dtype=array.dtype.newbyteorder("=")))


def _ids_of_table(file: Path, source: Source) -> pl.Series:
    schema = feature_tables.schema_of(file, source)
    column = feature_tables.id_column(source, schema)
    feature_tables.require_columns(file, schema, [column])
    return feature_tables.collect(feature_tables.scan(file, source).select(column), file, source).to_series()


def _has_one_id_a_line(file: Path) -> bool:
    return file.name.removesuffix(".gz").endswith(".txt")


def where(file: Path, source: Source, row: int) -> str:
    """Return where the id of a row stands in a file of ids, for messages."""
    if file.suffix == ".npy":
        return f"{file}: row {row} (from 0)"
    return f"{file}:{row + 1}" if _has_one_id_a_line(file) else feature_tables.where(file, source, row)


def read_ids(file: Path, source: Source, kept: Kept) -> pl.Series:
    """Read the item of each row of an array.

    Parameters
    ----------
    file : Path
        A ``.npy`` of integers or of unicode text, a ``.txt`` with one id a line, or a table with a column of ids.
    source : Source
        Of the array: it names the column of a table, by default the first.
    kept : Kept

    Returns
    -------
    polars.Series, (rows,)
        Ids that can be compared with those of `kept`, each of them once.
    """
    if file.suffix == ".npy":
        raw = _ids_of_array(file)
    elif _has_one_id_a_line(file):
        lines = feature_tables.scan_lines(file, source).select("line")
        raw = feature_tables.collect(lines, file, source).to_series()
    else:
        raw = _ids_of_table(file, source)
    ids = raw.to_frame().select(kept.compared(pl.col(raw.name), raw.dtype).alias(ID)).to_series()
    wrong = ids.is_null() | (raw == "") if raw.dtype == pl.String else ids.is_null()
    if wrong.any():
        place = int(wrong.arg_true()[0])
        raise UserError(f"{where(file, source, place)}: the id is {shown(raw[place])}, expected {kept.kind}; mend it")
    twice = ids.filter(ids.is_duplicated())
    if len(twice):
        first, again = (ids == twice[0]).arg_true().head(2)
        raise UserError(
            f"{where(file, source, again)}: duplicate vectors: the id {shown(twice[0])} stands at row {first} and at "
            f"row {again} (from 0), expected each once; remove one of them"
        )
    return ids


def _rows_by_number(file: Path, count: int, kept: Kept) -> tuple[np.ndarray, np.ndarray]:
    """Return which of `count` rows belong to kept items that are called by row numbers: places and rows, (items,)."""
    if not kept.are_integers:
        other = kept.ids.filter(~kept.ids.str.contains(ROW_NUMBER))
        if len(other):
            raise UserError(
                f"{file}: its rows are numbered, but the log calls an item {shown(other[0])}; name the item of each "
                "row in a file `ids` of the modality"
            )
    numbers = kept.ids.cast(pl.Int64, strict=False).fill_null(-1).to_numpy()
    places = np.flatnonzero((numbers >= 0) & (numbers < count))
    if len(places) == 0:
        raise kept.no_match(file, "vector", f"rows 0 to {count - 1}")
    return places, numbers[places]


def _rows_by_id(file: Path, count: int, ids_file: Path, source: Source, kept: Kept) -> tuple[np.ndarray, np.ndarray]:
    """Return which of `count` rows belong to kept items, by a file that has the id of each row."""
    ids = read_ids(ids_file, source, kept)
    if len(ids) != count:
        raise UserError(
            f"{ids_file}: found {len(ids):,} ids, but {file.name} has {count:,} rows; give the id of each row"
        )
    found = ids.to_frame().with_row_index(ROW).join(kept.table(), on=ID).sort(PLACE)
    if found.is_empty():
        raise kept.no_match(ids_file, "vector", ids[0] if len(ids) else "none")
    return found[PLACE].to_numpy(), found[ROW].to_numpy().astype(np.int64)


def vectors(files: list[Path], source: Source, kept: Kept) -> tuple[np.ndarray, np.ndarray]:
    """Read the rows of kept items from an array, and from it alone without a file of ids.

    Returns
    -------
    places : (items,) int64 array
        Of the items among the kept ones, sorted.
    matrix : (items, columns) float32 array
    """
    file = files[0]
    array = load_matrix(file)
    if len(files) == 1:
        places, rows = _rows_by_number(file, len(array), kept)
    else:
        places, rows = _rows_by_id(file, len(array), files[1], source, kept)
    matrix = np.empty((len(rows), array.shape[1]), dtype=np.float32)
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused
        for start in range(0, len(rows), CHUNK):
            matrix[start : start + CHUNK] = array[rows[start : start + CHUNK]]
            finite = np.isfinite(matrix[start : start + CHUNK])
            if not finite.all():
                row, column = np.argwhere(~finite)[0]
                raise UserError(
                    f"{file}: row {rows[start + row]} (from 0), of item {kept.name(places[start + row])}, has "
                    f"{array[rows[start + row], column]} in column {column}, expected numbers that float32 holds; "
                    "mend it"
                )
    return places, matrix
